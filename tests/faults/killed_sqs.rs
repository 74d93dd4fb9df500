//! SQS: a standard queue may double what was unconfirmed, and names it; a FIFO queue drops the second of two.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use crate::figures::Figures;
use crate::killed::Killing;
use crate::load::{self, Arrived};
use crate::queues::Queues;
use crate::sandbox::Sandbox;

const A_ROUND: usize = 2000;

/// Sends these; the body behind each id.
pub fn fill(q: &Queues, name: &str, round: usize, bodies: &[String]) -> BTreeMap<String, String> {
    let fifo = name.ends_with(".fifo");
    let mut ids = BTreeMap::new();
    for (call, ten) in bodies.chunks(10).enumerate() {
        let entries = ten.iter().enumerate().map(|(at, body)| {
            SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_body(body)
                .set_message_group_id(fifo.then(|| format!("g{}", (call * 10 + at) % 100)))
                .set_message_deduplication_id(fifo.then(|| format!("{round}-{call}-{at}")))
                .build()
                .unwrap()
        });
        let send = q.client.send_message_batch().queue_url(q.url(name)).set_entries(Some(entries.collect()));
        let answer = q.runtime.block_on(send.send()).unwrap();
        assert!(answer.failed().is_empty());
        for sent in answer.successful() {
            let at: usize = sent.id().parse().unwrap();
            ids.insert(sent.message_id().to_owned(), ten[at].clone());
        }
    }
    ids
}

pub fn arrived(q: &Queues, name: &str) -> Vec<Arrived> {
    let one = |m: &aws_sdk_sqs::types::Message| Arrived {
        body: m.body().unwrap().to_owned(),
        mark: m.message_attributes().and_then(|a| a.get("dlq-replay")?.string_value()).and_then(load::mark_id),
    };
    q.drain(name).iter().map(one).collect()
}

/// `hidden`: seconds for which what a dead run held stays away.
fn killed(ending: &str, kills: u64, hidden: u32) -> Option<Figures> {
    let q = Queues::open()?;
    let mut figures = Figures::default();
    let mut round = 0;
    while figures.kills < kills {
        let verb = ["replay", "move"][round % 2];
        let from = q.queue(&format!("from-{round}{ending}"), &[]);
        let to = q.queue(&format!("to-{round}{ending}"), &[]);
        let bodies = load::bodies(round, A_ROUND);
        let ids = fill(&q, &from, round, &bodies);
        let s = Sandbox::new();
        let (source, place, hidden) = (q.address(&from), q.address(&to), format!("visibility={hidden}"));
        let to_place: &[&str] = if verb == "replay" { &["--to", &place] } else { &[&place] };
        let args = [&[verb, source.as_str(), "-X", &hidden], to_place].concat();
        let killing = Killing { sandbox: &s, args, run: "nightly", within: 60..900 };
        figures.kills += killing.kill(kills.div_ceil(3));
        let ran = killing.finish();
        let what = format!("SQS {ending:?}, round {round}, {verb}: {}", ran.stderr);
        assert_eq!(q.counts(&from), (0, 0), "{what}");
        let there = arrived(&q, &to);
        figures.add(&what, &load::count(bodies), &there, &load::named(&s, "nightly", &ids));
        round += 1;
    }
    Some(figures)
}

#[test]
fn sqs_loses_nothing_and_fifo_doubles_nothing() {
    // Side by side: most of the time is waiting for what a dead run held.
    let (standard, fifo) = std::thread::scope(|scope| {
        let standard = scope.spawn(|| killed("", 30, 3));
        let fifo = scope.spawn(|| killed(".fifo", 24, 2));
        (standard.join().unwrap(), fifo.join().unwrap())
    });
    let (Some(standard), Some(fifo)) = (standard, fifo) else { return };
    standard.print("SQS, standard queues (ElasticMQ)", 640);
    fifo.print("SQS, FIFO queues (ElasticMQ)", 0);
}
