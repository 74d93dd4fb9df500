//! Queues where each look counts: 3.x with a limit, and 4.0 to 4.2, which have one by default.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_last_three_looks_are_refused_where_each_counts() {
    let Some(q) = Queue::new("310", "limit", "quorum", &[("x-delivery-limit", AMQPValue::LongInt(6))]).await else {
        return;
    };
    let all = q.fill(30).await;
    // Without the management API nobody can tell whether there is a limit.
    let blind = q.open_with(&context(&[]).0, false).await.unwrap();
    assert_eq!(blind.scan(request(false, None)).await.err().unwrap().kind(), Kind::Hazard("delivery-limit"));
    let source = opened_knowing_the_limit(&q).await;
    assert_eq!(source.capabilities().peek, Peek::CountsDelivery { limit: Some(6) });
    for left in [5, 4, 3] {
        let (seen, closed) = look(&*source, None).await;
        assert_eq!(seen, all);
        assert!(closed.notices.iter().any(|n| n.contains(&format!("has {left} look"))), "{closed:?}");
    }
    let (seen, end, _) = read(source.scan(request(false, None)).await.unwrap(), |_| Act::Keep).await;
    assert_eq!(seen, Vec::<String>::new());
    let e = end.unwrap_err();
    assert_eq!(e.kind(), Kind::Hazard("delivery-limit"));
    assert!(e.to_string().contains("3 looks left"), "{e}");
    assert_eq!(q.ready().await, 30);
    // Accepted, it goes on, and when the last look is used up the messages are saved, not lost.
    let (ctx, _) = context(&["delivery-limit"]);
    let source = q.open_with(&ctx, true).await.unwrap();
    let mut saved = 0;
    for _ in 0..12 {
        let (seen, closed) = look(&*source, None).await;
        let whole: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), whole.len()), (30, 30));
        saved += closed.notices.iter().filter(|n| n.contains("carried more deliveries")).count();
        assert_eq!(q.ready().await, 30);
    }
    assert!(saved >= 1);
    q.gone().await;
}

/// Twenty is the default, and every return counts: the looks run out, and what the last would destroy is saved.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_looks_where_every_return_counts_lose_nothing() {
    for management in [true, false] {
        let name = format!("fifty{}", u8::from(management));
        let Some(q) = Queue::new("40", &name, "quorum", &[]).await else { return };
        let all = q.fill(40).await;
        if management {
            opened_knowing_the_limit(&q).await;
        }
        let careful = q.open_with(&context(&[]).0, management).await.unwrap();
        if !management {
            // The limit may be less than the default.
            let refused = careful.scan(request(false, None)).await.err().unwrap();
            assert_eq!(refused.kind(), Kind::Hazard("delivery-limit"));
            fifty(&q, false, 0).await;
            q.gone().await;
            continue;
        }
        assert_eq!(careful.capabilities().peek, Peek::CountsDelivery { limit: Some(20) });
        let mut looks = 0;
        let refused = loop {
            let (seen, end, _) = read(careful.scan(request(false, None)).await.unwrap(), |_| Act::Keep).await;
            assert_eq!(q.ready().await, 40, "look {looks}, management {management}");
            match end {
                Ok(()) => assert_eq!(seen, all, "look {looks}"),
                Err(e) => break e,
            }
            looks += 1;
        };
        assert_eq!(refused.kind(), Kind::Hazard("delivery-limit"));
        assert!(refused.to_string().contains("3 looks left"), "{refused}");
        assert_eq!(looks, 17, "management {management}");
        fifty(&q, management, looks).await;
        q.gone().await;
    }
}

/// Accepted, the looks go on up to the fiftieth, and what the last allowed one would destroy is saved.
async fn fifty(q: &Queue, management: bool, looks: usize) {
    let brave = q.open_with(&context(&["delivery-limit"]).0, management).await.unwrap();
    let mut saved = 0;
    for n in looks..50 {
        let (seen, closed) = look(&*brave, None).await;
        let whole: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), whole.len()), (40, 40), "look {n}, management {management}");
        assert_eq!(q.ready().await, 40, "look {n}, management {management}");
        saved += closed.notices.iter().filter(|n| n.contains("carried more deliveries")).count();
    }
    assert!(saved >= 1, "management {management}: the count never ran out");
}

/// Without the management API the limit is taken to be the default. Where it is less, what that costs is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_come_back_is_told() {
    let Some(q) = Queue::new("40", "less", "quorum", &[("x-delivery-limit", AMQPValue::LongInt(1))]).await else {
        return;
    };
    let all = q.fill(10).await;
    let source = q.open_with(&context(&["delivery-limit"]).0, false).await.unwrap();
    let told = |closed: &Closed| closed.notices.iter().any(|n| n.contains("10 messages did not turn up"));
    let (seen, closed) = look(&*source, None).await;
    assert_eq!((seen.len(), told(&closed), q.ready().await), (all.len(), false, 10), "{closed:?}");
    let (seen, closed) = look(&*source, None).await;
    assert_eq!((seen.len(), told(&closed), q.ready().await), (all.len(), true, 0), "{closed:?}");
    q.gone().await;
}

/// What is compared there starts afresh with each queue, though the carried count is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_carried_count_costs_nothing_by_itself_before_4_3() {
    let Some((q, all)) = carried::carried("40", "carried").await else { return };
    opened_knowing_the_limit(&q).await;
    let source = q.open_with(&context(&["delivery-limit"]).0, true).await.unwrap();
    for n in 0..30 {
        let (seen, _) = look(&*source, None).await;
        let whole: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), whole.len()), (all.len(), all.len()), "look {n}");
        assert_eq!(q.ready().await, all.len() as u64, "look {n}");
    }
    q.gone().await;
}
