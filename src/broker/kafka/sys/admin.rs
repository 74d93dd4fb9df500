//! Questions the library answers through an event: ids of topics, offsets by kind or by time.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// Which records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Isolation {
    /// All.
    Uncommitted,
    /// Those before the first open transaction.
    Committed,
}

/// A request's options, its reply queue, and the reply, freed together.
struct Asking {
    options: NonNull<c::rd_kafka_AdminOptions_t>,
    queue: NonNull<c::rd_kafka_queue_t>,
    event: *mut c::rd_kafka_event_t,
}

impl Drop for Asking {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once.
        unsafe {
            if !self.event.is_null() {
                c::rd_kafka_event_destroy(self.event);
            }
            c::rd_kafka_queue_destroy(self.queue.as_ptr());
            c::rd_kafka_AdminOptions_destroy(self.options.as_ptr());
        }
    }
}

impl Asking {
    fn new<C: ClientContext>(
        client: &Client<C>,
        what: c::rd_kafka_admin_op_t,
        patience: Duration,
    ) -> Result<Self, RDKafkaErrorCode> {
        let rk = client.native_ptr();
        let mut text = [0; 256];
        let millis = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `rk` is alive; the handles are kept for `drop`.
        unsafe {
            let options = NonNull::new(c::rd_kafka_AdminOptions_new(rk, what)).ok_or(RDKafkaErrorCode::Fail)?;
            let queue = NonNull::new(c::rd_kafka_queue_new(rk)).ok_or(RDKafkaErrorCode::Fail)?;
            c::rd_kafka_AdminOptions_set_request_timeout(options.as_ptr(), millis, text.as_mut_ptr(), text.len());
            Ok(Asking { options, queue, event: std::ptr::null_mut() })
        }
    }

    /// Waits for the reply.
    fn wait(&mut self, patience: Duration) -> Result<(), RDKafkaErrorCode> {
        let millis = i32::try_from((patience + Duration::from_secs(1)).as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is freed in `drop`.
        unsafe {
            self.event = c::rd_kafka_queue_poll(self.queue.as_ptr(), millis);
            if self.event.is_null() {
                return Err(RDKafkaErrorCode::OperationTimedOut);
            }
            match c::rd_kafka_event_error(self.event) {
                c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
                code => Err(code.into()),
            }
        }
    }
}

/// The id of a topic, in URL-safe base64 as Java prints it. It changes when a topic is deleted and created again.
///
/// # Errors
/// The cluster's code; `UnknownTopicOrPartition` where there is none of that name.
pub(in super::super) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    patience: Duration,
) -> Result<String, RDKafkaErrorCode> {
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, patience)?;
    let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
    // SAFETY: the collection is freed once the request has it; everything read of the event is copied before it is freed.
    unsafe {
        let topics = c::rd_kafka_TopicCollection_of_topic_names([name.as_ptr()].as_mut_ptr(), 1);
        c::rd_kafka_DescribeTopics(client.native_ptr(), topics, asking.options.as_ptr(), asking.queue.as_ptr());
        c::rd_kafka_TopicCollection_destroy(topics);
        asking.wait(patience)?;
        let result = c::rd_kafka_event_DescribeTopics_result(asking.event);
        let mut count = 0;
        let descriptions = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if count == 0 {
            return Err(RDKafkaErrorCode::UnknownTopicOrPartition);
        }
        let description = *descriptions;
        let code = c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(description));
        if !matches!(code, c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR) {
            return Err(code.into());
        }
        let id = c::rd_kafka_Uuid_base64str(c::rd_kafka_TopicDescription_topic_id(description));
        Ok(CStr::from_ptr(id).to_string_lossy().replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned())
    }
}

/// Offsets of partitions in one request a broker. `asked` carries, as offsets, what is asked: -1 the end, -2 the start, or a
/// time in milliseconds, whose answer is the first offset at or after it, -1 where there is none.
///
/// # Errors
/// The code of the whole request, or of the first partition that failed.
pub(in super::super) fn offsets<C: ClientContext>(
    client: &Client<C>,
    asked: &TopicPartitionList,
    isolation: Isolation,
    patience: Duration,
) -> Result<Vec<(i32, i64)>, RDKafkaErrorCode> {
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, patience)?;
    let level = match isolation {
        Isolation::Uncommitted => c::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        Isolation::Committed => c::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
    };
    let mut found = Vec::with_capacity(asked.count());
    // SAFETY: the list is read by the call only; everything read of the event is copied before it is freed.
    unsafe {
        let error = c::rd_kafka_AdminOptions_set_isolation_level(asking.options.as_ptr(), level);
        if !error.is_null() {
            let code = c::rd_kafka_error_code(error);
            c::rd_kafka_error_destroy(error);
            return Err(code.into());
        }
        c::rd_kafka_ListOffsets(client.native_ptr(), asked.ptr(), asking.options.as_ptr(), asking.queue.as_ptr());
        asking.wait(patience)?;
        let result = c::rd_kafka_event_ListOffsets_result(asking.event);
        let mut count = 0;
        let infos = c::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        for at in 0..count {
            let partition = &*c::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at));
            if !matches!(partition.err, c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR) {
                return Err(partition.err.into());
            }
            found.push((partition.partition, partition.offset));
        }
    }
    Ok(found)
}
