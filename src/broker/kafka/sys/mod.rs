//! What the client library's Rust side does not offer: batches off a queue without a group, ids of topics, offsets of many
//! partitions in one request. All unsafe code of this backend is here.
#![expect(unsafe_code, reason = "calls into librdkafka")]

mod admin;
mod queue;
mod record;

use std::ffi::CStr;

use rdkafka::bindings as c;

pub(super) use admin::{Isolation, offsets, topic_id};
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

/// Whether a record whose delivery failed may have been stored all the same.
pub(super) fn may_be_stored(m: &rdkafka::message::BorrowedMessage<'_>) -> bool {
    // SAFETY: the message is alive.
    let status = unsafe { c::rd_kafka_message_status(m.ptr()) };
    !matches!(status, c::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
}
