//! What the cluster does not allow the user `reader`.
#![expect(unsafe_code, reason = "the client library's Rust side has no requests for ACLs")]

use std::ffi::CString;
use std::ptr::{null, null_mut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::cluster::{Cluster, until};

pub use c::rd_kafka_AclOperation_t as Operation;
pub use c::rd_kafka_ResourceType_t as Resource;

/// Where anything is denied to one user, what is not named is denied to all who are none: such tests run one at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Denials, taken back when it is dropped.
pub struct Denied {
    client: BaseConsumer,
    made: Vec<(Resource, String, Operation, bool)>,
}

impl Denied {
    pub fn none(cluster: &Cluster) -> Denied {
        Denied { client: cluster.config().create().expect("a client"), made: vec![] }
    }

    /// Denies it.
    pub fn deny(&mut self, resource: Resource, name: &str, operation: Operation) {
        self.rule(resource, name, operation, false);
    }

    /// Where anything of a resource is denied, nothing is allowed that is not named.
    pub fn allow(&mut self, resource: Resource, name: &str, operation: Operation) {
        self.rule(resource, name, operation, true);
    }

    fn rule(&mut self, resource: Resource, name: &str, operation: Operation, allow: bool) {
        self.ask(resource, name, operation, allow, false);
        self.made.push((resource, name.to_owned(), operation, allow));
    }

    /// Makes a rule or takes it back, and waits until the broker goes by it.
    fn ask(&self, resource: Resource, name: &str, operation: Operation, allow: bool, delete: bool) {
        let rk = self.client.client().native_ptr();
        let [name, user, host] = [name, "User:reader", "*"].map(|s| CString::new(s).expect("no NUL"));
        let pattern = match resource {
            Resource::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID => {
                c::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_PREFIXED
            }
            _ => c::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_LITERAL,
        };
        let how = match allow {
            true => c::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
            false => c::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_DENY,
        };
        // SAFETY: all strings live through the calls, which copy them; every handle is freed once.
        unsafe {
            let queue = c::rd_kafka_queue_new(rk);
            let arguments = (name.as_ptr(), user.as_ptr(), host.as_ptr());
            let (name, user, host) = arguments;
            let rule =
                c::rd_kafka_AclBindingFilter_new(resource, name, pattern, user, host, operation, how, null_mut(), 0);
            if delete {
                c::rd_kafka_DeleteAcls(rk, [rule].as_mut_ptr(), 1, null(), queue);
            } else {
                let acl =
                    c::rd_kafka_AclBinding_new(resource, name, pattern, user, host, operation, how, null_mut(), 0);
                c::rd_kafka_CreateAcls(rk, [acl].as_mut_ptr(), 1, null(), queue);
                c::rd_kafka_AclBinding_destroy(acl);
            }
            accepted(queue);
            until("the broker goes by the rule", || {
                let queue = c::rd_kafka_queue_new(rk);
                c::rd_kafka_DescribeAcls(rk, rule, null(), queue);
                let event = c::rd_kafka_queue_poll(queue, 60_000);
                assert!(!event.is_null(), "an answer");
                let mut found = 0;
                c::rd_kafka_DescribeAcls_result_acls(c::rd_kafka_event_DescribeAcls_result(event), &raw mut found);
                c::rd_kafka_event_destroy(event);
                c::rd_kafka_queue_destroy(queue);
                (found == 0) == delete
            });
            c::rd_kafka_AclBinding_destroy(rule);
        }
    }
}

/// Waits for the answer to a request, which must be that it is done, and frees the queue.
///
/// # Safety
/// The queue must be alive, and is not used any more.
pub unsafe fn accepted(queue: *mut c::rd_kafka_queue_t) {
    // SAFETY: as the caller promises; the event is freed once.
    unsafe {
        let event = c::rd_kafka_queue_poll(queue, 60_000);
        assert!(!event.is_null(), "an answer");
        assert!(
            matches!(c::rd_kafka_event_error(event), c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR),
            "accepted"
        );
        c::rd_kafka_event_destroy(event);
        c::rd_kafka_queue_destroy(queue);
    }
}

impl Drop for Denied {
    fn drop(&mut self) {
        for (resource, name, operation, allow) in &self.made {
            self.ask(*resource, name, *operation, *allow, true);
        }
    }
}
