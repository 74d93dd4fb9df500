//! What messages that died of the same thing have in common.

use xxhash_rust::xxh3::Xxh3;

use super::Death;

/// So much of an exception message tells causes apart; some carry a whole document.
const LONGEST: usize = 2048;

/// Eight hex digits over family, reason, class, origin queue and exchange, and the message without what varies in it.
pub fn of(d: &Death) -> String {
    let mut hash = Xxh3::new();
    let mut part = |text: Option<&str>| match text {
        Some(text) => {
            hash.update(&[1]);
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        None => hash.update(&[0]),
    };
    part(Some(d.family));
    part(d.reason.as_deref());
    part(d.class.as_deref());
    part(d.origin.as_ref().and_then(|o| o.queue.as_deref()));
    part(d.origin.as_ref().and_then(|o| o.exchange.as_deref()));
    part(d.message.as_deref().map(normal).as_deref());
    format!("{:08x}", hash.digest() >> 32)
}

/// A message with `#` for numbers and ids, `'*'` for quoted parts and one space for white space.
fn normal(message: &str) -> String {
    let mut end = message.len().min(LONGEST);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut rest = message[..end].trim();
    let mut out = String::with_capacity(rest.len());
    while let Some(c) = rest.chars().next() {
        let taken = if c.is_whitespace() {
            out.push(' ');
            rest.len() - rest.trim_start().len()
        } else if matches!(c, '\'' | '"' | '`') {
            quoted(rest, c, &mut out)
        } else if c.is_ascii_alphanumeric() {
            word(rest, &mut out)
        } else if c == '-' && !out.ends_with(is_word) && rest[1..].starts_with(|d: char| d.is_ascii_digit()) {
            1
        } else {
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '#'
}

/// An apostrophe within a word opens nothing, and neither does a quote that is never closed.
fn quoted(rest: &str, quote: char, out: &mut String) -> usize {
    let closing = (!out.ends_with(is_word))
        .then(|| {
            rest.match_indices(quote)
                .map(|(at, _)| at)
                .skip(1)
                .find(|at| quote != '\'' || !rest[at + 1..].starts_with(char::is_alphanumeric))
        })
        .flatten();
    match closing {
        Some(at) => {
            out.push_str("'*'");
            at + 1
        }
        None => {
            out.push(quote);
            1
        }
    }
}

/// A UUID, an id, a number, or a word with numbers in it.
fn word(rest: &str, out: &mut String) -> usize {
    let run = |s: &str, within: fn(&u8) -> bool| s.bytes().take_while(within).count();
    let uuid = rest.len() >= 36
        && rest.bytes().take(36).enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
        && run(&rest[36..], u8::is_ascii_alphanumeric) == 0;
    if uuid {
        out.push('#');
        return 36;
    }
    let len = run(rest, u8::is_ascii_alphanumeric);
    let token = &rest[..len];
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let prefixed = token.strip_prefix("0x");
    let hex = prefixed.unwrap_or(token).bytes().all(|b| b.is_ascii_hexdigit());
    if digits == 0 {
        out.push_str(token);
        return len;
    }
    if digits < len && (hex && (len >= 6 || prefixed.is_some()) || digits >= 3 && len >= 16) {
        out.push('#');
        return len;
    }
    if !token.as_bytes()[0].is_ascii_digit() {
        let letters = run(rest, u8::is_ascii_alphabetic);
        out.push_str(&rest[..letters]);
        return letters;
    }
    out.push('#');
    number(rest)
}

/// Length of digits with single points, commas or colons between them.
fn number(s: &str) -> usize {
    let b = s.as_bytes();
    let mut at = 0;
    while at < b.len() {
        let digit = |i: usize| b.get(i).is_some_and(u8::is_ascii_digit);
        if !(digit(at) || matches!(b[at], b'.' | b',' | b':') && digit(at + 1)) {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::death::read;

    fn cause(message: &str) -> String {
        of(&Death { family: "spring-kafka", message: Some(message.into()), ..Death::default() })
    }

    #[test]
    fn what_varies_from_message_to_message_is_aside() {
        for (message, expected) in [
            ("stock of SKU-1042 is -3", "stock of SKU-# is #"),
            ("order 10021:  timed out\n after 3,000.5 ms", "order #: timed out after # ms"),
            ("no customer 550e8400-e29b-41d4-a716-446655440000.", "no customer #."),
            ("Order@1b6d358 and 0xFF and 6d06d69c", "Order@# and # and #"),
            ("key 01ARZ3NDEKTSV4RRFFQ69G5FAV", "key #"),
            ("Unexpected character ('}' (code 125)): at \"items\"", "Unexpected character ('*' (code #)): at '*'"),
            ("can't read the customer's 'name'", "can't read the customer's '*'"),
            ("never \"closed", "never \"closed"),
            ("at 2026-11-23T05:48:11.123Z", "at #-#-#T#Z"),
            ("größe 12µm", "größe #µm"),
            ("", ""),
            ("-", "-"),
            ("'", "'"),
        ] {
            assert_eq!(normal(message), expected, "{message:?}");
        }
    }

    #[test]
    fn same_thing_same_cause_and_other_thing_other_cause() {
        assert_eq!(cause("order 10021 has no customer"), cause("order 77 has no customer"));
        assert_ne!(cause("order 10021 has no customer"), cause("order 10021 has no address"));
        let base = Death {
            family: "kafka-connect",
            class: Some("A".into()),
            origin: Some(read::queue("q")),
            ..Death::default()
        };
        let others = [
            Death { family: "kafka-streams", ..base.clone() },
            Death { class: Some("B".into()), ..base.clone() },
            Death { class: None, reason: Some("A".into()), ..base.clone() },
            Death { origin: Some(read::queue("r")), ..base.clone() },
            Death { origin: None, ..base.clone() },
        ];
        let causes: std::collections::HashSet<_> = others.iter().chain([&base]).map(of).collect();
        assert_eq!(causes.len(), 6);
        assert!(causes.iter().all(|c| c.len() == 8 && c.bytes().all(|b| b.is_ascii_hexdigit())));
    }

    #[test]
    fn a_cause_never_changes() {
        // Runbooks keep them.
        let d = Death {
            family: "masstransit",
            reason: Some("fault".into()),
            message: Some("order 5: 'SKU-9' is out of stock".into()),
            origin: Some(crate::message::Origin { exchange: Some("shop".into()), ..read::queue("orders") }),
            ..Death::default()
        };
        assert_eq!(of(&d), "574fd7a6");
    }

    #[test]
    fn a_huge_message_is_cut_between_characters() {
        let huge = "é".repeat(LONGEST);
        assert!(normal(&format!("a{huge}")).len() <= LONGEST);
    }
}
