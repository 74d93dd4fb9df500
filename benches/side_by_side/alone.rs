//! What the client library leaves room for: all records of one topic to another through librdkafka, in batches, idempotent, each
//! copied once. No header is made, no record looked at, nothing noted of what was done.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::CString;
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

/// Copies `many` records of a topic with these partitions: seconds from connecting to the last answer.
pub fn copied(config: &ClientConfig, from: &str, to: &str, partitions: i32, many: u64) -> Result<f64> {
    let begun = Instant::now();
    let consumer: BaseConsumer = config
        .clone()
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "2")
        .create()?;
    let producer: ThreadedProducer<DefaultProducerContext> = config
        .clone()
        .set("enable.idempotence", "true")
        .set("linger.ms", "2")
        .set("batch.num.messages", "100000")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", "65536")
        .create()?;
    let (from, to) = (CString::new(from)?, CString::new(to)?);
    let mut left = many;
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
                left -= u64::from(send(place, one));
                c::rd_kafka_message_destroy(*m);
            }
        }
        producer.flush(LONGEST)?;
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
unsafe fn send(place: *mut c::rd_kafka_topic_t, m: &c::rd_kafka_message_t) -> bool {
    if m.err != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return false;
    }
    // SAFETY: the message is alive, and copied.
    while unsafe { c::rd_kafka_produce(place, -1, 2, m.payload, m.len, m.key, m.key_len, ptr::null_mut()) } != 0 {
        std::thread::sleep(Duration::from_micros(500));
    }
    true
}
