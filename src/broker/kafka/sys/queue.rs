//! Reading partitions by position into one queue, in batches.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

use super::record::Got;

/// A queue that the partitions of one topic are read into. They stop when it is dropped.
pub(in super::super) struct Queue<C: ConsumerContext> {
    queue: NonNull<c::rd_kafka_queue_t>,
    topic: NonNull<c::rd_kafka_topic_t>,
    started: Vec<i32>,
    /// Last: it must outlive what was made of it.
    _client: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl<C: ConsumerContext> Send for Queue<C> {}

impl<C: ConsumerContext> Queue<C> {
    /// `None` where the library refuses the name.
    pub fn new(client: Arc<BaseConsumer<C>>, topic: &str) -> Option<Self> {
        let rk = client.client().native_ptr();
        let name = CString::new(topic).ok()?;
        // SAFETY: `rk` lives as long as `client`, which is kept; both handles are destroyed in `drop`.
        unsafe {
            let topic = NonNull::new(c::rd_kafka_topic_new(rk, name.as_ptr(), std::ptr::null_mut()))?;
            let queue = NonNull::new(c::rd_kafka_queue_new(rk));
            if queue.is_none() {
                c::rd_kafka_topic_destroy(topic.as_ptr());
            }
            Some(Queue { queue: queue?, topic, started: Vec::new(), _client: client })
        }
    }

    /// Begins to read a partition at an offset.
    ///
    /// # Errors
    /// The library's code.
    pub fn start(&mut self, partition: i32, offset: i64) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: both handles are alive.
        let failed = unsafe {
            c::rd_kafka_consume_start_queue(self.topic.as_ptr(), partition, offset, self.queue.as_ptr()) != 0
        };
        if failed {
            // SAFETY: reads the error of the call above, on the same thread.
            return Err(unsafe { c::rd_kafka_last_error() }.into());
        }
        self.started.push(partition);
        Ok(())
    }

    /// Ends it. Nothing of it comes off the queue after.
    pub fn stop(&mut self, partition: i32) {
        if let Some(at) = self.started.iter().position(|p| *p == partition) {
            self.started.swap_remove(at);
            // SAFETY: the handle is alive and the partition was started.
            unsafe { c::rd_kafka_consume_stop(self.topic.as_ptr(), partition) };
        }
    }

    /// What there is, at most `most`; waits for the first, `wait` at most.
    pub fn poll(&self, most: usize, wait: Duration) -> Records {
        let mut messages: Vec<*mut c::rd_kafka_message_t> = Vec::with_capacity(most);
        let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // Asked for many at once it waits out its time for the last of them. SAFETY: the array has room for `most`, and as many of
        // it as is answered are written.
        unsafe {
            let (queue, to) = (self.queue.as_ptr(), messages.as_mut_ptr());
            let first = usize::try_from(c::rd_kafka_consume_batch_queue(queue, millis, to, most.min(1))).unwrap_or(0);
            let rest = match first {
                0 => 0,
                _ => c::rd_kafka_consume_batch_queue(queue, 0, to.add(first), most - first),
            };
            messages.set_len(first + usize::try_from(rest).unwrap_or(0));
        }
        Records(messages)
    }
}

impl<C: ConsumerContext> Drop for Queue<C> {
    fn drop(&mut self) {
        for partition in std::mem::take(&mut self.started) {
            // SAFETY: as in `stop`.
            unsafe { c::rd_kafka_consume_stop(self.topic.as_ptr(), partition) };
        }
        // SAFETY: made in `new`, destroyed once.
        unsafe {
            c::rd_kafka_queue_destroy(self.queue.as_ptr());
            c::rd_kafka_topic_destroy(self.topic.as_ptr());
        }
    }
}

/// Messages off a queue, freed together.
pub(in super::super) struct Records(Vec<*mut c::rd_kafka_message_t>);

impl Records {
    /// In the order of arrival: records, ends of partitions, errors.
    pub fn iter(&self) -> impl Iterator<Item = Got<'_>> {
        // SAFETY: the messages live as long as `self`.
        self.0.iter().map(|m| unsafe { Got::of(&**m) })
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        for m in &self.0 {
            // SAFETY: taken off the queue once, freed once.
            unsafe { c::rd_kafka_message_destroy(*m) };
        }
    }
}
