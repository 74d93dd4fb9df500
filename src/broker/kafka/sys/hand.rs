//! Records handed to a producer, by a handle of their topic: a name would be looked up for each.

use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};

use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// A topic as a producer knows it. Must be dropped before the producer.
pub(in super::super) struct Place {
    topic: NonNull<c::rd_kafka_topic_t>,
    name: String,
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Send for Place {}

impl Place {
    /// `None` where the library refuses the name.
    pub fn new<C: ClientContext>(client: &Client<C>, name: &str) -> Option<Self> {
        let text = CString::new(name).ok()?;
        // SAFETY: the client is alive; the handle is destroyed in `drop`.
        let topic = unsafe { c::rd_kafka_topic_new(client.native_ptr(), text.as_ptr(), ptr::null_mut()) };
        Some(Place { topic: NonNull::new(topic)?, name: name.to_owned() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // SAFETY: made in `new`, destroyed once.
        unsafe { c::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

/// Headers of a record that is not handed over yet.
pub(in super::super) struct Headers(NonNull<c::rd_kafka_headers_t>);

impl Headers {
    /// In order; a value can be null. `None` for none of them.
    pub fn of<'a, N: AsRef<[u8]>>(all: impl ExactSizeIterator<Item = (N, Option<&'a [u8]>)>) -> Option<Self> {
        if all.len() == 0 {
            return None;
        }
        // SAFETY: names and values are copied.
        let headers = Headers(NonNull::new(unsafe { c::rd_kafka_headers_new(all.len()) })?);
        for (name, value) in all {
            let (name, (data, size)) = (name.as_ref(), span(value));
            // SAFETY: as above; headers that belong to no record can be written to.
            unsafe {
                c::rd_kafka_header_add(
                    headers.0.as_ptr(),
                    name.as_ptr().cast(),
                    name.len().cast_signed(),
                    data,
                    size.cast_signed(),
                );
            }
        }
        Some(headers)
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: no record has taken them.
        unsafe { c::rd_kafka_headers_destroy(self.0.as_ptr()) };
    }
}

/// A record to hand over.
pub(in super::super) struct Handed<'a> {
    /// `None`: the partitioner chooses.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; `None`: now.
    pub time: Option<i64>,
    /// Absent is not empty.
    pub key: Option<&'a [u8]>,
    /// `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Told with its fate.
    pub number: usize,
}

/// Copies a record into the producer's memory.
///
/// # Errors
/// The library's code, and the headers.
pub(in super::super) fn hand<C: ClientContext>(
    client: &Client<C>,
    place: &Place,
    record: &Handed<'_>,
    headers: Option<Headers>,
) -> Result<(), (RDKafkaErrorCode, Option<Headers>)> {
    let ((value, value_size), (key, key_size)) = (span(record.value), span(record.key));
    let attached = headers.as_ref().map_or(ptr::null_mut(), |h| h.0.as_ptr());
    // SAFETY: the client and the topic of it are alive, the bytes are copied, and what is taken of the headers is let go of below.
    let code = unsafe {
        c::rd_kafka_producev(
            client.native_ptr(),
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
            place.topic.as_ptr(),
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
            record.partition.unwrap_or(-1),
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
            c::RD_KAFKA_MSG_F_COPY,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
            value,
            value_size,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
            key,
            key_size,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
            record.number as *mut c_void,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
            record.time.unwrap_or(0),
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
            attached,
            c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
        )
    };
    if !matches!(code, c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR) {
        return Err((code.into(), headers));
    }
    std::mem::forget(headers);
    Ok(())
}

/// The partition of `many`, of which there is one at least, that murmur2 chooses.
pub(in super::super) fn partition_of(key: &[u8], many: i32) -> i32 {
    // SAFETY: it reads the key, and nothing else that is handed to it.
    unsafe {
        c::rd_kafka_msg_partitioner_murmur2(
            ptr::null(),
            key.as_ptr().cast(),
            key.len(),
            many.max(1),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    }
}

/// Null for what is absent.
fn span(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |b| (b.as_ptr().cast(), b.len()))
}
