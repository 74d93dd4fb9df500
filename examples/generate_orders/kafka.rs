//! Spring's dead-letter topic, and that of a sink connector.

use bytes::Bytes;
use dlq::message::{DeadLetter, Identity, Payload, Value};
use jiff::Timestamp;

use super::Shop;

const PARTITIONS: i64 = 6;

pub fn stock_negative(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let missing = shop.random.within(1, 9);
    let message = format!("stock of {} would be -{missing} after order {}", order.sku, order.number);
    spring(shop, died, &order.number.to_string(), order.json.into(), "java.lang.IllegalStateException", &message)
}

pub fn unknown_customer(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let message = format!("no customer {} for order {}", order.customer, order.number);
    let class = "com.example.shop.customers.UnknownCustomerException";
    spring(shop, died, &order.number.to_string(), order.json.into(), class, &message)
}

pub fn tombstone(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let message = "Cannot invoke \"com.example.shop.Order.items()\" because \"order\" is null";
    let mut m = spring(shop, died, &order.number.to_string(), Bytes::new(), "java.lang.NullPointerException", message);
    m.payload = Payload::Absent;
    m
}

/// Numbers are big endian bytes here, all else is text.
fn spring(shop: &mut Shop, died: Timestamp, key: &str, body: Bytes, class: &str, message: &str) -> DeadLetter {
    let (topic, partition) = ("orders-dlt", shop.random.within(0, PARTITIONS) as i32);
    let mut m = record(shop, topic, partition, died, key, body);
    let created = shop.before(died, 3_000, 8_000);
    let offset = shop.offset("orders", partition) + 48_000;
    let mut put = |name: &'static str, value: &[u8]| m.headers.push(name, Value::Bytes(Bytes::copy_from_slice(value)));
    put("event-type", b"OrderPlaced");
    put("kafka_dlt-original-topic", b"orders");
    put("kafka_dlt-original-partition", &partition.to_be_bytes());
    put("kafka_dlt-original-offset", &offset.to_be_bytes());
    put("kafka_dlt-original-timestamp", &created.as_millisecond().to_be_bytes());
    put("kafka_dlt-original-timestamp-type", b"CreateTime");
    put("kafka_dlt-original-consumer-group", b"stock");
    put("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException");
    put("kafka_dlt-exception-cause-fqcn", class.as_bytes());
    let text = format!("Listener failed; {message}");
    put("kafka_dlt-exception-message", text.as_bytes());
    let at = "com.example.shop.stock.StockListener.onOrder(StockListener.java:57)";
    put("kafka_dlt-exception-stacktrace", format!("{class}: {message}\n\tat {at}\n").as_bytes());
    m
}

pub fn schema_mismatch(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let body = format!("{};{};{};{died:.0}", order.number, order.customer, order.sku);
    let warehouse = Connector {
        topic: "orders-to-warehouse-dlq",
        name: "orders-to-warehouse",
        converter: "org.apache.kafka.connect.json.JsonConverter",
        class: "org.apache.kafka.connect.errors.DataException",
        message: "Converting byte[] to Kafka Connect data failed due to serialization error: ",
    };
    connect(shop, died, &order.number.to_string(), body.into(), &warehouse)
}

pub fn protobuf(shop: &mut Shop, died: Timestamp) -> DeadLetter {
    let order = shop.order(died);
    let mut body = vec![0x08];
    varint(order.number, &mut body);
    for (field, text) in [(0x12, &order.customer), (0x1a, &order.sku)] {
        body.push(field);
        varint(text.len() as u64, &mut body);
        body.extend_from_slice(text.as_bytes());
    }
    body.push(0x21);
    body.extend_from_slice(&(shop.random.within(290, 90_000) as f64 / 100.0).to_le_bytes());
    let lake = Connector {
        topic: "orders-to-lake-dlq",
        name: "orders-to-lake",
        converter: "io.confluent.connect.avro.AvroConverter",
        class: "org.apache.kafka.common.errors.SerializationException",
        message: "Unknown magic byte!",
    };
    connect(shop, died, &order.number.to_string(), body.into(), &lake)
}

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

struct Connector {
    topic: &'static str,
    name: &'static str,
    converter: &'static str,
    class: &'static str,
    message: &'static str,
}

/// A sink connector keeps the record with its time and writes every number as text.
fn connect(shop: &mut Shop, died: Timestamp, key: &str, body: Bytes, by: &Connector) -> DeadLetter {
    let Connector { topic, name, converter, class, message } = *by;
    let partition = shop.random.within(0, PARTITIONS) as i32;
    let created = shop.before(died, 500, 4_000);
    let mut m = record(shop, topic, partition, created, key, body);
    let offset = shop.offset("orders.export", partition) + 9_000;
    let headers = [
        ("topic", "orders.export".to_owned()),
        ("partition", partition.to_string()),
        ("offset", offset.to_string()),
        ("connector.name", name.to_owned()),
        ("task.id", (partition % 2).to_string()),
        ("stage", "VALUE_CONVERTER".to_owned()),
        ("class.name", converter.to_owned()),
        ("exception.class.name", class.to_owned()),
        ("exception.message", message.to_owned()),
        ("exception.stacktrace", format!("{class}: {message}\n\tat {converter}.toConnectData(Unknown Source)\n")),
    ];
    for (name, value) in headers {
        m.headers.push(format!("__connect.errors.{name}"), Value::Bytes(value.into()));
    }
    m
}

fn record(shop: &mut Shop, topic: &'static str, partition: i32, at: Timestamp, key: &str, body: Bytes) -> DeadLetter {
    let offset = shop.offset(topic, partition);
    let queue = format!("kafka://kafka-1.shop.example:9092/{topic}");
    let mut m = DeadLetter::new(queue.into(), Payload::Bytes(body));
    m.id = format!("{partition}:{offset}").into();
    m.identity = Identity::Exact((partition as u128) << 64 | offset as u128);
    m.position.push("partition", Value::I32(partition));
    m.position.push("offset", Value::I64(offset));
    m.time = Timestamp::from_millisecond(at.as_millisecond()).ok();
    m.key = Some(Bytes::copy_from_slice(key.as_bytes()));
    m
}
