//! What access rules a cluster has.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::ptr::null_mut;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

use super::admin::{Asking, allows, operations_of};

/// A rule about writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Rule {
    /// `User:name`, or `User:*`.
    pub(in super::super) principal: String,
    /// `*` for all.
    pub(in super::super) host: String,
    /// Otherwise it denies.
    pub(in super::super) allows: bool,
}

/// The rules that say who may write under a transactional id, by its name, a beginning of it, or `*`.
///
/// # Errors
/// `SecurityDisabled` where the cluster has no rules at all and everybody may do everything; `ClusterAuthorizationFailed` where we
/// may not see them.
pub(in super::super) fn writing_as<C: ClientContext>(
    client: &Client<C>,
    transactional_id: &str,
    patience: Duration,
) -> Result<Vec<Rule>, RDKafkaErrorCode> {
    use c::rd_kafka_AclOperation_t as Op;
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBEACLS, patience)?;
    let name = CString::new(transactional_id).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let mut rules = Vec::new();
    let mut why = [0; 256];
    // SAFETY: the filter is freed once the request has copied it; everything read of the event is copied before it is freed.
    unsafe {
        let filter = c::rd_kafka_AclBindingFilter_new(
            c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID,
            name.as_ptr(),
            c::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_MATCH,
            null_mut(),
            null_mut(),
            Op::RD_KAFKA_ACL_OPERATION_ANY,
            c::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ANY,
            why.as_mut_ptr(),
            why.len(),
        );
        if filter.is_null() {
            return Err(RDKafkaErrorCode::InvalidArgument);
        }
        c::rd_kafka_DescribeAcls(client.native_ptr(), filter, asking.options.as_ptr(), asking.queue.as_ptr());
        c::rd_kafka_AclBinding_destroy(filter);
        asking.wait(patience)?;
        let result = c::rd_kafka_event_DescribeAcls_result(asking.event);
        let mut count = 0;
        let acls = c::rd_kafka_DescribeAcls_result_acls(result, &raw mut count);
        for acl in (0..count).map(|at| *acls.add(at)) {
            let operation = c::rd_kafka_AclBinding_operation(acl);
            let allow = c::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW;
            let allows = c::rd_kafka_AclBinding_permission_type(acl) == allow;
            // Whoever may write may describe, unless that is denied.
            let writes = [Op::RD_KAFKA_ACL_OPERATION_ALL, Op::RD_KAFKA_ACL_OPERATION_WRITE].contains(&operation);
            if !writes && (allows || operation != Op::RD_KAFKA_ACL_OPERATION_DESCRIBE) {
                continue;
            }
            rules.push(Rule {
                principal: text(c::rd_kafka_AclBinding_principal(acl)),
                host: text(c::rd_kafka_AclBinding_host(acl)),
                allows,
            });
        }
    }
    Ok(rules)
}

/// Whether the cluster lets us make any topic; `None` where it does not say.
///
/// # Errors
/// The cluster's code.
pub(in super::super) fn may_create<C: ClientContext>(
    client: &Client<C>,
    patience: Duration,
) -> Result<Option<bool>, RDKafkaErrorCode> {
    use c::rd_kafka_AclOperation_t as Op;
    let mut asking = Asking::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, patience)?;
    asking.include_operations();
    // SAFETY: everything read of the event is copied before it is freed.
    unsafe {
        c::rd_kafka_DescribeCluster(client.native_ptr(), asking.options.as_ptr(), asking.queue.as_ptr());
        asking.wait(patience)?;
        let result = c::rd_kafka_event_DescribeCluster_result(asking.event);
        let mut count = 0;
        let operations = c::rd_kafka_DescribeCluster_result_authorized_operations(result, &raw mut count);
        let granted = operations_of(operations, count);
        Ok(granted.map(|granted| allows(&granted, Op::RD_KAFKA_ACL_OPERATION_CREATE)))
    }
}

unsafe fn text(s: *const c_char) -> String {
    if s.is_null() {
        return String::new();
    }
    // SAFETY: the caller gives a string of the library, which ends in a NUL.
    unsafe { CStr::from_ptr(s) }.to_string_lossy().into_owned()
}
