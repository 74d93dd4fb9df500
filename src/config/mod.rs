//! Named queues and clusters, and the way from what was typed to what it means.

mod file;
mod names;
mod resolve;
mod same;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::broker::{Error, Kind, Result, registry};
pub use resolve::{Origin, Resolved, Setting, joined};

/// Names the configuration file over everything else.
pub const CONFIG: &str = "DLQ_CONFIG";

/// A value and the line it stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// From 1.
    pub line: usize,
}

/// `[queue.NAME]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// The line of its head.
    pub line: usize,
    /// An address, or `CLUSTER/QUEUE`.
    pub address: Option<At<String>>,
    /// Where a replay sends, where nothing else is said.
    pub to: Option<At<String>>,
    /// `--rate` of a replay, where nothing else is said.
    pub rate: Option<At<String>>,
    /// What removes wants the name.
    pub protected: Option<At<bool>>,
    /// Options of its connection, and the URL of a schema registry.
    pub settings: Settings,
}

/// `[cluster.NAME]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// The line of its head.
    pub line: usize,
    /// What stands before `/QUEUE`.
    pub address: Option<At<String>>,
    /// Options of every connection to it.
    pub settings: Settings,
}

/// What queues and clusters alike can have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// A schema registry.
    pub registry: Option<At<String>>,
    /// As `-X`.
    pub options: BTreeMap<String, At<String>>,
}

impl Settings {
    /// The line of the option that an error is about.
    fn line_of(&self, e: &Error) -> Option<usize> {
        let said = e.to_string();
        self.options.iter().find(|(name, _)| said.contains(&format!("{name:?}"))).map(|(_, at)| at.line)
    }
}

/// The configuration file, or none.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where it is; `None` where there is none.
    pub path: Option<PathBuf>,
    /// By name.
    pub queues: BTreeMap<String, Queue>,
    /// By name.
    pub clusters: BTreeMap<String, Cluster>,
}

impl Config {
    /// Reads the file, and checks that every address in it is one. Connects to nothing.
    ///
    /// # Errors
    /// `Usage`, with file and line.
    pub fn load() -> Result<Config> {
        let Some((path, must)) = Config::locate() else { return Ok(Config::default()) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must => return Ok(Config::default()),
            Err(e) => {
                let text = format!("the configuration file {} cannot be read", path.display());
                let e = Error::new(Kind::Usage, text).because(e);
                return Err(if must { e.hint(format!("{CONFIG} names it")) } else { e });
            }
        };
        let config = Config::parse(&text, path)?;
        config.check()?;
        Ok(config)
    }

    /// Where the file is looked for, and whether it must be there.
    pub fn locate() -> Option<(PathBuf, bool)> {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(path) = set(CONFIG) {
            return Some((path, true));
        }
        let home = || std::env::home_dir().filter(|p| p.is_absolute()).map(|p| p.join(".config"));
        // As the XDG rules have it, a relative path there is to be ignored.
        let base = set("XDG_CONFIG_HOME").filter(|p| p.is_absolute()).or_else(home)?;
        Some((base.join("dlq/config.toml"), false))
    }

    /// `~/.config/dlq/config.toml:12`.
    pub fn place(&self, line: usize) -> String {
        let path = self.path.as_ref().map_or_else(|| "the configuration file".into(), |p| p.display().to_string());
        format!("{path}:{line}")
    }

    fn wrong(&self, line: usize, what: impl std::fmt::Display) -> Error {
        Error::new(Kind::Usage, format!("{}: {what}", self.place(line))).during("reading the configuration")
    }

    /// Every name and address must mean something before one of them is used.
    fn check(&self) -> Result<()> {
        let within = |line: usize, what: String, e: Error| {
            let hint = e.get_hint().unwrap_or("see dlq --help for how queues are written").to_owned();
            self.wrong(line, format!("{what}: {e}")).hint(hint)
        };
        for (name, cluster) in &self.clusters {
            let at = cluster.address.as_ref();
            let known = registry::of_address(at.map_or("", |a| &a.value));
            // A queue of it as good as any: what is wrong with this one is wrong with all.
            let tried = known.and_then(|_| match self.resolve(&joined(name, "queue"), &[]) {
                Err(e) if self.resolve_cluster(name, &[]).is_err() => Err(e),
                Err(_) => Ok(()),
                Ok(one) => (one.address.backend.check_options)(&one.address),
            });
            let line = |e: &Error| cluster.settings.line_of(e).or(at.map(|a| a.line)).unwrap_or(cluster.line);
            tried.map_err(|e| within(line(&e), format!("cluster {name}"), e))?;
        }
        for (name, queue) in &self.queues {
            let at = queue.address.as_ref().map(|a| a.line);
            let line = |e: &Error| queue.settings.line_of(e).or(at).unwrap_or(queue.line);
            let tried = self.resolve(name, &[]).and_then(|one| (one.address.backend.check_options)(&one.address));
            tried.map_err(|e| within(line(&e), format!("queue {name}"), e))?;
            if let Some(rate) = &queue.rate {
                crate::replay::Rate::parse(&rate.value)
                    .map_err(|e| self.wrong(rate.line, format!("queue {name}: {e}")))?;
            }
            if let Some(to) = &queue.to {
                self.resolve(&to.value, &[]).map_err(|e| self.wrong(to.line, format!("queue {name}, to: {e}")))?;
            }
        }
        Ok(())
    }
}
