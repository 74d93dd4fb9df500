//! Consumer groups: which there are, who is in them, how far they have read.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

use super::admin::Asking;

/// Requests under way at once: each is for one group, and goes to its coordinator.
const AT_ONCE: usize = 32;

/// Names of all groups of consumers we may see, and whether every broker answered. Share groups are not among them: the library
/// leaves them out.
///
/// # Errors
/// The cluster's code, where no broker answered.
pub(in super::super) fn group_names<C: ClientContext>(
    client: &Client<C>,
    patience: Duration,
) -> Result<(Vec<String>, bool), RDKafkaErrorCode> {
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, patience)?;
    // SAFETY: everything read of the event is copied before it is freed.
    unsafe {
        c::rd_kafka_ListConsumerGroups(client.native_ptr(), asking.options.as_ptr(), asking.queue.as_ptr());
        asking.wait(patience)?;
        let result = c::rd_kafka_event_ListConsumerGroups_result(asking.event);
        let mut count = 0;
        let errors = c::rd_kafka_ListConsumerGroups_result_errors(result, &raw mut count);
        let failed = (count > 0).then(|| c::rd_kafka_error_code(*errors));
        let mut count = 0;
        let groups = c::rd_kafka_ListConsumerGroups_result_valid(result, &raw mut count);
        let name = |at| text(c::rd_kafka_ConsumerGroupListing_group_id(*groups.add(at)));
        let names: Vec<String> = (0..count).map(name).collect();
        match failed {
            Some(code) if names.is_empty() => Err(code.into()),
            failed => Ok((names, failed.is_none())),
        }
    }
}

/// One group as its coordinator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Described {
    /// The coordinator's word for how it is: `Stable`, `Empty`, …
    pub state: &'static str,
    pub members: usize,
    /// Members that are given partitions of the topic asked about.
    pub here: usize,
    /// Whether there is such a group at all.
    pub exists: bool,
}

/// What groups are and whom they have reading `topic`; those that did not answer are left out.
pub(in super::super) fn describe<C: ClientContext>(
    client: &Client<C>,
    groups: &[String],
    topic: &str,
    patience: Duration,
) -> BTreeMap<String, Described> {
    let mut found = BTreeMap::new();
    let began = Instant::now();
    for some in groups.chunks(AT_ONCE) {
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() || describe_some(client, some, topic, left, &mut found).is_err() {
            break;
        }
    }
    found
}

fn describe_some<C: ClientContext>(
    client: &Client<C>,
    groups: &[String],
    topic: &str,
    patience: Duration,
    found: &mut BTreeMap<String, Described>,
) -> Result<(), RDKafkaErrorCode> {
    let names: Vec<CString> = groups.iter().filter_map(|g| CString::new(g.as_str()).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|n| n.as_ptr()).collect();
    if pointers.is_empty() {
        return Ok(());
    }
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, patience)?;
    // SAFETY: the names live through the call, which copies them; everything read of the event is copied before it is freed.
    unsafe {
        c::rd_kafka_DescribeConsumerGroups(
            client.native_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            asking.options.as_ptr(),
            asking.queue.as_ptr(),
        );
        asking.wait(patience)?;
        let result = c::rd_kafka_event_DescribeConsumerGroups_result(asking.event);
        let mut count = 0;
        let groups = c::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        for at in 0..count {
            let group = *groups.add(at);
            let name = text(c::rd_kafka_ConsumerGroupDescription_group_id(group));
            let error = c::rd_kafka_ConsumerGroupDescription_error(group);
            let failed = !error.is_null()
                && !matches!(c::rd_kafka_error_code(error), c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
            if failed {
                let code: RDKafkaErrorCode = c::rd_kafka_error_code(error).into();
                if code == RDKafkaErrorCode::GroupIdNotFound {
                    found.insert(name, Described::default());
                }
                continue;
            }
            let members = c::rd_kafka_ConsumerGroupDescription_member_count(group);
            let reads = |member: &usize| {
                let member = c::rd_kafka_ConsumerGroupDescription_member(group, *member);
                let assignment = c::rd_kafka_MemberDescription_assignment(member);
                !assignment.is_null() && names_topic(c::rd_kafka_MemberAssignment_partitions(assignment), topic)
            };
            use c::rd_kafka_consumer_group_state_t as S;
            let (state, exists) = match c::rd_kafka_ConsumerGroupDescription_state(group) {
                S::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => ("stable", true),
                S::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => ("empty", true),
                // What the classic protocol answers for a name that nobody uses.
                S::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => ("dead", false),
                S::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE
                | S::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => ("rebalancing", true),
                _ => ("unknown", true),
            };
            let here = (0..members).filter(reads).count();
            found.insert(name, Described { state, members, here, exists });
        }
    }
    Ok(())
}

/// # Safety
/// `list` is null or a list of the library that is alive.
unsafe fn names_topic(list: *const c::rd_kafka_topic_partition_list_t, topic: &str) -> bool {
    if list.is_null() {
        return false;
    }
    // SAFETY: the caller's; a list has `cnt` elements, whose names are NUL-terminated.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        (0..count).any(|at| CStr::from_ptr((*(*list).elems.add(at)).topic).to_bytes() == topic.as_bytes())
    }
}

/// The committed offsets of one group, by partition; `None` where it has committed nothing.
pub(in super::super) type Committed = BTreeMap<i32, Option<i64>>;

/// What groups have committed of these partitions. Those that did not answer in time are left out; one that refused has its code.
pub(in super::super) fn committed<C: ClientContext>(
    client: &Client<C>,
    groups: &[String],
    of: &TopicPartitionList,
    patience: Duration,
) -> BTreeMap<String, Result<Committed, RDKafkaErrorCode>> {
    let began = Instant::now();
    let mut found = BTreeMap::new();
    for some in groups.chunks(AT_ONCE) {
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() || committed_of_some(client, some, of, left, &mut found).is_err() {
            break;
        }
    }
    found
}

fn committed_of_some<C: ClientContext>(
    client: &Client<C>,
    groups: &[String],
    of: &TopicPartitionList,
    patience: Duration,
    found: &mut BTreeMap<String, Result<Committed, RDKafkaErrorCode>>,
) -> Result<(), RDKafkaErrorCode> {
    let began = Instant::now();
    let what = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    let mut asking = Asking::new(client, what, patience)?;
    let names: Vec<CString> = groups.iter().filter_map(|g| CString::new(g.as_str()).ok()).collect();
    for name in &names {
        // SAFETY: name and list live through the calls, which copy them; the request is freed once it is handed over.
        unsafe {
            let request = c::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), of.ptr());
            c::rd_kafka_ListConsumerGroupOffsets(
                client.native_ptr(),
                [request].as_mut_ptr(),
                1,
                asking.options.as_ptr(),
                asking.queue.as_ptr(),
            );
            c::rd_kafka_ListConsumerGroupOffsets_destroy(request);
        }
    }
    for _ in &names {
        // An answer that failed as a whole does not say of which group it is: that one is left out.
        match asking.wait(patience.saturating_sub(began.elapsed())) {
            Err(RDKafkaErrorCode::OperationTimedOut) => return Err(RDKafkaErrorCode::OperationTimedOut),
            Err(_) => continue,
            Ok(()) => {}
        }
        // SAFETY: the event is that of the answer just waited for, and is copied from before the next replaces it.
        unsafe {
            let result = c::rd_kafka_event_ListConsumerGroupOffsets_result(asking.event);
            if result.is_null() {
                continue;
            }
            let mut count = 0;
            let groups = c::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
            for at in 0..count {
                let group = *groups.add(at);
                let name = text(c::rd_kafka_group_result_name(group));
                let error = c::rd_kafka_group_result_error(group);
                if !error.is_null() {
                    found.insert(name, Err(c::rd_kafka_error_code(error).into()));
                    continue;
                }
                found.insert(name, Ok(offsets_of(c::rd_kafka_group_result_partitions(group))));
            }
        }
    }
    Ok(())
}

/// # Safety
/// `list` is null or a list of the library that is alive.
unsafe fn offsets_of(list: *const c::rd_kafka_topic_partition_list_t) -> Committed {
    let mut all = Committed::new();
    if list.is_null() {
        return all;
    }
    // SAFETY: the caller's; a list has `cnt` elements.
    unsafe {
        for at in 0..usize::try_from((*list).cnt).unwrap_or(0) {
            let one = &*(*list).elems.add(at);
            let sound = matches!(one.err, c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
            // -1001 and other negative ones stand for "nothing committed".
            all.insert(one.partition, (sound && one.offset >= 0).then_some(one.offset));
        }
    }
    all
}

/// # Safety
/// `s` is null or NUL-terminated.
unsafe fn text(s: *const c_char) -> String {
    if s.is_null() {
        return String::new();
    }
    // SAFETY: the caller's.
    unsafe { CStr::from_ptr(s) }.to_string_lossy().into_owned()
}
