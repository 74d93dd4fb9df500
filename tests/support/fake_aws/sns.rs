//! Topics, and who the caller is: the query protocol, with XML answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::fault::{Fault, Refusal};
use super::http::Answer;
use super::queue::{Attribute, FIVE_MINUTES, Message, Millis};
use super::sqs::{invalid, refusal};
use super::{ACCOUNT, REGION, Shared, World};

/// A topic and what was published to it.
#[derive(Default)]
pub struct Topic {
    pub published: Vec<Published>,
    /// Endpoints of subscriptions: protocol and address.
    pub subscriptions: Vec<(String, String)>,
    pub most: usize,
    seen: BTreeMap<String, Millis>,
}

#[derive(Clone, Debug)]
pub struct Published {
    pub subject: Option<String>,
    /// Body, attributes, group and deduplication id.
    pub message: Message,
}

impl World {
    /// Makes a topic; a name that ends in `.fifo` makes a FIFO topic. Its ARN.
    pub fn topic(&mut self, name: &str) -> String {
        self.topics.insert(name.into(), Topic { most: 256 << 10, ..Topic::default() });
        topic_arn(name)
    }
}

pub fn topic_arn(name: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}")
}

/// Operation and fields of a form.
pub fn parse(body: &[u8]) -> (String, Value) {
    let text = String::from_utf8_lossy(body);
    let decode = |s: &str| {
        let spaced = s.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let fields: Map<String, Value> = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (decode(k), Value::String(decode(v))))
        .collect();
    let operation = fields.get("Action").and_then(Value::as_str).unwrap_or_default().to_owned();
    (operation, fields.into())
}

pub fn carry_out(shared: &Shared, operation: &str, body: &Value, fault: &Fault) -> Answer {
    let given = on_world(&mut shared.world(), operation, body, fault);
    match given {
        Ok(inner) => {
            let text = format!(
                "<{operation}Response><{operation}Result>{inner}</{operation}Result>\
                 <ResponseMetadata><RequestId>00000000-fake</RequestId></ResponseMetadata></{operation}Response>"
            );
            Answer { status: 200, kind: "text/xml", query_error: None, body: text }
        }
        Err(refused) => refused.xml(),
    }
}

const NO_SUCH_TOPIC: Refusal =
    Refusal { status: 404, code: "NotFoundException", query: Some("NotFound"), message: "Topic does not exist" };

fn field<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body[name].as_str()
}

fn on_world(world: &mut World, operation: &str, body: &Value, fault: &Fault) -> Result<String, Refusal> {
    let name = field(body, "TopicArn").and_then(|a| a.rsplit(':').next()).unwrap_or_default().to_owned();
    match operation {
        "GetCallerIdentity" => Ok(format!(
            "<Arn>arn:aws:iam::{ACCOUNT}:user/oncall</Arn><UserId>AIDAFAKE</UserId><Account>{ACCOUNT}</Account>"
        )),
        "ListTopics" => {
            let member = |n: &String| format!("<member><TopicArn>{}</TopicArn></member>", topic_arn(n));
            Ok(format!("<Topics>{}</Topics>", world.topics.keys().map(member).collect::<String>()))
        }
        "GetTopicAttributes" => {
            let topic = world.topics.get(&name).ok_or(NO_SUCH_TOPIC)?;
            let all = [
                ("TopicArn", topic_arn(&name)),
                ("Owner", ACCOUNT.to_owned()),
                ("SubscriptionsConfirmed", topic.subscriptions.len().to_string()),
                ("SubscriptionsPending", "0".into()),
                ("FifoTopic", name.ends_with(".fifo").to_string()),
            ];
            let entry = |(k, v): &(&str, String)| format!("<entry><key>{k}</key><value>{v}</value></entry>");
            Ok(format!("<Attributes>{}</Attributes>", all.iter().map(entry).collect::<String>()))
        }
        "ListSubscriptionsByTopic" => {
            let topic = world.topics.get(&name).ok_or(NO_SUCH_TOPIC)?;
            let member = |(protocol, endpoint): &(String, String)| {
                format!(
                    "<member><SubscriptionArn>{0}:1</SubscriptionArn><TopicArn>{0}</TopicArn><Owner>{ACCOUNT}</Owner>\
                     <Protocol>{protocol}</Protocol><Endpoint>{endpoint}</Endpoint></member>",
                    topic_arn(&name)
                )
            };
            Ok(format!("<Subscriptions>{}</Subscriptions>", topic.subscriptions.iter().map(member).collect::<String>()))
        }
        "PublishBatch" => publish(world, &name, body, fault),
        _ => Err(refusal("InvalidAction", "The fake does not know this operation.")),
    }
}

fn publish(world: &mut World, name: &str, body: &Value, fault: &Fault) -> Result<String, Refusal> {
    let fifo = name.ends_with(".fifo");
    let entries: Vec<Value> = (1..)
        .map(|n| format!("PublishBatchRequestEntries.member.{n}."))
        .map_while(|prefix| {
            let fields =
                body.as_object()?.iter().filter_map(|(k, v)| Some((k.strip_prefix(&prefix)?.to_owned(), v.clone())));
            let fields: Map<_, _> = fields.collect();
            (!fields.is_empty()).then(|| fields.into())
        })
        .collect();
    let now = world.now();
    let first = world.next_number();
    let topic = world.topics.get_mut(name).ok_or(NO_SUCH_TOPIC)?;
    let ids: BTreeSet<_> = entries.iter().map(|e| field(e, "Id").unwrap_or_default().to_owned()).collect();
    match entries.len() {
        0 => return Err(refusal("EmptyBatchRequest", "The batch request doesn't contain any entries.")),
        n if n > 10 => {
            return Err(refusal(
                "TooManyEntriesInBatchRequest",
                "The batch request contains more entries than permissible (more than 10).",
            ));
        }
        n if ids.len() < n => {
            return Err(refusal(
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ));
        }
        _ => {}
    }
    let read: Vec<_> = entries.iter().map(|e| published(e, fifo)).collect();
    let total: usize =
        read.iter().flatten().map(|p| p.message.size() + p.subject.as_ref().map_or(0, String::len)).sum();
    if total > topic.most {
        return Err(refusal(
            "BatchRequestTooLong",
            "The length of all the batch messages put together is more than the limit.",
        ));
    }
    let (mut good, mut bad) = (vec![], String::new());
    for (at, (entry, p)) in entries.iter().zip(read).enumerate() {
        let id = field(entry, "Id").unwrap_or_default();
        let p = match (fault, p) {
            (Fault::Entries(places, code, ours), _) if places.contains(&at) => {
                Err((*code, "We encountered an internal error.".to_owned(), *ours))
            }
            (_, p) => p.map_err(|text| ("InvalidParameter", text, true)),
        };
        match p {
            Ok(p) => {
                let new = match p.message.dedup.as_ref().filter(|_| fifo) {
                    Some(d) => topic.seen.insert(d.clone(), now).is_none_or(|at| at + FIVE_MINUTES <= now),
                    None => true,
                };
                if new {
                    topic.published.push(p);
                }
                if !matches!(fault, Fault::Silent(places) if places.contains(&at)) {
                    good.push(format!("<member><Id>{id}</Id><MessageId>{first:08x}-{at}</MessageId></member>"));
                }
            }
            Err((code, text, ours)) => {
                write!(bad, "<member><Id>{id}</Id><Code>{code}</Code><Message>{text}</Message><SenderFault>{ours}</SenderFault></member>")
                    .map_err(|e| invalid(e.to_string()))?;
            }
        }
    }
    if matches!(fault, Fault::Reversed) {
        good.reverse();
    }
    Ok(format!("<Successful>{}</Successful><Failed>{bad}</Failed>", good.concat()))
}

fn published(entry: &Value, fifo: bool) -> Result<Published, String> {
    let mut m = Message::new(field(entry, "Message").unwrap_or_default());
    m.group = field(entry, "MessageGroupId").map(Into::into);
    m.dedup = field(entry, "MessageDeduplicationId").map(Into::into);
    if m.body.is_empty() {
        return Err("Invalid parameter: Empty message".into());
    }
    if fifo && (m.group.is_none() || m.dedup.is_none()) {
        return Err(
            "Invalid parameter: The MessageGroupId and MessageDeduplicationId parameters are required for FIFO topics"
                .into(),
        );
    }
    if !fifo && m.dedup.is_some() {
        return Err("Invalid parameter: MessageDeduplicationId Reason: The request includes a parameter that is not valid for this topic type".into());
    }
    let subject = field(entry, "Subject").map(str::to_owned);
    if subject.as_ref().is_some_and(|s| s.len() > 100 || s.is_empty() || !s.bytes().all(|b| (0x20..0x7f).contains(&b)))
    {
        return Err("Invalid parameter: Subject".into());
    }
    for n in 1.. {
        let at = |part: &str| format!("MessageAttributes.entry.{n}.{part}");
        let Some(name) = field(entry, &at("Name")) else { break };
        let kind = field(entry, &at("Value.DataType")).unwrap_or_default();
        let value = match (field(entry, &at("Value.StringValue")), field(entry, &at("Value.BinaryValue"))) {
            (Some(s), None) if !s.is_empty() => s.as_bytes().to_vec(),
            (None, Some(b)) => BASE64_STANDARD.decode(b).map_err(|e| e.to_string())?,
            _ => return Err(format!("Invalid parameter: The message attribute '{name}' has no value")),
        };
        if !matches!(kind.split('.').next(), Some("String" | "Number" | "Binary")) {
            return Err(format!(
                "Invalid parameter: The message attribute '{name}' has an invalid message attribute type"
            ));
        }
        m.attributes.insert(name.to_owned(), Attribute::new(kind, value));
    }
    Ok(Published { subject, message: m })
}

/// The body SNS gives to a queue that is not subscribed raw.
pub fn envelope(topic: &str, subject: Option<&str>, message: &str, attributes: &[(&str, &str, &str)]) -> String {
    let attributes: Map<_, _> =
        attributes.iter().map(|(n, kind, v)| ((*n).to_owned(), json!({ "Type": kind, "Value": v }))).collect();
    let mut all = json!({
        "Type": "Notification",
        "MessageId": "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
        "TopicArn": topic_arn(topic),
        "Message": message,
        "Timestamp": "2026-11-23T05:48:11.123Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": format!("https://sns.{REGION}.amazonaws.com/SimpleNotificationService-x.pem"),
        "UnsubscribeURL": format!("https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe"),
    });
    if let Some(s) = subject {
        all["Subject"] = json!(s);
    }
    if !attributes.is_empty() {
        all["MessageAttributes"] = attributes.into();
    }
    all.to_string()
}
