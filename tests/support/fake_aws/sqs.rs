//! The operations of SQS on single things; batches are in `sqs_batch`, move tasks in `moves`.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::fault::{self, Fault, Refusal};
use super::http::{Answer, Request};
use super::queue::{Attribute, Attributes, Message, Queue, attributes_digest, digest};
use super::{ACCOUNT, Shared, World, arn, moves, sqs_batch};

/// What an operation gives.
pub type Given = Result<Value, Refusal>;

pub fn parse(request: &Request) -> (String, Value) {
    (request.operation.clone(), serde_json::from_slice(&request.body).unwrap_or(Value::Null))
}

pub const fn refusal(code: &'static str, message: &'static str) -> Refusal {
    Refusal { status: 400, code, query: None, message }
}

/// Texts of refusals live as long as the tests.
pub fn invalid(message: String) -> Refusal {
    refusal("InvalidParameterValue", Box::leak(message.into_boxed_str()))
}

pub fn carry_out(shared: &Shared, operation: &str, body: &Value, fault: &Fault) -> Answer {
    let given = match operation {
        "ReceiveMessage" => receive(shared, body, fault),
        _ => {
            let mut world = shared.world();
            let now = world.now();
            world.queues.values_mut().for_each(|q| q.forget_expired(now));
            on_world(shared, &mut world, operation, body, fault)
        }
    };
    match given {
        Ok(v) => Answer { status: 200, kind: "application/x-amz-json-1.0", query_error: None, body: v.to_string() },
        Err(refused) => refused.json(),
    }
}

fn on_world(shared: &Shared, world: &mut World, operation: &str, body: &Value, fault: &Fault) -> Given {
    let url = |name: &str| format!("http://{}/{ACCOUNT}/{name}", shared.address);
    match operation {
        "ListQueues" => {
            let prefix = body["QueueNamePrefix"].as_str().unwrap_or_default();
            let names: Vec<_> = world.queues.keys().filter(|n| n.starts_with(prefix)).map(|n| url(n)).collect();
            Ok(paged("QueueUrls", names, world.page, body))
        }
        "GetQueueUrl" => {
            let name = body["QueueName"].as_str().unwrap_or_default();
            world.queues.get(name).map(|q| json!({ "QueueUrl": url(&q.name) })).ok_or(fault::NO_SUCH_QUEUE)
        }
        "GetQueueAttributes" => {
            let (now, name) = (world.now(), named(body)?);
            let queue = world.queues.get(&name).ok_or(fault::NO_SUCH_QUEUE)?;
            Ok(json!({ "Attributes": attributes_of(queue, now, body) }))
        }
        "PurgeQueue" => {
            let now = world.now();
            let queue = queue(world, body)?;
            if queue.purged.is_some_and(|at| at + 60_000 > now) {
                return Err(fault::PURGE_IN_PROGRESS);
            }
            queue.purged = Some(now);
            queue.messages.clear();
            queue.seen.clear();
            Ok(json!({}))
        }
        "ListDeadLetterSourceQueues" => {
            let name = named(body)?;
            world.queues.get(&name).ok_or(fault::NO_SUCH_QUEUE)?;
            let of_it = |q: &&Queue| q.redrive.as_ref().is_some_and(|(target, _)| *target == arn(&name));
            let names = world.queues.values().filter(of_it).map(|q| url(&q.name)).collect();
            // The name of the field begins with a small letter in this operation alone.
            Ok(paged("queueUrls", names, world.page, body))
        }
        "SendMessageBatch" => sqs_batch::send(world, body, fault),
        "DeleteMessageBatch" => sqs_batch::delete(world, body, fault),
        "ChangeMessageVisibilityBatch" => sqs_batch::change_visibility(world, body, fault),
        "SendMessage" | "DeleteMessage" | "ChangeMessageVisibility" => sqs_batch::single(world, operation, body, fault),
        "StartMessageMoveTask" => moves::start(world, body),
        "ListMessageMoveTasks" => moves::list(world, body),
        "CancelMessageMoveTask" => moves::cancel(world, body),
        _ => Err(refusal("UnsupportedOperation", "The fake does not know this operation.")),
    }
}

fn paged(field: &str, names: Vec<String>, most: usize, body: &Value) -> Value {
    let from: usize = body["NextToken"].as_str().and_then(|t| t.parse().ok()).unwrap_or(0);
    let asked = body["MaxResults"].as_u64().map(|n| usize::try_from(n).expect("small"));
    let page: Vec<_> = names.iter().skip(from).take(most.min(asked.unwrap_or(1000))).collect();
    let end = from + page.len();
    let mut out = json!({ field: page });
    if end < names.len() && asked.is_some() {
        out["NextToken"] = json!(end.to_string());
    }
    out
}

/// The name in a queue URL.
pub fn named(body: &Value) -> Result<String, Refusal> {
    let name = body["QueueUrl"].as_str().and_then(|u| u.rsplit('/').next());
    name.map(Into::into).ok_or(refusal("MissingParameter", "The request must contain the parameter QueueUrl."))
}

pub fn queue<'a>(world: &'a mut World, body: &Value) -> Result<&'a mut Queue, Refusal> {
    let name = named(body)?;
    world.queues.get_mut(&name).ok_or(fault::NO_SUCH_QUEUE)
}

fn attributes_of(q: &Queue, now: u64, body: &Value) -> Value {
    let in_flight = q.messages.iter().filter(|m| m.visible > now && m.handles > 0).count();
    let delayed = q.messages.iter().filter(|m| m.visible > now && m.handles == 0).count();
    let mut all = json!({
        "QueueArn": arn(&q.name),
        "ApproximateNumberOfMessages": q.visible(now).to_string(),
        "ApproximateNumberOfMessagesNotVisible": in_flight.to_string(),
        "ApproximateNumberOfMessagesDelayed": delayed.to_string(),
        "VisibilityTimeout": (q.visibility / 1000).to_string(),
        "MessageRetentionPeriod": (q.retention / 1000).to_string(),
        "MaximumMessageSize": q.most.to_string(),
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    });
    if let Some((target, most)) = &q.redrive {
        all["RedrivePolicy"] = json!(json!({ "deadLetterTargetArn": target, "maxReceiveCount": most }).to_string());
    }
    if q.is_fifo() {
        all["FifoQueue"] = json!("true");
        all["ContentBasedDeduplication"] = json!(q.content_dedup.to_string());
    }
    let asked: Vec<_> = body["AttributeNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let all = all.as_object().expect("an object").clone();
    all.into_iter().filter(|(k, _)| asked.contains(&"All") || asked.contains(&k.as_str())).collect::<Map<_, _>>().into()
}

fn receive(shared: &Shared, body: &Value, fault: &Fault) -> Given {
    let most = usize::try_from(body["MaxNumberOfMessages"].as_u64().unwrap_or(1)).expect("small");
    if !(1..=10).contains(&most) {
        return Err(invalid(format!(
            "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        )));
    }
    let wait = body["WaitTimeSeconds"].as_u64().unwrap_or(0);
    let end = Instant::now() + Duration::from_secs(wait) / shared.world().hurry;
    loop {
        let mut world = shared.world();
        let now = world.now();
        world.queues.values_mut().for_each(|q| q.forget_expired(now));
        let q = queue(&mut world, body)?;
        let visibility = body["VisibilityTimeout"].as_u64().map_or(q.visibility, |s| s * 1000);
        let nothing = matches!(fault, Fault::Empty);
        let (mut given, dead) = match q.lease(if nothing { 0 } else { most }, visibility, now) {
            Ok(leased) => leased,
            Err(_) if wait == 0 => return Err(fault::OVER_LIMIT),
            Err(_) => (vec![], vec![]),
        };
        let target = q.redrive.as_ref().and_then(|(target, _)| Some(target.rsplit(':').next()?.to_owned()));
        let source = arn(&q.name);
        if let (Fault::Twice, Some(first)) = (fault, given.first().cloned()) {
            let m = q.messages.iter_mut().find(|m| m.id == first.id).expect("it was leased just now");
            (m.handles, m.received) = (m.handles + 1, m.received + 1);
            given.push(m.clone());
        }
        for mut m in dead {
            let to = target.as_ref().expect("only a redrive policy makes them");
            m.source = Some(source.clone());
            if to.ends_with(".fifo") {
                (m.dedup, m.sent) = (Some(m.id.clone()), 0);
            }
            world.put(to, m);
        }
        drop(world);
        if !given.is_empty() || nothing || Instant::now() >= end {
            let list: Vec<_> = given.iter().map(|m| shown(m, body, fault)).collect();
            return Ok(if list.is_empty() { json!({}) } else { json!({ "Messages": list }) });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A received message, with the attributes that were asked for.
fn shown(m: &Message, body: &Value, fault: &Fault) -> Value {
    let asked = |field: &str| -> Vec<String> {
        let list = body[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(Into::into).collect()
    };
    let mut system = json!({
        "SenderId": "AIDAFAKE",
        "SentTimestamp": m.sent.to_string(),
        "ApproximateReceiveCount": m.received.to_string(),
        "ApproximateFirstReceiveTimestamp": m.first.unwrap_or(0).to_string(),
    });
    for (name, value) in [
        ("AWSTraceHeader", &m.trace),
        ("MessageGroupId", &m.group),
        ("MessageDeduplicationId", &m.dedup),
        ("DeadLetterQueueSourceArn", &m.source),
    ] {
        if let Some(v) = value {
            system[name] = json!(v);
        }
    }
    if m.group.is_some() && m.dedup.is_some() {
        system["SequenceNumber"] = json!(format!("{:020}", m.sequence));
    }
    let wanted = [asked("MessageSystemAttributeNames"), asked("AttributeNames")].concat();
    let system: Map<_, _> = system
        .as_object()
        .expect("an object")
        .clone()
        .into_iter()
        .filter(|(k, _)| wanted.iter().any(|w| w == "All" || w == k))
        .collect();
    let mut out = json!({
        "MessageId": m.id,
        "ReceiptHandle": m.handle(),
        "MD5OfBody": if matches!(fault, Fault::WrongDigests) { digest("other") } else { digest(&m.body) },
        "Body": m.body,
        "Attributes": system,
    });
    let wanted = asked("MessageAttributeNames");
    let named = |n: &str| wanted.iter().any(|w| w == "All" || w == ".*" || w == n);
    let attributes: Attributes =
        m.attributes.iter().filter(|(n, _)| named(n)).map(|(n, a)| (n.clone(), a.clone())).collect();
    if !attributes.is_empty() {
        let wrong = matches!(fault, Fault::WrongDigests | Fault::WrongAttributeDigests);
        out["MD5OfMessageAttributes"] = json!(if wrong { digest("other") } else { attributes_digest(&attributes) });
        out["MessageAttributes"] =
            attributes.iter().map(|(n, a)| (n.clone(), written(a))).collect::<Map<_, _>>().into();
    }
    out
}

fn written(a: &Attribute) -> Value {
    match a.is_binary() {
        true => json!({ "DataType": a.kind, "BinaryValue": BASE64_STANDARD.encode(&a.value) }),
        false => json!({ "DataType": a.kind, "StringValue": String::from_utf8_lossy(&a.value) }),
    }
}
