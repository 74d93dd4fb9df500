//! One message as the library holds it.

use std::ffi::{CStr, c_void};
use std::slice;

use rdkafka::bindings as c;
use rdkafka::error::RDKafkaErrorCode;

/// What comes off a queue.
pub(in super::super) enum Got<'a> {
    /// A record.
    Record(Record<'a>),
    /// Nothing is left in this partition for now; the offset is the one that would come next.
    End { partition: i32, offset: i64 },
    /// Reading a partition failed.
    Failed { partition: i32, code: RDKafkaErrorCode },
}

impl<'a> Got<'a> {
    /// # Safety
    /// The message was given by the library and not yet destroyed.
    pub(super) unsafe fn of(m: &'a c::rd_kafka_message_t) -> Self {
        match m.err {
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Got::Record(Record(m)),
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                Got::End { partition: m.partition, offset: m.offset }
            }
            code => Got::Failed { partition: m.partition, code: code.into() },
        }
    }
}

/// A record, as long as its batch lives.
#[derive(Clone, Copy)]
pub(in super::super) struct Record<'a>(&'a c::rd_kafka_message_t);

/// # Safety
/// `data` is null, or points to `len` bytes that live as long as `'a`.
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    match (data.is_null(), len) {
        (true, _) => None,
        (false, 0) => Some(&[]),
        // SAFETY: the caller's.
        (false, _) => Some(unsafe { slice::from_raw_parts(data.cast(), len) }),
    }
}

impl<'a> Record<'a> {
    pub fn partition(self) -> i32 {
        self.0.partition
    }

    pub fn offset(self) -> i64 {
        self.0.offset
    }

    /// Absent is not empty.
    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: the library's own key, which lives as long as the message.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    /// `None` for a tombstone.
    pub fn value(self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    /// Milliseconds since 1970.
    pub fn time(self) -> Option<i64> {
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let at = unsafe { c::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        (at >= 0 && !matches!(kind, c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)).then_some(at)
    }

    /// In order, repeats included. Names need not be UTF-8.
    pub fn headers(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut headers = std::ptr::null_mut();
        // SAFETY: the message is alive; parsing the headers changes it, but the library allows that through const.
        let code = unsafe { c::rd_kafka_message_headers(self.0, &raw mut headers) };
        let there = matches!(code, c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR) && !headers.is_null();
        let mut at = 0;
        std::iter::from_fn(move || {
            if !there {
                return None;
            }
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: the headers belong to the message, which outlives `'a`; beyond the last the library says so.
            unsafe {
                let code = c::rd_kafka_header_get_all(headers, at, &raw mut name, &raw mut value, &raw mut size);
                at += 1;
                matches!(code, c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR)
                    .then(|| (CStr::from_ptr(name).to_bytes(), bytes(value, size)))
            }
        })
    }
}
