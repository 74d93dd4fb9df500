//! A stream, or what a consumer of it gave up on, opened to read from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::advisories::{self, Advisories};
use super::codec::Letters;
use super::connect::{self, Link};
use super::reader::{Reader, What, at_once};
use super::scan::StreamScan;
use super::settle::Handed;
use super::stream::StreamInfo;
use super::walk::Walk;
use super::{address, can, capabilities, depth, number, sink, strip};
use crate::broker::capability::Accuracy;
use crate::broker::shared::Fresh;
use crate::broker::{
    Ability, Address, Bound, Capabilities, Context, Depth, Error, Finding, Hints, Kind, Result, Scan, ScanRequest,
    Sink, Source, nearest,
};
use crate::message::{DeadLetter, Target};

/// Every subject.
const ALL: &str = ">";

/// An opened stream.
pub struct NatsSource {
    address: Address,
    link: Link,
    ctx: Context,
    /// As it was when it was opened.
    info: StreamInfo,
    consumer: Option<String>,
    newest: bool,
    capabilities: Capabilities,
    shown: Arc<str>,
    hints: Mutex<Hints>,
    fresh: Fresh<Depth>,
}

/// Finds the stream, and the consumer where one is named. Makes no consumer.
///
/// # Errors
/// As [`connect::connect`]; `NotFound` with close names; `Unsupported` without JetStream.
pub async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Source>> {
    if address.option("subject").is_some() {
        return Err(Error::new(Kind::Usage, "the option subject says where to send")
            .hint("give it with --to-X, for the destination"));
    }
    let parts = address::parts(address)?;
    let link = connect::connect(address, ctx).await?;
    let info = stream(&link, &parts.stream).await?;
    let mut capabilities = capabilities::of(&info, parts.consumer.is_some());
    if let Some(consumer) = &parts.consumer {
        find_consumer(&link, &parts.stream, consumer).await?;
        // That there is none, or that it may not be asked, is said when it is read.
        let kept = advisories::kept(&link, &parts.stream, consumer).await.unwrap_or_default();
        if let Some(unseen) = advisories::unseen(&kept, consumer) {
            (ctx.notice)(unseen);
            capabilities.accuracy = Accuracy::LowerBound;
        }
    }
    let fresh = Fresh::new(ctx, depth::of_stream(&info));
    Ok(Box::new(NatsSource {
        address: address.clone(),
        capabilities,
        link,
        ctx: ctx.clone(),
        info,
        consumer: parts.consumer,
        newest: address.option("newest").is_some_and(|v| v.eq_ignore_ascii_case("true")),
        shown: address.shown.as_str().into(),
        hints: Mutex::default(),
        fresh,
    }))
}

/// A stream, or that there is none of that name, with a close one.
///
/// # Errors
/// As [`connect::Line::info`].
pub async fn stream(link: &Link, name: &str) -> Result<StreamInfo> {
    match link.info(name, Json::Null).await {
        Err(e) if e.kind() == Kind::NotFound => {
            let names = link.names().await.unwrap_or_default();
            let e = Error::new(Kind::NotFound, format!("there is no stream {name:?} at {}", link.place))
                .during("opening the stream");
            Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(close) => e.hint(format!("did you mean {close:?}?")),
                None => e,
            })
        }
        other => other,
    }
}

/// A consumer that is gone may have left advisories all the same.
async fn find_consumer(link: &Link, stream: &str, consumer: &str) -> Result<()> {
    match link.consumer(stream, consumer).await {
        Err(e) if e.kind() == Kind::NotFound => {
            if advisories::kept(link, stream, consumer).await.is_ok_and(|kept| !kept.is_empty())
                && has_any(link, stream, consumer).await?
            {
                return Ok(());
            }
            let there = link.consumers(stream).await.unwrap_or_default();
            let e = Error::new(Kind::NotFound, format!("stream {stream} has no consumer {consumer:?}"))
                .during("opening the stream");
            Err(match nearest(consumer, there.iter().map(|c| c.name.as_str())) {
                Some(close) => e.hint(format!("did you mean {close:?}?")),
                None => e,
            })
        }
        // Who may not ask for it may still read.
        Err(e) if e.kind() == Kind::Denied => Ok(()),
        other => other.map(drop),
    }
}

async fn has_any(link: &Link, stream: &str, consumer: &str) -> Result<bool> {
    Ok(Advisories::of(link, stream, consumer).await?.page().await?.is_some())
}

impl NatsSource {
    fn name(&self) -> &str {
        &self.info.config.name
    }

    /// What is to be read of the stream as it is now.
    async fn what(&self, info: &StreamInfo, request: &ScanRequest) -> Result<What> {
        if let Some(consumer) = &self.consumer {
            let advisories = Advisories::of(&self.link, self.name(), consumer).await?;
            return Ok(What::GivenUp(Box::new(advisories), VecDeque::new()));
        }
        let hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(ids) = hints.ids {
            let there = info.state.first_seq..=info.state.last_seq;
            let mut numbers: Vec<u64> =
                ids.iter().filter_map(|id| id.parse().ok()).filter(|n| there.contains(n)).collect();
            numbers.sort_unstable();
            numbers.dedup();
            return Ok(What::These(numbers));
        }
        let mut walk = Walk::new(&self.link, self.name(), ALL, &info.state);
        if let Some(most) = request.at_most.filter(|most| self.newest && *most < info.state.messages) {
            walk.begin_at(walk.number_from_end(most).await?);
        }
        Ok(What::All(walk))
    }
}

#[async_trait]
impl Source for NatsSource {
    fn address(&self) -> &Address {
        &self.address
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn places(&self) -> Vec<String> {
        // What a consumer gave up on is a part of its stream, and the same run may not change both.
        sink::places(&self.info)
    }

    fn principal(&self) -> Option<String> {
        self.link.principal.clone()
    }

    fn retention(&self) -> Option<Duration> {
        self.info.max_age()
    }

    async fn depth(&self) -> Result<Depth> {
        if let Some(consumer) = &self.consumer {
            return depth::of_consumer(&self.link, self.name(), consumer).await;
        }
        match self.fresh.take() {
            Some(depth) => Ok(depth),
            None => Ok(depth::of_stream(&stream(&self.link, self.name()).await?)),
        }
    }

    async fn origins(&self) -> Result<Vec<Target>> {
        Ok(Vec::new())
    }

    async fn receivers(&self, target: &Target) -> Result<Vec<String>> {
        sink::receivers(&self.link, target).await
    }

    async fn can(&self, ability: Ability) -> Vec<Finding> {
        can::of(&self.link, &self.info, self.consumer.as_deref(), ability).await
    }

    async fn home(&self) -> Result<Box<dyn Sink>> {
        sink::home(&self.address, &self.ctx).await
    }

    fn strip(&self, m: &mut DeadLetter) -> Vec<String> {
        strip::strip(m)
    }

    fn hint(&self, hints: Hints) {
        *self.hints.lock().unwrap_or_else(PoisonError::into_inner) = hints;
    }

    fn besides(&self, _: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if self.consumer.is_some() {
            notes.push(format!(
                "messages are removed from stream {}, for all of its consumers; the advisories about them stay",
                self.name()
            ));
        } else if self.info.state.consumer_count > 0 {
            notes.push(format!(
                "stream {} has {}: what they have in hand is removed as well",
                self.name(),
                number(self.info.state.consumer_count, "consumer")
            ));
        }
        notes
    }

    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>> {
        let at = Timestamp::now();
        let info = stream(&self.link, self.name()).await?;
        if let Some(why) = info.keeps_all().filter(|_| request.takes) {
            let text = format!("nothing can be removed from stream {}: {why}", self.name());
            return Err(Error::new(Kind::Unsupported, text)
                .hint("copy reads it without removing anything; replay and move take what they send away"));
        }
        let what = self.what(&info, &request).await?;
        let messages = match &what {
            What::All(_) => Some(info.state.messages),
            What::These(numbers) => Some(numbers.len() as u64),
            What::GivenUp(..) => None,
        };
        let reader = Reader {
            link: self.link.clone(),
            stream: self.name().to_owned(),
            letters: Letters::new(Arc::clone(&self.shown), &info),
            what,
            at_once: at_once(can::most(&info, self.link.client.max_payload() as u64)),
            remaining: request.at_most.unwrap_or(u64::MAX),
            handed: Handed::default(),
            stop: self.ctx.stop.clone(),
            gone: 0,
            info,
        };
        Ok(Box::new(StreamScan::start(reader, Bound { at, messages })))
    }

    async fn purge_all(&self) -> Result<Option<u64>> {
        if !self.capabilities.whole_purge {
            return Ok(None);
        }
        let info = stream(&self.link, self.name()).await?;
        Ok(Some(self.link.purge(self.name(), info.state.last_seq + 1, info.state.messages).await?))
    }

    fn whole_purge_notes(&self) -> Vec<String> {
        vec![
            "the stream is emptied up to the message that is last when it begins: what arrives meanwhile stays"
                .to_owned(),
        ]
    }
}
