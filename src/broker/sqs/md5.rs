//! The checksums SQS gives of a body and of attributes, computed as its guide says.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use md5::{Digest, Md5};

/// Of a body, in hex.
pub fn of_body(body: &str) -> String {
    hex(Md5::new_with_prefix(body.as_bytes()))
}

/// Of attributes, in hex; `None` where there are none.
pub fn of_attributes(attributes: &HashMap<String, MessageAttributeValue>) -> Option<String> {
    of(attributes.iter().map(|(n, v)| (n.as_str(), v.data_type(), v.string_value(), v.binary_value())))
}

/// Of system attributes that are sent.
pub fn of_system(
    attributes: &HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>,
) -> Option<String> {
    of(attributes.iter().map(|(n, v)| (n.as_str(), v.data_type(), v.string_value(), v.binary_value())))
}

/// Name, type, and text or bytes.
type Attribute<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a Blob>);

fn of<'a>(attributes: impl Iterator<Item = Attribute<'a>>) -> Option<String> {
    let mut all: Vec<_> = attributes.collect();
    all.sort_unstable_by_key(|(name, ..)| *name);
    let mut sum = Md5::new();
    for (name, kind, text, bytes) in &all {
        part(&mut sum, name.as_bytes());
        part(&mut sum, kind.as_bytes());
        value(&mut sum, *text, bytes.map(AsRef::as_ref));
    }
    (!all.is_empty()).then(|| hex(sum))
}

fn part(sum: &mut Md5, bytes: &[u8]) {
    // No part comes near this length: a whole message has at most 1 MiB.
    sum.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    sum.update(bytes);
}

fn value(sum: &mut Md5, text: Option<&str>, binary: Option<&[u8]>) {
    match (text, binary) {
        (Some(text), _) => {
            sum.update([1]);
            part(sum, text.as_bytes());
        }
        (None, binary) => {
            sum.update([2]);
            part(sum, binary.unwrap_or_default());
        }
    }
}

fn hex(sum: Md5) -> String {
    sum.finalize().iter().fold(String::with_capacity(32), |mut out, b| {
        // Writing to a string cannot fail.
        _ = write!(out, "{b:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_body() {
        assert_eq!(of_body("hello world"), "5eb63bbbe01eeed093cb22bb8f5acdc3");
    }

    /// The example of the developer guide for AWS's own SDKs, with a string and a binary attribute.
    #[test]
    fn of_attributes_in_the_order_of_their_names() {
        let text = MessageAttributeValue::builder().data_type("String").string_value("value").build().unwrap();
        let bytes =
            MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([1, 2])).build().unwrap();
        let all = HashMap::from([("b".to_owned(), bytes), ("a".to_owned(), text)]);
        let mut by_hand = Md5::new();
        for piece in
            ["\0\0\0\x01a\0\0\0\x06String\x01\0\0\0\x05value", "\0\0\0\x01b\0\0\0\x06Binary\x02\0\0\0\x02\x01\x02"]
        {
            by_hand.update(piece.as_bytes());
        }
        assert_eq!(of_attributes(&all), Some(hex(by_hand)));
        assert_eq!(of_attributes(&HashMap::new()), None);
    }
}
