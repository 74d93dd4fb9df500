//! The command of `--exec`: run once a crossing, in order, for so long at most. What it does or fails to do stops nothing.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Error, Kind, Result};
use crate::output::human;
use crate::ui::Ui;

/// As much of what it says is kept.
const KEPT: usize = 4096;

/// A command and its arguments, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    words: Vec<String>,
    limit: Duration,
}

/// What there is to tell, and of which queue.
pub struct Event {
    /// For notices.
    pub queue: String,
    /// `crossed` or `recovered`.
    pub name: &'static str,
    /// For its standard input: one object and a line break.
    pub json: Vec<u8>,
}

/// Runs the command for one event after another.
pub struct Worker {
    events: mpsc::UnboundedSender<Event>,
    running: JoinHandle<()>,
}

impl Hook {
    /// Words as a shell would split them; no shell sees them.
    ///
    /// # Errors
    /// `Usage` where a quote is not closed, or there is no word.
    pub fn parse(text: &str, limit: Duration) -> Result<Hook> {
        match shlex::split(text) {
            Some(words) if !words.is_empty() => Ok(Hook { words, limit }),
            _ => Err(Error::new(
                Kind::Usage,
                format!("the command {text:?} has no words, or a quote that is not closed"),
            )
            .hint("it is split as a shell would, and run without one: --exec 'notify --to \"on call\"'")),
        }
    }

    /// Starts what runs it.
    pub fn start(self, ui: &Ui, stop: &CancellationToken) -> Worker {
        let (events, mut queue) = mpsc::unbounded_channel::<Event>();
        let (ui, stop) = (ui.clone(), stop.clone());
        let running = tokio::spawn(async move {
            while let Some(event) = queue.recv().await {
                let what = format!("{}, {}: --exec", event.queue, event.name);
                if stop.is_cancelled() {
                    ui.warn(&format!("{what} was not run: we were stopped"));
                    continue;
                }
                match self.run(&event.json, &stop).await {
                    Ok(said) if said.is_empty() => ui.detail(&format!("{what} is done")),
                    Ok(said) => ui.detail(&format!("{what} is done and says: {said}")),
                    Err(why) => ui.warn(&format!("{what} {why}")),
                }
            }
        });
        Worker { events, running }
    }

    /// Runs it once. What it said, or what went wrong.
    async fn run(&self, input: &[u8], stop: &CancellationToken) -> std::result::Result<String, String> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        // What it starts is ended with it, and Ctrl-C is for us alone.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|e| format!("cannot be started: {e}"))?;
        let talk = async {
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let feed = async {
                // It may end, or close it, without reading.
                if let Some(mut stdin) = stdin {
                    _ = stdin.write_all(input).await;
                }
            };
            let (status, (), out, err) = tokio::join!(child.wait(), feed, some_of(stdout), some_of(stderr));
            status.map(|status| (status, out, err))
        };
        let ended = tokio::select! {
            ended = tokio::time::timeout(self.limit, talk) => ended,
            () = stop.cancelled() => {
                end(&mut child).await;
                return Err("was ended: we were stopped".to_owned());
            }
        };
        match ended {
            Ok(Ok((status, out, _))) if status.success() => Ok(out),
            Ok(Ok((status, _, err))) if err.is_empty() => Err(format!("failed: {status}")),
            Ok(Ok((status, _, err))) => Err(format!("failed: {status}: {err}")),
            Ok(Err(e)) => Err(format!("failed: {e}")),
            Err(_) => {
                end(&mut child).await;
                Err(format!("did not end within {} and was killed", human::duration(self.limit)))
            }
        }
    }
}

impl Worker {
    /// Has it run for this, behind what is waiting.
    pub fn tell(&self, event: Event) {
        // The other end lives until we close.
        _ = self.events.send(event);
    }

    /// Waits until all is told.
    pub async fn close(self) {
        drop(self.events);
        _ = self.running.await;
    }
}

/// The beginning of what it says, without the line break; the rest is read too, so that it need not wait.
async fn some_of(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut piece).await {
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..n.min(room)]);
    }
    String::from_utf8_lossy(&kept).trim_end().to_owned()
}

/// Kills it and what it started.
async fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    _ = child.kill().await;
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn run(words: &str, limit: Duration) -> std::result::Result<String, String> {
        let hook = Hook::parse(words, limit).unwrap_or_else(|e| panic!("{e}"));
        hook.run(b"{\"n\":1}\n", &CancellationToken::new()).await
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn it_reads_the_event_and_no_shell_reads_its_words() {
        assert_eq!(run("cat", LONG).await, Ok("{\"n\":1}".to_owned()));
        assert_eq!(run("echo '$(id)' ';' `id`", LONG).await, Ok("$(id) ; `id`".to_owned()));
        assert_eq!(run("true", LONG).await, Ok(String::new()), "it need not read");
        assert!(Hook::parse("", LONG).is_err() && Hook::parse("a 'b", LONG).is_err());
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told() {
        let failed = run("sh -c 'echo no >&2; exit 3'", LONG).await;
        assert!(failed.as_ref().is_err_and(|e| e.contains("status: 3") && e.ends_with(": no")), "{failed:?}");
        let missing = run("/nowhere/at-all", LONG).await;
        assert!(missing.as_ref().is_err_and(|e| e.starts_with("cannot be started")), "{missing:?}");
        let much = run("sh -c 'yes | head -c 10000000'", LONG).await;
        assert!(much.is_ok_and(|said| said.len() <= KEPT));
    }

    #[tokio::test]
    async fn one_that_hangs_is_killed_with_what_it_started() {
        let began = Instant::now();
        let marker = format!("{}.5", 3000 + std::process::id());
        let hung = run(&format!("sh -c 'sleep {marker} & sleep {marker}'"), Duration::from_millis(300)).await;
        assert!(hung.as_ref().is_err_and(|e| e.contains("killed")), "{hung:?}");
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let left = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter(|p| {
            std::fs::read(p.path().join("cmdline")).is_ok_and(|c| c.starts_with(format!("sleep\0{marker}").as_bytes()))
        });
        assert_eq!(left.count(), 0, "nothing of it is left");
    }
}
