//! Questions the library answers through an event: ids of topics, offsets by kind or by time.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// Which records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Isolation {
    /// All.
    Uncommitted,
    /// Those before the first open transaction.
    Committed,
}

/// A request's options, its reply queue, and the reply, freed together.
pub(super) struct Asking {
    pub(super) options: NonNull<c::rd_kafka_AdminOptions_t>,
    pub(super) queue: NonNull<c::rd_kafka_queue_t>,
    pub(super) event: *mut c::rd_kafka_event_t,
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
    pub(super) fn new<C: ClientContext>(
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

    /// The answer is to say what the cluster lets us do.
    pub(super) fn include_operations(&self) {
        // SAFETY: the options are alive; an error is freed once.
        unsafe {
            let error = c::rd_kafka_AdminOptions_set_include_authorized_operations(self.options.as_ptr(), 1);
            if !error.is_null() {
                c::rd_kafka_error_destroy(error);
            }
        }
    }

    /// Waits for the reply, or the next one.
    pub(super) fn wait(&mut self, patience: Duration) -> Result<(), RDKafkaErrorCode> {
        let millis = i32::try_from((patience + Duration::from_secs(1)).as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is freed in `drop`.
        unsafe {
            if !self.event.is_null() {
                c::rd_kafka_event_destroy(self.event);
            }
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
    describe_topic(client, topic, false, patience, |description| {
        // SAFETY: the description is alive.
        unsafe { id_of(description) }
    })
}

/// # Safety
/// The description must be alive; the string belongs to it and is copied.
unsafe fn id_of(description: *const c::rd_kafka_TopicDescription_t) -> String {
    // SAFETY: as the caller promises.
    let id = unsafe {
        CStr::from_ptr(c::rd_kafka_Uuid_base64str(c::rd_kafka_TopicDescription_topic_id(description))).to_string_lossy()
    };
    id.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

/// What the cluster says of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Topic {
    /// As [`topic_id`].
    pub id: String,
    /// In ascending order.
    pub partitions: Vec<i32>,
}

/// Several topics in one request, each with what is said of it, or the code that it is refused with.
///
/// # Errors
/// The code of the whole request.
pub(in super::super) fn topics<C: ClientContext>(
    client: &Client<C>,
    names: &[String],
    patience: Duration,
) -> Result<BTreeMap<String, Result<Topic, RDKafkaErrorCode>>, RDKafkaErrorCode> {
    describe_topics(client, names, false, patience, |description| {
        // SAFETY: the description is alive, and without an error.
        unsafe { described(description) }
    })
}

/// # Safety
/// The description must be alive, and without an error.
unsafe fn described(description: *const c::rd_kafka_TopicDescription_t) -> Topic {
    let mut count = 0;
    // SAFETY: the description has `count` partitions.
    let mut partitions: Vec<i32> = unsafe {
        let infos = c::rd_kafka_TopicDescription_partitions(description, &raw mut count);
        let each = (0..count).map(|at| *infos.add(at));
        each.map(|info| c::rd_kafka_TopicPartitionInfo_partition(info)).collect()
    };
    partitions.sort_unstable();
    // SAFETY: as the caller promises.
    Topic { id: unsafe { id_of(description) }, partitions }
}

/// What the cluster lets us do with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Granted {
    pub(in super::super) read: bool,
    pub(in super::super) write: bool,
    pub(in super::super) delete: bool,
}

/// That; `None` where it does not say.
///
/// # Errors
/// As [`topic_id`].
pub(in super::super) fn granted<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    patience: Duration,
) -> Result<Option<Granted>, RDKafkaErrorCode> {
    use c::rd_kafka_AclOperation_t as Op;
    describe_topic(client, topic, true, patience, |description| {
        let mut count = 0;
        // SAFETY: the description is alive, and has `count` operations.
        let granted = unsafe {
            let operations = c::rd_kafka_TopicDescription_authorized_operations(description, &raw mut count);
            operations_of(operations, count)
        };
        let granted = granted?;
        Some(Granted {
            read: allows(&granted, Op::RD_KAFKA_ACL_OPERATION_READ),
            write: allows(&granted, Op::RD_KAFKA_ACL_OPERATION_WRITE),
            delete: allows(&granted, Op::RD_KAFKA_ACL_OPERATION_DELETE),
        })
    })
}

/// The operations an answer holds; `None` where it does not say.
///
/// # Safety
/// There are `count` of them, unless the pointer is null.
pub(super) unsafe fn operations_of(
    operations: *const c::rd_kafka_AclOperation_t,
    count: usize,
) -> Option<Vec<c::rd_kafka_AclOperation_t>> {
    // SAFETY: as the caller promises.
    (!operations.is_null()).then(|| unsafe { (0..count).map(|at| *operations.add(at)).collect() })
}

/// Whether this one is among them, by itself or with all.
pub(super) fn allows(granted: &[c::rd_kafka_AclOperation_t], operation: c::rd_kafka_AclOperation_t) -> bool {
    granted.contains(&c::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_ALL) || granted.contains(&operation)
}

fn describe_topic<C: ClientContext, T>(
    client: &Client<C>,
    topic: &str,
    operations: bool,
    patience: Duration,
    read: impl Fn(*const c::rd_kafka_TopicDescription_t) -> T,
) -> Result<T, RDKafkaErrorCode> {
    let mut found = describe_topics(client, &[topic.to_owned()], operations, patience, read)?;
    found.remove(topic).unwrap_or(Err(RDKafkaErrorCode::UnknownTopicOrPartition))
}

/// What `read` takes of the description of each topic, which is alive and without an error then, or the code it is refused with.
fn describe_topics<C: ClientContext, T>(
    client: &Client<C>,
    names: &[String],
    operations: bool,
    patience: Duration,
    read: impl Fn(*const c::rd_kafka_TopicDescription_t) -> T,
) -> Result<BTreeMap<String, Result<T, RDKafkaErrorCode>>, RDKafkaErrorCode> {
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, patience)?;
    let asked: Vec<CString> = names.iter().filter_map(|name| CString::new(name.as_str()).ok()).collect();
    let mut pointers: Vec<_> = asked.iter().map(|name| name.as_ptr()).collect();
    if operations {
        asking.include_operations();
    }
    let mut found = BTreeMap::new();
    // SAFETY: the collection is freed once the request has it; everything read of the event is copied before it is freed.
    unsafe {
        let topics = c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        c::rd_kafka_DescribeTopics(client.native_ptr(), topics, asking.options.as_ptr(), asking.queue.as_ptr());
        c::rd_kafka_TopicCollection_destroy(topics);
        asking.wait(patience)?;
        let result = c::rd_kafka_event_DescribeTopics_result(asking.event);
        let mut count = 0;
        let descriptions = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        // The cluster may leave one out.
        for description in (0..count).map(|at| *descriptions.add(at)).filter(|d| !d.is_null()) {
            let name = CStr::from_ptr(c::rd_kafka_TopicDescription_name(description)).to_string_lossy().into_owned();
            let said = match c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(description)) {
                c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(read(description)),
                code => Err(code.into()),
            };
            found.insert(name, said);
        }
    }
    Ok(found)
}

/// One setting of each of these groups, where it has it; the library's Rust side cannot read answers about groups.
///
/// # Errors
/// The code of the whole request. A group that is not shown has nothing.
pub(in super::super) fn group_setting<C: ClientContext>(
    client: &Client<C>,
    groups: &[String],
    setting: &str,
    patience: Duration,
) -> Result<Vec<(String, String)>, RDKafkaErrorCode> {
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, patience)?;
    let mut found = Vec::new();
    // SAFETY: the resources are freed once the request has copied them; everything read of the event is copied before it is
    // freed.
    unsafe {
        let kind = c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_GROUP;
        let names = groups.iter().filter_map(|g| CString::new(g.as_str()).ok());
        let mut asked: Vec<_> = names.map(|name| c::rd_kafka_ConfigResource_new(kind, name.as_ptr())).collect();
        let (options, queue) = (asking.options.as_ptr(), asking.queue.as_ptr());
        c::rd_kafka_DescribeConfigs(client.native_ptr(), asked.as_mut_ptr(), asked.len(), options, queue);
        c::rd_kafka_ConfigResource_destroy_array(asked.as_mut_ptr(), asked.len());
        asking.wait(patience)?;
        let result = c::rd_kafka_event_DescribeConfigs_result(asking.event);
        let mut resources = 0;
        let all = c::rd_kafka_DescribeConfigs_result_resources(result, &raw mut resources);
        for at in 0..resources {
            let resource = *all.add(at);
            let mut count = 0;
            let entries = c::rd_kafka_ConfigResource_configs(resource, &raw mut count);
            for entry in (0..count).map(|at| *entries.add(at)) {
                let value = c::rd_kafka_ConfigEntry_value(entry);
                if !value.is_null()
                    && CStr::from_ptr(c::rd_kafka_ConfigEntry_name(entry)).to_bytes() == setting.as_bytes()
                {
                    let group = CStr::from_ptr(c::rd_kafka_ConfigResource_name(resource));
                    found.push((
                        group.to_string_lossy().into_owned(),
                        CStr::from_ptr(value).to_string_lossy().into_owned(),
                    ));
                }
            }
        }
    }
    Ok(found)
}

/// What a partition answers.
pub(in super::super) type Answered = (String, i32, Result<i64, RDKafkaErrorCode>);

/// Offsets of partitions, each question in one request a broker and all at once. `asked` carries, as offsets, what is asked: -1
/// the end, -2 the start, or a time in milliseconds, whose answer is the first offset at or after it, -1 where there is none.
///
/// # Errors
/// The code of a whole request.
pub(in super::super) fn offsets<C: ClientContext>(
    client: &Client<C>,
    asked: &[(TopicPartitionList, Isolation)],
    patience: Duration,
) -> Result<Vec<Vec<Answered>>, RDKafkaErrorCode> {
    let mut under_way = Vec::with_capacity(asked.len());
    for (list, isolation) in asked {
        let asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, patience)?;
        let level = match isolation {
            Isolation::Uncommitted => c::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
            Isolation::Committed => c::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
        };
        // SAFETY: the list is read by the call only.
        unsafe {
            let error = c::rd_kafka_AdminOptions_set_isolation_level(asking.options.as_ptr(), level);
            if !error.is_null() {
                let code = c::rd_kafka_error_code(error);
                c::rd_kafka_error_destroy(error);
                return Err(code.into());
            }
            c::rd_kafka_ListOffsets(client.native_ptr(), list.ptr(), asking.options.as_ptr(), asking.queue.as_ptr());
        }
        under_way.push(asking);
    }
    under_way.into_iter().map(|asking| answered(asking, patience)).collect()
}

fn answered(mut asking: Asking, patience: Duration) -> Result<Vec<Answered>, RDKafkaErrorCode> {
    asking.wait(patience)?;
    let mut found = Vec::new();
    // SAFETY: everything read of the event is copied before it is freed.
    unsafe {
        let result = c::rd_kafka_event_ListOffsets_result(asking.event);
        let mut count = 0;
        let infos = c::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        for at in 0..count {
            let partition = &*c::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at));
            let answer = match partition.err {
                // Where a broker's answer is lost the library says that all is well, and gives no offset.
                c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR if partition.offset < -1 => {
                    Err(RDKafkaErrorCode::BrokerTransportFailure)
                }
                c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(partition.offset),
                code => Err(code.into()),
            };
            let topic = CStr::from_ptr(partition.topic).to_string_lossy().into_owned();
            found.push((topic, partition.partition, answer));
        }
    }
    Ok(found)
}
