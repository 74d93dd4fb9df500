//! Messages as lines of a table.

use jiff::Timestamp;

use super::human;
use crate::death::{self, Death};
use crate::message::{DeadLetter, Payload};
use crate::ui::table::Column;

/// Characters of a body that are looked at for its preview.
const PREVIEW: usize = 400;

/// The columns. An id is what `--id` takes, so it is whole wherever there is room for anything beside it.
pub fn columns(width: u16) -> [Column; 7] {
    let id = if width < 80 { 12 } else { 36 };
    [
        Column::text("ID", id, 40, 9),
        Column::number("AGE", 6),
        Column::text("CAUSE", 8, 8, 4),
        Column::text("REASON", 8, 24, 7),
        Column::text("ORIGIN", 8, 28, 5),
        Column::number("SIZE", 3),
        Column::text("BODY", 8, u16::MAX, 8),
    ]
}

/// The cells of one message. AGE counts from the last death, or else from the message's time.
pub fn row(m: &DeadLetter, now: Timestamp) -> Vec<String> {
    let death = death::of(m);
    let time = death.as_ref().and_then(|d| d.last).or(m.time);
    let origin = death.as_ref().and_then(|d| d.origin.as_ref()).or(m.origin.as_ref());
    let unknown = || "-".to_owned();
    vec![
        if m.id.is_empty() { unknown() } else { m.id.to_string() },
        time.map_or_else(unknown, |t| human::age(t, now)),
        death.as_ref().map_or_else(unknown, |d| d.cause.clone()),
        death.as_ref().and_then(reason).unwrap_or_else(unknown),
        origin.map_or_else(unknown, ToString::to_string),
        human::bytes(m.size() as u64),
        preview(&m.payload),
    ]
}

/// The exception's own name where there is one, for it says more than "exception".
pub(super) fn reason(d: &Death) -> Option<String> {
    let class = d.class.as_deref().map(|c| c.rsplit(['.', ':', '$']).next().unwrap_or(c).to_owned());
    class.filter(|c| !c.is_empty()).or_else(|| d.reason.clone())
}

/// The beginning of a body on one line; of JSON without the blanks it is indented with.
fn preview(payload: &Payload) -> String {
    let bytes = match payload {
        Payload::Absent => return "(none)".into(),
        Payload::Bytes(b) if b.is_empty() => return "(empty)".into(),
        Payload::Bytes(b) => b,
    };
    let head = &bytes[..bytes.len().min(4 * PREVIEW)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // Cut within a character, or not text.
        Err(e) if e.error_len().is_none() && head.len() < bytes.len() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return format!("(binary) {}", hex(&head[..head.len().min(32)])),
    };
    let mut out: String = if text.starts_with(['{', '[']) {
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").chars().take(PREVIEW).collect()
    } else {
        text.chars().take(PREVIEW).collect()
    };
    if text.chars().count() > PREVIEW || head.len() < bytes.len() {
        // Longer than any terminal is wide, so that it is seen to be cut.
        out.extend(std::iter::repeat_n(' ', PREVIEW));
        out.push('.');
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::Origin;

    fn body(bytes: &'static [u8]) -> Payload {
        Payload::Bytes(Bytes::from_static(bytes))
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let m = DeadLetter::new("q".into(), Payload::Absent);
        assert_eq!(row(&m, Timestamp::UNIX_EPOCH), ["-", "-", "-", "-", "-", "0 B", "(none)"]);
    }

    #[test]
    fn an_id_and_a_body_are_there_at_every_width() {
        use crate::output::Look;
        use crate::ui::table::render;
        let id = "0123456789abcdef0123456789abcdef";
        let mut m = DeadLetter::new("q".into(), body(b"{\"order\": 4711, \"total\": 42}"));
        m.id = id.into();
        for width in [40, 60, 79, 80, 120, 200] {
            let rows = [row(&m, Timestamp::UNIX_EPOCH)];
            let (text, notes) = render(&columns(width), &rows, &Look { width, ..Look::PLAIN });
            assert!(text.contains("BODY") && text.contains("{\"o"), "{width}: {text}");
            assert!(text.contains(&id[..11]), "{width}: {text}");
            assert_eq!(text.contains(id), width >= 80, "{width}: {text}");
            assert_eq!(notes.is_empty(), width >= 120, "{width}: {text}{notes:?}");
        }
    }

    #[test]
    fn what_the_broker_says_of_the_origin_is_shown() {
        let mut m = DeadLetter::new("q".into(), body(b"hello"));
        m.id = "7".into();
        m.time = Some("2026-11-23T02:36:11Z".parse().unwrap());
        m.origin = Some(Origin { queue: Some("orders".into()), ..Origin::default() });
        let cells = row(&m, "2026-11-23T05:48:11Z".parse().unwrap());
        assert_eq!(
            (&*cells[0], &*cells[1], &*cells[4], &*cells[5], &*cells[6]),
            ("7", "3h12m", "orders", "5 B", "hello")
        );
    }

    #[test]
    fn a_reason_is_the_exception_where_there_is_one() {
        let mut d = Death { reason: Some("exception".into()), ..Death::default() };
        assert_eq!(reason(&d).unwrap(), "exception");
        d.class = Some("java.lang.IllegalStateException".into());
        assert_eq!(reason(&d).unwrap(), "IllegalStateException");
    }

    #[test]
    fn previews() {
        assert_eq!(preview(&body(b"")), "(empty)");
        assert_eq!(preview(&body(b"{\n  \"a\": 1,\n\t\"b\": 2\n}")), "{ \"a\": 1, \"b\": 2 }");
        assert_eq!(preview(&body(b"two\nlines")), "two\nlines");
        assert_eq!(preview(&body(b"\x00\xff\x01")), "(binary) 00ff01");
        let long = Payload::Bytes(Bytes::from("é".repeat(5000)));
        assert!(preview(&long).starts_with(&"é".repeat(PREVIEW)));
        let odd = Payload::Bytes(Bytes::from(format!("a{}", "é".repeat(5000))));
        assert!(preview(&odd).starts_with("aé"));
    }
}
