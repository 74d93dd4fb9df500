//! The clients of one address.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use super::address::{self, Parts};
use super::queue::Queue;
use crate::broker::aws::error::{self, Asked};
use crate::broker::aws::partition::Arn;
use crate::broker::aws::{self, Aws};
use crate::broker::{Address, Context, Error, Kind, Result, nearest};

/// How long a receive waits at the server for a message. Any wait at all makes SQS ask every one of its hosts; a short one
/// keeps Ctrl-C quick, since a receive under way is never abandoned.
pub const WAIT: Duration = Duration::from_secs(1);

/// Names that are looked through for a close one.
const LISTED: i32 = 1000;

/// What speaks for one address.
#[derive(Clone)]
pub struct Link {
    /// Calls that may be made twice.
    pub calls: Client,
    /// Receives: what an abandoned one took stays hidden, so each is made once and given the time it waits.
    pub receives: Client,
    /// Calls that are made once.
    pub sends: Client,
    /// The region.
    pub region: String,
    /// The same for people, with the endpoint where it is not Amazon's own.
    pub place: String,
    /// `arn … (account …)`, where it is known.
    pub principal: Option<String>,
    /// Calls go to something that is not Amazon, whose ARNs have whatever region they have.
    pub elsewhere: bool,
}

/// Connects to the queue of an address. The second is what its attributes say.
///
/// # Errors
/// `Usage`, `NotFound` with close names, `Denied`, `Unreachable`.
pub async fn open(address: &Address, ctx: &Context) -> Result<(Link, Queue)> {
    address::check_options(address)?;
    let parts = address::parts(address)?;
    let name = format!("{:?} {:?}", parts.place(), address.options);
    let aws = ctx.shared.get(name.clone(), || aws::connect(address, parts.place(), ctx)).await?;
    let mut link = Link::clone(&*ctx.shared.get(name.clone(), async || Ok(link_of(&aws))).await?);
    // Who we are is told by another service, at the same time.
    let (principal, queue) =
        tokio::join!(ctx.shared.get(name, async || Ok(aws.principal().await)), find(&link, &parts));
    let principal = principal.ok().and_then(|p| (*p).clone());
    let queue = match queue {
        Ok(queue) => queue,
        Err(e) if e.kind() == Kind::NotFound => return Err(suggest(e, &link, &parts.name).await),
        Err(e) => return Err(e),
    };
    link.principal = Some(match (principal, queue.account()) {
        (Some(p), Some(account)) if account != p.account => {
            format!("{}, account {}, on a queue of account {account}, region {}", p.arn, p.account, link.region)
        }
        (Some(p), _) => format!("{}, account {}, region {}", p.arn, p.account, link.region),
        (None, Some(account)) => format!("account {account}, region {}", link.region),
        (None, None) => format!("region {}", link.region),
    });
    Ok((link, queue))
}

/// The clients themselves. No call is made.
pub fn link_of(aws: &Aws) -> Link {
    let named = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let endpoint = aws.endpoint.clone().or_else(|| named("AWS_ENDPOINT_URL_SQS")).or_else(|| named("AWS_ENDPOINT_URL"));
    Link {
        calls: Client::new(&aws.sdk),
        receives: Client::new(&aws.once(WAIT)),
        sends: Client::new(&aws.once(Duration::ZERO)),
        region: aws.region.clone(),
        place: match &endpoint {
            Some(url) => format!("region {} at {url}", aws.region),
            None => format!("region {}", aws.region),
        },
        principal: None,
        elsewhere: endpoint.is_some(),
    }
}

async fn find(link: &Link, parts: &Parts) -> Result<Queue> {
    let url = match &parts.url {
        Some(url) => url.clone(),
        None => link.url(&parts.name, parts.account.as_deref()).await?,
    };
    link.attributes(&url).await
}

impl Link {
    /// The URL of a queue, by its name.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Unreachable`.
    pub async fn url(&self, name: &str, account: Option<&str>) -> Result<String> {
        let what = match account {
            Some(account) => format!("queue {name} of account {account} in {}", self.place),
            None => format!("queue {name} in {}", self.place),
        };
        let asked = Asked { doing: "looking up the queue", action: "sqs:GetQueueUrl", what: &what };
        let call = self.calls.get_queue_url().queue_name(name);
        let call = call.set_queue_owner_aws_account_id(account.map(str::to_owned));
        let answer = call.send().await.map_err(|e| error::of(e, asked))?;
        answer.queue_url.ok_or_else(|| Error::new(Kind::NotFound, format!("{what} has no URL")))
    }

    /// What there is to know of a queue.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Unreachable`.
    pub async fn attributes(&self, url: &str) -> Result<Queue> {
        let what = format!("{} in {}", Queue::unknown(url).shown(), self.place);
        let asked =
            Asked { doing: "reading the attributes of the queue", action: "sqs:GetQueueAttributes", what: &what };
        let call = self.calls.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let answer = call.send().await.map_err(|e| error::of(e, asked))?;
        Ok(Queue::of(url, &answer.attributes.unwrap_or_default()))
    }

    /// The queue of an ARN, a URL, or a bare name, as a message's origin has it. Where its attributes may not be read, what
    /// its name tells must do.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` for a queue of another region, `Unreachable`.
    pub async fn resolve(&self, named: &str) -> Result<Queue> {
        let url = if let Some(arn) = Arn::parse(named) {
            if arn.service != "sqs" {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("{named} is no queue of SQS, but of {}", arn.service),
                )
                .hint("give --to to say where it should go"));
            }
            if arn.region != self.region && !self.elsewhere {
                let text = format!("{named} is in another region than {}", self.region);
                return Err(Error::new(Kind::Unsupported, text).hint("give --to with the address of that queue"));
            }
            self.url(arn.name, Some(arn.account)).await?
        } else if named.contains("://") {
            named.to_owned()
        } else {
            self.url(named, None).await?
        };
        match self.attributes(&url).await {
            Err(e) if e.kind() == Kind::Denied => Ok(Queue::unknown(&url)),
            other => other,
        }
    }
}

/// Adds a close name to a queue that is not there.
async fn suggest(e: Error, link: &Link, name: &str) -> Error {
    let Ok(answer) = link.calls.list_queues().max_results(LISTED).send().await else { return e };
    let names = answer.queue_urls().iter().filter_map(|url| url.rsplit('/').next());
    match nearest(name, names) {
        Some(close) => e.hint(format!("did you mean {close:?}?")),
        None => e.hint("names are of one region and account: -X region= and -X profile= name others"),
    }
}
