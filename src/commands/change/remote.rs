//! `replay --server-side`: the broker moves the messages, `dlq` starts it, watches, and can cancel it.

use std::time::Duration;

use super::survey::Survey;
use super::{Change, Opened, To, plan, report};
use crate::broker::{Error, Kind, RemoteMove, RemoteMoving, RemoteProgress, RemoteState, Result};
use crate::exit::Exit;
use crate::replay::{Stopped, Tally};

/// Between two questions how far it is; the first come sooner.
const BEAT: Duration = Duration::from_secs(1);
/// Answers that may fail in a row.
const PATIENCE: u32 = 10;

/// Refuses what only a message that passes through here can be asked.
///
/// # Errors
/// `Usage`, with the flag.
pub(super) fn admit(change: &Change<'_>) -> Result<()> {
    let (s, p) = (&change.args.select, &change.args.pace);
    let replay = change.replay.as_ref();
    let headers = replay.is_some_and(|r| !r.treatment.set_header.is_empty() || !r.treatment.drop_header.is_empty());
    let given = [
        ("--filter", s.filter.is_some() || s.filter_file.is_some()),
        ("--since and --until", s.since.is_some() || s.until.is_some()),
        ("--id and --ids-from", !s.id.is_empty() || s.ids_from.is_some()),
        ("--cause", s.cause.is_some()),
        ("--limit and --scan-limit", s.limit.is_some() || s.scan_limit.is_some()),
        ("--unwrap", replay.is_some_and(|r| r.treatment.unwrap.is_some())),
        ("--map and --edit", replay.is_some_and(|r| r.edit || r.treatment.map.is_some())),
        ("--set-header and --drop-header", headers),
        ("--canary", replay.is_some_and(|r| r.canary.canary.is_some())),
        ("--watch-return", replay.is_some_and(|r| r.canary.watch_return.is_some())),
        ("--plan-out", change.args.plan.plan_out.is_some()),
        ("--hold-while-backlog", p.hold_while_backlog.is_some()),
        ("--failed-to", p.failed_to.is_some()),
        ("--concurrency", p.concurrency.is_some()),
        ("--max-failures and --on-failure", p.max_failures.is_some() || p.on_failure.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => {
            let text = format!("with --server-side the broker moves everything as it is, so {flag} cannot be kept");
            Err(Error::new(Kind::Usage, text).hint("without --server-side dlq moves the messages itself"))
        }
    }
}

/// Plans, asks, starts, follows and reports.
///
/// # Errors
/// Whatever ends it before anything was begun.
pub(super) async fn run(mut opened: Opened<'_>) -> Result<Exit> {
    let to = match &opened.change.to {
        To::Place(to) => Some(to.clone()),
        To::Origins | To::Nowhere => None,
    };
    let request = RemoteMove { to, rate: opened.rate.map(|r| r.a_second()) };
    let mut remote = opened.source.move_remotely(&request).await?;
    let mut survey = Survey::counted(opened.source.depth().await.ok());
    let known = plan::may(&opened).await;
    // Nothing goes through it: it is asked about the places the broker will send to.
    let sink = opened.sink().await?;
    survey.by_topology(&opened, &*sink).await;
    let (mut text, value) = plan::plan(&opened, &*sink, &survey, known.as_deref()).await;
    sink.leave().await?;
    for note in remote.notes() {
        text.note(note);
    }
    let ui = &opened.session.ui;
    ui.plan(&text, value.clone());
    if opened.change.args.safety.dry_run {
        report::dry_run(&opened, &survey, value)?;
        return Ok(Exit::Done);
    }
    if !opened.asked(&survey).await? {
        if opened.session.stop.is_cancelled() {
            return Ok(opened.session.stopped());
        }
        ui.warn("not done: nothing was changed");
        return Ok(Exit::Done);
    }
    opened.begin()?;
    let began = begun(&opened, remote.as_mut()).await;
    opened.recording.end_badly(opened.session, began.as_ref().err()).await;
    began?;
    let tally = follow(&opened, remote.as_mut(), survey.waiting()).await;
    let exit = tally.exit(opened.session.stopped());
    report::ended(&opened, tally, exit).await?;
    Ok(exit)
}

/// Starts it; a run that is taken up again goes on with what the broker has been doing since.
async fn begun(opened: &Opened<'_>, remote: &mut dyn RemoteMoving) -> Result<()> {
    if opened.change.args.resumes.is_some() && remote.take_up().await? {
        opened.session.ui.notice("the move that was begun before is still going on");
        return Ok(());
    }
    remote.start().await
}

/// Until it is over, or nothing can be learned of it any more.
async fn follow(opened: &Opened<'_>, remote: &mut dyn RemoteMoving, total: Option<u64>) -> Tally {
    let session = opened.session;
    let bar = session.ui.progress(total, "replaying");
    session.signals.unknown(|| "the broker goes on moving messages by itself".to_owned());
    let (mut last, mut failures, mut cancelled, mut pause) = (RemoteProgress::default(), 0, false, BEAT / 8);
    let error = loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = session.stop.cancelled(), if !cancelled => {
                cancelled = true;
                if let Err(e) = remote.cancel().await {
                    session.ui.error(&e);
                }
            }
        }
        pause = (pause * 2).min(BEAT);
        match remote.progress().await {
            Ok(now) => {
                bar.inc(now.moved.saturating_sub(last.moved));
                now.of.into_iter().for_each(|of| bar.set_total(of));
                failures = 0;
                last = now;
            }
            Err(e) => {
                failures += 1;
                if failures >= PATIENCE {
                    break Some(Error::new(Kind::Indeterminate, "how far the broker is cannot be learned").because(e));
                }
            }
        }
        match &last.state {
            RemoteState::Running => {}
            RemoteState::Done | RemoteState::Cancelled => break None,
            RemoteState::Failed(why) => break Some(Error::new(Kind::Other, format!("the move broke off: {why}"))),
        }
    };
    bar.finish();
    let mut tally = Tally {
        read: last.moved,
        selected: last.moved,
        moved: last.moved,
        // The broker leaves no mark.
        unmarked: last.moved,
        ..Tally::default()
    };
    match (error, &last.state) {
        (Some(e), _) => tally.end(Stopped::Error, Some(e)),
        (None, RemoteState::Cancelled) if cancelled => tally.end(Stopped::Signal, None),
        (None, RemoteState::Cancelled) => {
            tally.end(Stopped::Error, Some(Error::new(Kind::Other, "somebody else has cancelled the move")));
        }
        (None, _) => {}
    }
    if let (Some(of), true) = (last.of, tally.error.is_none() && tally.stopped.is_none())
        && of > last.moved
    {
        tally.closed.cut = Some(format!("the broker moved {} of about {of}", last.moved));
    }
    tally
}
