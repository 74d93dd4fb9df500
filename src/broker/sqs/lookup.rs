//! Which queues name this one as their dead-letter queue.

use super::connect::Link;
use super::queue::Queue;
use crate::broker::Result;
use crate::broker::aws::error::{self, Asked};
use crate::broker::aws::partition::Arn;
use crate::message::Target;

/// Sources that are looked for: more than this nobody wants listed.
const MOST: usize = 100_000;

/// All of them, page by page.
///
/// # Errors
/// `Denied`, `Unreachable`.
pub async fn sources(link: &Link, queue: &Queue) -> Result<Vec<Target>> {
    let what = queue.shown();
    let asked = Asked {
        doing: "looking for the queues that dead-letter here",
        action: "sqs:ListDeadLetterSourceQueues",
        what: &what,
    };
    let mut found = Vec::new();
    let mut page = None;
    loop {
        let call = link.calls.list_dead_letter_source_queues().queue_url(&queue.url).max_results(1000);
        let answer = call.set_next_token(page).send().await.map_err(|e| error::of(e, asked))?;
        found.extend(answer.queue_urls.iter().map(|url| target(url, queue)));
        page = answer.next_token.filter(|t| !t.is_empty());
        if page.is_none() || found.len() >= MOST {
            return Ok(found);
        }
    }
}

/// By its ARN, as messages name it: a source is in the region of its dead-letter queue.
fn target(url: &str, queue: &Queue) -> Target {
    let mut segments = url.trim_end_matches('/').rsplit('/');
    let named = match (segments.next(), segments.next(), Arn::parse(&queue.arn)) {
        (Some(name), Some(account), Some(own)) => {
            format!("arn:{}:sqs:{}:{account}:{name}", own.partition, own.region)
        }
        _ => url.to_owned(),
    };
    Target { queue: Some(named.into()), ..Target::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_as_messages_name_them() {
        let arn = "arn:aws-cn:sqs:cn-north-1:123456789012:dlq";
        let queue =
            Queue { arn: arn.into(), ..Queue::unknown("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/dlq") };
        let named = target("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/orders", &queue);
        assert_eq!(named.queue.as_deref(), Some("arn:aws-cn:sqs:cn-north-1:123456789012:orders"));
        let url = "http://h/1/orders";
        assert_eq!(target(url, &Queue::unknown("http://h/1/dlq")).queue.as_deref(), Some(url));
    }
}
