use proptest::prelude::*;

use super::*;

#[test]
fn x_death_that_is_no_array_of_tables() {
    for v in [Value::Null, Value::I64(5), "x".into(), Value::Table(Fields::default()), Value::Array(vec!["x".into()])] {
        expect(&message(vec![("x-death", v)]), "none");
    }
    let empty = Value::Array(vec![Value::Table(Fields::default())]);
    expect(&message(vec![("x-death", empty)]), "rabbitmq | - | - | - | - | - | - | -");
}

#[test]
fn counts_and_times_out_of_range_are_absent() {
    let huge = |count, time| Value::Array(vec![x_death("q", "rejected", count, time, "x", "k"); 2]);
    expect(
        &message(vec![("x-death", huge(-1, u64::MAX))]),
        "rabbitmq | rejected | - | - | queue=q,exchange=x,key=k | - | - | -",
    );
    expect(
        &message(vec![("x-death", huge(1, i64::MAX as u64))]),
        "rabbitmq | rejected | - | - | queue=q,exchange=x,key=k | 2 | - | -",
    );
    let both = message(vec![("x-death", huge(i64::MAX, 0))]);
    assert_eq!(crate::death::of(&both).unwrap().attempts, Some(i64::MAX as u64 * 2));
    let three = Value::Array(vec![x_death("q", "rejected", i64::MAX, 0, "x", "k"); 3]);
    assert_eq!(crate::death::of(&message(vec![("x-death", three)])).unwrap().attempts, None);
}

#[test]
fn keys_that_are_no_text_and_no_array() {
    let mut t = Fields::default();
    t.push("queue", Value::I32(5));
    t.push("exchange", bytes(&[0xff]));
    t.push("routing-keys", "order.placed");
    t.push("time", "yesterday");
    t.push("count", "many");
    t.push("reason", Value::Null);
    expect(&message(vec![("x-death", Value::Array(vec![Value::Table(t)]))]), "rabbitmq | - | - | - | - | - | - | -");
}

#[test]
fn numbers_of_the_wrong_width_are_absent_and_not_read_as_text() {
    for width in [0, 1, 2, 3, 5, 7, 9, 300] {
        let m = message(vec![
            ("kafka_dlt-original-topic", bytes(b"orders")),
            ("kafka_dlt-original-partition", bytes(&vec![b'1'; width])),
            ("kafka_dlt-original-offset", bytes(&vec![b'1'; width])),
            ("retry_topic-attempts", bytes(&vec![b'1'; if width == 1 { 2 } else { width }])),
        ]);
        expect(&m, "spring-kafka | exception | - | - | queue=orders | - | - | -");
    }
    // Four bytes of digits are a number, though they look like "1234".
    let m = message(vec![
        ("kafka_dlt-original-topic", bytes(b"orders")),
        ("kafka_dlt-original-partition", bytes(b"1234")),
        ("kafka_dlt-original-offset", long(-1)),
    ]);
    expect(&m, "spring-kafka | exception | - | - | queue=orders,partition=825373492 | - | - | -");
}

#[test]
fn text_that_is_not_what_it_should_be() {
    expect(
        &message(vec![
            ("__connect.errors.topic", bytes(b"orders")),
            ("__connect.errors.partition", bytes(b"-1")),
            ("__connect.errors.offset", bytes(b"99999999999999999999")),
            ("__connect.errors.exception.message", bytes(&[0xc3, 0x28])),
        ]),
        "kafka-connect | - | - | - | queue=orders | - | - | -",
    );
    expect(
        &message(vec![
            ("MT-Reason", Value::I64(5)),
            ("MT-Fault-Timestamp", "the day before".into()),
            ("MT-Fault-InputAddress", "rabbitmq://localhost/".into()),
            ("MT-Fault-RetryCount", Value::U64(u64::MAX)),
        ]),
        "masstransit | - | - | - | - | - | - | -",
    );
    for t in ["", "Z", "Z Z", "2026-11-23 05:48:11", "2026-13-41 05:48:11:123456 Z", "é:é Z", ": Z"] {
        let m = message(vec![("NServiceBus.FailedQ", "q".into()), ("NServiceBus.TimeOfFailure", t.into())]);
        expect(&m, "nservicebus | exception | - | - | queue=q | - | - | -");
    }
    for body in [r#"{"version":"1.0","requestContext":5}"#, r#"{"RoutingKey":5,"Exception":"x"}"#, r#"{"RoutingKey""#] {
        expect(&with_body(body), "none");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::I32),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<u64>().prop_map(Value::Time),
        any::<f64>().prop_map(Value::F64),
        "\\PC{0,40}".prop_map(Value::text),
        "[0-9:. TZ+-]{0,30}".prop_map(Value::text),
        "[a-zA-Z]{0,9}Exception:.{0,9}".prop_map(Value::text),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|b| bytes(&b)),
    ];
    let name =
        prop_oneof![Just("count"), Just("time"), Just("queue"), Just("reason"), Just("exchange"), Just("routing-keys")];
    leaf.prop_recursive(3, 16, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((name.clone().prop_map(str::to_owned), inner), 0..6)
                .prop_map(|fields| Value::Table(fields.into_iter().collect())),
        ]
    })
}

const NAMES: &[&str] = &[
    "x-death",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-original-exchange",
    "x-exception-stacktrace",
    "retry-count",
    "kafka_dlt-original-topic",
    "kafka_dlt-original-offset",
    "kafka_dlt-exception-message",
    "retry_topic-attempts",
    "x-original-topic",
    "x-original-partition",
    "__connect.errors.topic",
    "__connect.errors.offset",
    "__streams.errors.message",
    "__dlq.errors.delivery.count",
    "dead-letter-topic",
    "dead-letter-reason",
    "delayed-retry-count",
    "MT-Fault-Timestamp",
    "MT-Fault-InputAddress",
    "NServiceBus.TimeOfFailure",
    "NServiceBus.FailedQ",
    "rbs2-error-details",
    "rbs2-delivery-count",
    "failed-at",
    "original-destination",
    "reason_poisoned",
    "topic_poisoned",
    "RULE_ARN",
    "RETRY_ATTEMPTS",
    "SCHEDULE_ARN",
    "RequestID",
    "ErrorCode",
    "ErrorMessage",
];

proptest! {
    #[test]
    fn no_header_value_makes_it_panic_or_touch_what_is_the_users(
        fields in proptest::collection::vec((proptest::sample::select(NAMES), value()), 0..8)
    ) {
        let mut m = message(fields);
        m.headers.push("tenant", "a");
        let cause = |m: &DeadLetter| crate::death::of(m).map(|d| d.cause);
        prop_assert_eq!(cause(&m), cause(&m));
        prop_assert!(cause(&m).is_none_or(|c| c.len() == 8));
        let before = m.headers.len();
        let gone = crate::death::strip(&mut m);
        prop_assert_eq!(gone.len() + m.headers.len(), before);
        prop_assert_eq!(m.headers.text("tenant"), Some("a"));
        prop_assert!(crate::death::strip(&mut m).is_empty());
    }
}
