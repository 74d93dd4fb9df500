use super::*;
use crate::death::strip;

#[track_caller]
fn stripped(mut m: DeadLetter, user: &[&'static str]) {
    for name in user {
        m.headers.push(*name, "the user's");
    }
    strip(&mut m);
    let left: Vec<_> = m.headers.iter().map(|(n, _)| n.to_owned()).collect();
    assert_eq!(left, user);
}

#[test]
fn rabbitmq() {
    let mut m = message(vec![(
        "x-death",
        Value::Array(vec![x_death("orders", "rejected", 1, 1_795_000_000, "shop", "order.placed")]),
    )]);
    expect(
        &m,
        "rabbitmq | rejected | - | - | queue=orders,exchange=shop,key=order.placed | 1 | 2026-11-18T11:06:40Z | 2026-11-18T11:06:40Z",
    );
    assert!(strip(&mut m).is_empty(), "x-death is the backend's to strip");
}

#[test]
fn rabbitmq_in_a_retry_loop_replays_to_where_it_was_first_published() {
    // Died in orders, waited in orders.retry, died in orders again: that entry moved to the front.
    let m = message(vec![
        (
            "x-death",
            Value::Array(vec![
                x_death("orders", "rejected", 3, 1_795_000_000, "shop", "order.placed"),
                x_death("orders.retry", "expired", 2, 1_795_000_010, "retry", "orders"),
            ]),
        ),
        ("x-first-death-queue", "orders".into()),
        ("x-first-death-reason", "rejected".into()),
        ("x-first-death-exchange", "shop".into()),
    ]);
    expect(
        &m,
        "rabbitmq | rejected | - | - | queue=orders,exchange=shop,key=order.placed | 5 | 2026-11-18T11:06:40Z | -",
    );
}

#[test]
fn rabbitmq_without_first_death_headers_takes_the_earliest_entry() {
    let m = message(vec![(
        "x-death",
        Value::Array(vec![
            x_death("b", "maxlen", 1, 1_795_000_060, "dlx", "b"),
            x_death("a", "expired", 1, 1_795_000_000, "", "a"),
        ]),
    )]);
    expect(&m, "rabbitmq | maxlen | - | - | queue=a,exchange=,key=a | 2 | 2026-11-18T11:06:40Z | 2026-11-18T11:07:40Z");
}

#[test]
fn spring_amqp() {
    let m = message(vec![
        (
            "x-exception-stacktrace",
            "java.lang.IllegalStateException: stock is negative\n\tat shop.Stock.take(Stock.java:41)".into(),
        ),
        ("x-exception-message", "stock is negative".into()),
        ("x-original-exchange", "shop".into()),
        ("x-original-routingKey", "order.placed".into()),
        ("retry-count", Value::I64(2)),
    ]);
    expect(
        &m,
        "spring-amqp | exception | java.lang.IllegalStateException | stock is negative | exchange=shop,key=order.placed | 3 | - | -",
    );
    stripped(m, &["x-tenant", "x-exception-policy", "x-original-topic-name"]);
    stripped(message(vec![]), &["retry-count", "x-exception-message"]);
}

#[test]
fn spring_kafka() {
    let m = message(vec![
        ("kafka_dlt-original-topic", bytes(b"orders")),
        ("kafka_dlt-original-partition", int(1)),
        ("kafka_dlt-original-offset", long(88)),
        ("kafka_dlt-original-timestamp", long(1_795_000_000_000)),
        ("kafka_dlt-original-timestamp-type", bytes(b"CreateTime")),
        ("kafka_dlt-original-consumer-group", bytes(b"billing")),
        ("kafka_dlt-exception-fqcn", bytes(b"org.springframework.kafka.listener.ListenerExecutionFailedException")),
        ("kafka_dlt-exception-cause-fqcn", bytes(b"java.lang.IllegalStateException")),
        ("kafka_dlt-exception-message", bytes(b"stock is negative")),
        ("kafka_dlt-exception-stacktrace", bytes(b"...")),
        ("kafka_dlt-original-topic", bytes(b"orders-retry-0")),
        ("kafka_dlt-original-partition", int(0)),
        ("kafka_dlt-original-offset", long(7)),
        ("retry_topic-attempts", int(3)),
    ]);
    expect(
        &m,
        "spring-kafka | exception | java.lang.IllegalStateException | stock is negative | \
         queue=orders,partition=1,offset=88,group=billing | 3 | - | -",
    );
    stripped(m, &["kafka_correlationId", "event-type"]);
}

#[test]
fn spring_kafka_key_error_and_old_attempts() {
    let m = message(vec![
        ("kafka_dlt-original-topic", bytes(b"orders")),
        ("kafka_dlt-key-exception-fqcn", bytes(b"DeserializationException")),
        ("kafka_dlt-key-exception-message", bytes(b"failed to deserialize")),
        ("retry_topic-attempts", bytes(&[4])),
    ]);
    expect(
        &m,
        "spring-kafka | exception | DeserializationException | failed to deserialize | queue=orders | 4 | - | -",
    );
}

#[test]
fn spring_cloud_stream() {
    let m = message(vec![
        ("x-original-topic", bytes(b"orders")),
        ("x-original-partition", int(2)),
        ("x-original-offset", long(5)),
        ("x-original-timestamp", long(1)),
        ("x-original-timestamp-type", bytes(b"CreateTime")),
        ("x-exception-fqcn", bytes(b"shop.UnknownCustomer")),
        ("x-exception-message", bytes(b"no customer 5")),
        ("x-exception-stacktrace", bytes(b"...")),
    ]);
    expect(
        &m,
        "spring-cloud-stream | exception | shop.UnknownCustomer | no customer 5 | queue=orders,partition=2,offset=5 | - | - | -",
    );
    stripped(m, &["x-original-sender"]);
}

#[test]
fn kafka_connect() {
    let m = message(vec![
        ("__connect.errors.topic", bytes(b"orders")),
        ("__connect.errors.partition", bytes(b"3")),
        ("__connect.errors.offset", bytes(b"1047")),
        ("__connect.errors.connector.name", bytes(b"orders-to-postgres")),
        ("__connect.errors.task.id", bytes(b"0")),
        ("__connect.errors.stage", bytes(b"VALUE_CONVERTER")),
        ("__connect.errors.class.name", bytes(b"org.apache.kafka.connect.json.JsonConverter")),
        ("__connect.errors.exception.class.name", bytes(b"org.apache.kafka.connect.errors.DataException")),
        ("__connect.errors.exception.message", bytes(b"Converting byte[] to Kafka Connect data failed")),
        ("__connect.errors.exception.stacktrace", bytes(b"...")),
    ]);
    expect(
        &m,
        "kafka-connect | VALUE_CONVERTER | org.apache.kafka.connect.errors.DataException | \
         Converting byte[] to Kafka Connect data failed | queue=orders,partition=3,offset=1047 | - | - | -",
    );
    stripped(m, &["__connect.mine"]);
}

#[test]
fn kafka_streams() {
    let m = message(vec![
        ("__streams.errors.exception", bytes(b"java.lang.ArithmeticException")),
        ("__streams.errors.message", bytes(b"/ by zero")),
        ("__streams.errors.stacktrace", bytes(b"...")),
        ("__streams.errors.topic", bytes(b"orders")),
        ("__streams.errors.partition", bytes(b"0")),
        ("__streams.errors.offset", bytes(b"9")),
    ]);
    expect(
        &m,
        "kafka-streams | exception | java.lang.ArithmeticException | / by zero | queue=orders,partition=0,offset=9 | - | - | -",
    );
    stripped(m, &["a"]);
}

#[test]
fn share_group() {
    let mut m = message(vec![
        ("__dlq.errors.topic", bytes(b"orders")),
        ("__dlq.errors.partition", bytes(b"0")),
        ("__dlq.errors.offset", bytes(b"9")),
        ("__dlq.errors.group", bytes(b"billing")),
        ("__dlq.errors.delivery.count", bytes(b"6")),
        ("__dlq.errors.message", bytes(b"Offset delivery count exceeded the threshold.")),
    ]);
    m.time = "2026-11-18T11:06:40Z".parse().ok();
    m.payload = Payload::Absent;
    expect(
        &m,
        "share-group | delivery_limit | - | Offset delivery count exceeded the threshold. | \
         queue=orders,partition=0,offset=9,group=billing | 6 | 2026-11-18T11:06:40Z | 2026-11-18T11:06:40Z",
    );
    stripped(m, &["a"]);
}

#[test]
fn smallrye_newest_first() {
    let m = message(vec![
        ("dead-letter-exception-class-name", bytes(b"shop.Second")),
        ("dead-letter-reason", bytes(b"second")),
        ("dead-letter-topic", bytes(b"orders.again")),
        ("dead-letter-partition", bytes(b"1")),
        ("dead-letter-offset", bytes(b"2")),
        ("dead-letter-exception-class-name", bytes(b"shop.First")),
        ("dead-letter-reason", bytes(b"first")),
        ("dead-letter-topic", bytes(b"orders")),
        ("dead-letter-partition", bytes(b"3")),
        ("dead-letter-offset", bytes(b"4")),
        ("delayed-retry-count", bytes(b"2")),
    ]);
    expect(&m, "smallrye | exception | shop.Second | second | queue=orders,partition=3,offset=4 | 3 | - | -");
    stripped(m, &["dead-letter-owner"]);
}

#[test]
fn masstransit() {
    let m = message(vec![
        ("MT-Reason", "fault".into()),
        ("MT-Fault-ExceptionType", "Shop.PaymentTimeout".into()),
        ("MT-Fault-Message", "payment 5 timed out".into()),
        ("MT-Fault-Timestamp", "2026-11-23T05:48:11.1234567Z".into()),
        ("MT-Fault-StackTrace", "   at Shop.Pay()".into()),
        ("MT-Fault-InputAddress", "rabbitmq://localhost/shop/payments?durable=true".into()),
        ("MT-Fault-RetryCount", Value::I32(2)),
        ("MT-Host-MachineName", "web-1".into()),
    ]);
    expect(
        &m,
        "masstransit | fault | Shop.PaymentTimeout | payment 5 timed out | queue=payments | 3 | - | 2026-11-23T05:48:11.1234567Z",
    );
    let mut m = m;
    assert_eq!(strip(&mut m).len(), 7);
    assert_eq!(m.headers.text("MT-Host-MachineName"), Some("web-1"));
}

#[test]
fn nservicebus() {
    let m = message(vec![
        ("NServiceBus.FailedQ", "sales".into()),
        ("NServiceBus.TimeOfFailure", "2026-11-23 05:48:11:123456 Z".into()),
        ("NServiceBus.ExceptionInfo.ExceptionType", "System.InvalidOperationException".into()),
        ("NServiceBus.ExceptionInfo.Message", "no such order".into()),
        ("NServiceBus.ExceptionInfo.StackTrace", "...".into()),
        ("NServiceBus.ExceptionInfo.Data.Message type", "Shop.Order".into()),
    ]);
    expect(
        &m,
        "nservicebus | exception | System.InvalidOperationException | no such order | queue=sales | - | - | 2026-11-23T05:48:11.123456Z",
    );
    stripped(m, &["NServiceBus.MessageId", "NServiceBus.EnclosedMessageTypes"]);
}

#[test]
fn nservicebus_goes_where_service_control_says() {
    let m = message(vec![("NServiceBus.FailedQ", "sales".into()), ("ServiceControl.RetryTo", "sales.proxy".into())]);
    expect(&m, "nservicebus | exception | - | - | queue=sales.proxy | - | - | -");
}

#[test]
fn rebus() {
    let m = message(vec![
        ("rbs2-error-details", "System.InvalidOperationException: no such order\n   at Shop.Handle()".into()),
        ("rbs2-source-queue", "sales".into()),
        ("rbs2-delivery-count", "5".into()),
    ]);
    expect(&m, "rebus | exception | System.InvalidOperationException | no such order | queue=sales | 5 | - | -");
    stripped(m, &["rbs2-msg-id"]);
    let dated = "1 unhandled exceptions: 11/23/2026 05:48:11 +00:00: Shop.Über+OrderException: gone";
    expect(
        &message(vec![("rbs2-error-details", dated.into())]),
        "rebus | exception | Shop.Über+OrderException | gone | - | - | - | -",
    );
}

#[test]
fn wolverine() {
    let m = message(vec![
        ("exception-type", "Shop.OutOfStock".into()),
        ("exception-message", "none left".into()),
        ("exception-stack", "...".into()),
        ("failed-at", "1795000000000".into()),
        ("original-destination", "rabbitmq://queue/orders".into()),
    ]);
    expect(&m, "wolverine | exception | Shop.OutOfStock | none left | queue=orders | - | - | 2026-11-18T11:06:40Z");
    stripped(m, &["id"]);
    stripped(message(vec![]), &["failed-at", "exception-type"]);
}

#[test]
fn watermill() {
    let m = message(vec![
        ("reason_poisoned", "no such order".into()),
        ("topic_poisoned", "orders".into()),
        ("handler_poisoned", "billing".into()),
        ("subscriber_poisoned", "amqp".into()),
    ]);
    expect(&m, "watermill | poisoned | - | no such order | queue=orders | - | - | -");
    stripped(m, &["_watermill_message_uuid"]);
}

#[test]
fn sqs_by_the_broker_or_by_property() {
    let arn = "arn:aws:sqs:eu-west-1:123456789012:orders";
    let mut m = message(vec![]);
    m.origin = Some(crate::death::read::queue(arn));
    let expected = "sqs | - | - | - | queue=arn:aws:sqs:eu-west-1:123456789012:orders | - | - | -";
    expect(&m, expected);
    m.origin = None;
    m.properties.push("dead_letter_queue_source_arn", arn);
    expect(&m, expected);
}

#[test]
fn eventbridge() {
    let rule = "arn:aws:events:eu-west-1:1:rule/orders";
    let target = "arn:aws:sqs:eu-west-1:1:orders";
    let error = [("ERROR_CODE", "NO_PERMISSIONS"), ("ERROR_MESSAGE", "not allowed"), ("RETRY_ATTEMPTS", "0")];
    let of = |own: &[(&'static str, &'static str)]| {
        message(own.iter().chain(&error).map(|(n, v)| (*n, Value::from(*v))).collect())
    };
    let m = of(&[("RULE_ARN", rule), ("TARGET_ARN", target)]);
    expect(&m, "eventbridge | NO_PERMISSIONS | - | not allowed | queue=arn:aws:sqs:eu-west-1:1:orders | 1 | - | -");
    stripped(m, &["RULE"]);
    let schedule = "arn:aws:scheduler:eu-west-1:1:schedule/default/nightly";
    let m = of(&[("SCHEDULE_ARN", schedule), ("EXECUTION_ID", "e1"), ("IS_PAYLOAD_TRUNCATED", "false")]);
    expect(
        &m,
        "eventbridge-scheduler | NO_PERMISSIONS | - | not allowed | \
         queue=arn:aws:scheduler:eu-west-1:1:schedule/default/nightly | 1 | - | -",
    );
    stripped(m, &["SCHEDULE"]);
    stripped(message(vec![]), &["ERROR_CODE", "RETRY_ATTEMPTS"]);
}

#[test]
fn lambda() {
    let m = message(vec![
        ("RequestID", "r1".into()),
        ("ErrorCode", Value::Number("200".into())),
        ("ErrorMessage", "Task timed out after 3.00 seconds".into()),
    ]);
    expect(&m, "lambda | 200 | - | Task timed out after 3.00 seconds | - | - | - | -");
    stripped(m, &["tenant"]);
    stripped(message(vec![]), &["RequestID"]);
    let m = with_body(
        r#"{"version":"1.0","timestamp":"2026-11-23T05:48:11.123Z","requestContext":{"requestId":"r1","functionArn":"arn:aws:lambda:eu-west-1:1:function:f:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":{"order":5},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"no stock","errorType":"OutOfStock","stackTrace":[]}}"#,
    );
    expect(
        &m,
        "lambda-destination | RetriesExhausted | OutOfStock | no stock | \
         queue=arn:aws:lambda:eu-west-1:1:function:f:$LATEST | 3 | - | 2026-11-23T05:48:11.123Z",
    );
}

#[test]
fn easynetq() {
    let m = with_body(
        r#"{"RoutingKey":"orders","Exchange":"shop","Queue":"orders","Exception":"System.Exception: no stock\n at F()","Message":"{\"order\":5}","DateTime":"2026-11-23T05:48:11.1234567Z","BasicProperties":{}}"#,
    );
    expect(&m, "easynetq | exception | System.Exception | no stock | - | - | - | 2026-11-23T05:48:11.1234567Z");
}

#[test]
fn a_message_nobody_wrote_on() {
    expect(&message(vec![("x-tenant", "a".into()), ("", "empty name".into())]), "none");
    expect(&with_body("not json"), "none");
}
