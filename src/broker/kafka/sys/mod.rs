//! What the client library's Rust side does not offer: batches off a queue without a group, ids of topics, offsets of many
//! partitions in one request. All unsafe code of this backend is here.
#![expect(unsafe_code, reason = "calls into librdkafka")]

mod acls;
mod admin;
mod groups;
mod hand;
mod queue;
mod record;

use std::ffi::{CStr, CString};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext, OAuthToken};
use rdkafka::error::RDKafkaErrorCode;

pub(super) use acls::{Rule, may_create, writing_as};
pub(super) use admin::{Granted, Isolation, Topic, granted, group_setting, offsets, topic_id, topics};
pub(super) use groups::{Committed, Described, committed, describe, group_names};
pub(super) use hand::{Handed, Headers, Place, hand, partition_of};
pub(super) use queue::Queue;
pub(super) use record::{Got, Record};

/// Names of all properties the library knows.
pub(super) fn property_names() -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: a configuration is made, dumped and freed; the dump's strings are NUL-terminated, name and value by turns.
    unsafe {
        let conf = c::rd_kafka_conf_new();
        let mut count = 0;
        let dump = c::rd_kafka_conf_dump(conf, &raw mut count);
        for at in (0..count).step_by(2) {
            names.push(CStr::from_ptr(*dump.add(at)).to_string_lossy().into_owned());
        }
        c::rd_kafka_conf_dump_free(dump, count);
        c::rd_kafka_conf_destroy(conf);
    }
    names
}

/// Wakes who waits for events of a client, if somebody does.
pub(super) fn wake<C: ClientContext>(client: &Client<C>) {
    // SAFETY: the client is alive; the handle of its queue is freed once.
    unsafe {
        let queue = c::rd_kafka_queue_get_main(client.native_ptr());
        if !queue.is_null() {
            c::rd_kafka_queue_yield(queue);
            c::rd_kafka_queue_destroy(queue);
        }
    }
}

/// Has a producer send what it has at once, and waits until all of it has its answer, for so long at most.
pub(super) fn flush<C: ClientContext>(client: &Client<C>, longest: Duration) {
    let millis = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client is alive; another thread takes its delivery reports. That not all was answered is for others to see.
    unsafe { c::rd_kafka_flush(client.native_ptr(), millis) };
}

/// Gives a client the token it logs in with.
///
/// # Errors
/// The library's code.
pub(super) fn set_token<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> Result<(), RDKafkaErrorCode> {
    let text = CString::new(token.token.as_str()).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let name = CString::new(token.principal_name.as_str()).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let mut why = [0; 256];
    // SAFETY: the client is alive; the strings are copied.
    let code = unsafe {
        c::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            text.as_ptr(),
            token.lifetime_ms,
            name.as_ptr(),
            std::ptr::null_mut(),
            0,
            why.as_mut_ptr(),
            why.len(),
        )
    };
    match code {
        c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(code.into()),
    }
}

/// Gives a client the name and the password it logs in with from its next connection on.
///
/// # Errors
/// The library's code.
pub(super) fn set_login<C: ClientContext>(
    client: &Client<C>,
    user: &str,
    password: &str,
) -> Result<(), RDKafkaErrorCode> {
    let user = CString::new(user).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let password = CString::new(password).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    // SAFETY: the client is alive; the strings are copied; an error is freed once.
    unsafe {
        let error = c::rd_kafka_sasl_set_credentials(client.native_ptr(), user.as_ptr(), password.as_ptr());
        if error.is_null() {
            return Ok(());
        }
        let code = c::rd_kafka_error_code(error);
        c::rd_kafka_error_destroy(error);
        Err(code.into())
    }
}

/// Whether a record whose delivery failed may have been stored all the same.
pub(super) fn may_be_stored(m: &rdkafka::message::BorrowedMessage<'_>) -> bool {
    // SAFETY: the message is alive.
    let status = unsafe { c::rd_kafka_message_status(m.ptr()) };
    !matches!(status, c::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
}
