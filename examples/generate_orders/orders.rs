//! Two days of dead letters of an order system: a payment provider that did not answer for a night, a stock that ran below
//! zero, and what always goes wrong.

mod kafka;
mod rabbitmq;
mod random;
mod sqs;

use std::collections::BTreeMap;

use dlq::message::{DeadLetter, archive};
use jiff::{SignedDuration, Timestamp};
use random::Random;

type Death = fn(&mut Shop, Timestamp) -> DeadLetter;

/// What died, how often, and between how many minutes before the end.
const DEATHS: &[(Death, usize, i64, i64)] = &[
    (rabbitmq::payment_timeout, 84, 230, 140),
    (rabbitmq::unknown_customer, 22, 2880, 5),
    (rabbitmq::delivery_limit, 38, 1900, 30),
    (rabbitmq::bad_json, 19, 2880, 5),
    (rabbitmq::expired, 31, 2700, 100),
    (kafka::stock_negative, 72, 1500, 20),
    (kafka::unknown_customer, 21, 2880, 5),
    (kafka::tombstone, 6, 2000, 1000),
    (kafka::schema_mismatch, 33, 1300, 700),
    (kafka::protobuf, 12, 2880, 5),
    (sqs::notification, 22, 2880, 0),
];

/// The archive, byte for byte what is committed.
pub fn archive() -> Vec<u8> {
    let mut shop = Shop { random: Random(0x0dde_d1e7), order: 10_020, offsets: BTreeMap::new() };
    let end: Timestamp = "2026-11-23T06:00:00Z".parse().expect("a valid time");
    let mut deaths: Vec<(Timestamp, usize)> = Vec::new();
    for (kind, (_, count, from, to)) in DEATHS.iter().enumerate() {
        for _ in 0..*count {
            let before = shop.random.within(to * 60_000, from * 60_000);
            deaths.push((end - SignedDuration::from_millis(before), kind));
        }
    }
    deaths.sort_unstable();
    let mut out = Vec::new();
    for (at, kind) in deaths {
        let message = DEATHS[kind].0(&mut shop, at);
        let line = format!("{:032x}", shop.random.wide());
        archive::write(&line, &message, &mut out).expect("what is made here fits an archive line");
    }
    out
}

/// What the messages have in common.
struct Shop {
    random: Random,
    order: u64,
    offsets: BTreeMap<(&'static str, i32), i64>,
}

/// One order, as it is in a body.
struct Order {
    number: u64,
    customer: String,
    sku: String,
    json: String,
}

impl Shop {
    fn order(&mut self, died: Timestamp) -> Order {
        self.order += self.random.within(1, 9) as u64;
        let number = self.order;
        let customer = format!("c-{}", self.random.within(1000, 1400));
        let placed = self.before(died, 4_000, 90_000);
        let mut items = Vec::new();
        let (mut cents, mut first) = (0, String::new());
        for _ in 0..self.random.within(1, 4) {
            let sku = format!("SKU-{}", self.random.within(1001, 1060));
            let quantity = self.random.within(1, 5);
            let price = self.random.within(290, 18_990) / 10 * 10;
            cents += quantity * price;
            items.push(format!(r#"{{"sku":"{sku}","quantity":{quantity},"price":{}}}"#, euros(price)));
            first = sku;
        }
        let country = self.random.one_of(&["DE", "FR", "NL", "AT", "PL"]);
        let json = format!(
            r#"{{"order":{number},"customer":"{customer}","country":"{country}","placed":"{placed:.3}","total":{},"currency":"EUR","items":[{}]}}"#,
            euros(cents),
            items.join(","),
        );
        Order { number, customer, sku: first, json }
    }

    /// Some milliseconds earlier.
    fn before(&mut self, at: Timestamp, least: i64, most: i64) -> Timestamp {
        at - SignedDuration::from_millis(self.random.within(least, most))
    }

    /// The next offset of a partition.
    fn offset(&mut self, topic: &'static str, partition: i32) -> i64 {
        let step = self.random.within(1, 4);
        let offset = self.offsets.entry((topic, partition)).or_insert(1000 + i64::from(partition) * 37);
        *offset += step;
        *offset
    }
}

fn euros(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
