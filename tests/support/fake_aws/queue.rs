//! One queue: messages with leases, receive counts, groups, deduplication and retention.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};

/// Milliseconds since 1970.
pub type Millis = u64;

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub kind: String,
    pub value: Vec<u8>,
}

impl Attribute {
    pub fn new(kind: &str, value: impl Into<Vec<u8>>) -> Attribute {
        Attribute { kind: kind.into(), value: value.into() }
    }

    pub fn is_binary(&self) -> bool {
        self.kind == "Binary" || self.kind.starts_with("Binary.")
    }
}

pub type Attributes = BTreeMap<String, Attribute>;

/// A message at rest, or leased.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub attributes: Attributes,
    pub trace: Option<String>,
    pub group: Option<String>,
    pub dedup: Option<String>,
    pub sequence: u64,
    pub sent: Millis,
    pub first: Option<Millis>,
    pub received: u32,
    pub visible: Millis,
    /// Handles given so far; only the last is good.
    pub handles: u64,
    /// ARN of the queue it died in.
    pub source: Option<String>,
}

impl Message {
    pub fn new(body: &str) -> Message {
        Message {
            id: String::new(),
            body: body.into(),
            attributes: Attributes::new(),
            trace: None,
            group: None,
            dedup: None,
            sequence: 0,
            sent: 0,
            first: None,
            received: 0,
            visible: 0,
            handles: 0,
            source: None,
        }
    }

    pub fn with(mut self, name: &str, kind: &str, value: impl Into<Vec<u8>>) -> Message {
        self.attributes.insert(name.into(), Attribute::new(kind, value));
        self
    }

    pub fn group(mut self, group: &str) -> Message {
        self.group = Some(group.into());
        self
    }

    pub fn dedup(mut self, id: &str) -> Message {
        self.dedup = Some(id.into());
        self
    }

    pub fn died_in(mut self, arn: &str) -> Message {
        self.source = Some(arn.into());
        self
    }

    pub fn handle(&self) -> String {
        format!("{}#{}", self.id, self.handles)
    }

    /// As it counts against the limits: body, and names, types and values of attributes.
    pub fn size(&self) -> usize {
        let attribute = |(n, a): (&String, &Attribute)| n.len() + a.kind.len() + a.value.len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// The text of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(&self.attributes.get(name)?.value).ok()
    }
}

/// A queue and what is set on it.
#[derive(Debug)]
pub struct Queue {
    pub name: String,
    pub visibility: Millis,
    pub retention: Millis,
    pub most: usize,
    /// Target and count of the redrive policy.
    pub redrive: Option<(String, u32)>,
    pub content_dedup: bool,
    pub messages: Vec<Message>,
    /// Deduplication ids and when they were seen.
    pub seen: BTreeMap<String, (Millis, String)>,
    pub purged: Option<Millis>,
    /// Messages that may be leased at once.
    pub in_flight_most: usize,
    /// Leases that were ended by the one who held them.
    pub released: u64,
}

pub const FIVE_MINUTES: Millis = 300_000;

/// What a receive gives, or that the queue has too many in flight.
pub struct OverLimit;

impl Queue {
    pub fn new(name: &str) -> Queue {
        Queue {
            name: name.into(),
            visibility: 30_000,
            retention: 4 * 24 * 3_600_000,
            most: 1 << 20,
            redrive: None,
            content_dedup: false,
            messages: vec![],
            seen: BTreeMap::new(),
            purged: None,
            in_flight_most: 120_000,
            released: 0,
        }
    }

    pub fn is_fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    pub fn forget_expired(&mut self, now: Millis) {
        let retention = self.retention;
        self.messages.retain(|m| m.sent + retention > now);
        self.seen.retain(|_, (at, _)| *at + FIVE_MINUTES > now);
    }

    /// Takes a message in, unless its deduplication id was seen; gives its id and sequence.
    pub fn put(&mut self, mut m: Message, now: Millis, number: u64) -> (String, u64) {
        if self.is_fifo() {
            let dedup = m.dedup.get_or_insert_with(|| hex(&Md5::digest(m.body.as_bytes()))).clone();
            if let Some((_, id)) = self.seen.get(&dedup) {
                return (id.clone(), number);
            }
            self.seen.insert(dedup, (now, m.id.clone()));
        }
        (m.sequence, m.sent) = (number, if m.sent == 0 { now } else { m.sent });
        let told = (m.id.clone(), number);
        self.messages.push(m);
        told
    }

    /// Leases up to `most`; those past the limit of the redrive policy are given apart.
    pub fn lease(
        &mut self,
        most: usize,
        visibility: Millis,
        now: Millis,
    ) -> Result<(Vec<Message>, Vec<Message>), OverLimit> {
        let leased = |m: &Message| m.visible > now;
        let in_flight = self.messages.iter().filter(|m| leased(m)).count();
        if in_flight >= self.in_flight_most && !self.is_fifo() {
            return Err(OverLimit);
        }
        let blocked: BTreeSet<_> = match self.is_fifo() {
            true => self.messages.iter().filter(|m| leased(m)).filter_map(|m| m.group.clone()).collect(),
            false => BTreeSet::new(),
        };
        let (mut given, mut dead, mut kept) = (vec![], vec![], vec![]);
        for mut m in std::mem::take(&mut self.messages) {
            let free = m.visible <= now && !m.group.as_ref().is_some_and(|g| blocked.contains(g));
            if free && given.len() < most {
                m.received += 1;
                if self.redrive.as_ref().is_some_and(|(_, limit)| m.received > *limit) {
                    m.received -= 1;
                    dead.push(m);
                    continue;
                }
                m.first.get_or_insert(now);
                m.handles += 1;
                m.visible = now + visibility;
                given.push(m.clone());
            }
            kept.push(m);
        }
        self.messages = kept;
        Ok((given, dead))
    }

    /// Where the message of a handle is: whether the handle is the newest, and whether its lease still runs.
    pub fn find(&self, handle: &str, now: Millis) -> Option<(usize, bool, bool)> {
        let (id, n) = handle.rsplit_once('#')?;
        let at = self.messages.iter().position(|m| m.id == id)?;
        let m = &self.messages[at];
        Some((at, n.parse() == Ok(m.handles), m.visible > now))
    }

    pub fn visible(&self, now: Millis) -> usize {
        self.messages.iter().filter(|m| m.visible <= now).count()
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn digest(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// As SQS documents it: in the order of the names, each length before its bytes, 1 for text and 2 for bytes.
pub fn attributes_digest(attributes: &Attributes) -> String {
    let mut all = vec![];
    let put = |b: &[u8], all: &mut Vec<u8>| {
        all.extend_from_slice(&u32::try_from(b.len()).expect("short").to_be_bytes());
        all.extend_from_slice(b);
    };
    for (name, a) in attributes {
        put(name.as_bytes(), &mut all);
        put(a.kind.as_bytes(), &mut all);
        all.push(if a.is_binary() { 2 } else { 1 });
        put(&a.value, &mut all);
    }
    hex(&Md5::digest(&all))
}
