//! Publishing to one topic.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use super::capabilities::{self, PUBLISHERS};
use super::connect::{self, Link};
use super::fit::{self, Limits};
use super::sender::{self, Fates, Letter};
use super::topic::Topic;
use crate::broker::aws::lines::Lines;
use crate::broker::{
    Address, Confirms, Context, Error, Finding, Fit, Kind, Load, Outgoing, Receipt, Result, Sink, SinkCapabilities,
};
use crate::message::Target;

/// An open publisher.
pub struct SnsSink {
    address: Address,
    link: Arc<Link>,
    topic: Arc<Topic>,
    capabilities: SinkCapabilities,
    limits: Limits,
    run: Arc<str>,
    lines: Lines,
}

/// Opens the topic an address names.
///
/// # Errors
/// As [`connect::open`].
pub async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    let (link, topic) = connect::open(address, ctx).await?;
    let topic = Arc::new(topic);
    Ok(Box::new(SnsSink {
        address: address.clone(),
        link: Arc::new(link),
        capabilities: capabilities::of(&topic),
        limits: Limits { topic: Arc::clone(&topic), group: address.option("group").map(Arc::from) },
        topic,
        run: Arc::from(""),
        lines: Lines::new(PUBLISHERS),
    }))
}

#[async_trait]
impl Sink for SnsSink {
    fn shown(&self) -> &str {
        &self.address.shown
    }

    fn places(&self) -> Vec<String> {
        vec![self.topic.arn.clone()]
    }

    fn capabilities(&self) -> &SinkCapabilities {
        &self.capabilities
    }

    fn principal(&self) -> Option<String> {
        Some(self.link.principal.clone())
    }

    fn begin(&mut self, run: &str) {
        self.run = Arc::from(run);
    }

    async fn check(&self, target: Option<&Target>) -> Result<()> {
        match target {
            // It was found when it was opened.
            None => Ok(()),
            Some(target) => Err(Error::new(Kind::Unsupported, format!("a topic cannot send to {target}"))),
        }
    }

    async fn can(&self, _: Option<&Target>, _: Load) -> Vec<Finding> {
        let shown = self.topic.shown();
        vec![
            Finding::unknown("permission to publish", format!("sns:Publish on {shown} is told by trying alone")),
            Finding::yes("size", format!("{shown} takes messages of up to {} bytes", self.topic.max_message)),
        ]
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        match connect::subscriptions(&self.link, &self.topic).await {
            // Whoever may publish may not be allowed to look.
            Err(e) if e.kind() == Kind::Denied => Ok(Vec::new()),
            Ok(none) if none.is_empty() => Ok(vec!["nobody: it has no subscription".to_owned()]),
            other => other,
        }
    }

    /// What nobody is subscribed to is gone with its confirmation.
    fn keeps(&self) -> bool {
        !self.topic.unheard
    }

    fn fit(&self) -> Fit {
        let limits = self.limits.clone();
        Arc::new(move |o: &mut Outgoing| fit::fit(&limits, o))
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let many = batch.len();
        let mut lines: BTreeMap<Option<usize>, Vec<Letter>> = BTreeMap::new();
        for (at, o) in batch.iter().enumerate() {
            let letter = Letter::new(at, o, &self.topic, &self.run);
            lines.entry(self.topic.fifo.then_some(letter.chain)).or_default().push(letter);
        }
        let mut answers = Vec::new();
        for (chain, letters) in lines {
            for call in sender::pack(letters, &self.topic) {
                let bytes = call.iter().map(|l| l.size).sum();
                let publishing = sender::publish(Arc::clone(&self.link), Arc::clone(&self.topic), call);
                answers.push(self.lines.hand_over(chain, bytes, publishing).await);
            }
        }
        Box::pin(async move {
            let mut fates: HashMap<usize, Result<Receipt>> = HashMap::with_capacity(many);
            for answer in answers {
                // Those of an answer that never comes are missing below.
                fates.extend(answer.await.unwrap_or_else(|_| Fates::new()));
            }
            (0..many).map(|at| fates.remove(&at).unwrap_or_else(|| Err(cut_short()))).collect()
        })
    }

    async fn close(self: Box<Self>) -> Result<()> {
        if self.lines.close().await { Ok(()) } else { Err(cut_short()) }
    }
}

fn cut_short() -> Error {
    Error::new(Kind::Indeterminate, "publishing was cut short: it may or may not have been published")
}
