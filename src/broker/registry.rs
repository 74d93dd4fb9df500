//! The backends there are: one line each.

use futures::future::BoxFuture;

use super::address::{Address, Options, hide};
use super::capability::Capabilities;
use super::error::{Error, Kind, Result};
use super::listing::Lister;
use super::{Context, Finding, Load, Sink, Source};
use crate::message::DeadLetter;

/// Opens a queue to read from.
pub type OpenSource = for<'a> fn(&'a Address, &'a Context) -> BoxFuture<'a, Result<Box<dyn Source>>>;
/// Opens a place to send to.
pub type OpenSink = for<'a> fn(&'a Address, &'a Context) -> BoxFuture<'a, Result<Box<dyn Sink>>>;

/// What stands for or against making a place to send to, and sending so much there.
pub type CanCreate = for<'a> fn(&'a Address, Load) -> BoxFuture<'a, Vec<Finding>>;

/// What one backend is and how it is opened.
pub struct Backend {
    /// Its name in messages and in the README.
    pub name: &'static str,
    /// Prefixes of its addresses, such as `amqp://`.
    pub prefixes: &'static [&'static str],
    /// The form of its addresses, for usage errors.
    pub form: &'static str,
    /// Whether `?` begins options (a file name may contain one).
    pub has_query: bool,
    /// Options that these variables of the environment stand for: they win over what the configuration file says.
    pub environment: &'static [(&'static str, &'static str)],
    /// Where a place to send to is made by naming it, tells whether that can be done; makes nothing.
    pub can_create: Option<CanCreate>,
    /// Checks an address without its query and gives it without secrets, and in a canonical spelling.
    pub understand: fn(&str, &Options) -> Result<(String, String)>,
    /// Refuses options that it does not know. Connects to nothing.
    pub check_options: fn(&Address) -> Result<()>,
    /// Takes off what is bookkeeping of this broker and gives the names. Pure.
    pub strip: fn(&mut DeadLetter) -> Vec<String>,
    /// Opens a queue to read from. Connects; creates nothing.
    pub source: OpenSource,
    /// Opens a place to send to. Connects; creates nothing, but for an archive file.
    pub sink: OpenSink,
    /// Finds the dead-letter queues of a cluster, where it has any.
    pub list: Option<&'static Lister>,
    /// Of so many queues it answers questions at a time.
    pub at_once: usize,
    /// What each kind of its queues can do, for the README's table.
    pub describe: fn() -> Vec<Capabilities>,
}

impl Backend {
    /// A place to send to is made by naming it, and no consumer is woken by it: an archive.
    pub fn creates(&self) -> bool {
        self.can_create.is_some()
    }
}

/// Every backend; order is that of the README.
pub static BACKENDS: &[&Backend] = &[
    &super::rabbitmq::BACKEND,
    &super::sqs::BACKEND,
    &super::sns::BACKEND,
    &super::kafka::BACKEND,
    &super::nats::BACKEND,
    &super::file::BACKEND,
];

/// The backend whose prefix the address has.
///
/// # Errors
/// `Usage`, with the forms there are, and what the slip may have been.
pub fn of_address(typed: &str) -> Result<&'static Backend> {
    if typed == "-" {
        return Ok(&super::file::BACKEND);
    }
    if let Some(b) = BACKENDS.iter().find(|b| b.prefixes.iter().any(|p| typed.starts_with(p))) {
        return Ok(b);
    }
    let forms = BACKENDS.iter().map(|b| b.form).collect::<Vec<_>>().join(", ");
    let prefixes = BACKENDS.iter().flat_map(|b| b.prefixes.iter().copied());
    let is_scheme = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if let Some((scheme, _)) = typed.split_once("://").filter(|(s, _)| is_scheme(s)) {
        let e = Error::new(Kind::Usage, format!("no broker is known by {scheme}://"));
        let names = prefixes.map(|p| p.trim_end_matches("://").trim_end_matches(':'));
        return Err(match super::nearest(scheme, names) {
            Some(close) => e.hint(format!("did you mean {close}? Queues are written {forms}")),
            None => e.hint(format!("queues are written {forms}")),
        });
    }
    let e = Error::new(Kind::Usage, format!("{:?} is not the address of a queue", hide(typed)));
    Err(if std::path::Path::new(typed).is_file() {
        e.hint(format!("for the archive of that name write file:{typed}"))
    } else if typed.starts_with('.') || typed.contains(['|', '(', '[', '"', ' ']) {
        e.hint("this looks like a jq expression: the queue comes first, then the expression")
    } else {
        e.hint(format!("queues are written {forms}"))
    })
}
