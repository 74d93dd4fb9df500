//! `dlq sample Q -n N`.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::looking::{Printing, Unprinted, ended, open};
use super::selecting;
use super::session::Session;
use crate::broker::{Result, ScanRequest};
use crate::cli;
use crate::exit::Exit;
use crate::filter::Program;
use crate::message::DeadLetter;
use crate::output::human;
use crate::replay::{Looked, look};
use crate::select::sample::{Groups, MAX_GROUPS, Sampler};

/// Take a uniform random sample in one pass.
///
/// Every selected message has the same chance. With --by, N messages of each group. Says how much of the queue was seen.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Sample each group evenly; a group is what this jq expression gives
    #[arg(long, value_name = "JQ")]
    pub by: Option<String>,
    /// The same seed gives the same sample of the same queue
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub(crate) look: cli::Looking,
}

/// Messages of a sample where nothing says how many.
const SAMPLED: u64 = 10;

/// Takes the sample and prints it.
///
/// # Errors
/// Whatever keeps the queue from being opened or standard output from being written.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let mut selection = selecting::selection(&args.look.select, None, &args.queue, &session.ui)?;
    let n = selection.limit.take().unwrap_or(SAMPLED);
    let by = args.by.as_deref().map(|by| selecting::program(by, &args.look.select)).transpose()?;
    let printing = Printing::new(session, &args.look.print, &args.look.select, false)?;
    let selection = Arc::new(selection);
    let source = open(session, &args.queue, &args.look).await?;
    let total = source.depth().await.ok().and_then(|d| d.waiting());
    let seed = args.seed.unwrap_or_else(rand::random);
    let mut drawn = Drawn::new(by, usize::try_from(n).unwrap_or(usize::MAX), seed);
    let progress = session.ui.progress(total, "sampling");
    let request = ScanRequest { takes: false, at_most: None, again: false };
    let looked = look(&*source, &selection, request, &session.stop, |judged| {
        progress.inc(judged.batch.deliveries.len() as u64);
        judged.selected().for_each(|m| drawn.offer(m));
        ControlFlow::Continue(())
    })
    .await;
    progress.finish();
    let (sampled, groups) = drawn.print(session, &printing, &looked, total, seed)?;
    let exit = ended(session, &selection, &looked, &sampled, args.look.select.strict);
    selecting::say_missing(&selection, looked.read, &session.ui);
    groups.iter().for_each(|note| session.ui.notice(note));
    Ok(exit)
}

/// One reservoir, or one a group.
enum Reservoirs {
    One(Box<Sampler>),
    Each(Program, Groups),
}

struct Drawn {
    reservoirs: Reservoirs,
    unprinted: Unprinted,
}

impl Drawn {
    fn new(by: Option<Program>, n: usize, seed: u64) -> Self {
        let reservoirs = match by {
            None => Reservoirs::One(Box::new(Sampler::new(n, seed))),
            Some(by) => Reservoirs::Each(by, Groups::new(n, seed)),
        };
        Drawn { reservoirs, unprinted: Unprinted::default() }
    }

    fn offer(&mut self, m: &DeadLetter) {
        match &mut self.reservoirs {
            Reservoirs::One(sampler) => sampler.offer(m),
            Reservoirs::Each(by, groups) => {
                let mut name = vec![];
                match by.print(m, true, b" ", &mut name) {
                    Ok(()) => groups.offer(String::from_utf8_lossy(name.trim_ascii_end()).as_ref(), m),
                    Err(e) => self.unprinted.add(m, e),
                }
            }
        }
    }

    /// Prints what was drawn and says what it stands for.
    fn print(
        self,
        session: &Session,
        printing: &Printing,
        looked: &Looked,
        total: Option<u64>,
        seed: u64,
    ) -> Result<(Unprinted, Vec<String>)> {
        let mut unprinted = self.unprinted;
        let mut notes = vec![];
        let messages = match self.reservoirs {
            Reservoirs::One(sampler) => sampler.finish(),
            Reservoirs::Each(_, groups) => {
                let left_out = groups.left_out();
                let groups = groups.finish();
                notes.push(format!("{} found", human::counted(groups.len() as u64, "group")));
                if left_out > 0 {
                    let n = human::counted(left_out, "message");
                    notes.push(format!("only the first {MAX_GROUPS} groups are kept: {n} of others were left out"));
                }
                groups.into_iter().flat_map(|(_, _, messages)| messages).collect()
            }
        };
        let of = total.map_or_else(String::new, |n| format!(" of {} in the queue", human::count(n)));
        notes.push(format!(
            "{} drawn from {} selected; {} read{of}; --seed {seed} draws them again",
            human::counted(messages.len() as u64, "message"),
            human::count(looked.selected),
            human::count(looked.read),
        ));
        let (mut writer, mut out) = (printing.writer(), vec![]);
        for m in &messages {
            printing.through(&mut writer, m, &mut out, &mut unprinted);
        }
        notes.extend(writer.finish(&mut out));
        let mut data = session.ui.data();
        data.write(&out)?;
        data.finish()?;
        Ok((unprinted, notes))
    }
}
