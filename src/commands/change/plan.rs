//! The plan: what a change will do, in words and as JSON, before the question.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::survey::{Place, Survey};
use super::{Opened, To, What, report};
use crate::broker::{Ability, Answer, Depth, Error, Finding, Sink};
use crate::message::unwrap::Envelope;
use crate::output::{Summary, human};
use crate::replay::Treatment;
use crate::replay::change::By;
use crate::replay::change::preview::Difference;
use crate::replay::report::Counted;

/// Causes and destinations that are named in words; the JSON has more.
const NAMED: usize = 8;

/// In words, and as JSON.
type Plan = (Summary, Value);

/// The plan in words, and as JSON.
///
/// `known`: what is for and against it at the queue.
pub(super) async fn plan(opened: &Opened<'_>, sink: &dyn Sink, survey: &Survey, known: Option<&[Finding]>) -> Plan {
    let Opened { change, source, selection, .. } = opened;
    let destination = destination(opened, sink);
    let mut text = Summary::new(format!("{} from {}", change.what.verb(), source.address()));
    text.row("queue", queue(source.capabilities().kind, survey.depth.as_ref()));
    let principal = source.principal();
    if let Some(principal) = &principal {
        text.row("as", principal.clone());
    }
    text.row("to", destination.clone());
    let there = sink.principal().filter(|there| Some(there) != principal.as_ref());
    if let Some(there) = &there {
        text.row("there as", there.clone());
    }
    text.row("selected", selected(opened, survey));
    if let Some(planned) = &survey.planned {
        text.list("causes", counted(&planned.causes, planned.causes_omitted, "no cause known"));
        text.list("places", places(opened, survey, &planned.destinations, planned.destinations_omitted));
        let failed = counted(&planned.groups, planned.groups_omitted, "unknown");
        text.list("failed in", failed.into_iter().map(|line| line.replacen("× ", "× group ", 1)));
        if planned.over_max_replays > 0 {
            text.row("left alone", format!("{} replayed too often already", human::count(planned.over_max_replays)));
        }
        if planned.unroutable > 0 {
            let why = planned.unroutable_examples.first().map_or("", |u| u.error.as_str());
            text.row("will fail", format!("{}: {why}", human::counted(planned.unroutable, "message")));
        }
    } else {
        let besides = |place: &Place| format!("{}, by topology{}", place.0, receiving(opened, place));
        text.list("places", survey.places.iter().map(besides));
    }
    let (receivers, there_may) = at_destination(opened, sink, survey).await;
    let weighed = Weighed::new(opened, survey, known, &there_may);
    text.list("received by", receivers.clone());
    let changed = changed(opened);
    if let Some(changed) = changed {
        text.row("changed", changed);
    }
    if let Treatment::Replay { unwrap, .. } = &opened.treatment
        && let Some(line) = envelopes(*unwrap, survey)
    {
        text.row("envelopes", line);
    }
    text.list("on the way", on_the_way(opened, survey));
    let left_out = survey.left_out.iter().map(|(what, n)| format!("{what}: {}", human::counted(*n, "message")));
    text.list("left out", left_out);
    text.list("pace", pace(opened));
    if let Some(wait) = survey.canary_wait {
        let n = human::counted(survey.canary.len() as u64, "message");
        let then = "the rest follows only where they were consumed and none came back";
        text.row("canary", format!("{n} first, then a wait of {}; {then}", human::duration(wait)));
    }
    if let Some(time) = time(opened, survey) {
        text.row("takes", format!("about {}", human::duration(time)));
    }
    text.list("limits", limits(survey, &weighed));
    text.list("stopped by", weighed.against.clone());
    text.list("harm", weighed.harm.clone());
    if change.what.removes() && !change.server_side {
        text.row("guarantee", source.guarantee(sink.capabilities()));
    }
    let hazards = hazards(opened, survey);
    for hazard in &hazards {
        text.note(hazard.clone());
    }
    let shown = survey.preview.iter().flat_map(|p| &p.examples);
    for Difference { id, diff } in shown {
        text.list("diff", std::iter::once(format!("message {id}")).chain(diff.lines().map(str::to_owned)));
    }
    let value = json!({
        "verb": change.what.verb(),
        "source": source.address().shown,
        "kind": source.capabilities().kind,
        "depth": survey.depth,
        "principal": principal,
        "destination": destination,
        "destination_principal": there,
        "receivers": receivers,
        "may": known.map(|known| known.iter().chain(&weighed.age).collect::<Vec<_>>()),
        "destination_may": there_may,
        "stopped_by": weighed.against,
        "harm": weighed.harm,
        "hazards": hazards,
        "dry_run": change.args.safety.dry_run,
        "limit": selection.limit,
        "planned": survey.planned,
        "filter_errors": survey.filter_errors,
        "absent_paths": survey.absent,
        "places": survey.places.iter().map(|(place, receivers, may)| match receivers {
            Ok(receivers) => json!({ "place": place, "receivers": receivers, "may": may }),
            Err(e) => json!({ "place": place, "error": e.to_string() }),
        }).collect::<Vec<_>>(),
        "guarantee": source.guarantee(sink.capabilities()),
        "changed": changed,
        "changes": survey.preview,
        "refused": survey.refused,
        "refused_examples": survey.refused_examples,
        "left_out": survey.left_out,
        "unmarked": survey.unmarked,
        "rate": opened.rate.map(|r| r.to_string()),
        "hold_while_backlog": change.args.pace.hold_while_backlog,
        "takes_seconds": time(opened, survey).map(|t| t.as_secs()),
        "canary": survey.canary_wait.map(|wait| json!({ "messages": survey.canary, "wait_seconds": wait.as_secs() })),
    });
    (text, value)
}

/// What is known for and against it at the queue; `None` where nobody is going to weigh it.
pub(super) async fn may(opened: &Opened<'_>) -> Option<Vec<Finding>> {
    let safety = &opened.change.args.safety;
    if safety.yes && !safety.dry_run {
        return None;
    }
    let ability = if opened.change.what.removes() { Ability::Remove } else { Ability::Look };
    Some(opened.source.can(ability).await)
}

/// The plan as far as it goes without a look at the messages, where that look or the destination is refused.
pub(super) fn stopped(
    opened: &Opened<'_>,
    sink: &dyn Sink,
    known: &[Finding],
    refusal: Option<&Error>,
) -> Option<Plan> {
    let mut weighed = Weighed::default();
    weighed.add(known);
    weighed.against.extend(refusal.map(|e| format!("the destination: {e}")));
    if weighed.against.is_empty() {
        return None;
    }
    let Opened { change, source, .. } = opened;
    let (destination, principal) = (destination(opened, sink), source.principal());
    let mut text = Summary::new(format!("{} from {}", change.what.verb(), source.address()));
    text.row("queue", source.capabilities().kind);
    if let Some(principal) = &principal {
        text.row("as", principal.clone());
    }
    text.row("to", destination.clone());
    text.list("stopped by", weighed.against.clone());
    text.list("harm", weighed.harm.clone());
    let value = json!({
        "verb": change.what.verb(),
        "source": source.address().shown,
        "kind": source.capabilities().kind,
        "principal": principal,
        "destination": destination,
        "dry_run": change.args.safety.dry_run,
        "may": known,
        "stopped_by": weighed.against,
        "harm": weighed.harm,
    });
    Some((text, value))
}

/// What is known for and against it, sorted by what becomes of it.
#[derive(Default)]
struct Weighed {
    against: Vec<String>,
    harm: Vec<String>,
    limits: Vec<String>,
    /// What the age of the messages that were read comes to.
    age: Option<Finding>,
}

impl Weighed {
    fn new(opened: &Opened<'_>, survey: &Survey, known: Option<&[Finding]>, there: &[Finding]) -> Weighed {
        let age = opened.source.retention().zip(survey.expiring.as_ref());
        let age = age.map(|(kept, e)| e.finding(kept, time(opened, survey), Timestamp::now()));
        let mut weighed = Weighed { age: age.clone(), ..Weighed::default() };
        weighed.add(known.unwrap_or_default());
        weighed.add(age.as_slice());
        weighed.add(there);
        survey.places.iter().for_each(|(.., may)| weighed.add(may));
        weighed
    }

    /// Several places may have the same against them.
    fn add(&mut self, found: &[Finding]) {
        for finding in found {
            let list = match finding.answer {
                Answer::No => &mut self.against,
                Answer::Harm => &mut self.harm,
                Answer::Yes if finding.worth_saying => &mut self.limits,
                Answer::Yes | Answer::Unknown => continue,
            };
            let line = format!("{}: {}", finding.about, finding.because);
            if !list.contains(&line) {
                list.push(line);
            }
        }
    }
}

/// What some messages, or all, are in danger of.
fn limits(survey: &Survey, weighed: &Weighed) -> Vec<String> {
    let mut lines = vec![];
    if survey.refused > 0 {
        lines.push(format!("{} will not get through", human::counted(survey.refused, "message")));
        lines.extend(survey.refused_examples.iter().map(|f| format!("{}: {}", f.id, f.error)));
    }
    lines.extend(weighed.limits.iter().cloned());
    lines
}

/// What comes off and what is added, by itself.
fn changed(opened: &Opened<'_>) -> Option<&'static str> {
    match opened.treatment {
        Treatment::Verbatim => None,
        _ if opened.change.server_side => Some("nothing: the broker moves the messages as they are"),
        Treatment::Replay { keep_death_headers: true, .. } => {
            Some("the broker's notes on the death come off; the header dlq-replay is added")
        }
        Treatment::Replay { .. } => {
            Some("the broker's and frameworks' notes on the death come off; the header dlq-replay is added")
        }
    }
}

/// What is changed besides, and in how many messages.
fn on_the_way(opened: &Opened<'_>, survey: &Survey) -> Vec<String> {
    let Some(changes) = opened.changes() else { return vec![] };
    let mut lines = vec![];
    match &changes.by {
        None => {}
        Some(By::Map(_)) => lines.push("the expression of --map is applied".to_owned()),
        Some(By::Edits(_)) => lines.push("as edited".to_owned()),
    }
    lines.extend(changes.drop.iter().map(|name| format!("the header {name} comes off")));
    lines.extend(changes.set.iter().map(|(name, value)| format!("the header {name} is set to {value}")));
    if let Some(preview) = &survey.preview {
        let unchanged = if preview.unchanged == 0 {
            String::new()
        } else {
            format!(", {} stay as they are", human::count(preview.unchanged))
        };
        lines.push(format!("{} changed{unchanged}", human::counted(preview.changed, "message")));
    }
    lines
}

/// What bounds it.
fn pace(opened: &Opened<'_>) -> Vec<String> {
    let pace = &opened.change.args.pace;
    let rate = opened.rate.map(|r| format!("at most {r}"));
    let hold = pace
        .hold_while_backlog
        .map(|n| format!("nothing is sent while more than {} wait at the destination", human::counted(n, "message")));
    let failures =
        pace.max_failures.map(|n| format!("stopped as soon as more than {} failed", human::counted(n, "message")));
    rate.into_iter().chain(hold).chain(failures).collect()
}

/// The question behind the plan.
pub(super) fn question(opened: &Opened<'_>, survey: &Survey) -> String {
    let how_many = match (&survey.planned, &survey.depth) {
        (Some(planned), _) => human::counted(planned.selected, "message"),
        (None, Some(Depth { ready: Some(n), .. })) if opened.whole => {
            format!("about {}, and whatever arrives meanwhile", human::counted(*n, "message"))
        }
        _ => "what is selected".to_owned(),
    };
    let verb = opened.change.what.verb();
    let mut letters = verb.chars();
    let capital = letters.next().map_or(String::new(), |c| c.to_uppercase().chain(letters).collect());
    match opened.change.what {
        What::Purge => format!("{capital} {how_many} from {}?", opened.source.address()),
        _ => format!("{capital} {how_many}?"),
    }
}

/// How many are envelopes, and what becomes of those.
fn envelopes(unwrap: Option<&Envelope>, survey: &Survey) -> Option<String> {
    let counted = |n| human::counted(n, "message");
    match (unwrap, survey.planned.as_ref().map(|p| p.enveloped)) {
        (None, None | Some(0)) => None,
        (None, Some(n)) => Some(format!("{} in one, which they keep; --unwrap sends what is inside", counted(n))),
        (Some(e), None) => Some(format!("{} envelopes are taken off: what is inside is sent", e.name)),
        (Some(e), Some(n)) => Some(format!("{} in an {} envelope: what is inside is sent", counted(n), e.name)),
    }
}

fn destination(opened: &Opened<'_>, sink: &dyn Sink) -> String {
    match &opened.change.to {
        To::Origins => "where each message came from".to_owned(),
        To::Place(_) if sink.shown() != "nowhere" => sink.shown().to_owned(),
        To::Place(to) => to.shown.clone(),
        To::Nowhere => "nowhere: no archive is written, and what is removed is gone".to_owned(),
    }
}

fn queue(kind: &str, depth: Option<&Depth>) -> String {
    let Some(depth) = depth else { return kind.to_owned() };
    let mut text = format!("{kind}, {} ready", human::known(depth.waiting()));
    if let Some(n) = depth.in_flight.filter(|n| *n > 0) {
        text.push_str(&format!(", {} held by consumers, which are not seen", human::count(n)));
    }
    text
}

fn selected(opened: &Opened<'_>, survey: &Survey) -> String {
    if let Some(planned) = &survey.planned {
        let mut text = format!("{} of {} read", human::count(planned.selected), human::count(planned.read));
        if survey.filter_errors > 0 {
            text.push_str(&format!(", the expression failed on {}", human::count(survey.filter_errors)));
        }
        return text;
    }
    let s = &opened.selection;
    match (s.takes_all(), s.limit.or(s.scan_limit)) {
        (true, None) => "everything that is there at the start".to_owned(),
        (true, Some(n)) => format!("the first {}", human::count(n)),
        (false, _) => "decided as the messages are read".to_owned(),
    }
}

fn counted(list: &[Counted], omitted: u64, unknown: &str) -> Vec<String> {
    let mut lines: Vec<String> = list
        .iter()
        .take(NAMED)
        .map(|c| {
            let name = if c.name.is_empty() { unknown } else { &c.name };
            let space = if c.detail.is_empty() { "" } else { " " };
            format!("{} × {name}{space}{}", human::count(c.count), c.detail)
        })
        .collect();
    let more = list.len().saturating_sub(NAMED) as u64 + omitted;
    if more > 0 {
        lines.push(format!("and {} more", human::count(more)));
    }
    lines
}

fn places(opened: &Opened<'_>, survey: &Survey, destinations: &[Counted], omitted: u64) -> Vec<String> {
    let mut lines = counted(destinations, omitted, "unknown");
    for (line, destination) in lines.iter_mut().zip(destinations.iter().take(NAMED)) {
        if let Some(place) = survey.places.iter().find(|(place, ..)| *place == destination.name) {
            line.push_str(&receiving(opened, place));
        }
    }
    lines
}

/// Who receives there, or why it cannot be used.
fn receiving(opened: &Opened<'_>, (place, receivers, _): &Place) -> String {
    match receivers {
        Ok(receivers) if receivers.is_empty() => String::new(),
        Ok(receivers) => {
            // The place may itself be the one queue that receives.
            let itself = format!("{place}, ");
            let who = receivers.iter().map(|r| r.strip_prefix(&itself).unwrap_or(r)).collect::<Vec<_>>();
            format!(" ({})", who.join(", "))
        }
        // What we may not look at, the broker may send to.
        Err(e) if opened.change.server_side => format!(" — cannot be looked at: {e}"),
        Err(e) => format!(" — will fail: {e}"),
    }
}

/// Who else gets what is sent to the one place, and what is for and against sending there.
async fn at_destination(opened: &Opened<'_>, sink: &dyn Sink, survey: &Survey) -> (Vec<String>, Vec<Finding>) {
    match &opened.change.to {
        To::Place(_) => {
            let load = survey.load(&opened.selection);
            let (receivers, found) = tokio::join!(sink.receivers(), sink.can(None, load));
            (receivers.unwrap_or_default(), found)
        }
        _ => (vec![], vec![]),
    }
}

fn time(opened: &Opened<'_>, survey: &Survey) -> Option<Duration> {
    let rate = opened.rate.as_ref()?;
    let many = match &survey.planned {
        Some(planned) => planned.selected,
        None => survey.waiting()?,
    };
    Some(rate.takes(many)).filter(|t| t.as_secs() > 0)
}

fn hazards(opened: &Opened<'_>, survey: &Survey) -> Vec<String> {
    // The look of a survey has said them.
    let mut notes = if survey.planned.is_some() || opened.change.server_side || opened.whole {
        vec![]
    } else {
        opened.source.capabilities().notices()
    };
    if opened.change.what.removes() {
        notes.extend(opened.source.besides(opened.change.what == What::Purge));
    }
    if opened.whole {
        notes.extend(opened.source.whole_purge_notes());
    }
    let claim_checks = survey.planned.as_ref().map_or(0, |p| p.claim_checks);
    if opened.change.what == What::Purge && claim_checks > 0 {
        notes.push(report::left_behind(claim_checks));
    }
    notes
}
