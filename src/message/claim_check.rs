//! A body that is kept elsewhere: what is in the queue is the ticket for it.
//!
//! The extended client of SQS puts large bodies into S3 and sends a pointer. Replayed as it is, the pointer is as good as
//! ever; removed, it leaves the object behind.

use serde::Deserialize;

use super::{DeadLetter, Payload};

/// Where the body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimCheck {
    /// The bucket.
    pub bucket: String,
    /// The name of the object.
    pub key: String,
    /// Its size in bytes, where an attribute says.
    pub size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pointer {
    s3_bucket_name: String,
    s3_key: String,
}

/// Attributes with the size, the newer first.
const SIZES: &[&str] = &["ExtendedPayloadSize", "SQSLargePayloadSize"];
/// Names of the class that wrote it end so; packages are renamed where libraries are bundled.
const CLASSES: &[&str] = &["PayloadS3Pointer", "MessageS3Pointer"];
/// No pointer is longer: names of objects have 1024 bytes at most.
const LONGEST: usize = 8192;

impl ClaimCheck {
    /// Reads the pointer; `None` for every other body, which is quickly told.
    pub fn of(m: &DeadLetter) -> Option<ClaimCheck> {
        let Payload::Bytes(body) = &m.payload else { return None };
        if !body.starts_with(b"[\"") || body.len() > LONGEST || memchr::memmem::find(body, b"S3Pointer\"").is_none() {
            return None;
        }
        let (class, pointer): (String, Pointer) = serde_json::from_slice(body).ok()?;
        if !CLASSES.iter().any(|name| class.ends_with(name)) {
            return None;
        }
        let size = SIZES.iter().find_map(|name| u64::try_from(m.headers.int(name)?).ok());
        Some(ClaimCheck { bucket: pointer.s3_bucket_name, key: pointer.s3_key, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Value;

    fn of(body: &str, size: Option<&str>) -> Option<ClaimCheck> {
        let mut m = DeadLetter::new("q".into(), Payload::Bytes(body.to_owned().into()));
        if let Some(size) = size {
            m.headers.push("SQSLargePayloadSize", Value::Number(size.into()));
        }
        ClaimCheck::of(&m)
    }

    #[test]
    fn pointers_of_every_age_are_known_and_nothing_else() {
        let check = |size| Some(ClaimCheck { bucket: "b".into(), key: "k/1".into(), size });
        let pointer = r#"{"s3BucketName":"b","s3Key":"k/1"}"#;
        for class in [
            "software.amazon.payloadoffloading.PayloadS3Pointer",
            "awsv2.repackaged.software.amazon.payloadoffloading.PayloadS3Pointer",
            "com.amazon.sqs.javamessaging.MessageS3Pointer",
        ] {
            assert_eq!(of(&format!("[\"{class}\",{pointer}]"), None), check(None));
        }
        assert_eq!(of(&format!("[\"x.PayloadS3Pointer\", {pointer}]"), Some("300000")), check(Some(300_000)));
        for other in [
            format!("[\"x.Other\",{pointer}]"),
            "[\"PayloadS3Pointer\"]".into(),
            "[\"PayloadS3Pointer\",{}]".into(),
            pointer.to_owned(),
            "[]".into(),
        ] {
            assert_eq!(of(&other, None), None, "{other}");
        }
    }
}
