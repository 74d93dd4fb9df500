use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<u32>().prop_map(|b| Value::F32(f32::from_bits(b))),
        any::<u64>().prop_map(|b| Value::F64(f64::from_bits(b))),
        (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| Value::Decimal { scale, value }),
        any::<u64>().prop_map(Value::Time),
        vec(any::<u8>(), 0..40).prop_map(|b| Value::Text(b.into())),
        vec(any::<u8>(), 0..40).prop_map(|b| Value::Bytes(b.into())),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            btree_map("\\PC{0,12}", inner, 0..5).prop_map(|t| Value::Table(t.into_iter().collect())),
        ]
    })
}

fn texts() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("\\PC{0,20}")
}

prop_compose! {
    fn messages()(
        headers in btree_map("\\PC{0,20}", values(), 0..6),
        texts in proptest::collection::vec(texts(), 10),
        (mode, priority, time) in (any::<Option<u8>>(), any::<Option<u8>>(), any::<Option<u64>>()),
        body in vec(any::<u8>(), 0..100),
        redelivered: bool,
        (exchange, key) in ("\\PC{0,20}", "\\PC{0,20}"),
    ) -> DeadLetter {
        let mut m = DeadLetter::new("amqp://h/q".into(), Payload::Bytes(body.into()));
        m.headers = headers.into_iter().collect();
        let names = ["content_type", "content_encoding", "correlation_id", "reply_to", "expiration", "message_id", "type",
            "user_id", "app_id", "cluster_id"];
        for (name, text) in names.into_iter().zip(texts) {
            if let Some(t) = text {
                m.properties.push(name, Value::ShortText(t));
            }
        }
        if let Some(n) = mode { m.properties.push("delivery_mode", Value::U8(n)); }
        if let Some(n) = priority { m.properties.push("priority", Value::U8(n)); }
        if let Some(n) = time { m.properties.push("timestamp", Value::Time(n)); }
        m.properties.push("exchange", Value::ShortText(exchange));
        m.properties.push("routing_key", Value::ShortText(key));
        m.properties.push("redelivered", Value::Bool(redelivered));
        m
    }
}

fn again(m: &DeadLetter) -> DeadLetter {
    let text = |n: &str| ShortString::from(m.properties.text(n).unwrap());
    let received = Received {
        exchange: text("exchange"),
        routing_key: text("routing_key"),
        redelivered: m.properties.last("redelivered") == Some(&Value::Bool(true)),
        properties: to_publish(m),
        data: m.payload.as_bytes().to_vec(),
    };
    from_delivery(&m.queue, received)
}

proptest! {
    #[test]
    fn publishing_and_reading_loses_nothing(m in messages()) {
        let back = again(&m);
        prop_assert_eq!(&back.headers, &m.headers);
        prop_assert_eq!(&back.properties, &m.properties);
        prop_assert_eq!(&back.payload, &m.payload);
    }

    #[test]
    fn an_id_does_not_change_from_look_to_look(m in messages()) {
        let mut later = m.clone();
        later.properties.set("redelivered", Value::Bool(true));
        later.headers.set("x-delivery-count", Value::I64(7));
        let (a, b) = (again(&m), again(&later));
        prop_assert_eq!(a.identity, b.identity);
        prop_assert_eq!(b.deliveries, Some(8));
        prop_assert_eq!(a.id.len(), 32);
    }
}

#[test]
fn a_present_but_empty_property_is_not_an_absent_one() {
    let mut m = DeadLetter::new("q".into(), Payload::Bytes(Bytes::new()));
    m.properties.push("reply_to", Value::ShortText(String::new()));
    let p = to_publish(&m);
    assert_eq!(p.reply_to().as_ref().map(|s| s.as_str()), Some(""));
    assert_eq!(p.correlation_id(), &None);
}

#[test]
fn what_amqp_has_no_type_for_becomes_the_nearest() {
    assert_eq!(value_to(&Value::U64(5)), AMQPValue::LongLongInt(5));
    assert_eq!(value_to(&Value::U64(u64::MAX)), long(u64::MAX.to_string()));
    assert_eq!(value_to(&Value::Number("1.5".into())), long("1.5"));
    assert_eq!(value_to(&Value::Labelled("String.x".into(), Box::new(Value::I8(1)))), AMQPValue::ShortShortInt(1));
    let mut fields = Fields::default();
    fields.push("a", "1");
    fields.push("a", "2");
    fields.push("x".repeat(256), "3");
    let table = table_to(&fields);
    assert_eq!(table.inner().len(), 1);
    assert_eq!(table.inner().get("a"), Some(&long("2")));
}

#[test]
fn a_timestamp_out_of_range_gives_no_time() {
    let at = |t: u64| {
        let properties = BasicProperties::default().with_timestamp(t);
        let (exchange, routing_key) = (ShortString::default(), ShortString::default());
        from_delivery(&"q".into(), Received { exchange, routing_key, redelivered: false, properties, data: vec![] })
    };
    assert_eq!(at(1_700_000_000).time, Some("2023-11-14T22:13:20Z".parse().unwrap()));
    assert_eq!(at(u64::MAX).time, None);
    assert_eq!(at(u64::MAX).properties.last("timestamp"), Some(&Value::Time(u64::MAX)));
    assert_eq!(at(0).deliveries, None);
}
