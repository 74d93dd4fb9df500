//! Sends, deletes and changes of visibility: one entry after the other, each with a fate of its own.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::World;
use super::fault::{self, Fault, Refusal};
use super::queue::{Attribute, Attributes, Message, Queue, attributes_digest, digest};
use super::sqs::{Given, invalid, queue, refusal};

/// The fate of an entry: its answer, or code, text and whose fault it is.
type Fate = Result<Value, (&'static str, String, bool)>;

fn batch(body: &Value, fault: &Fault, mut each: impl FnMut(&Value) -> Fate) -> Given {
    let entries = checked(body)?;
    let (mut good, mut bad) = (vec![], vec![]);
    for (at, entry) in entries.iter().enumerate() {
        let id = &entry["Id"];
        let fate = match fault {
            Fault::Entries(places, code, ours) if places.contains(&at) => {
                Err((*code, "We encountered an internal error. Please try again.".into(), *ours))
            }
            _ => each(entry),
        };
        if matches!(fault, Fault::Silent(places) if places.contains(&at)) {
            continue;
        }
        match fate {
            Ok(mut v) => {
                v["Id"] = id.clone();
                good.push(v);
            }
            Err((code, message, ours)) => {
                bad.push(json!({ "Id": id, "Code": code, "Message": message, "SenderFault": ours }));
            }
        }
    }
    if matches!(fault, Fault::Reversed) {
        good.reverse();
    }
    let mut out = json!({ "Successful": good });
    if !bad.is_empty() {
        out["Failed"] = json!(bad);
    }
    Ok(out)
}

fn checked(body: &Value) -> Result<&Vec<Value>, Refusal> {
    let entries = body["Entries"].as_array().filter(|e| !e.is_empty());
    let entries = entries.ok_or(refusal("EmptyBatchRequest", "There should be at least one entry in the request."))?;
    if entries.len() > 10 {
        let text = "Maximum number of entries per request are 10.";
        return Err(refusal("TooManyEntriesInBatchRequest", text));
    }
    let ids: BTreeSet<_> = entries.iter().map(|e| e["Id"].as_str().unwrap_or_default()).collect();
    if ids.len() < entries.len() {
        return Err(refusal("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."));
    }
    if ids.iter().any(|id| id.is_empty() || id.len() > 80) {
        return Err(refusal("InvalidBatchEntryId", "The Id of a batch entry is not of 1 to 80 characters."));
    }
    Ok(entries)
}

pub fn send(world: &mut World, body: &Value, fault: &Fault) -> Given {
    let most = queue(world, body)?.most;
    let read: Vec<_> = checked(body)?.iter().map(message).collect();
    let total: usize = read.iter().flatten().map(Message::size).sum();
    if total > most {
        let text = format!("Batch requests cannot be longer than {most} bytes. You have sent {total} bytes.");
        return Err(refusal("BatchRequestTooLong", Box::leak(text.into_boxed_str())));
    }
    let mut read = read.into_iter();
    // A faulty entry is not asked for: the read ones are matched by their place.
    let faulty: BTreeSet<usize> =
        if let Fault::Entries(places, ..) = fault { places.iter().copied().collect() } else { BTreeSet::new() };
    let mut at = 0;
    batch(body, fault, |_| {
        while faulty.contains(&at) {
            (_, at) = (read.next(), at + 1);
        }
        at += 1;
        one(world, body, read.next().expect("one for each entry"), fault)
    })
}

fn one(world: &mut World, body: &Value, m: Result<Message, String>, fault: &Fault) -> Fate {
    let ours = |text: String| ("InvalidParameterValue", text, true);
    let mut m = m.map_err(ours)?;
    let q = queue(world, body).map_err(|_| ("AWS.SimpleQueueService.NonExistentQueue", String::new(), true))?;
    let fifo = q.is_fifo();
    taken(q, &m).map_err(|(code, text)| (code, text, true))?;
    let (now, number) = (world.now(), world.next_number());
    m.id = format!("{number:08x}-1111-4000-8000-{number:012x}");
    let (body_digest, attributes_of) = match fault {
        Fault::WrongDigests => (digest("other"), digest("other")),
        Fault::WrongAttributeDigests => (digest(&m.body), digest("other")),
        _ => (digest(&m.body), attributes_digest(&m.attributes)),
    };
    let mut out = json!({ "MD5OfMessageBody": body_digest });
    if !m.attributes.is_empty() {
        out["MD5OfMessageAttributes"] = json!(attributes_of);
    }
    let q = queue(world, body).map_err(|_| ("InternalError", String::new(), false))?;
    let (id, sequence) = q.put(m, now, number);
    out["MessageId"] = json!(id);
    if fifo {
        out["SequenceNumber"] = json!(format!("{sequence:020}"));
    }
    Ok(out)
}

/// What the queue would not take.
fn taken(q: &Queue, m: &Message) -> Result<(), (&'static str, String)> {
    let invalid = |text: String| Err(("InvalidParameterValue", text));
    if m.size() > q.most {
        return invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
            q.most
        ));
    }
    if m.attributes.len() > 10 {
        return invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            m.attributes.len()
        ));
    }
    let odd =
        |c: char| !matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    if m.body.is_empty() {
        return Err(("MissingParameter", "The request must contain the parameter MessageBody.".into()));
    }
    if m.body.contains(odd) {
        return Err(("InvalidMessageContents", "Invalid characters found.".into()));
    }
    if q.is_fifo() && m.group.is_none() {
        return Err(("MissingParameter", "The request must contain the parameter MessageGroupId.".into()));
    }
    if q.is_fifo() && m.dedup.is_none() && !q.content_dedup {
        return invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly".into());
    }
    if !q.is_fifo() && m.dedup.is_some() {
        return invalid(
            "Value for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type."
                .into(),
        );
    }
    Ok(())
}

fn message(entry: &Value) -> Result<Message, String> {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    let mut m = Message::new(entry["MessageBody"].as_str().unwrap_or_default());
    (m.group, m.dedup) = (text("MessageGroupId"), text("MessageDeduplicationId"));
    m.trace = entry["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"].as_str().map(Into::into);
    m.attributes = attributes(&entry["MessageAttributes"])?;
    Ok(m)
}

fn attributes(given: &Value) -> Result<Attributes, String> {
    let mut out = Attributes::new();
    for (name, a) in given.as_object().into_iter().flatten() {
        let kind = a["DataType"].as_str().unwrap_or_default();
        let base = kind.split('.').next().unwrap_or_default();
        let value = match (base, a["StringValue"].as_str(), a["BinaryValue"].as_str()) {
            ("String" | "Number", Some(s), None) if !s.is_empty() => s.as_bytes().to_vec(),
            ("Binary", None, Some(b)) => BASE64_STANDARD.decode(b).map_err(|e| e.to_string())?,
            ("String" | "Number" | "Binary", ..) => {
                return Err(format!(
                    "Message (user) attribute '{name}' must contain a non-empty value of type '{base}'."
                ));
            }
            _ => return Err(format!("The type of message (user) attribute '{name}' is invalid.")),
        };
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("aws.") || lower.starts_with("amazon.") || name.is_empty() || name.len() > 256 {
            return Err(format!("Invalid attribute name {name}."));
        }
        out.insert(name.clone(), Attribute::new(kind, value));
    }
    Ok(out)
}

pub fn delete(world: &mut World, body: &Value, fault: &Fault) -> Given {
    let now = world.now();
    let q = queue(world, body)?;
    batch(body, fault, |entry| delete_one(q, entry, now))
}

fn delete_one(q: &mut Queue, entry: &Value, now: u64) -> Fate {
    let handle = entry["ReceiptHandle"].as_str().unwrap_or_default();
    let bad = || (fault::BAD_HANDLE.code, fault::BAD_HANDLE.message.to_owned(), true);
    if !handle.contains('#') {
        return Err(bad());
    }
    match q.find(handle, now) {
        // FIFO: a lease that ran out took its handle with it.
        Some((_, newest, running)) if q.is_fifo() && !(newest && running) => Err(bad()),
        Some((at, true, _)) => {
            q.messages.remove(at);
            Ok(json!({}))
        }
        // An old handle of a standard queue: accepted, and the message stays. What is gone is gone.
        _ => Ok(json!({})),
    }
}

pub fn change_visibility(world: &mut World, body: &Value, fault: &Fault) -> Given {
    let now = world.now();
    let q = queue(world, body)?;
    batch(body, fault, |entry| change_one(q, entry, now))
}

fn change_one(q: &mut Queue, entry: &Value, now: u64) -> Fate {
    let handle = entry["ReceiptHandle"].as_str().unwrap_or_default();
    let seconds = entry["VisibilityTimeout"].as_u64().unwrap_or(0);
    if seconds > 43_200 {
        let text = format!("Value {seconds} for parameter VisibilityTimeout is invalid.");
        return Err(("InvalidParameterValue", text, true));
    }
    match q.find(handle, now) {
        None => Err((fault::BAD_HANDLE.code, fault::BAD_HANDLE.message.into(), true)),
        Some((_, newest, running)) if !newest || !running => {
            Err(("MessageNotInflight", "The specified message isn't in flight.".into(), true))
        }
        Some((at, ..)) => {
            let m = &mut q.messages[at];
            m.visible = now + seconds * 1000;
            q.released += u64::from(seconds == 0);
            Ok(json!({}))
        }
    }
}

/// The operations that are not batches, as batches of one.
pub fn single(world: &mut World, operation: &str, body: &Value, fault: &Fault) -> Given {
    let mut entry = body.clone();
    entry["Id"] = json!("0");
    let as_batch = json!({ "QueueUrl": body["QueueUrl"], "Entries": [entry] });
    let given = match operation {
        "SendMessage" => send(world, &as_batch, fault),
        "DeleteMessage" => delete(world, &as_batch, fault),
        _ => change_visibility(world, &as_batch, fault),
    }?;
    match given["Successful"].get(0) {
        Some(v) => Ok(v.clone()),
        None => Err(invalid(given["Failed"][0]["Message"].as_str().unwrap_or_default().to_owned())),
    }
}
