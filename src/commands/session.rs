//! What every verb that opens a queue needs: printer, signals, and the way from what was typed to an opened source or sink.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::broker::{Address, Context, Error, Kind, Result, Shared, Sink, Source};
use crate::cli;
use crate::config::{Config, Resolved};
use crate::exit::Exit;
use crate::output::Format;
use crate::ui::{Signals, Ui};

/// One run of one verb.
pub struct Session {
    /// The printer.
    pub ui: Ui,
    /// Set at the first Ctrl-C.
    pub stop: CancellationToken,
    /// Which signal came.
    pub signals: Signals,
    /// `-o`.
    pub format: Format,
    /// The command line without the program: what another attempt at the same run begins with.
    pub arguments: Vec<String>,
    /// Names of queues and clusters.
    pub config: Config,
    timeout: Duration,
    /// `--timeout`, where it was given.
    pub given: Option<Duration>,
}

/// `--timeout` where nothing is said.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How a queue is opened.
#[derive(Clone, Copy, Default)]
pub struct Opening<'a> {
    /// `--accept`.
    pub accept: &'a [String],
    /// `--skip-bad-lines`.
    pub skip_bad_lines: bool,
    /// It will be changed.
    pub exclusive: bool,
}

impl Session {
    /// Listens to signals from now on.
    ///
    /// # Errors
    /// The configuration file is wrong; the system refuses signal handlers.
    pub fn new(ui: Ui, output: &cli::Output) -> Result<Session> {
        let config = Config::load()?;
        let stop = CancellationToken::new();
        let signals = Signals::listen(&ui, &stop)?;
        let arguments = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
        Ok(Session {
            ui,
            stop,
            signals,
            format: output.output,
            arguments,
            config,
            given: output.timeout,
            timeout: output.timeout.unwrap_or(TIMEOUT),
        })
    }

    /// What backends are told.
    pub fn context(&self, opening: Opening<'_>) -> Context {
        let ui = self.ui.clone();
        Context {
            notice: Arc::new(move |text| ui.notice(&text)),
            accepted: opening.accept.iter().cloned().collect::<BTreeSet<_>>(),
            stop: self.stop.clone(),
            timeout: self.timeout,
            skip_bad_lines: opening.skip_bad_lines,
            exclusive: opening.exclusive,
            shared: Shared::default(),
        }
    }

    /// Understands an address or a name, with the options of `-F` below those of `-X`.
    ///
    /// # Errors
    /// `Usage`.
    pub fn address(&self, typed: &str, connection: &cli::Connection) -> Result<Address> {
        Ok(self.config.resolve(typed, &flags(connection)?)?.address)
    }

    /// The same of a cluster, an account or a folder.
    ///
    /// # Errors
    /// `Usage`.
    pub fn cluster(&self, typed: &str, connection: &cli::Connection) -> Result<Resolved> {
        self.config.resolve_cluster(typed, &flags(connection)?)
    }

    /// The same for a place to send to.
    ///
    /// # Errors
    /// `Usage`.
    pub fn place(&self, typed: &str, options: &[(String, String)]) -> Result<Address> {
        Ok(self.config.resolve(typed, options)?.address)
    }

    /// Opens a queue to read from, and says what reading costs.
    ///
    /// # Errors
    /// Whatever is wrong with the address or the queue.
    pub async fn source(
        &self,
        typed: &str,
        connection: &cli::Connection,
        opening: Opening<'_>,
    ) -> Result<Arc<dyn Source>> {
        self.open(&self.address(typed, connection)?, &self.context(opening)).await
    }

    /// Opens a queue that was understood before.
    ///
    /// # Errors
    /// Whatever is wrong with the queue.
    pub async fn open(&self, address: &Address, context: &Context) -> Result<Arc<dyn Source>> {
        let source = self.unless_stopped((address.backend.source)(address, context)).await?;
        Ok(Arc::from(source))
    }

    /// `--timeout`.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Opens a place to send to.
    ///
    /// # Errors
    /// Whatever is wrong with the address or the place.
    pub async fn sink(&self, address: &Address) -> Result<Box<dyn Sink>> {
        let context = self.context(Opening::default());
        self.unless_stopped((address.backend.sink)(address, &context)).await
    }

    /// Says what looking at this queue costs, before the first message is touched.
    pub fn say_costs(&self, source: &dyn Source) {
        source.capabilities().notices().iter().for_each(|n| self.ui.notice(n));
    }

    /// The exit code of the signal that stopped us.
    pub fn stopped(&self) -> Exit {
        self.signals.received().unwrap_or(Exit::Interrupted)
    }

    /// Ends an opening at Ctrl-C: nothing has been touched yet.
    pub async fn unless_stopped<T>(&self, opening: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            opened = opening => opened,
            () = self.stop.cancelled() => {
                let kind = Kind::Stopped { terminated: self.stopped() == Exit::Terminated };
                Err(Error::new(kind, "stopped before the queue was opened: nothing was touched"))
            }
        }
    }
}

fn flags(connection: &cli::Connection) -> Result<Vec<(String, String)>> {
    let mut options = match &connection.option_file {
        Some(path) => options_from(path)?,
        None => vec![],
    };
    options.extend(connection.option.iter().cloned());
    options.extend(connection.partitions.iter().map(|list| ("partitions".to_owned(), list.clone())));
    Ok(options)
}

fn options_from(path: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::new(Kind::Usage, format!("the options file {} cannot be read", path.display())).because(e)
    })?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    lines
        .map(|(n, line)| match line.split_once('=') {
            Some((k, v)) => Ok((k.trim().to_owned(), v.trim().to_owned())),
            None => Err(Error::new(Kind::Usage, format!("{}, line {}: no NAME=VALUE", path.display(), n + 1))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_options_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("o");
        std::fs::write(&path, "# ours\n\n a = 1 \nb=2=3\n").expect("write");
        let connection = cli::Connection {
            option: vec![("a".into(), "9".into())],
            option_file: Some(path.clone()),
            partitions: None,
        };
        let mut options = options_from(&path).expect("read");
        options.extend(connection.option);
        let map: std::collections::BTreeMap<_, _> = options.into_iter().collect();
        assert_eq!((map["a"].as_str(), map["b"].as_str()), ("9", "2=3"));
        std::fs::write(&path, "a=1\nnonsense\n").expect("write");
        assert!(options_from(&path).expect_err("refused").to_string().contains("line 2"));
    }
}
