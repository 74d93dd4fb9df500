//! What JetStream is asked, as requests of our own: they show header blocks as they are stored, in their order.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::connect::{Line, Unanswered};
use super::error::{self, Refusal, code};
use super::stream::{ConsumerInfo, StreamInfo};
use crate::broker::{Error, Kind, Result};

/// A stored message.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its number in the stream.
    pub seq: u64,
    /// What it was sent to.
    pub subject: String,
    /// When it was stored.
    pub time: Option<Timestamp>,
    /// `NATS/1.0` and a line for each header; empty where there are none.
    pub headers: Bytes,
    /// The payload.
    pub data: Bytes,
}

#[derive(Deserialize)]
struct Got {
    message: Raw,
}

#[derive(Deserialize)]
struct Raw {
    seq: u64,
    subject: String,
    #[serde(default)]
    hdrs: Option<String>,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    time: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Answered {
    error: Option<Refusal>,
}

/// Either what was asked for, or why not, and whether it was asked more than once.
struct Reply<T> {
    answer: Result<T, Refusal>,
    again: bool,
}

fn odd(what: &str, e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Other, format!("{what}: JetStream gave an answer that cannot be read")).because(e)
}

impl Line {
    async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        question: &Json,
        doing: &'static str,
    ) -> Result<Reply<T>, Unanswered> {
        let payload = if question.is_null() { Bytes::new() } else { Bytes::from(question.to_string()) };
        let asked = self.ask(&format!("{}.{operation}", self.prefix), payload).await;
        let answer = asked.map_err(|Unanswered { error: e, heard }| {
            let error = if e.kind() == Kind::NotFound { error::no_jetstream(&self.place) } else { e };
            Unanswered { error: error.during(doing), heard }
        })?;
        let odd = |e| Unanswered { error: odd(operation, e), heard: true };
        let said: Answered = serde_json::from_slice(&answer.message.payload).map_err(odd)?;
        let again = answer.again;
        if let Some(refusal) = said.error {
            return Ok(Reply { answer: Err(refusal), again });
        }
        let told = serde_json::from_slice(&answer.message.payload).map_err(odd)?;
        Ok(Reply { answer: Ok(told), again })
    }

    async fn told<T: DeserializeOwned>(
        &self,
        operation: &str,
        question: Json,
        doing: &'static str,
        what: &str,
    ) -> Result<T> {
        self.call::<T>(operation, &question, doing).await?.answer.map_err(|r| error::of_api(&r, doing, what))
    }

    /// All of a list that comes in pages: the field `of` of the answers.
    async fn pages<T: DeserializeOwned>(
        &self,
        operation: &str,
        question: Json,
        of: &str,
        doing: &'static str,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        loop {
            let mut question = question.clone();
            question["offset"] = all.len().into();
            let mut page: Json = self.told(operation, question, doing, "the list").await?;
            let total = page["total"].as_u64().unwrap_or(0);
            let Json::Array(items) = page[of].take() else { return Ok(all) };
            if items.is_empty() {
                return Ok(all);
            }
            for item in items {
                all.push(serde_json::from_value(item).map_err(|e| odd(operation, e))?);
            }
            if all.len() as u64 >= total {
                return Ok(all);
            }
        }
    }

    /// A stream. `more`: further questions, as the API has them.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` without JetStream, `Denied`.
    pub async fn info(&self, stream: &str, more: Json) -> Result<StreamInfo> {
        let what = format!("stream {stream}");
        self.told(&format!("STREAM.INFO.{stream}"), more, "asking for the stream", &what).await
    }

    /// A stream's messages by subject, of those that match.
    ///
    /// # Errors
    /// As [`Line::info`].
    pub async fn subjects(&self, stream: &str, filter: &str) -> Result<std::collections::BTreeMap<String, u64>> {
        let mut all = std::collections::BTreeMap::new();
        loop {
            let info = self.info(stream, json!({ "subjects_filter": filter, "offset": all.len() })).await?;
            let before = all.len();
            all.extend(info.state.subjects.unwrap_or_default());
            // Pages hold a hundred thousand.
            if all.len() < before + 100_000 {
                return Ok(all);
            }
        }
    }

    /// The message of this number; `None` where there is none.
    ///
    /// # Errors
    /// `Denied`, `Unreachable`, …
    pub async fn get(&self, stream: &str, seq: u64) -> Result<Option<Stored>> {
        self.message(stream, json!({ "seq": seq })).await
    }

    /// The first message from this number on whose subject matches.
    ///
    /// # Errors
    /// As [`Line::get`].
    pub async fn next(&self, stream: &str, subject: &str, from: u64) -> Result<Option<Stored>> {
        self.message(stream, json!({ "seq": from, "next_by_subj": subject })).await
    }

    async fn message(&self, stream: &str, question: Json) -> Result<Option<Stored>> {
        let doing = "reading the stream";
        let Reply { answer, .. } = self.call::<Got>(&format!("STREAM.MSG.GET.{stream}"), &question, doing).await?;
        let raw = match answer {
            Ok(got) => got.message,
            Err(r) if r.err_code == code::NO_MESSAGE => return Ok(None),
            Err(r) => return Err(error::of_api(&r, doing, &format!("stream {stream}"))),
        };
        let decoded = |text: Option<String>| text.map_or_else(|| Ok(Vec::new()), |t| STANDARD.decode(t));
        let unreadable = |e| odd(&format!("message {} of {stream}", raw.seq), e);
        let (headers, data) = (decoded(raw.hdrs).map_err(unreadable)?, decoded(raw.data).map_err(unreadable)?);
        let Raw { seq, subject, time, .. } = raw;
        Ok(Some(Stored { seq, subject, time, headers: headers.into(), data: data.into() }))
    }

    /// Removes one message, without overwriting what is left of it on the disk, which takes long. One that is gone is removed.
    ///
    /// # Errors
    /// `Rejected` where the stream keeps all; `Denied`.
    pub async fn delete(&self, stream: &str, seq: u64) -> Result<()> {
        let doing = "removing a message";
        let question = json!({ "seq": seq, "no_erase": true });
        let reply = self.call::<Json>(&format!("STREAM.MSG.DELETE.{stream}"), &question, doing).await?;
        match reply.answer {
            Ok(_) => Ok(()),
            Err(r) if matches!(r.err_code, code::SEQUENCE_NOT_FOUND | code::NO_MESSAGE) => Ok(()),
            // The first time was heard, or retention was quicker.
            Err(_) if reply.again && self.get(stream, seq).await.is_ok_and(|m| m.is_none()) => Ok(()),
            Err(r) => Err(error::of_api(&r, doing, &format!("message {seq} of {stream}"))),
        }
    }

    /// Removes everything below a number, of which there were so many; how many went.
    ///
    /// # Errors
    /// `Rejected` where the stream is not to be purged; `Denied`; `Indeterminate` where the answer was lost.
    pub async fn purge(&self, stream: &str, below: u64, there: u64) -> Result<u64> {
        let doing = "purging the stream";
        let unknown = |what: String| Error::new(Kind::Indeterminate, format!("stream {stream} {what}")).during(doing);
        let lost = || unknown("may or may not have been emptied: the answer was lost".into());
        let asked = self.call::<Json>(&format!("STREAM.PURGE.{stream}"), &json!({ "seq": below }), doing).await;
        let Reply { answer, again } = match asked {
            Err(Unanswered { error, heard: true }) => return Err(lost().because(error)),
            asked => asked?,
        };
        match answer.map(|told| told["purged"].as_u64().unwrap_or(0)) {
            // The first time was heard: that time it counted.
            Ok(0) if again && there > 0 => Err(unknown(format!(
                "has been emptied, but the connection was lost meanwhile: how many of its {} this run removed is not known",
                super::number(there, "message")
            ))),
            Ok(gone) => Ok(gone),
            Err(r) => {
                let refused = error::of_api(&r, doing, &format!("stream {stream}"));
                Err(if again { lost().because(refused) } else { refused })
            }
        }
    }

    /// All streams, or those that capture a subject.
    ///
    /// # Errors
    /// `Denied`, `Unsupported`.
    pub async fn streams(&self, subject: Option<&str>) -> Result<Vec<StreamInfo>> {
        let question = subject.map_or_else(|| json!({}), |s| json!({ "subject": s }));
        self.pages("STREAM.LIST", question, "streams", "listing the streams").await
    }

    /// Their names alone.
    ///
    /// # Errors
    /// As [`Line::streams`].
    pub async fn names(&self) -> Result<Vec<String>> {
        self.pages("STREAM.NAMES", json!({}), "streams", "listing the streams").await
    }

    /// A consumer of a stream.
    ///
    /// # Errors
    /// `NotFound`, `Denied`.
    pub async fn consumer(&self, stream: &str, name: &str) -> Result<ConsumerInfo> {
        let what = format!("consumer {name} of stream {stream}");
        self.told(&format!("CONSUMER.INFO.{stream}.{name}"), Json::Null, "asking for the consumer", &what).await
    }

    /// All consumers of a stream.
    ///
    /// # Errors
    /// `Denied`, `NotFound`.
    pub async fn consumers(&self, stream: &str) -> Result<Vec<ConsumerInfo>> {
        self.pages(&format!("CONSUMER.LIST.{stream}"), json!({}), "consumers", "listing the consumers").await
    }
}
