use super::*;

#[test]
fn framework_tells_what_and_rabbitmq_tells_where() {
    let mut headers = vec![
        ("MT-Fault-ExceptionType", "Shop.PaymentTimeout".into()),
        ("MT-Fault-Message", "payment 5 timed out".into()),
        ("x-death", Value::Array(vec![x_death("payments_error", "expired", 1, 1_795_000_000, "payments_error", "")])),
    ];
    expect(
        &message(headers.clone()),
        "masstransit | expired | Shop.PaymentTimeout | payment 5 timed out | \
         queue=payments_error,exchange=payments_error,key= | 1 | 2026-11-18T11:06:40Z | 2026-11-18T11:06:40Z",
    );
    headers.push(("MT-Reason", "fault".into()));
    headers.push(("MT-Fault-InputAddress", "rabbitmq://localhost/payments".into()));
    expect(
        &message(headers),
        "masstransit | fault | Shop.PaymentTimeout | payment 5 timed out | queue=payments | 1 | \
         2026-11-18T11:06:40Z | 2026-11-18T11:06:40Z",
    );
}

#[test]
fn of_two_frameworks_one_speaks_and_both_are_stripped() {
    let mut m = message(vec![
        ("__connect.errors.topic", bytes(b"orders.DLT")),
        ("__connect.errors.exception.message", bytes(b"no table")),
        ("kafka_dlt-original-topic", bytes(b"orders")),
        ("tenant", bytes(b"a")),
    ]);
    expect(&m, "spring-kafka | exception | - | - | queue=orders | - | - | -");
    assert_eq!(crate::death::strip(&mut m).len(), 3);
    assert_eq!(m.headers.len(), 1);
}

#[test]
fn what_the_broker_says_about_the_origin_is_used_when_no_header_does() {
    let mut m = message(vec![("rbs2-error-details", "boom".into())]);
    m.origin = Some(crate::death::read::queue("arn:aws:sqs:eu-west-1:1:orders"));
    expect(&m, "rebus | exception | - | boom | queue=arn:aws:sqs:eu-west-1:1:orders | - | - | -");
}

#[test]
fn two_orders_one_cause() {
    let of = |order: u32, class: &str| {
        let m = message(vec![
            ("kafka_dlt-original-topic", bytes(b"orders")),
            ("kafka_dlt-original-offset", long(i64::from(order))),
            ("kafka_dlt-exception-cause-fqcn", bytes(class.as_bytes())),
            ("kafka_dlt-exception-message", Value::text(format!("order {order}: stock is -{order}"))),
        ]);
        crate::death::of(&m).unwrap().cause
    };
    assert_eq!(of(10021, "A"), of(7, "A"));
    assert_ne!(of(10021, "A"), of(10021, "B"));
}
