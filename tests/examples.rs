//! The example archive is what its generator writes, and shows what the documentation says it shows.

#[path = "../examples/generate_orders/orders.rs"]
mod orders;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dlq::message::{DeadLetter, Payload, archive};

const COMMITTED: &[u8] = include_bytes!("../examples/orders.dlq.ndjson");

#[test]
fn committed_archive_is_what_the_generator_writes() {
    let generated = orders::archive();
    let lines = |b: &[u8]| b.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let first = lines(&generated).iter().zip(&lines(COMMITTED)).position(|(a, b)| a != b);
    assert!(
        generated == COMMITTED,
        "examples/orders.dlq.ndjson differs from its generator at line {}; \
         cargo run --example generate_orders > examples/orders.dlq.ndjson",
        first.map_or("count".into(), |at| (at + 1).to_string()),
    );
}

fn messages() -> Vec<DeadLetter> {
    let mut ids = BTreeSet::new();
    let lines = COMMITTED.split_inclusive(|b| *b == b'\n');
    lines
        .map(|line| {
            let line = line.strip_suffix(b"\n").expect("every line ends with a line break");
            let parsed = archive::parse(&Bytes::from_static(line)).expect("an archive line");
            assert!(ids.insert(parsed.line), "line ids are unique");
            parsed.message
        })
        .collect()
}

#[test]
fn every_message_has_a_death_and_each_mishap_one_cause() {
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for m in messages() {
        let death = dlq::death::of(&m).unwrap_or_else(|| panic!("{} has no death", m.id));
        assert!(death.origin.is_some(), "{} has no origin", m.id);
        *causes.entry(death.cause).or_default() += 1;
    }
    let mut counts: Vec<usize> = causes.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [6, 12, 19, 21, 22, 22, 31, 33, 38, 72, 84]);
}

#[test]
fn bodies_of_every_kind_and_ids_that_find_one_message() {
    let messages = messages();
    assert_eq!(messages.len(), 360);
    let ids: BTreeSet<_> = messages.iter().map(|m| (&m.queue, &m.id)).collect();
    assert_eq!(ids.len(), messages.len());
    let count = |is: fn(&DeadLetter) -> bool| messages.iter().filter(|m| is(m)).count();
    let json = |m: &DeadLetter| serde_json::from_slice::<serde_json::Value>(m.payload.as_bytes()).is_ok();
    assert_eq!(count(|m| m.payload == Payload::Absent), 6);
    assert_eq!(count(|m| std::str::from_utf8(m.payload.as_bytes()).is_err()), 12);
    assert_eq!(messages.iter().filter(|m| json(m)).count(), 360 - 6 - 12 - 19 - 33);
}
