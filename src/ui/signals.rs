//! Ctrl-C, SIGTERM and a terminal that is closed: the first stops in order, the second at once.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::{Ui, lock};
use crate::broker::{Error, Kind, Result};
use crate::exit::Exit;

type Tell = Box<dyn Fn() -> String + Send>;

/// Which signal came, and what to say if a second one does.
#[derive(Clone, Default)]
pub struct Signals {
    got: Arc<AtomicU8>,
    unknown: Arc<Mutex<Option<Tell>>>,
    /// Another program has the terminal.
    lent: Arc<AtomicBool>,
}

/// While it lives Ctrl-C is for another program at the same terminal.
#[must_use]
pub struct Lent(Arc<AtomicBool>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What a signal leads to.
#[derive(Debug, PartialEq, Eq)]
enum Act {
    /// The first: stop in order.
    Stop,
    /// Any more: end now, saying what is unknown.
    End(String),
    /// It was for somebody else.
    Nothing,
}

impl Signals {
    /// Listens from now on, on a thread of its own: the second signal must be heard when everything else hangs.
    ///
    /// # Errors
    /// `Other` where the system refuses a handler or a thread.
    pub fn listen(ui: &Ui, stop: &CancellationToken) -> Result<Signals> {
        let refused = |e: std::io::Error| Error::new(Kind::Other, "signals cannot be listened to").because(e);
        let signals = Signals::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(refused)?;
        let mut source = {
            let _inside = runtime.enter();
            Source::open().map_err(refused)?
        };
        let (ui, stop, state) = (ui.clone(), stop.clone(), signals.clone());
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        let exit = source.next().await;
                        match state.on(exit) {
                            Act::Stop => {
                                ui.notice_stop("stopping: finishing what is in flight; Ctrl-C again stops at once");
                                stop.cancel();
                            }
                            Act::End(text) => {
                                ui.drop_bar();
                                ui.notice_stop(&text);
                                end(exit)
                            }
                            Act::Nothing => {}
                        }
                    }
                });
            })
            .map_err(refused)?;
        Ok(signals)
    }

    /// The exit code of the signal that came, if one did.
    pub fn received(&self) -> Option<Exit> {
        match self.got.load(Ordering::Acquire) {
            130 => Some(Exit::Interrupted),
            143 => Some(Exit::Terminated),
            _ => None,
        }
    }

    /// From now on a second signal says this: what was sent and not yet answered, in a sentence or two. Must not block.
    pub fn unknown(&self, tell: impl Fn() -> String + Send + 'static) {
        *lock(&self.unknown) = Some(Box::new(tell));
    }

    /// Until what this gives is dropped, Ctrl-C is not heeded: in an editor it ends no more than a command of the editor's.
    pub fn lend(&self) -> Lent {
        self.lent.store(true, Ordering::Release);
        Lent(Arc::clone(&self.lent))
    }

    fn on(&self, exit: Exit) -> Act {
        if exit == Exit::Interrupted && self.lent.load(Ordering::Acquire) {
            return Act::Nothing;
        }
        if self.got.compare_exchange(0, exit as u8, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return Act::Stop;
        }
        let rest = match &*lock(&self.unknown) {
            Some(tell) => tell(),
            None => "nothing was being changed".into(),
        };
        Act::End(format!("stopped at once: {rest}"))
    }
}

#[expect(clippy::exit, reason = "a second signal must end the process even where a task hangs")]
fn end(exit: Exit) -> ! {
    std::process::exit(i32::from(exit as u8))
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// The terminal is closed. None under `nohup`, which is to be heeded.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Source {
    fn open() -> std::io::Result<Source> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Source {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if heeds_hangup() { Some(signal(SignalKind::hangup())?) } else { None },
        })
    }

    async fn next(&mut self) -> Exit {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = hangup => Exit::Terminated,
        }
    }
}

/// Whether whoever started this lets SIGHUP through, as `proc(5)` tells. Where it cannot be told the system's way stays: it ends
/// the process.
#[cfg(unix)]
fn heeds_hangup() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 0)
}

#[cfg(windows)]
struct Source(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Source {
    fn open() -> std::io::Result<Source> {
        Ok(Source(tokio::signal::windows::ctrl_c()?))
    }

    async fn next(&mut self) -> Exit {
        self.0.recv().await;
        Exit::Interrupted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stops_and_the_second_says_what_is_unknown() {
        let signals = Signals::default();
        assert_eq!(signals.received(), None);
        assert_eq!(signals.on(Exit::Terminated), Act::Stop);
        assert_eq!(signals.received(), Some(Exit::Terminated));
        assert_eq!(signals.on(Exit::Interrupted), Act::End("stopped at once: nothing was being changed".into()));
        signals.unknown(|| "3 messages were sent and not confirmed".into());
        assert_eq!(
            signals.on(Exit::Interrupted),
            Act::End("stopped at once: 3 messages were sent and not confirmed".into())
        );
        assert_eq!(signals.received(), Some(Exit::Terminated));
    }

    #[test]
    fn while_an_editor_has_the_terminal_its_ctrl_c_stops_nothing() {
        let signals = Signals::default();
        let lent = signals.lend();
        assert_eq!(signals.on(Exit::Interrupted), Act::Nothing);
        assert_eq!(signals.received(), None);
        assert_eq!(signals.on(Exit::Terminated), Act::Stop, "that was not typed");
        drop(lent);
        assert_eq!(Signals::default().on(Exit::Interrupted), Act::Stop);
        assert!(matches!(signals.on(Exit::Interrupted), Act::End(_)));
    }
}
