//! MassTransit's error queue, and a dead-letter exchange behind a quorum queue and two classic ones.

use bytes::Bytes;
use dlq::message::{DeadLetter, Fields, Identity, Mark, Payload, Value, fingerprint};
use jiff::Timestamp;

use super::{Order, Shop};

const ERRORS: &str = "amqp://rabbit-1.shop.example:5672/payments_error";
const DEAD: &str = "amqp://rabbit-1.shop.example:5672/orders.dlq";

pub fn payment_timeout(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let waited = shop.random.within(3000, 3100);
    let message = format!("Payment provider did not answer within {waited} ms for order {}", order.number);
    fault(shop, died, &order, "Shop.Payments.PaymentTimeoutException", &message)
}

pub fn unknown_customer(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let message = format!("No customer '{}'", order.customer);
    fault(shop, died, &order, "Shop.Customers.CustomerNotFoundException", &message)
}

fn fault(shop: &mut Shop, died: Timestamp, order: &Order, class: &str, message: &str) -> DeadLetter {
    let id = shop.random.uuid();
    let sent = shop.before(died, 9_000, 12_000);
    let body = format!(
        r#"{{"messageId":"{id}","messageType":["urn:message:Shop.Contracts:PaymentRequested"],"message":{},"sentTime":"{sent:.3}"}}"#,
        order.json,
    );
    let mut m = DeadLetter::new(ERRORS.into(), Payload::Bytes(body.into()));
    let h = &mut m.headers;
    h.push("Content-Type", "application/vnd.masstransit+json");
    h.push("MT-Fault-ConsumerType", "Shop.Payments.PaymentRequestedConsumer");
    h.push("MT-Fault-ExceptionType", class);
    h.push("MT-Fault-InputAddress", "rabbitmq://rabbit-1.shop.example/payments");
    h.push("MT-Fault-Message", message);
    h.push("MT-Fault-MessageType", "Shop.Contracts.PaymentRequested");
    h.push("MT-Fault-RetryCount", Value::I32(2));
    let line = shop.random.within(30, 34);
    let at = "Shop.Payments.PaymentRequestedConsumer.Consume(ConsumeContext`1 context)";
    h.push("MT-Fault-StackTrace", format!("   at {at} in /src/Consumers.cs:line {line}"));
    h.push("MT-Fault-Timestamp", format!("{died:.7}"));
    h.push("MT-Host-MachineName", format!("payments-{}", shop.random.within(1, 4)));
    h.push("MT-Host-MassTransitVersion", "8.5.7.0");
    h.push("MT-Reason", "fault");
    properties(&mut m, "application/vnd.masstransit+json", &id, sent, "payments_error", "");
    m
}

pub fn delivery_limit(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let mut m = dead(shop, died, ("orders.fulfilment", "delivery_limit", "order.paid"), order.json.into(), None);
    // Carried over from the quorum queue it died in.
    m.headers.push("x-delivery-count", Value::I64(21));
    m
}

pub fn bad_json(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let cut = shop.random.within(40, order.json.len() as i64 - 1) as usize;
    dead(shop, died, ("orders.import", "rejected", "order.imported"), Bytes::from(order.json).slice(..cut), None)
}

pub fn expired(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    dead(shop, died, ("orders.reservation", "expired", "order.reserved"), order.json.into(), Some("900000"))
}

fn dead(
    shop: &mut Shop,
    died: Timestamp,
    (queue, reason, key): (&str, &str, &str),
    body: Bytes,
    expiration: Option<&str>,
) -> DeadLetter {
    let mut m = DeadLetter::new(DEAD.into(), Payload::Bytes(body));
    let mut death = Fields::default();
    death.push("count", Value::I64(1));
    death.push("exchange", "shop");
    if let Some(expiration) = expiration {
        death.push("original-expiration", expiration);
    }
    death.push("queue", queue);
    death.push("reason", reason);
    death.push("routing-keys", Value::Array(vec![key.into()]));
    death.push("time", Value::Time(died.as_second() as u64));
    if shop.random.within(0, 20) == 0 {
        // It was replayed before, and came back.
        let replayed = shop.before(died, 600_000, 3_600_000).strftime("%Y%m%dT%H%M%SZ");
        let mark = Mark { id: format!("{replayed}-4f1c.{}", shop.random.within(0, 40)), count: 1 };
        m.headers.push("dlq-replay", mark.to_value());
    }
    m.headers.push("tenant", *shop.random.one_of(&["acme", "globex", "initech"]));
    m.headers.push("x-death", Value::Array(vec![Value::Table(death)]));
    for kind in ["first", "last"] {
        m.headers.push(format!("x-{kind}-death-exchange"), "shop");
        m.headers.push(format!("x-{kind}-death-queue"), queue);
        m.headers.push(format!("x-{kind}-death-reason"), reason);
    }
    let sent = shop.before(died, 1_000, 60_000);
    let id = shop.random.uuid();
    properties(&mut m, "application/json", &id, sent, "dlx", key);
    m
}

fn properties(m: &mut DeadLetter, content: &str, id: &str, sent: Timestamp, exchange: &str, key: &str) {
    let short = |s: &str| Value::ShortText(s.to_owned());
    m.properties.push("content_type", short(content));
    m.properties.push("message_id", short(id));
    m.properties.push("delivery_mode", Value::U8(2));
    m.properties.push("timestamp", Value::Time(sent.as_second() as u64));
    m.properties.push("exchange", short(exchange));
    m.properties.push("routing_key", short(key));
    m.properties.push("redelivered", Value::Bool(false));
    m.time = Timestamp::from_second(sent.as_second()).ok();
    let print = fingerprint(m, |name| matches!(name, "redelivered" | "x-delivery-count"));
    m.id = format!("{print:032x}").into();
    m.identity = Identity::Like(print);
}
