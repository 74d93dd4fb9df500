//! Sending in batches, several calls at once; messages of one FIFO group one call after the other.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry, SendMessageBatchResultEntry,
};
use xxhash_rust::xxh3::xxh3_64;

use super::batch::{of_entry, pause};
use super::capabilities::{BATCH, SENDERS};
use super::codec::{self, GROUP, TRACE};
use super::connect::Link;
use super::md5;
use super::queue::Queue;
use crate::broker::aws::error::{self, Asked};
use crate::broker::repeats;
use crate::broker::{Error, Kind, Outgoing, Receipt, Result};

/// Bytes of one call that every SQS there has been takes, whatever the largest message of the queue.
const MOST_BYTES: usize = 262_144;
/// Tries of what was certainly not carried out.
const TRIES: u32 = 6;

/// One message on its way.
pub struct Letter {
    /// Its place among those that were published together.
    pub at: usize,
    /// Of all messages with this number, one is sent after the other.
    pub chain: usize,
    /// As SQS counts it.
    pub size: usize,
    body: String,
    attributes: HashMap<String, MessageAttributeValue>,
    system: HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>,
    group: Option<String>,
    deduplication: Option<String>,
}

impl Letter {
    /// Makes it out to a queue. What could not be sent was refused when it was fitted.
    pub fn new(at: usize, o: &Outgoing, queue: &Queue, run: &str) -> Letter {
        let m = &o.message;
        let group = m.properties.text(GROUP).map(str::to_owned);
        let trace = |text| MessageSystemAttributeValue::builder().data_type("String").string_value(text).build().ok();
        let trace = m.properties.text(TRACE).and_then(trace);
        let system = trace.map(|t| (MessageSystemAttributeNameForSends::AwsTraceHeader, t)).into_iter().collect();
        Letter {
            at,
            chain: group.as_deref().map_or(0, |g| (xxh3_64(g.as_bytes()) % SENDERS as u64) as usize),
            size: codec::counted_size(m),
            body: String::from_utf8_lossy(m.payload.as_bytes()).into_owned(),
            attributes: codec::attributes(&m.headers),
            system,
            group,
            deduplication: queue.fifo.then(|| repeats::id(run, o)),
        }
    }

    fn entry(&self, id: usize) -> Result<SendMessageBatchRequestEntry> {
        SendMessageBatchRequestEntry::builder()
            .id(id.to_string())
            .message_body(&self.body)
            .set_message_attributes(Some(self.attributes.clone()).filter(|a| !a.is_empty()))
            .set_message_system_attributes(Some(self.system.clone()).filter(|a| !a.is_empty()))
            .set_message_group_id(self.group.clone())
            .set_message_deduplication_id(self.deduplication.clone())
            .build()
            .map_err(|e| Error::new(Kind::Other, "the message cannot be written").because(e))
    }

    /// Whether what SQS says it stored is this.
    fn is_stored(&self, answer: &SendMessageBatchResultEntry) -> bool {
        // Of what there is none, some say nothing and some the checksum of nothing.
        let same = |theirs: Option<&str>, ours: Option<String>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => theirs == ours || theirs.is_empty(),
            _ => true,
        };
        answer.md5_of_message_body() == md5::of_body(&self.body)
            && same(answer.md5_of_message_attributes(), md5::of_attributes(&self.attributes))
            && same(answer.md5_of_message_system_attributes(), md5::of_system(&self.system))
    }
}

/// Packs letters by count and by bytes, in order.
pub fn pack(letters: Vec<Letter>, queue: &Queue) -> Vec<Vec<Letter>> {
    let most = queue.max_message.max(MOST_BYTES);
    let mut calls: Vec<Vec<Letter>> = Vec::new();
    let mut bytes = 0;
    for letter in letters {
        match calls.last_mut() {
            Some(call) if call.len() < BATCH && bytes + letter.size <= most => {
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

/// Sends one call, and again what was certainly not carried out.
pub async fn send(link: Arc<Link>, queue: Arc<Queue>, letters: Vec<Letter>) -> Fates {
    let what = queue.shown();
    let asked = Asked { doing: "sending messages", action: "sqs:SendMessage", what: &what };
    let mut fates = Fates::with_capacity(letters.len());
    let mut rounds = vec![letters];
    let mut attempt = 0;
    while let Some(mut open) = rounds.pop() {
        let (error, again, split) = match call(&link, &queue, &open, asked).await {
            Ok(answer) => {
                open = sort(answer, open, asked, attempt + 1 < TRIES, &mut fates);
                if open.is_empty() {
                    continue;
                }
                (None, true, false)
            }
            Err(Refusal { error, again, too_long }) => (Some(error), again, too_long && open.len() > 1),
        };
        if split {
            let rest = open.split_off(open.len() / 2);
            rounds.push(rest);
            rounds.push(open);
            continue;
        }
        attempt += 1;
        match error {
            Some(e) if !again || attempt >= TRIES => fates.extend(open.into_iter().map(|l| (l.at, Err(e.again())))),
            _ => {
                tokio::time::sleep(pause(attempt)).await;
                rounds.push(open);
            }
        }
    }
    fates
}

struct Refusal {
    error: Error,
    /// Nothing was carried out, and another try may be luckier.
    again: bool,
    too_long: bool,
}

type Answer = aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;

async fn call(link: &Link, queue: &Queue, letters: &[Letter], asked: Asked<'_>) -> Result<Answer, Refusal> {
    // A FIFO queue drops repeats, so a lost answer is asked for again; any other would store the message twice.
    let client = if queue.fifo { &link.calls } else { &link.sends };
    let mut call = client.send_message_batch().queue_url(&queue.url);
    for (id, letter) in letters.iter().enumerate() {
        call = call.entries(letter.entry(id).map_err(|error| Refusal { error, again: false, too_long: false })?);
    }
    call.send().await.map_err(|e| {
        let throttled = error::is_throttled(&e);
        let not_done = error::certainly_not_done(&e);
        let too_long = e.as_service_error().is_some_and(|e| e.is_batch_request_too_long());
        let error = error::of_sending(e, asked);
        Refusal { again: throttled || not_done && error.kind() == Kind::Unreachable, error, too_long }
    })
}

/// Takes the fates out of an answer; gives what is to be sent again, which is what was throttled.
fn sort(answer: Answer, letters: Vec<Letter>, asked: Asked<'_>, may: bool, fates: &mut Fates) -> Vec<Letter> {
    let mut stored: HashMap<usize, _> =
        answer.successful.into_iter().filter_map(|e| Some((e.id.parse().ok()?, e))).collect();
    let failed: HashMap<usize, _> = answer.failed.into_iter().filter_map(|e| Some((e.id.parse().ok()?, e))).collect();
    let mut open = Vec::new();
    for (id, letter) in letters.into_iter().enumerate() {
        let fate = match (stored.remove(&id), failed.get(&id)) {
            (Some(entry), _) if letter.is_stored(&entry) => Ok(Receipt { id: Some(entry.message_id.into()) }),
            (Some(_), _) => Err(Error::new(
                Kind::Indeterminate,
                format!("{} has stored something else: the checksum does not match", asked.what),
            )),
            (None, Some(e)) if may && error::is_throttling(e.code()) => {
                open.push(letter);
                continue;
            }
            (None, Some(e)) => Err(of_entry(e, asked)),
            (None, None) => Err(Error::new(
                Kind::Indeterminate,
                format!("the answer of {} says nothing about this message", asked.what),
            )),
        };
        fates.push((letter.at, fate));
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::repeats::tests::outgoing;
    use crate::message::Identity;

    #[test]
    fn batches_are_packed_by_count_and_by_bytes() {
        let queue = Queue { max_message: 262_144, ..Queue::unknown("http://h/1/q") };
        let letters = |sizes: &[usize]| -> Vec<Letter> {
            let of = |(at, size): (usize, &usize)| Letter {
                at,
                size: *size,
                ..Letter::new(at, &outgoing(0, Identity::Like(0)), &queue, "r")
            };
            sizes.iter().enumerate().map(of).collect()
        };
        let packed = |sizes: &[usize]| pack(letters(sizes), &queue).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(packed(&[1; 25]), [10, 10, 5]);
        assert_eq!(packed(&[262_143, 1, 1, 262_144]), [2, 1, 1]);
        assert_eq!(packed(&[]), [0; 0]);
    }

    #[test]
    fn only_what_the_answer_confirms_is_confirmed() {
        let queue = Queue::unknown("http://h/1/q");
        let letters: Vec<Letter> =
            (0..4).map(|at| Letter::new(at, &outgoing(0, Identity::Like(0)), &queue, "r")).collect();
        let ok = |id: &str, md5: &str| {
            SendMessageBatchResultEntry::builder().id(id).message_id("m").md5_of_message_body(md5).build().unwrap()
        };
        let failed = aws_sdk_sqs::types::BatchResultErrorEntry::builder()
            .id("2")
            .code("InvalidMessageContents")
            .sender_fault(true)
            .build()
            .unwrap();
        let answer = Answer::builder()
            .successful(ok("0", &md5::of_body("x")))
            .successful(ok("1", &md5::of_body("y")))
            .failed(failed)
            .build()
            .unwrap();
        let asked = Asked { doing: "sending", action: "sqs:SendMessage", what: "queue q" };
        let mut fates = Fates::new();
        assert!(sort(answer, letters, asked, true, &mut fates).is_empty());
        let kinds: Vec<_> = fates.iter().map(|(_, f)| f.as_ref().err().map(Error::kind)).collect();
        assert_eq!(kinds, [None, Some(Kind::Indeterminate), Some(Kind::Rejected), Some(Kind::Indeterminate)]);
    }
}
