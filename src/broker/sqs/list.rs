//! The dead-letter queues of an account and region: redrive policies of all queues, the other way around.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::connect::{self, Link};
use super::queue::Queue;
use crate::broker::address::Options;
use crate::broker::aws::error::{self, Asked};
use crate::broker::aws::partition::{Arn, is_region};
use crate::broker::aws::{self, Place};
use crate::broker::listing::{Cluster, Finds, Lister, Listing, Sign, is_conventional};
use crate::broker::{Address, Context, Error, Kind, Result};

const FORM: &str = "sqs://[REGION]";
/// Queues asked for their attributes at once.
const AT_ONCE: usize = 32;
/// Names in one answer.
const PAGE: i32 = 1000;

/// Finds them.
pub(super) static LISTER: Lister =
    Lister { form: FORM, understand, implied: &["region"], list: |address, ctx| Box::pin(list(address, ctx)) };

fn understand(base: &str, options: &Options) -> Result<Cluster> {
    let Some(region) = base.strip_prefix("sqs://").map(|rest| rest.trim_end_matches('/')) else {
        let e = Error::new(Kind::Usage, format!("{base:?} is one queue, and not an account"));
        return Err(e.hint(format!("write {FORM} or {FORM}?region=NAME; dlq depth {base} measures the queue")));
    };
    if !region.is_empty() && !is_region(region) {
        return Err(Error::new(Kind::Usage, format!("{region:?} in {base} is no region"))
            .hint(format!("write {FORM}; dlq depth {base} measures a queue of that name")));
    }
    let typed = format!("sqs://{region}");
    let said = options.get("region").map_or(region, String::as_str);
    let endpoint = options.get("endpoint").map_or("-", String::as_str);
    Ok(Cluster { canonical: format!("sqs {endpoint} {said}"), shown: typed.clone(), typed })
}

async fn list(address: &Address, ctx: &Context) -> Result<Listing> {
    super::address::check_options(address)?;
    let region = address.typed.expose().strip_prefix("sqs://").filter(|r| !r.is_empty()).map(str::to_owned);
    let aws = aws::connect(address, Place { region, endpoint: None }, ctx).await?;
    let link = connect::link_of(&aws);
    let urls = all(&link, ctx).await?;
    let link = &link;
    let many = urls.len();
    let asked = urls.into_iter().map(|url| async move {
        let answer = link.attributes(&url).await;
        (url, answer)
    });
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).take_until(ctx.stop.cancelled()).collect().await;
    if ctx.stop.is_cancelled() {
        return Err(Error::new(Kind::Stopped { terminated: false }, "stopped while the queues were looked at"));
    }
    let mut picture = Picture { queues: Vec::new(), unread: Vec::new() };
    let mut first = None;
    for (url, answer) in answers {
        match answer {
            Ok(queue) => picture.queues.push(queue),
            // Deleted since it was listed.
            Err(e) if e.kind() == Kind::NotFound => {}
            Err(e) => {
                picture.unread.push((url, e.to_string()));
                first.get_or_insert(e);
            }
        }
    }
    if let Some(e) = first.filter(|e| picture.queues.is_empty() && e.kind() != Kind::Denied) {
        return Err(e);
    }
    Ok(picture.listing(link, many))
}

async fn all(link: &Link, ctx: &Context) -> Result<Vec<String>> {
    let what = format!("the queues of {}", link.place);
    let asked = Asked { doing: "listing the queues", action: "sqs:ListQueues", what: &what };
    let (mut urls, mut page) = (Vec::new(), None);
    loop {
        let call = link.calls.list_queues().max_results(PAGE).set_next_token(page);
        let answer = call.send().await.map_err(|e| error::of(e, asked))?;
        urls.extend(answer.queue_urls.unwrap_or_default());
        page = answer.next_token.filter(|t| !t.is_empty());
        if page.is_none() || ctx.stop.is_cancelled() {
            return Ok(urls);
        }
    }
}

/// Every queue there is, as far as it could be read.
struct Picture {
    queues: Vec<Queue>,
    /// By URL, and why not.
    unread: Vec<(String, String)>,
}

impl Picture {
    fn listing(self, link: &Link, looked_at: usize) -> Listing {
        // A redrive policy names an ARN; what could not be read has a name only.
        let by_arn: BTreeMap<&str, &Queue> = self.queues.iter().map(|q| (q.arn.as_str(), q)).collect();
        let unread: BTreeMap<&str, &str> = self.unread.iter().map(|(url, _)| (name_of(url), url.as_str())).collect();
        let (mut finds, mut notes) = (Finds::default(), Vec::new());
        for source in &self.queues {
            let Some(redrive) = &source.redrive else { continue };
            let name = Arn::parse(&redrive.target).map_or(redrive.target.as_str(), |arn| arn.name);
            if !by_arn.contains_key(redrive.target.as_str()) && !unread.contains_key(name) {
                notes.push(format!(
                    "{} moves messages received more than {} to {}, which was not found here",
                    source.name,
                    super::number(redrive.most, "time"),
                    redrive.target
                ));
                continue;
            }
            let found = finds.at(&address_of(name, link));
            found.sources.insert(source.name.clone());
            found.signs.insert(Sign::RedrivePolicy);
        }
        for queue in &self.queues {
            let address = address_of(&queue.name, link);
            let dead = by_arn.contains_key(queue.arn.as_str()) && finds.knows(&address);
            if is_conventional(&queue.name) {
                finds.at(&address).signs.insert(Sign::Name);
            } else if !dead {
                continue;
            }
            finds.at(&address).depth = Some(queue.depth());
        }
        for (url, why) in &self.unread {
            let found = finds.at(&address_of(name_of(url), link));
            if is_conventional(name_of(url)) {
                found.signs.insert(Sign::Name);
            }
            found.unknown = Some(why.clone());
        }
        let looked_at = format!("{} of {}", super::number(looked_at as u64, "queue"), link.place);
        Listing { found: finds.into_vec(), looked_at, gaps: Vec::new(), notes }
    }
}

fn name_of(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)
}

/// With the region in it, so that it needs no option for that.
fn address_of(name: &str, link: &Link) -> String {
    if is_region(&link.region) { format!("sqs://{}/{name}", link.region) } else { format!("sqs://{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_region_or_nothing() {
        let understood = |base: &str| understand(base, &Options::new()).map(|c| c.shown);
        assert_eq!(understood("sqs://").ok().as_deref(), Some("sqs://"));
        assert_eq!(understood("sqs://eu-west-1/").ok().as_deref(), Some("sqs://eu-west-1"));
        for queue in ["sqs://orders-dlq", "sqs://eu-west-1/orders", "https://sqs.eu-west-1.amazonaws.com/1/q"] {
            let e = understood(queue).expect_err(queue);
            assert_eq!(e.kind(), Kind::Usage);
            assert!(e.get_hint().is_some_and(|h| h.contains(&format!("dlq depth {queue}"))), "{e:?}");
        }
    }
}
