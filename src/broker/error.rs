//! One error type: what went wrong, doing what, with what, and what to do about it.

use std::fmt;

/// What kind of failure it is; decides the heading and the exit code, see [`crate::exit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The address, an option or an argument is wrong.
    Usage,
    /// The queue, topic, exchange, file or host name is not there.
    NotFound,
    /// Login refused or permission missing.
    Denied,
    /// No connection could be made, or it broke.
    Unreachable,
    /// The peer's certificate, or ours, was not trusted.
    Tls,
    /// This broker or queue cannot do that.
    Unsupported,
    /// A danger that `--accept NAME` would accept; the name is the payload.
    Hazard(&'static str),
    /// Another process or consumer holds the queue.
    Held,
    /// An earlier run over the queue was cut off and is to be finished first.
    Unfinished,
    /// A guard stopped it: no terminal to ask on and no `--yes`, `--max-failures` reached.
    Guard,
    /// Stored data is not what it should be (a torn or foreign archive line).
    Corrupt,
    /// The message is over a size limit of the destination.
    TooLarge,
    /// The destination took the message but no queue did.
    Unroutable,
    /// The destination said no to this message.
    Rejected,
    /// It was not sent, since one ahead of it in its lane failed.
    Behind,
    /// It was sent and no answer came: it may or may not be there.
    Indeterminate,
    /// A jq expression ran into `--filter-timeout`.
    FilterTimeout,
    /// `--timeout` ran out.
    Timeout,
    /// Standard output was closed by the reader.
    ClosedPipe,
    /// Ctrl-C or SIGTERM came before anything was begun.
    Stopped {
        /// It was SIGTERM.
        terminated: bool,
    },
    /// A file could not be read or written.
    Io,
    /// What is to be sent could not be written down first, so it was not sent.
    Journal,
    /// Anything else.
    Other,
}

/// An error with its operation, context, hint and cause.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    operation: &'static str,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of nearly everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// `message` says what was wrong and where, in one sentence without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, operation: "", message: message.into(), hint: None, source: None }))
    }

    /// What was being done, as a phrase: `"opening the queue"`.
    #[must_use]
    pub fn during(mut self, operation: &'static str) -> Self {
        self.0.operation = operation;
        self
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The error underneath. Its text is shown after ours.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What was being done; empty when that is plain from the message.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What to do about it.
    pub fn get_hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The same error once more, for each message of a batch it hit. Its cause becomes text.
    #[must_use]
    pub fn again(&self) -> Self {
        let message = match &self.0.source {
            Some(s) => format!("{}: {s}", self.0.message),
            None => self.0.message.clone(),
        };
        Error(Box::new(Inner {
            kind: self.0.kind,
            operation: self.0.operation,
            message,
            hint: self.0.hint.clone(),
            source: None,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut cause: Option<&(dyn std::error::Error + 'static)> = self.0.source.as_deref().map(|e| e as _);
        while let Some(e) = cause {
            write!(f, ": {e}")?;
            cause = e.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
