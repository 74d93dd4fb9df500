//! The clients of one topic, and what is asked about it.

use std::time::Duration;

use aws_sdk_sns::Client;

use super::address;
use super::topic::Topic;
use crate::broker::aws::error::{self, Asked};
use crate::broker::aws::partition::Arn;
use crate::broker::aws::{self, Place};
use crate::broker::{Address, Context, Error, Kind, Result, nearest};

/// Pages that are looked through for a close name, and for subscriptions.
const PAGES: usize = 10;

/// What speaks for one topic.
pub struct Link {
    /// Calls that may be made twice.
    pub calls: Client,
    /// Publishing to a topic that does not drop repeats: once.
    pub once: Client,
    /// Who we are, and where; for people.
    pub principal: String,
}

/// Connects to the topic of an address, which must be there.
///
/// # Errors
/// `Usage`, `NotFound` with close names, `Denied`, `Unreachable`.
pub async fn open(address: &Address, ctx: &Context) -> Result<(Link, Topic)> {
    address::check_options(address)?;
    let arn = address::arn(address)?;
    let place = Place { region: Some(arn.region.to_owned()), endpoint: None };
    let aws = aws::connect(address, place, ctx).await?;
    let link =
        Link { calls: Client::new(&aws.sdk), once: Client::new(&aws.once(Duration::ZERO)), principal: String::new() };
    let name = address.typed.expose().trim_start_matches("sns:");
    let (principal, topic) = tokio::join!(aws.principal(), find(&link, name));
    let mut topic = match topic {
        // Whoever may publish may not be allowed to look; whether it is there is told by the first message then.
        Err(e) if e.kind() == Kind::Denied && e.get_hint().is_some_and(|h| h.contains("sns:GetTopicAttributes")) => {
            (ctx.notice)(format!(
                "{e}: taken for there, and for taking the usual {} bytes",
                Topic::unknown(name).max_message
            ));
            Topic::unknown(name)
        }
        Err(e) if e.kind() == Kind::NotFound => return Err(suggest(e, &link, arn).await),
        other => other?,
    };
    if topic.unheard {
        // The count lags behind, and stand-ins do not keep it.
        topic.unheard = subscriptions(&link, &topic).await.is_ok_and(|found| found.is_empty());
    }
    let principal = match principal {
        Some(p) if p.account != arn.account => {
            format!("{}, account {}, on a topic of account {}, region {}", p.arn, p.account, arn.account, aws.region)
        }
        Some(p) => format!("{}, account {}, region {}", p.arn, p.account, aws.region),
        None => format!("account {}, region {}", arn.account, aws.region),
    };
    Ok((Link { principal, ..link }, topic))
}

async fn find(link: &Link, arn: &str) -> Result<Topic> {
    let what = Topic::unknown(arn).shown();
    let asked = Asked { doing: "looking up the topic", action: "sns:GetTopicAttributes", what: &what };
    let answer = link.calls.get_topic_attributes().topic_arn(arn).send().await.map_err(|e| error::of(e, asked))?;
    Ok(Topic::of(arn, &answer.attributes.unwrap_or_default()))
}

/// Adds a close name to a topic that is not there.
async fn suggest(e: Error, link: &Link, arn: Arn<'_>) -> Error {
    let mut pages = link.calls.list_topics().into_paginator().send();
    let mut names = Vec::new();
    for _ in 0..PAGES {
        let Some(Ok(page)) = pages.next().await else { break };
        names.extend(page.topics().iter().filter_map(|t| Some(t.topic_arn()?.rsplit(':').next()?.to_owned())));
    }
    match nearest(arn.name, names.iter().map(String::as_str)) {
        Some(close) => e.hint(format!("did you mean {close:?}?")),
        None => e.hint("topics are of one region and account, both in the ARN; -X profile= names another identity"),
    }
}

/// Who gets what is published there.
///
/// # Errors
/// `Denied`, `Unreachable`.
pub async fn subscriptions(link: &Link, topic: &Topic) -> Result<Vec<String>> {
    let what = topic.shown();
    let asked = Asked { doing: "looking for subscriptions", action: "sns:ListSubscriptionsByTopic", what: &what };
    let mut pages = link.calls.list_subscriptions_by_topic().topic_arn(&topic.arn).into_paginator().send();
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let Some(page) = pages.next().await else { return Ok(found) };
        let page = page.map_err(|e| error::of(e, asked))?;
        let shown = |s: &aws_sdk_sns::types::Subscription| {
            format!("{} {}", s.protocol().unwrap_or("?"), s.endpoint().unwrap_or("?"))
        };
        let confirmed = page.subscriptions().iter().filter(|s| s.subscription_arn() != Some("PendingConfirmation"));
        found.extend(confirmed.map(shown));
    }
    found.push("and more".to_owned());
    Ok(found)
}
