//! Which of the messages in flight made the server close the channel. The server takes the messages of a channel in order and
//! stops at the first it objects to, so the first one that fits its words is it: those before were taken, those behind never.

use super::fit::is_expiration;
use super::letter::Letter;

/// The position of the message the reply text is about, among the unanswered of a channel in the order they were published.
pub fn position<'a>(reply: &str, user: &str, mut unanswered: impl Iterator<Item = &'a Letter>) -> Option<usize> {
    if let Some(size) = number_behind(reply, "message size ") {
        return unanswered.position(|l| l.message.payload.len() as u64 == size);
    }
    if reply.contains("invalid expiration") {
        return unanswered.position(|l| l.message.properties.text("expiration").is_some_and(|e| !is_expiration(e)));
    }
    if reply.contains("user_id property") {
        return unanswered.position(|l| l.message.properties.text("user_id").is_some_and(|u| u != user));
    }
    if let Some(exchange) = quoted(reply, "exchange '") {
        // What the server calls the exchange without a name.
        let exchange = if exchange == "amq.default" { "" } else { exchange };
        let topic = quoted(reply, "topic '");
        return unanswered
            .position(|l| l.exchange.as_str() == exchange && topic.is_none_or(|t| l.routing_key.as_str() == t));
    }
    None
}

/// The limit a server names when a body is over it.
pub fn size_limit(reply: &str) -> Option<u64> {
    number_behind(reply, "max size ").or_else(|| number_behind(reply, "maximum size "))
}

fn number_behind(text: &str, words: &str) -> Option<u64> {
    let rest = &text[text.find(words)? + words.len()..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// Names may hold quotes themselves; what follows them in these replies does not.
fn quoted<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let rest = &text[text.find(words)? + words.len()..];
    let end = ["' in ", "' refused"].iter().filter_map(|e| rest.find(e)).min().or_else(|| rest.find('\''))?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Value;

    fn letter(exchange: &str, key: &str, body: usize) -> Letter {
        let mut l = Letter::for_test(exchange, key, vec![0; body].into());
        if key == "late" {
            l.message.properties.push("expiration", Value::ShortText("soon".into()));
        }
        if key == "forged" {
            l.message.properties.push("user_id", Value::ShortText("other".into()));
        }
        l
    }

    #[test]
    fn the_first_that_fits_the_words_is_the_one() {
        let sent = [
            letter("", "q", 3),
            letter("x", "a", 5),
            letter("", "late", 1),
            letter("y's", "k", 5),
            letter("", "forged", 1),
            letter("x", "b", 1),
        ];
        for (reply, expected) in [
            ("PRECONDITION_FAILED - message size 5 is larger than configured max size 4", Some(1)),
            ("PRECONDITION_FAILED - message size 5 larger than max size 4", Some(1)),
            ("PRECONDITION_FAILED - invalid expiration 'soon': {leftover_string,\"soon\"}", Some(2)),
            ("PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was 'me'", Some(4)),
            ("NOT_FOUND - no exchange 'x' in vhost '/'", Some(1)),
            ("NOT_FOUND - no exchange 'y's' in vhost '/'", Some(3)),
            ("ACCESS_REFUSED - write access to exchange 'x' in vhost '/' refused for user 'me'", Some(1)),
            ("ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'me'", Some(0)),
            ("ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'", Some(1)),
            ("ACCESS_REFUSED - write access to topic 'b' in exchange 'x' in vhost '/' refused for user 'me'", Some(5)),
            ("NOT_FOUND - no exchange 'z' in vhost '/'", None),
            ("INTERNAL_ERROR - whatever", None),
        ] {
            assert_eq!(position(reply, "me", sent.iter()), expected, "{reply}");
        }
        assert_eq!(size_limit("message size 5 is larger than configured max size 4"), Some(4));
    }
}
