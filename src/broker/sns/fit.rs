//! Fits a message to a topic. What is published there is handed on to queues, so it is fitted as for those: what SQS would not
//! take, a topic takes and then delivers to nobody.

use std::sync::Arc;

use super::topic::Topic;
use crate::broker::sqs::codec::{self, GROUP, OF_THE_DELIVERY};
use crate::broker::sqs::fit::{attributes, body, set_group};
use crate::broker::{Error, Kind, Outgoing, Result};
use crate::message::{MARK_HEADER, Value};

/// What a message is fitted to.
#[derive(Clone)]
pub struct Limits {
    /// The topic.
    pub topic: Arc<Topic>,
    /// `-X group=NAME`: of messages that have none.
    pub group: Option<Arc<str>>,
}

/// Changes a message so that it can be published; says what was left out or changed.
///
/// # Errors
/// `TooLarge`, `Rejected`.
pub fn fit(limits: &Limits, o: &mut Outgoing) -> Result<Vec<String>> {
    body(&o.message)?;
    let mut left = Vec::new();
    if let Some(key) = o.message.key.take() {
        o.message.headers.set("dlq-key", Value::Bytes(key));
        left.push("the record key, kept in the attribute dlq-key".to_owned());
    }
    attributes(&mut o.message, &mut left)?;
    let gone = o.message.properties.remove_if(|name, _| name != GROUP);
    left.extend(gone.into_iter().filter(|n| !OF_THE_DELIVERY.contains(&n.as_str())).map(|n| format!("property {n}")));
    set_group(&mut o.message, limits.topic.fifo, limits.group.as_deref(), &mut left);
    if o.verbatim && o.message.origin.take().is_some() {
        left.push("where it came from, for which a topic has no place".to_owned());
    }
    size(o, limits.topic.max_message, &mut left)?;
    Ok(left)
}

fn size(o: &mut Outgoing, most: usize, left: &mut Vec<String>) -> Result<()> {
    let m = &mut o.message;
    if codec::counted_size(m) > most && m.headers.last(MARK_HEADER).is_some() {
        m.headers.remove_if(|name, _| name == MARK_HEADER);
        left.push(format!("the replay mark, since it would be larger than the {most} bytes the topic takes"));
    }
    match codec::counted_size(m) {
        has if has > most => {
            let text = format!("it has {has} bytes with its attributes, and the topic takes {most} at most");
            Err(Error::new(Kind::TooLarge, text).hint("MaximumMessageSize of the topic can be raised, up to 1 MiB"))
        }
        _ => Ok(()),
    }
}
