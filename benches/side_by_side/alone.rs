//! What the client library leaves room for: all records of one topic to another through librdkafka, in batches, idempotent, each
//! copied once. No record is looked at, and nothing noted of what was done. In transactions it gives each record the two headers
//! that a replay gives it, and commits once a second.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::{CStr, CString};
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};

use super::Result;

/// Records taken at once.
const AT_ONCE: usize = 1000;
const LONGEST: Duration = Duration::from_secs(60);

/// A transaction is open for so long.
const OPEN: Duration = Duration::from_secs(1);
/// As long as those of a replay.
const HEADERS: [(&CStr, &[u8]); 2] = [
    (c"dlq-replay", b"id=\"01JDQ2V4Y8ZK3T6M9P1R5S7W0X.1000000\", count=1"),
    (c"dlq-original-timestamp", b"1700000000000"),
];

/// Copies `many` records of a topic with these partitions: seconds from connecting to the last answer.
pub fn copied(
    config: &ClientConfig,
    from: &str,
    to: &str,
    partitions: i32,
    many: u64,
    in_transactions: bool,
) -> Result<f64> {
    let begun = Instant::now();
    let consumer: BaseConsumer = config
        .clone()
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "2")
        .create()?;
    let mut config = config.clone();
    if in_transactions {
        config.set("transactional.id", format!("bench-{to}"));
    }
    let producer: ThreadedProducer<DefaultProducerContext> = config
        .set("enable.idempotence", "true")
        .set("linger.ms", "2")
        .set("batch.num.messages", "100000")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", "65536")
        .create()?;
    // Without it, it asks for its id before it has a connection that lasts, and then once more half a second later.
    for _ in 0..2 {
        producer.client().fetch_metadata(Some(to), LONGEST)?;
    }
    let (from, to) = (CString::new(from)?, CString::new(to)?);
    let mut left = many;
    let mut since = Instant::now();
    if in_transactions {
        producer.init_transactions(LONGEST)?;
        producer.begin_transaction()?;
    }
    // SAFETY: both clients outlive what is made of them, which is destroyed before they are; a message is read before it is freed,
    // and freed once.
    unsafe {
        let source = c::rd_kafka_topic_new(consumer.client().native_ptr(), from.as_ptr(), ptr::null_mut());
        let place = c::rd_kafka_topic_new(producer.client().native_ptr(), to.as_ptr(), ptr::null_mut());
        let queue = c::rd_kafka_queue_new(consumer.client().native_ptr());
        for partition in 0..partitions {
            c::rd_kafka_consume_start_queue(source, partition, 0, queue);
        }
        let mut messages: Vec<*mut c::rd_kafka_message_t> = vec![ptr::null_mut(); AT_ONCE];
        while left > 0 {
            let mut came = usize::try_from(c::rd_kafka_consume_batch_queue(queue, 5000, messages.as_mut_ptr(), 1))?;
            if came == 0 {
                return Err("the topic fell silent".into());
            }
            let rest = c::rd_kafka_consume_batch_queue(queue, 0, messages.as_mut_ptr().add(1), AT_ONCE - 1);
            came += usize::try_from(rest)?;
            for m in &messages[..came] {
                let one = &**m;
                left -= u64::from(send(producer.client().native_ptr(), place, one, in_transactions));
                c::rd_kafka_message_destroy(*m);
            }
            if in_transactions && since.elapsed() >= OPEN && left > 0 {
                producer.commit_transaction(LONGEST)?;
                producer.begin_transaction()?;
                since = Instant::now();
            }
        }
        if in_transactions {
            producer.commit_transaction(LONGEST)?;
        } else {
            producer.flush(LONGEST)?;
        }
        for partition in 0..partitions {
            c::rd_kafka_consume_stop(source, partition);
        }
        c::rd_kafka_queue_destroy(queue);
        c::rd_kafka_topic_destroy(source);
        c::rd_kafka_topic_destroy(place);
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Hands a record over, when there is room. False for what is none.
unsafe fn send(
    rk: *mut c::rd_kafka_t,
    place: *mut c::rd_kafka_topic_t,
    m: &c::rd_kafka_message_t,
    headers: bool,
) -> bool {
    if m.err != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return false;
    }
    // SAFETY: the message is alive, and copied; headers belong to the record once it is taken, and are made once.
    unsafe {
        let mut made = ptr::null_mut();
        if headers {
            made = c::rd_kafka_headers_new(HEADERS.len());
            for (name, value) in HEADERS {
                c::rd_kafka_header_add(made, name.as_ptr(), -1, value.as_ptr().cast(), value.len().cast_signed());
            }
        }
        while c::rd_kafka_producev(
            rk,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
            place,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
            c::RD_KAFKA_MSG_F_COPY,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
            m.payload,
            m.len,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
            m.key,
            m.key_len,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
            made,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
        ) != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    true
}
