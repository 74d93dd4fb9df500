//! `dlq watch Q…`.

mod condition;
mod hook;
mod queue;
mod until;
mod view;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::session::{self, Opening, Session};
use crate::broker::{Error, Kind, Result};
use crate::cli;
use crate::exit::Exit;
use crate::output::human;
use crate::output::watch::Watched;
use condition::Condition;
use hook::{Hook, Worker};
use queue::{Queue, Said};
use until::Until;
use view::View;

/// A line is printed after so long even where nothing has changed.
const SILENCE: Duration = Duration::from_secs(60);
/// The live table is drawn as often, so that ages and the size of the terminal are those of now.
const FRAME: Duration = Duration::from_millis(500);

/// Watch how many messages there are, how old, and how that changes.
///
/// On a terminal a table is drawn anew with every reading; elsewhere a line is printed for each change, and with -o jsonl an object
/// for each reading. Ctrl-C ends it (exit 130). No message is touched. A broker that goes away is said once, and tried again.
///
/// With --until it ends (exit 0) as soon as the condition holds for all queues; --timeout is then the longest wait for that,
/// after which it fails (exit 1). A condition is written depth<10, depth>=1000, age>1h or empty; one that a queue does not tell
/// never holds.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queues
    #[arg(value_name = "QUEUE", required = true)]
    pub queues: Vec<String>,
    /// Time between two readings (2s; 10s where counts are estimates, as on SQS, where each reading is a request)
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub interval: Option<Duration>,
    /// End when nothing waits in any of the queues, nor is held or delayed
    #[arg(long, conflicts_with = "until")]
    pub until_empty: bool,
    /// End when this holds for all queues: depth<10, age<=5m
    #[arg(long, value_name = "CONDITION", value_parser = Condition::parse)]
    pub until: Option<Condition>,
    /// It must have held for so long; where counts are estimates that lag behind, 30s unless said otherwise
    #[arg(long = "for", value_name = "DURATION", value_parser = cli::duration)]
    pub hold: Option<Duration>,
    /// What --exec is told of, for each queue: depth>=1000, age>1h
    #[arg(long, value_name = "CONDITION", value_parser = Condition::parse, requires = "exec")]
    pub when: Option<Condition>,
    /// Run this when --when is met, and again when it no longer is, with {event, queue, depth, oldest, sample, ...} on its standard
    /// input; words are split as by a shell, without one
    #[arg(long, value_name = "COMMAND", requires = "when")]
    pub exec: Option<String>,
    /// Longest such a command may run before it is killed
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = cli::duration)]
    pub exec_timeout: Duration,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
}

fn interval(text: &str) -> Result<Duration, String> {
    match cli::duration(text)? {
        d if d < Duration::from_millis(100) => Err("a queue is read every 100ms at most".into()),
        d => Ok(d),
    }
}

/// Watches until told to stop, or until the condition holds.
///
/// # Errors
/// A wrong address or command; that none of the queues can be read at the start; `Timeout` where the condition did not come true.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let addresses = args.queues.iter().map(|q| session.address(q, &args.connection)).collect::<Result<Vec<_>>>()?;
    let wanted = if args.until_empty { Some(Condition::Empty) } else { args.until.clone() };
    if args.hold.is_some() && wanted.is_none() {
        return Err(Error::new(Kind::Usage, "--for says how long a condition must hold, and there is none")
            .hint("add --until 'depth<10' or --until-empty"));
    }
    let hook = args.exec.as_deref().map(|text| Hook::parse(text, args.exec_timeout)).transpose()?;
    let mut view = View::open(session, wanted.as_ref())?;
    let mut context = session.context(Opening::default());
    // What is told with each opening would be told with each return of a broker.
    let detail = session.ui.clone();
    context.notice = std::sync::Arc::new(move |text| detail.detail(&text));
    let deadline = wanted.as_ref().and(session.given).map(|limit| (Instant::now() + limit, limit));
    if deadline.is_some() {
        context.timeout = context.timeout.min(session::TIMEOUT);
    }
    let (tell, mut hear) = mpsc::channel(64);
    for (place, address) in addresses.iter().enumerate() {
        let (address, context) = (address.clone(), context.clone());
        let queue = Queue { address, interval: args.interval, when: args.when.clone(), context, place };
        tokio::spawn(queue.watch(tell.clone()));
    }
    drop(tell);
    let mut watch = Watch {
        rows: addresses.iter().map(|a| Watched::new(a.shown.clone())).collect(),
        until: wanted.map(|wanted| Until::new(wanted, args.hold, addresses.len())),
        hook: hook.map(|hook| hook.start(&session.ui, &session.stop)),
        printed: vec![None; addresses.len()],
        session,
    };
    let ended = watch.listen(&mut hear, &mut view, deadline).await;
    view.close(&watch.rows, &session.ui)?;
    if let Some(hook) = watch.hook {
        hook.close().await;
    }
    ended
}

struct Watch<'a> {
    rows: Vec<Watched>,
    until: Option<Until>,
    hook: Option<Worker>,
    /// When a line was printed last.
    printed: Vec<Option<Instant>>,
    session: &'a Session,
}

impl Watch<'_> {
    async fn listen(
        &mut self,
        hear: &mut mpsc::Receiver<(usize, Said)>,
        view: &mut View,
        deadline: Option<(Instant, Duration)>,
    ) -> Result<Exit> {
        let mut frames = tokio::time::interval(FRAME);
        let never = Instant::now() + Duration::from_secs(365 * 24 * 3600);
        loop {
            tokio::select! {
                biased;
                () = self.session.stop.cancelled() => return Ok(self.session.stopped()),
                () = tokio::time::sleep_until(deadline.map_or(never, |(at, _)| at)) => {
                    return Err(self.too_late(deadline.map_or(Duration::ZERO, |(_, limit)| limit)));
                }
                said = hear.recv() => match said {
                    Some((place, said)) => self.take(place, said, view)?,
                    None => return Ok(self.session.stopped()),
                },
                _ = frames.tick() => view.draw(&self.rows, &self.session.ui)?,
            }
            if let Some(until) = &self.until
                && until.is_met(Instant::now())
            {
                self.session.ui.notice(&format!("{} holds{}", until.wanted, until.everywhere()));
                return Ok(Exit::Done);
            }
        }
    }

    fn take(&mut self, place: usize, said: Said, view: &mut View) -> Result<()> {
        let now = queue::now();
        let row = &mut self.rows[place];
        match said {
            Said::Read { at, depth, every, event } => {
                if let (Some(hook), Some(event)) = (&self.hook, event) {
                    hook.tell(event);
                }
                let ui = &self.session.ui;
                if let Some((since, _)) = &row.lost {
                    ui.notice(&format!("{} is back, after {}", row.queue, human::age(*since, now)));
                }
                let first = row.last.is_none();
                if let Some(until) = &mut self.until {
                    until.take(place, &row.queue, &depth, at, first)?.iter().for_each(|note| ui.notice(note));
                }
                let changed = row.read(at, depth);
                let silent = self.printed[place].is_none_or(|at| at.elapsed() >= SILENCE);
                if first && every > Duration::from_secs(2) {
                    ui.detail(&format!("{} is read every {}", row.queue, human::duration(every)));
                }
                if view.wants(changed || silent) {
                    self.printed[place] = Some(Instant::now());
                    view.print(row, now, ui)?;
                }
            }
            Said::Lost(e) => {
                if let Some(until) = &mut self.until {
                    until.lose(place);
                }
                let text = e.to_string();
                let new = row.lose(now, text);
                if row.last.is_none() {
                    self.not_begun(e, new)?;
                } else if new {
                    self.session.ui.warn(&format!("{} cannot be read for now, and is tried again: {e}", row.queue));
                }
                if view.wants(false) {
                    view.print(&self.rows[place], now, &self.session.ui)?;
                }
            }
        }
        view.draw(&self.rows, &self.session.ui)
    }

    /// A queue that could not be read from the start. Where that is all of them, or the address is wrong, it is the end.
    fn not_begun(&self, e: Error, new: bool) -> Result<()> {
        if e.kind() == Kind::Usage || self.rows.iter().all(|r| r.last.is_none() && r.lost.is_some()) {
            return Err(e);
        }
        if new {
            self.session.ui.error(&e);
        }
        Ok(())
    }

    fn too_late(&self, limit: Duration) -> Error {
        let wanted = self.until.as_ref().map_or_else(String::new, |u| u.wanted.to_string());
        let now: Vec<String> = self
            .rows
            .iter()
            .map(|r| match (&r.lost, &r.last) {
                (Some((_, why)), _) => format!("{} cannot be read: {why}", r.queue),
                (None, Some((_, d))) => format!("{} has {} waiting", r.queue, human::known(d.waiting())),
                (None, None) => format!("{} has not answered", r.queue),
            })
            .collect();
        let text = format!("{wanted} did not come true within {}: {}", human::duration(limit), now.join(", "));
        Error::new(Kind::Timeout, text)
    }
}
