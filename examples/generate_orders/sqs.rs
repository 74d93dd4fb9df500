//! A standard queue with a redrive policy: where it came from is known, why it died is not.

use dlq::message::{DeadLetter, Identity, Origin, Payload, Value};
use jiff::Timestamp;

use super::Shop;

pub fn notification(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let template = *shop.random.one_of(&["order-confirmed", "order-delayed", "invoice"]);
    let body = format!(
        r#"{{"order":{},"customer":"{}","template":"{template}","channel":"email"}}"#,
        order.number, order.customer,
    );
    let mut m = DeadLetter::new("sqs://eu-west-1/order-notifications-dlq".into(), Payload::Bytes(body.into()));
    m.id = shop.random.uuid().into();
    let id = u128::from_str_radix(&m.id.replace('-', ""), 16).expect("a UUID is hex");
    m.identity = Identity::Exact(id);
    m.time = Timestamp::from_millisecond(shop.before(died, 200_000, 400_000).as_millisecond()).ok();
    m.headers.push("template", template);
    m.headers.push("attempt-budget", Value::Number("5".into()));
    m.origin = Some(Origin {
        queue: Some("arn:aws:sqs:eu-west-1:123456789012:order-notifications".into()),
        ..Origin::default()
    });
    m.deliveries = Some(6);
    m
}
