//! Publishing in batches; every entry has a fate of its own.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_sns::operation::publish_batch::PublishBatchOutput as Answer;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use xxhash_rust::xxh3::xxh3_64;

use super::capabilities::{BATCH, PUBLISHERS};
use super::connect::Link;
use super::topic::Topic;
use crate::broker::aws::error::{self, Asked};
use crate::broker::repeats;
use crate::broker::sqs::batch::pause;
use crate::broker::sqs::codec::{self, GROUP};
use crate::broker::{Error, Kind, Outgoing, Receipt, Result};

/// Tries of what was certainly not carried out.
const TRIES: u32 = 6;

/// One message on its way.
pub struct Letter {
    /// Its place among those that were published together.
    pub at: usize,
    /// Of all messages with this number, one is published after the other.
    pub chain: usize,
    /// As SNS counts it.
    pub size: usize,
    body: String,
    attributes: HashMap<String, MessageAttributeValue>,
    group: Option<String>,
    deduplication: Option<String>,
}

impl Letter {
    /// Makes it out to a topic. What could not be published was refused when it was fitted.
    pub fn new(at: usize, o: &Outgoing, topic: &Topic, run: &str) -> Letter {
        let m = &o.message;
        let group = m.properties.text(GROUP).map(str::to_owned);
        let attribute = |(name, value)| {
            let v = codec::value_to(value)?;
            let built = MessageAttributeValue::builder().data_type(v.data_type).set_string_value(v.string_value);
            let binary = v.binary_value.map(|b| aws_sdk_sns::primitives::Blob::new(b.into_inner()));
            Some((str::to_owned(name), built.set_binary_value(binary).build().ok()?))
        };
        Letter {
            at,
            chain: group.as_deref().map_or(0, |g| (xxh3_64(g.as_bytes()) % u64::from(PUBLISHERS)) as usize),
            size: codec::counted_size(m),
            body: String::from_utf8_lossy(m.payload.as_bytes()).into_owned(),
            attributes: m.headers.iter().filter_map(attribute).collect(),
            group,
            deduplication: topic.fifo.then(|| repeats::id(run, o)),
        }
    }

    fn entry(&self, id: usize) -> Result<PublishBatchRequestEntry> {
        PublishBatchRequestEntry::builder()
            .id(id.to_string())
            .message(&self.body)
            .set_message_attributes(Some(self.attributes.clone()).filter(|a| !a.is_empty()))
            .set_message_group_id(self.group.clone())
            .set_message_deduplication_id(self.deduplication.clone())
            .build()
            .map_err(|e| Error::new(Kind::Other, "the message cannot be written").because(e))
    }
}

/// Packs letters by count and by bytes, in order.
pub fn pack(letters: Vec<Letter>, topic: &Topic) -> Vec<Vec<Letter>> {
    let mut calls: Vec<Vec<Letter>> = Vec::new();
    let mut bytes = 0;
    for letter in letters {
        match calls.last_mut() {
            Some(call) if call.len() < BATCH && bytes + letter.size <= topic.max_message => {
                bytes += letter.size;
                call.push(letter);
            }
            _ => {
                bytes = letter.size;
                calls.push(vec![letter]);
            }
        }
    }
    calls
}

/// The fate of each letter, by its place.
pub type Fates = Vec<(usize, Result<Receipt>)>;

/// Publishes one call, and again what was certainly not carried out.
pub async fn publish(link: Arc<Link>, topic: Arc<Topic>, letters: Vec<Letter>) -> Fates {
    let what = topic.shown();
    let asked = Asked { doing: "publishing messages", action: "sns:Publish", what: &what };
    let mut fates = Fates::with_capacity(letters.len());
    let mut open = letters;
    for attempt in 1..=TRIES {
        match call(&link, &topic, &open, asked).await {
            Ok(answer) => open = sort(answer, open, asked, attempt < TRIES, &mut fates),
            Err((_, true)) if attempt < TRIES => {}
            Err((e, _)) => {
                fates.extend(open.into_iter().map(|l| (l.at, Err(e.again()))));
                return fates;
            }
        }
        if open.is_empty() {
            return fates;
        }
        tokio::time::sleep(pause(attempt)).await;
    }
    fates
}

/// An error comes with whether another try may be luckier, nothing having been carried out.
async fn call(link: &Link, topic: &Topic, letters: &[Letter], asked: Asked<'_>) -> Result<Answer, (Error, bool)> {
    // A FIFO topic drops repeats, so a lost answer is asked for again; any other would deliver the message twice.
    let client = if topic.fifo { &link.calls } else { &link.once };
    let mut call = client.publish_batch().topic_arn(&topic.arn);
    for (id, letter) in letters.iter().enumerate() {
        call = call.publish_batch_request_entries(letter.entry(id).map_err(|e| (e, false))?);
    }
    call.send()
        .await
        .map_err(|e| {
            let again = error::is_throttled(&e);
            let not_done = error::certainly_not_done(&e);
            let e = error::of_sending(e, asked);
            (again || not_done && e.kind() == Kind::Unreachable, e)
        })
        .map_err(|(again, e)| (e, again))
}

/// Takes the fates out of an answer; gives what is to be published again, which is what was throttled.
fn sort(answer: Answer, letters: Vec<Letter>, asked: Asked<'_>, may: bool, fates: &mut Fates) -> Vec<Letter> {
    let place = |id: Option<&str>| id?.parse::<usize>().ok();
    let stored: HashMap<usize, _> =
        answer.successful().iter().filter_map(|e| Some((place(e.id())?, e.message_id().map(Into::into)))).collect();
    let failed: HashMap<usize, _> = answer.failed().iter().filter_map(|e| Some((place(Some(e.id()))?, e))).collect();
    let mut open = Vec::new();
    for (id, letter) in letters.into_iter().enumerate() {
        let fate = match (stored.get(&id), failed.get(&id)) {
            (Some(message), None) => Ok(Receipt { id: message.clone() }),
            (None, Some(e)) if may && error::is_throttling(e.code()) => {
                open.push(letter);
                continue;
            }
            (None, Some(e)) => {
                let status = if e.sender_fault() { 400 } else { 500 };
                Err(error::of_code(e.code(), e.message().unwrap_or_default(), status, asked))
            }
            _ => Err(Error::new(
                Kind::Indeterminate,
                format!("the answer of {} does not say what came of this message", asked.what),
            )),
        };
        fates.push((letter.at, fate));
    }
    open
}

#[cfg(test)]
mod tests {
    use aws_sdk_sns::types::{BatchResultErrorEntry, PublishBatchResultEntry};

    use super::*;
    use crate::message::{DeadLetter, Payload};

    fn letters(sizes: &[usize]) -> Vec<Letter> {
        let message = DeadLetter::new("q".into(), Payload::Bytes("x".into()));
        let o = Outgoing::verbatim(0, Box::new(message));
        let topic = Topic::unknown("arn:aws:sns:eu-west-1:1:t");
        sizes.iter().enumerate().map(|(at, size)| Letter { size: *size, ..Letter::new(at, &o, &topic, "r") }).collect()
    }

    #[test]
    fn batches_are_packed_by_count_and_by_bytes() {
        let topic = Topic { max_message: 1000, ..Topic::unknown("arn:aws:sns:eu-west-1:1:t") };
        let packed = |sizes: &[usize]| pack(letters(sizes), &topic).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(packed(&[1; 25]), [10, 10, 5]);
        assert_eq!(packed(&[999, 1, 1, 1000]), [2, 1, 1]);
    }

    #[test]
    fn only_what_the_answer_confirms_is_confirmed() {
        let ok = |id: &str| PublishBatchResultEntry::builder().id(id).message_id("m").build();
        let bad = |id: &str, code: &str| {
            BatchResultErrorEntry::builder().id(id).code(code).sender_fault(true).build().unwrap()
        };
        let answer = || {
            Answer::builder()
                .successful(ok("0"))
                .successful(ok("4"))
                .failed(bad("1", "InvalidParameter"))
                .failed(bad("2", "Throttled"))
                .failed(bad("4", "InternalError"))
                .build()
        };
        let asked = Asked { doing: "publishing", action: "sns:Publish", what: "topic t" };
        let sorted = |may| {
            let mut fates = Fates::new();
            let open: Vec<_> = sort(answer(), letters(&[1; 5]), asked, may, &mut fates).iter().map(|l| l.at).collect();
            (open, fates.into_iter().map(|(at, f)| (at, f.err().map(|e| e.kind()))).collect::<Vec<_>>())
        };
        let unknown = Some(Kind::Indeterminate);
        let (open, fates) = sorted(true);
        assert_eq!(open, [2]);
        assert_eq!(fates, [(0, None), (1, Some(Kind::Rejected)), (3, unknown), (4, unknown)]);
        assert_eq!(sorted(false).0, [0; 0]);
    }
}
