//! Messages that carry more deliveries than the limit of the queue they are in.

use super::*;

/// Dead-letters messages that were rejected 26 times into a queue with the default limit of 20.
pub async fn carried(version: &str, name: &str) -> Option<(Queue, Vec<String>)> {
    let q = Queue::new(version, name, "quorum", &[]).await?;
    let source = format!("{}.from", q.name);
    let more = [
        ("x-delivery-limit", AMQPValue::LongInt(25)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&q.name)),
    ];
    q.declare(&source, "quorum", &more).await;
    let all: Vec<String> = (0..5).map(|i| format!("carried {i}")).collect();
    for b in &all {
        let p =
            BasicProperties::default().with_message_id(b.as_str().into()).with_headers(table(&[("mine", text("yes"))]));
        q.channel
            .basic_publish("".into(), source.as_str().into(), BasicPublishOptions::default(), b.as_bytes(), p)
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let channel = q.connection.create_channel().await.unwrap();
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let mut consumer = channel
        .basic_consume(source.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await
        .unwrap();
    for _ in 0..26 * all.len() {
        let d = tokio::time::timeout(Duration::from_secs(30), consumer.next()).await.unwrap().unwrap().unwrap();
        d.reject(BasicRejectOptions { requeue: true }).await.unwrap();
    }
    channel.close(200, "".into()).await.unwrap();
    q.channel.queue_delete(source.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let began = Instant::now();
    while q.ready().await < all.len() as u64 {
        assert!(began.elapsed() < Duration::from_secs(60), "they did not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Some((q, all))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_carries_too_many_deliveries_is_saved() {
    for management in [true, false] {
        let Some((q, all)) = carried("43", &format!("carried{}", u8::from(management))).await else { return };
        q.publish(["fresh".to_owned()]).await;
        if management {
            opened_knowing_the_limit(&q).await;
        }
        let (ctx, notices) = context(&[]);
        let source = q.open_with(&ctx, management).await.unwrap();
        assert_eq!(source.capabilities().kind, "quorum");
        let mut scan = source.scan(request(false, Some(3))).await.unwrap();
        let batch = scan.next().await.unwrap().unwrap();
        let counts: Vec<_> = batch.deliveries.iter().map(|d| d.message.headers.int("x-delivery-count")).collect();
        assert_eq!(counts, [Some(26); 3], "the recipe no longer makes such messages");
        assert!(scan.next().await.unwrap().is_none());
        let closed = scan.close().await.unwrap();
        assert!(closed.notices.iter().any(|n| n.starts_with("3 messages carried")), "{closed:?}");
        assert_eq!(q.ready().await, 6, "management {management}");
        // The rest one after the other, then all of them as often as one likes.
        let mut rest: Vec<String> = all[3..].to_vec();
        rest.push("fresh".into());
        rest.extend_from_slice(&all[..3]);
        assert_eq!(look(&*source, None).await.0, rest);
        let settled = ["fresh", "carried 0", "carried 1", "carried 2", "carried 3", "carried 4"];
        for _ in 0..25 {
            let mut scan = source.scan(request(false, None)).await.unwrap();
            let mut seen = Vec::new();
            while let Some(batch) = scan.next().await.unwrap() {
                for d in batch.deliveries {
                    assert_eq!(d.message.headers.int("x-delivery-count"), None);
                    if d.message.headers.text("mine").is_some() {
                        assert_eq!(d.message.properties.text("message_id"), Some(body(&d.message).as_str()));
                        assert!(d.message.headers.last("x-death").is_some());
                    }
                    seen.push(body(&d.message));
                }
            }
            assert_eq!(scan.close().await.unwrap().notices, Vec::<String>::new());
            assert_eq!(seen, settled);
        }
        let notices = notices.lock().unwrap().clone();
        assert_eq!(notices.iter().any(|n| n.contains("the default, 20, is assumed")), !management, "{notices:?}");
        q.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taking_scan_hands_out_the_saved_copies() {
    let Some((q, all)) = carried("43", "carried-take").await else { return };
    let source = q.open().await;
    let (seen, end, closed) =
        read(source.scan(request(true, None)).await.unwrap(), |b| if b.ends_with('1') { Act::Keep } else { Act::Done })
            .await;
    end.unwrap();
    assert_eq!(seen, all);
    assert_eq!(closed.notices.len(), 1, "{closed:?}");
    assert_eq!(look(&*source, None).await.0, ["carried 1"]);
    q.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_takes_no_copy_of_is_saved_in_a_file() {
    let Some((q, all)) = carried("43", "carried-full").await else { return };
    let ctl = std::env::var("DLQ_TEST_RABBITMQ_43_CTL").expect("the server's rabbitmqctl");
    let run = |words: &[&str]| {
        let done = std::process::Command::new(&ctl).args(words).output().expect("rabbitmqctl runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    // A user who may read and not write: no copy can be published.
    let user = format!("reader-{}", std::process::id());
    run(&["add_user", &user, "secret"]);
    run(&["set_permissions", &user, ".*", "^$", ".*"]);
    let url = std::env::var("DLQ_TEST_RABBITMQ_43_URL").unwrap();
    let host = url.rsplit_once('@').unwrap().1.trim_end_matches('/');
    let address = Address::parse(&format!("amqp://{user}:secret@{host}/{}?management=none", q.name), &[]).unwrap();
    let (ctx, _) = context(&[]);
    let source = (address.backend.source)(&address, &ctx).await.unwrap();
    let mut scan = source.scan(request(false, None)).await.unwrap();
    assert_eq!(scan.next().await.unwrap_err().kind(), Kind::Denied);
    let e = scan.close().await.unwrap_err();
    run(&["delete_user", &user]);
    assert_eq!(e.kind(), Kind::Indeterminate, "{e}");
    let hint = e.get_hint().unwrap();
    let path = hint.split_whitespace().find(|w| w.ends_with(".ndjson;")).unwrap().trim_end_matches(';');
    let archive = std::fs::read_to_string(path).unwrap();
    std::fs::remove_file(path).unwrap();
    for body in &all {
        assert!(archive.contains(body.as_str()), "{body} is not in {archive}");
    }
    q.gone().await;
}
