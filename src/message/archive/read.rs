//! Line to message.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::super::{DeadLetter, Fields, Identity, Origin, Payload, Value};
use super::cursor::{Cursor, Fault, Res};
use super::tag::Tag;
use super::{Line, MAX_DEPTH, VERSION};
use crate::broker::{Error, Kind, Result};

/// Parses line after line; texts that repeat from line to line, such as the queue, are kept once.
#[derive(Default)]
pub struct Parser {
    scratch: String,
    known: Vec<Arc<str>>,
}

const KEYS: [&str; 12] =
    ["v", "line", "id", "queue", "position", "time", "key", "payload", "headers", "properties", "origin", "deliveries"];
/// `v`, `line`, `id`, `queue` and `payload`: without them it is not a whole message.
const REQUIRED: u32 = 0b1000_1111;

impl Parser {
    /// Parses one line, without its line break.
    ///
    /// # Errors
    /// `Corrupt`, saying what is wrong; for a view line the hint names `-o archive`.
    pub fn parse(&mut self, line: &[u8]) -> Result<Line> {
        let fault = match std::str::from_utf8(line) {
            Ok(text) => match self.object(&mut Cursor::new(text)) {
                Ok(parsed) => return Ok(parsed),
                Err(fault) => fault,
            },
            Err(e) => Fault { at: e.valid_up_to(), what: "bytes that are not UTF-8".into() },
        };
        Err(explain(line, &fault))
    }

    fn object(&mut self, c: &mut Cursor<'_>) -> Res<Line> {
        let mut line = String::new();
        let mut m = DeadLetter::new(self.keep(""), Payload::Absent);
        let mut seen = 0_u32;
        c.expect(b'{')?;
        loop {
            let start = c.at;
            let name = c.string(&mut self.scratch)?;
            let Some(key) = KEYS.iter().position(|k| *k == name) else {
                return Err(Fault { at: start, what: format!("unknown field {name:?}").into() });
            };
            if seen & 1 << key != 0 {
                return Err(Fault { at: start, what: format!("field {name:?} is there twice").into() });
            }
            seen |= 1 << key;
            c.expect(b':')?;
            match key {
                0 => {
                    if self.integer::<u64>(c)? != VERSION {
                        return c.fault("another version");
                    }
                }
                1 => c.string(&mut self.scratch)?.clone_into(&mut line),
                2 => m.id = c.string(&mut self.scratch)?.into(),
                3 => m.queue = self.shared(c)?,
                4 => m.position = self.fields(c, 1)?,
                5 => {
                    let text = c.string(&mut self.scratch)?;
                    match text.parse() {
                        Ok(time) => m.time = Some(time),
                        Err(_) => return c.fault("\"time\" is not an RFC 3339 time"),
                    }
                }
                6 => m.key = Some(self.bytes(c)?),
                7 if c.word("null") => {}
                7 => m.payload = Payload::Bytes(self.bytes(c)?),
                8 => m.headers = self.fields(c, 1)?,
                9 => m.properties = self.fields(c, 1)?,
                10 => m.origin = Some(self.origin(c)?),
                _ => m.deliveries = Some(self.integer(c)?),
            }
            if !c.more(b'}')? {
                break;
            }
        }
        c.end()?;
        if let Some(missing) = (0..KEYS.len()).find(|k| REQUIRED & !seen & 1 << k != 0) {
            return c.fault(format!("field {:?} is missing", KEYS[missing]));
        }
        if line.is_empty() {
            return c.fault("\"line\" is empty");
        }
        m.identity = Identity::Exact(xxh3_128(line.as_bytes()));
        Ok(Line { line, message: m })
    }

    fn fields(&mut self, c: &mut Cursor<'_>, depth: usize) -> Res<Fields> {
        let mut fields = Vec::new();
        c.expect(b'[')?;
        if c.take(b']') {
            return Ok(Fields::default());
        }
        loop {
            c.expect(b'[')?;
            let name = c.string(&mut self.scratch)?.to_owned();
            c.expect(b',')?;
            fields.push((name, self.tagged(c, depth)?));
            if !c.more(b']')? {
                return Ok(fields.into_iter().collect());
            }
        }
    }

    /// `type,value]`.
    fn tagged(&mut self, c: &mut Cursor<'_>, depth: usize) -> Res<Value> {
        if depth > MAX_DEPTH {
            return c.fault(format!("values nest deeper than {MAX_DEPTH} levels"));
        }
        let name = c.string(&mut self.scratch)?;
        let Some(tag) = Tag::named(name) else { return c.fault(format!("unknown type {name:?}")) };
        c.expect(b',')?;
        let value = self.value(c, tag, depth)?;
        c.expect(b']')?;
        Ok(value)
    }

    fn value(&mut self, c: &mut Cursor<'_>, tag: Tag, depth: usize) -> Res<Value> {
        Ok(match tag {
            Tag::Null if c.word("null") => Value::Null,
            Tag::Null => return c.fault("not null"),
            Tag::Bool if c.word("true") => Value::Bool(true),
            Tag::Bool if c.word("false") => Value::Bool(false),
            Tag::Bool => return c.fault("neither true nor false"),
            Tag::I8 => Value::I8(self.integer(c)?),
            Tag::U8 => Value::U8(self.integer(c)?),
            Tag::I16 => Value::I16(self.integer(c)?),
            Tag::U16 => Value::U16(self.integer(c)?),
            Tag::I32 => Value::I32(self.integer(c)?),
            Tag::U32 => Value::U32(self.integer(c)?),
            Tag::I64 => Value::I64(self.integer(c)?),
            Tag::U64 => Value::U64(self.integer(c)?),
            Tag::Time => Value::Time(self.integer(c)?),
            Tag::F32 => {
                Value::F32(self.float(c, |hex| u32::from_str_radix(hex, 16).map(f32::from_bits), |n| n.is_nan())?)
            }
            Tag::F64 => {
                Value::F64(self.float(c, |hex| u64::from_str_radix(hex, 16).map(f64::from_bits), |n| n.is_nan())?)
            }
            Tag::Decimal => {
                c.expect(b'[')?;
                let scale = self.integer(c)?;
                c.expect(b',')?;
                let value = self.integer(c)?;
                c.expect(b']')?;
                Value::Decimal { scale, value }
            }
            Tag::Number => Value::Number(c.string(&mut self.scratch)?.to_owned()),
            Tag::ShortText => Value::ShortText(c.string(&mut self.scratch)?.to_owned()),
            Tag::Text => Value::Text(self.bytes(c)?),
            Tag::Bytes => Value::Bytes(self.bytes(c)?),
            Tag::Array => Value::Array(self.array(c, depth)?),
            Tag::Table => Value::Table(self.fields(c, depth + 1)?),
            Tag::Labelled => {
                c.expect(b'[')?;
                let label = c.string(&mut self.scratch)?.to_owned();
                c.expect(b',')?;
                Value::Labelled(label, Box::new(self.tagged(c, depth + 1)?))
            }
        })
    }

    fn array(&mut self, c: &mut Cursor<'_>, depth: usize) -> Res<Vec<Value>> {
        let mut values = Vec::new();
        c.expect(b'[')?;
        if c.take(b']') {
            return Ok(values);
        }
        loop {
            c.expect(b'[')?;
            values.push(self.tagged(c, depth + 1)?);
            if !c.more(b']')? {
                return Ok(values);
            }
        }
    }

    /// A number, or its digits in a string.
    fn integer<T: FromStr>(&mut self, c: &mut Cursor<'_>) -> Res<T> {
        let at = c.at;
        let digits = if c.peek() == Some(b'"') { c.string(&mut self.scratch)? } else { c.number()? };
        digits.parse().map_err(|_| Fault { at, what: format!("{digits:?} is not an integer of its type").into() })
    }

    fn float<T: FromStr, E>(
        &mut self,
        c: &mut Cursor<'_>,
        of_bits: impl Fn(&str) -> Result<T, E>,
        is_nan: impl Fn(&T) -> bool,
    ) -> Res<T> {
        let at = c.at;
        let text = c.string(&mut self.scratch)?;
        let float = match text.strip_prefix("nan:") {
            Some(hex) => of_bits(hex).ok().filter(&is_nan),
            None => text.parse().ok().filter(|n| !is_nan(n)),
        };
        float.ok_or_else(|| Fault { at, what: format!("{text:?} is not a float").into() })
    }

    /// A string, or `{"base64":"…"}`.
    fn bytes(&mut self, c: &mut Cursor<'_>) -> Res<Bytes> {
        if !c.take(b'{') {
            return Ok(Bytes::copy_from_slice(c.string(&mut self.scratch)?.as_bytes()));
        }
        if c.string(&mut self.scratch)? != "base64" {
            return c.fault("neither text nor {\"base64\":…}");
        }
        c.expect(b':')?;
        let at = c.at;
        let decoded = STANDARD.decode(c.string(&mut self.scratch)?);
        let decoded = decoded.map_err(|e| Fault { at, what: Cow::from(format!("bad base64: {e}")) })?;
        c.expect(b'}')?;
        Ok(Bytes::from(decoded))
    }

    fn origin(&mut self, c: &mut Cursor<'_>) -> Res<Origin> {
        let mut o = Origin::default();
        c.expect(b'{')?;
        if c.take(b'}') {
            return Ok(o);
        }
        loop {
            let at = c.at;
            let name = c.string(&mut self.scratch)?;
            let text = match name {
                "queue" => &mut o.queue,
                "exchange" => &mut o.exchange,
                "routing_key" => &mut o.routing_key,
                "group" => &mut o.group,
                "partition" | "offset" => {
                    let number = if name == "offset" { &mut o.offset } else { &mut o.partition };
                    c.expect(b':')?;
                    if number.replace(self.integer(c)?).is_some() {
                        return Err(Fault { at, what: "a field of \"origin\" is there twice".into() });
                    }
                    if !c.more(b'}')? {
                        return Ok(o);
                    }
                    continue;
                }
                _ => return Err(Fault { at, what: format!("unknown field {name:?} in \"origin\"").into() }),
            };
            c.expect(b':')?;
            if text.replace(self.shared(c)?).is_some() {
                return Err(Fault { at, what: "a field of \"origin\" is there twice".into() });
            }
            if !c.more(b'}')? {
                return Ok(o);
            }
        }
    }

    fn shared(&mut self, c: &mut Cursor<'_>) -> Res<Arc<str>> {
        let Parser { scratch, known } = self;
        Ok(keep(known, c.string(scratch)?))
    }

    fn keep(&mut self, text: &str) -> Arc<str> {
        keep(&mut self.known, text)
    }
}

fn keep(known: &mut Vec<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(same) = known.iter().find(|k| ***k == *text) {
        return Arc::clone(same);
    }
    let new: Arc<str> = Arc::from(text);
    if known.len() == 8 {
        known.remove(0);
    }
    known.push(Arc::clone(&new));
    new
}

/// What the line may be instead. Only a line that was refused is looked at so closely.
fn explain(line: &[u8], fault: &Fault) -> Error {
    let whole: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(line).ok();
    match whole.as_ref().map(|m| m.get("v")) {
        Some(None) => Error::new(Kind::Corrupt, "not an archive line: it has no \"v\"")
            .hint("archives are written with `-o archive` or by copying to file:PATH; what `-o json` prints is for reading only"),
        Some(Some(v)) if *v != serde_json::json!(VERSION) => {
            Error::new(Kind::Corrupt, format!("archive line of version {v}, but this dlq knows version {VERSION}"))
                .hint("a newer dlq wrote it: update this one")
        }
        _ => Error::new(Kind::Corrupt, format!("not an archive line: {} at column {}", fault.what, fault.at + 1)),
    }
}
