//! What was typed and what it means: flag beats address beats environment beats named queue beats cluster beats default.

use super::{Cluster, Config, Queue, Settings};
use crate::broker::address::{hide, split};
use crate::broker::credentials::SOURCES;
use crate::broker::registry;
use crate::broker::{Address, Error, Kind, Result, nearest};

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `-X`, `-F` and the like.
    Flag,
    /// What was typed behind the `?`.
    Address,
    /// `[queue.NAME]`, with file and line.
    Queue(String),
    /// `[cluster.NAME]`, with file and line.
    Cluster(String),
}

/// One option, and what said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As behind `-X`.
    pub name: String,
    /// It may be a secret.
    pub value: String,
    /// What said it.
    pub origin: Origin,
}

/// What was typed, understood.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The queue.
    pub address: Address,
    /// Its options, each once.
    pub settings: Vec<Setting>,
    /// Under which name, and the `[queue]` of that name.
    pub name: Option<String>,
}

/// What the layers below the flags give.
struct Found {
    base: String,
    settings: Vec<Setting>,
    name: Option<String>,
}

impl Config {
    /// Understands an address or a name. `flags` are pairs of `-X`, the last of a name winning.
    ///
    /// # Errors
    /// `Usage`: no address and no name, with what is near.
    pub fn resolve(&self, typed: &str, flags: &[(String, String)]) -> Result<Resolved> {
        let Found { base, mut settings, name } = match typed.contains("://") || registry::of_address(typed).is_ok() {
            true => addressed(typed, |_| Origin::Address)?,
            // Whatever has no scheme is looked for among the names, and is an error of its own kind where it is none.
            false => self.named(typed)?,
        };
        let flags = flags.iter().map(|(name, value)| Setting {
            name: name.clone(),
            value: value.clone(),
            origin: Origin::Flag,
        });
        overlay(&mut settings, flags.collect());
        let pairs: Vec<_> = settings.iter().map(|s| (s.name.clone(), s.value.clone())).collect();
        Ok(Resolved { address: Address::parse(&base, &pairs)?, settings, name })
    }

    /// The same of a cluster, an account or a folder.
    ///
    /// # Errors
    /// `Usage`: no such address and no name of a cluster, with what is near.
    pub fn resolve_cluster(&self, typed: &str, flags: &[(String, String)]) -> Result<Resolved> {
        let Found { base, mut settings, name } = match typed.contains("://") || registry::of_address(typed).is_ok() {
            true => addressed(typed, |_| Origin::Address)?,
            false => {
                let (word, query) = typed.split_once('?').unwrap_or((typed, ""));
                let word = word.strip_suffix('/').unwrap_or(word);
                let cluster = self.clusters.get(word).ok_or_else(|| self.no_cluster(word))?;
                above_the_file(self.whole(word, cluster)?, query)?
            }
        };
        let flag = |(name, value): &(String, String)| setting((name.clone(), value.clone()), Origin::Flag);
        overlay(&mut settings, flags.iter().map(flag).collect());
        let pairs: Vec<_> = settings.iter().map(|s| (s.name.clone(), s.value.clone())).collect();
        Ok(Resolved { address: Address::cluster(&base, &pairs)?, settings, name })
    }

    fn named(&self, typed: &str) -> Result<Found> {
        let (word, query) = typed.split_once('?').unwrap_or((typed, ""));
        let found = match word.split_once('/') {
            Some((cluster, queue)) => self.in_cluster(cluster, queue, typed)?,
            None => match self.queues.get(word) {
                Some(queue) => self.queue(word, queue)?,
                None => return Err(self.no_name(word, typed)),
            },
        };
        above_the_file(found, query)
    }

    fn queue(&self, name: &str, queue: &Queue) -> Result<Found> {
        let line = queue.address.as_ref().map_or(queue.line, |a| a.line);
        let address = queue.address.as_ref().map_or("", |a| a.value.as_str());
        let origin = |line: usize| Origin::Queue(self.place(line));
        let mut found = match address.split_once('/') {
            Some((cluster, rest)) if self.clusters.contains_key(cluster) => self.in_cluster(cluster, rest, address)?,
            _ => addressed(address, |_| origin(line))?,
        };
        let own = std::mem::take(&mut found.settings);
        let (of_cluster, of_address): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|s| matches!(s.origin, Origin::Cluster(_)));
        found.settings = of_cluster;
        overlay(&mut found.settings, listed(&queue.settings, origin));
        overlay(&mut found.settings, of_address);
        found.name = Some(name.to_owned());
        Ok(found)
    }

    fn in_cluster(&self, name: &str, queue: &str, typed: &str) -> Result<Found> {
        let Some(cluster) = self.clusters.get(name) else { return Err(self.no_name(name, typed)) };
        if queue.is_empty() {
            return Err(Error::new(Kind::Usage, format!("{typed:?} names a cluster, and no queue of it"))
                .hint(format!("write {name}/QUEUE; dlq list {name} finds its dead-letter queues")));
        }
        let whole = self.whole(name, cluster)?;
        Ok(Found { base: joined(&whole.base, queue), name: Some(format!("{name}/{queue}")), ..whole })
    }

    /// What a cluster stands for by itself.
    fn whole(&self, name: &str, cluster: &Cluster) -> Result<Found> {
        let line = cluster.address.as_ref().map_or(cluster.line, |a| a.line);
        let prefix = cluster.address.as_ref().map_or("", |a| a.value.as_str());
        let origin = |line: usize| Origin::Cluster(self.place(line));
        let backend = registry::of_address(prefix).map_err(|e| self.wrong(line, format!("cluster {name}: {e}")))?;
        let (base, of_address) = split(prefix, backend)?;
        let mut found = Found { base: base.to_owned(), settings: vec![], name: Some(name.to_owned()) };
        overlay(&mut found.settings, listed(&cluster.settings, origin));
        overlay(&mut found.settings, of_address.into_iter().map(|pair| setting(pair, origin(line))).collect());
        Ok(found)
    }

    /// A word that is neither the address of a cluster nor the name of one.
    fn no_cluster(&self, word: &str) -> Error {
        let e = Error::new(
            Kind::Usage,
            format!("{:?} is neither the address of a cluster nor the name of one", hide(word)),
        );
        if std::path::Path::new(word).is_dir() {
            return e.hint(format!("for the folder of that name write file:{word}"));
        }
        if self.queues.contains_key(word) {
            return e.hint(format!("it names a queue, which dlq depth {word} measures"));
        }
        match nearest(word, self.clusters.keys().map(String::as_str)) {
            Some(close) => e.hint(format!("did you mean {close:?}?")),
            None => {
                let forms = registry::BACKENDS.iter().filter_map(|b| b.list).map(|l| l.form).collect::<Vec<_>>();
                e.hint(format!("clusters are written {}", forms.join(", ")))
            }
        }
    }

    /// A word that is neither an address nor in the file.
    fn no_name(&self, word: &str, typed: &str) -> Error {
        let Err(plain) = registry::of_address(typed) else {
            return Error::new(Kind::Usage, format!("there is no queue named {:?}", hide(word)));
        };
        if self.clusters.contains_key(word) {
            return Error::new(Kind::Usage, format!("{word:?} names a cluster, and no queue of it"))
                .hint(format!("write {word}/QUEUE; dlq list {word} finds its dead-letter queues"));
        }
        let names = self.queues.keys().chain(self.clusters.keys()).map(String::as_str);
        match (nearest(word, names), &self.path) {
            (Some(close), Some(path)) => plain.hint(format!("did you mean {close:?}, which {} names?", path.display())),
            _ => plain,
        }
    }
}

/// What stands before a queue, and the queue.
pub fn joined(cluster: &str, queue: &str) -> String {
    let slash = if cluster.ends_with('/') || cluster.ends_with(':') { "" } else { "/" };
    format!("{cluster}{slash}{queue}")
}

/// Lays over what the file says what the environment says, which the broker's own client reads, and the options of the address.
fn above_the_file(mut found: Found, query: &str) -> Result<Found> {
    let backend = registry::of_address(&found.base)?;
    for (option, variable) in backend.environment {
        if std::env::var_os(variable).is_some_and(|v| !v.is_empty()) {
            found.settings.retain(|s| s.name != *option);
        }
    }
    let (_, typed) = split(&format!("{}?{query}", backend.prefixes[0]), backend)?;
    overlay(&mut found.settings, typed.into_iter().map(|pair| setting(pair, Origin::Address)).collect());
    Ok(found)
}

/// An address with its own options.
fn addressed(typed: &str, origin: impl Fn(&str) -> Origin) -> Result<Found> {
    let backend = registry::of_address(typed)?;
    let (base, pairs) = split(typed, backend)?;
    let settings = pairs
        .into_iter()
        .map(|pair| {
            let from = origin(&pair.0);
            setting(pair, from)
        })
        .collect();
    Ok(Found { base: base.to_owned(), settings, name: None })
}

fn setting((name, value): (String, String), origin: Origin) -> Setting {
    Setting { name, value, origin }
}

fn listed(settings: &Settings, origin: impl Fn(usize) -> Origin) -> Vec<Setting> {
    let each = settings.options.iter();
    each.map(|(name, at)| setting((name.clone(), at.value.clone()), origin(at.line))).collect()
}

/// Lays one layer over those below. Of the ways to a password a layer names its own alone.
fn overlay(below: &mut Vec<Setting>, layer: Vec<Setting>) {
    if layer.iter().any(|s| SOURCES.contains(&s.name.as_str())) {
        below.retain(|s| !SOURCES.contains(&s.name.as_str()));
    }
    for setting in layer {
        below.retain(|s| s.name != setting.name);
        below.push(setting);
    }
}
