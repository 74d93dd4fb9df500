//! An SQS queue, opened to read from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::connect::{self, Link};
use super::queue::Queue;
use super::scan::QueueScan;
use super::{address, can, capabilities, depth, lookup, server_side, sink, strip};
use crate::broker::aws::error::{self, Asked};
use crate::broker::shared::Fresh;
use crate::broker::{
    Ability, Address, Capabilities, Context, Depth, Finding, Oldest, RemoteMove, RemoteMoving, Result, Scan,
    ScanRequest, Sink, Source,
};
use crate::message::{DeadLetter, Target};

/// What `--accept` calls a look that may move messages on.
pub const OWN_REDRIVE: &str = "own-redrive";

/// The counts are of a minute ago at worst, as the service's documentation has it.
const LAG: Duration = Duration::from_secs(60);

/// An opened queue.
pub struct SqsSource {
    address: Address,
    link: Arc<Link>,
    ctx: Context,
    queue: Queue,
    capabilities: Capabilities,
    visibility: u32,
    shown: Arc<str>,
    fresh: Fresh<Depth>,
}

/// Finds the queue and reads its attributes. Touches no message.
///
/// # Errors
/// As [`connect::open`].
pub async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Source>> {
    let visibility = address::visibility(address.option("visibility"))?;
    let (link, queue) = connect::open(address, ctx).await?;
    Ok(Box::new(SqsSource {
        address: address.clone(),
        link: Arc::new(link),
        ctx: ctx.clone(),
        capabilities: capabilities::of(queue.fifo, visibility),
        fresh: Fresh::new(ctx, queue.depth()),
        queue,
        visibility,
        shown: address.shown.as_str().into(),
    }))
}

impl SqsSource {
    /// Refuses a receive that could move messages on for good.
    fn admit(&self, queue: &Queue) -> Result<()> {
        let Some(redrive) = &queue.redrive else { return Ok(()) };
        self.ctx.accept(
            OWN_REDRIVE,
            format!(
                "{} has a redrive policy of its own: a message that was received more than {} goes to {}. A look receives, and \
                 the count goes on from the queue a message died in, so that the first look may already move it there",
                self.address,
                super::number(redrive.most, "time"),
                redrive.target,
            ),
        )
    }
}

#[async_trait]
impl Source for SqsSource {
    fn address(&self) -> &Address {
        &self.address
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn places(&self) -> Vec<String> {
        sink::places(&self.queue)
    }

    fn principal(&self) -> Option<String> {
        self.link.principal.clone()
    }

    fn retention(&self) -> Option<Duration> {
        self.queue.retention
    }

    fn lag(&self) -> Option<Duration> {
        Some(LAG)
    }

    async fn can(&self, ability: Ability) -> Vec<Finding> {
        can::of(&self.queue, ability)
    }

    async fn depth(&self) -> Result<Depth> {
        if let Some(depth) = self.fresh.take() {
            return Ok(depth);
        }
        Ok(self.link.attributes(&self.queue.url).await?.depth())
    }

    async fn remaining(&self) -> Option<u64> {
        // What was just given back, or is hidden by an answer that was lost, may not count as visible yet.
        let queue = self.link.attributes(&self.queue.url).await.ok()?;
        Some([Some(queue.visible?), queue.in_flight, queue.delayed].into_iter().flatten().sum())
    }

    async fn oldest(&self) -> Result<Oldest> {
        let queue = self.link.attributes(&self.queue.url).await?;
        self.admit(&queue)?;
        depth::oldest(&self.link, &queue).await
    }

    async fn origins(&self) -> Result<Vec<Target>> {
        lookup::sources(&self.link, &self.queue).await
    }

    async fn receivers(&self, _: &Target) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn home(&self) -> Result<Box<dyn Sink>> {
        // Their sizes and kinds are wanted before the first message; what is not found now is looked up when it is met.
        let origins = self.origins().await.unwrap_or_default();
        sink::home(&self.address, &self.link, &origins).await
    }

    fn strip(&self, m: &mut DeadLetter) -> Vec<String> {
        strip::strip(m)
    }

    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>> {
        let queue = self.link.attributes(&self.queue.url).await?;
        self.admit(&queue)?;
        Ok(Box::new(QueueScan::start(&self.link, queue, Arc::clone(&self.shown), &request, self.visibility)))
    }

    async fn purge_all(&self) -> Result<Option<u64>> {
        let before = self.link.attributes(&self.queue.url).await?;
        let what = self.queue.shown();
        let asked = Asked { doing: "purging the queue", action: "sqs:PurgeQueue", what: &what };
        self.link
            .sends
            .purge_queue()
            .queue_url(&self.queue.url)
            .send()
            .await
            .map_err(|e| error::of_sending(e, asked))?;
        Ok(Some([before.visible, before.in_flight, before.delayed].into_iter().flatten().sum()))
    }

    fn whole_purge_notes(&self) -> Vec<String> {
        vec![
            "SQS empties the whole queue, which takes it up to 60 seconds: messages in flight, and those that arrive meanwhile, \
             go too, and how many there were is approximate"
                .to_owned(),
            "the queue can be purged once in 60 seconds".to_owned(),
        ]
    }

    async fn move_remotely(&self, request: &RemoteMove) -> Result<Box<dyn RemoteMoving>> {
        server_side::prepare(&self.link, &self.queue, request, &self.ctx).await
    }
}
