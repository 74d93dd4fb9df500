//! Message move tasks: each look at one moves it on.

use serde_json::{Value, json};

use super::queue::Message;
use super::sqs::{Given, invalid, refusal};
use super::{Millis, World};

pub struct Move {
    handle: String,
    source: String,
    destination: Option<String>,
    rate: Option<i64>,
    status: &'static str,
    moved: u64,
    total: u64,
    started: Millis,
}

fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

pub fn start(world: &mut World, body: &Value) -> Given {
    let source = body["SourceArn"].as_str().unwrap_or_default().to_owned();
    let destination = body["DestinationArn"].as_str().map(str::to_owned);
    let rate = body["MaxNumberOfMessagesPerSecond"].as_i64();
    if !world.queues.contains_key(name(&source)) {
        return Err(refusal(
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        ));
    }
    if destination.as_ref().is_some_and(|d| !world.queues.contains_key(name(d))) {
        return Err(refusal(
            "ResourceNotFoundException",
            "The resource that you specified for the DestinationArn parameter doesn't exist.",
        ));
    }
    if !world.queues.values().any(|q| q.redrive.as_ref().is_some_and(|(target, _)| *target == source)) {
        return Err(refusal("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."));
    }
    if rate.is_some_and(|r| !(1..=500).contains(&r)) {
        return Err(invalid(
            "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500.".into(),
        ));
    }
    if world.moves.iter().any(|m| m.source == source && m.status == "RUNNING") {
        return Err(invalid(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
                .into(),
        ));
    }
    let handle = format!("task-{}", world.moves.len());
    let total = world.queues[name(&source)].messages.len() as u64;
    let started = world.now();
    world.moves.push(Move {
        handle: handle.clone(),
        source,
        destination,
        rate,
        status: "RUNNING",
        moved: 0,
        total,
        started,
    });
    Ok(json!({ "TaskHandle": handle }))
}

/// Moves `stride` messages of each running task, and then tells.
pub fn list(world: &mut World, body: &Value) -> Given {
    let source = body["SourceArn"].as_str().unwrap_or_default().to_owned();
    let mut tasks = std::mem::take(&mut world.moves);
    for task in tasks.iter_mut().filter(|t| t.source == source && t.status == "RUNNING") {
        for _ in 0..world.stride {
            let queue = world.queues.get_mut(name(&task.source)).expect("checked at the start");
            let Some(m) = (!queue.messages.is_empty()).then(|| queue.messages.remove(0)) else { break };
            let to = task.destination.clone().or_else(|| m.source.clone());
            match to.filter(|to| world.queues.contains_key(name(to))) {
                // As new: another id, another time.
                Some(to) => {
                    let moved = Message {
                        id: String::new(),
                        sent: 0,
                        received: 0,
                        visible: 0,
                        handles: 0,
                        first: None,
                        source: None,
                        ..m
                    };
                    world.put(name(&to), moved);
                    task.moved += 1;
                }
                None => {
                    world.queues.get_mut(name(&task.source)).expect("checked at the start").messages.push(m);
                    task.status = "FAILED";
                    break;
                }
            }
        }
        if task.status == "RUNNING" && world.queues[name(&task.source)].messages.is_empty() {
            task.status = "COMPLETED";
        }
    }
    world.moves = tasks;
    let most = usize::try_from(body["MaxResults"].as_u64().unwrap_or(1)).expect("small");
    let shown = |t: &Move| {
        let mut v = json!({
            "SourceArn": t.source,
            "Status": t.status,
            "ApproximateNumberOfMessagesMoved": t.moved,
            "ApproximateNumberOfMessagesToMove": t.total,
            "StartedTimestamp": t.started,
        });
        if t.status == "RUNNING" {
            v["TaskHandle"] = json!(t.handle);
        }
        if t.status == "FAILED" {
            v["FailureReason"] = json!("CouldNotDetermineMessageSource");
        }
        for (name, value) in [
            ("DestinationArn", t.destination.as_ref().map(|d| json!(d))),
            ("MaxNumberOfMessagesPerSecond", t.rate.map(|r| json!(r))),
        ] {
            if let Some(value) = value {
                v[name] = value;
            }
        }
        v
    };
    let found: Vec<_> = world.moves.iter().rev().filter(|t| t.source == source).take(most).map(shown).collect();
    Ok(json!({ "Results": found }))
}

pub fn cancel(world: &mut World, body: &Value) -> Given {
    let handle = body["TaskHandle"].as_str().unwrap_or_default();
    let task = world.moves.iter_mut().find(|t| t.handle == handle);
    let task = task.ok_or(refusal("ResourceNotFoundException", "Task does not exist."))?;
    if task.status != "RUNNING" {
        return Err(invalid("Only active tasks can be cancelled.".into()));
    }
    task.status = "CANCELLED";
    Ok(json!({ "ApproximateNumberOfMessagesMoved": task.moved }))
}
