//! The plan: what a change will do, in words and as JSON, before the question.

use std::time::Duration;

use serde_json::{Value, json};

use super::survey::Survey;
use super::{Opened, To, What, report};
use crate::broker::{Depth, Sink};
use crate::message::unwrap::Envelope;
use crate::output::{Summary, human};
use crate::replay::Treatment;
use crate::replay::report::Counted;

/// Causes and destinations that are named in words; the JSON has more.
const NAMED: usize = 8;

/// The plan in words, and as JSON.
pub(super) async fn plan(opened: &Opened<'_>, sink: &dyn Sink, survey: &Survey) -> (Summary, Value) {
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
        text.list("places", places(survey, &planned.destinations, planned.destinations_omitted));
        if planned.over_max_replays > 0 {
            text.row("left alone", format!("{} replayed too often already", human::count(planned.over_max_replays)));
        }
        if planned.unroutable > 0 {
            let why = planned.unroutable_examples.first().map_or("", |u| u.error.as_str());
            text.row("will fail", format!("{}: {why}", human::counted(planned.unroutable, "message")));
        }
    }
    let receivers = receivers_of_destination(opened, sink).await;
    text.list("received by", receivers.clone());
    if let Treatment::Replay { keep_death_headers, unwrap, .. } = &opened.treatment {
        let stripped = if *keep_death_headers { "the broker's notes" } else { "the broker's and frameworks' notes" };
        text.row(
            "changed",
            match change.server_side {
                true => "nothing: the broker moves the messages as they are".to_owned(),
                false => format!("{stripped} on the death come off; the header dlq-replay is added"),
            },
        );
        if let Some(line) = envelopes(*unwrap, survey) {
            text.row("envelopes", line);
        }
    }
    if let Some(time) = time(opened, survey) {
        text.row("takes", format!("about {}", human::duration(time)));
    }
    if change.what.removes() && !change.server_side {
        text.row("guarantee", source.capabilities().guarantee().to_owned());
    }
    for hazard in hazards(opened, survey) {
        text.note(hazard);
    }
    let value = json!({
        "verb": change.what.verb(),
        "source": source.address().shown,
        "kind": source.capabilities().kind,
        "depth": survey.depth,
        "principal": principal,
        "destination": destination,
        "destination_principal": there,
        "dry_run": change.args.safety.dry_run,
        "limit": selection.limit,
        "planned": survey.planned,
        "filter_errors": survey.filter_errors,
        "absent_paths": survey.absent,
        "places": survey.places.iter().map(|(place, receivers)| match receivers {
            Ok(receivers) => json!({ "place": place, "receivers": receivers }),
            Err(e) => json!({ "place": place, "error": e.to_string() }),
        }).collect::<Vec<_>>(),
        "guarantee": source.capabilities().guarantee(),
    });
    (text, value)
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
    let everything =
        s.program.is_none() && s.ids.is_none() && s.cause.is_none() && s.since.is_none() && s.until.is_none();
    match (everything, s.limit.or(s.scan_limit)) {
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

fn places(survey: &Survey, destinations: &[Counted], omitted: u64) -> Vec<String> {
    let mut lines = counted(destinations, omitted, "unknown");
    for (line, destination) in lines.iter_mut().zip(destinations.iter().take(NAMED)) {
        match survey.places.iter().find(|(place, _)| *place == destination.name) {
            Some((_, Ok(receivers))) if !receivers.is_empty() => {
                // The place may itself be the one queue that receives.
                let itself = format!("{}, ", destination.name);
                let who = receivers.iter().map(|r| r.strip_prefix(&itself).unwrap_or(r)).collect::<Vec<_>>();
                line.push_str(&format!(" ({})", who.join(", ")));
            }
            Some((_, Err(e))) => line.push_str(&format!(" — will fail: {e}")),
            _ => {}
        }
    }
    lines
}

/// Who else gets what is sent to the one place.
async fn receivers_of_destination(opened: &Opened<'_>, sink: &dyn Sink) -> Vec<String> {
    match &opened.change.to {
        To::Place(_) => sink.receivers().await.unwrap_or_default(),
        _ => vec![],
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
