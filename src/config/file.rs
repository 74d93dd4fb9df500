//! Reads the file: every key is known, of the right type, and remembered with its line.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{At, Cluster, Config, Queue, Settings};
use crate::broker::{Error, Result, nearest};

/// Keys of a queue beside those of [`SHARED`].
const QUEUE: &[&str] = &["address", "to", "rate", "protected"];
/// Keys of a cluster beside those of [`SHARED`].
const CLUSTER: &[&str] = &["address"];
/// Keys of both.
const SHARED: &[&str] =
    &["registry", "options", "user", "password-env", "password-file", "password-command", "credential-command"];
const TOP: &[&str] = &["queue", "cluster"];

type Entry<'a, 'i> = (&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>);

struct Reader<'a> {
    config: &'a Config,
    text: &'a str,
    /// Where lines end.
    ends: Vec<usize>,
}

impl Config {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// `Usage`, with file and line, and a suggestion where a key is misspelled.
    pub fn parse(text: &str, path: PathBuf) -> Result<Config> {
        let empty = Config { path: Some(path), ..Config::default() };
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect();
        let reader = Reader { config: &empty, text, ends };
        let top = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |s| reader.line(s.start));
            empty.wrong(line, e.message().lines().next().unwrap_or("no TOML"))
        })?;
        let mut config = empty.clone();
        for (key, value) in top.get_ref() {
            match key.get_ref().as_ref() {
                "queue" => {
                    for entry in reader.table(key, value)? {
                        config.queues.insert(reader.name(entry.0)?, reader.queue(entry)?);
                    }
                }
                "cluster" => {
                    for entry in reader.table(key, value)? {
                        config.clusters.insert(reader.name(entry.0)?, reader.cluster(entry)?);
                    }
                }
                _ => return Err(reader.unknown(key, "the file", &[TOP])),
            }
        }
        Ok(config)
    }
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at) + 1
    }

    fn at<T>(&self, what: &Spanned<T>) -> usize {
        self.line(what.span().start)
    }

    fn unknown(&self, key: &Spanned<DeString<'_>>, of: &str, known: &[&[&str]]) -> Error {
        let (typed, known) = (key.get_ref(), known.concat());
        let e = self.config.wrong(self.at(key), format!("{of} has no key {typed:?}"));
        match nearest(typed, known.iter().copied()) {
            Some(close) => e.hint(format!("did you mean {close:?}?")),
            None if known == TOP => e.hint("write [queue.NAME] or [cluster.NAME]"),
            None => {
                e.hint(format!("it knows {}; options of the connection go into its options table", known.join(", ")))
            }
        }
    }

    /// A name must not be taken for an address, a path or an option.
    fn name(&self, key: &Spanned<DeString<'_>>) -> Result<String> {
        let name = key.get_ref();
        let legal = |c: char| c.is_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(legal) {
            let e = self.config.wrong(self.at(key), format!("{name:?} cannot be a name"));
            return Err(e.hint("names have letters, digits, dots, - and _, and begin with a letter or digit"));
        }
        Ok(name.clone().into_owned())
    }

    fn table<'a, 'i>(
        &self,
        key: &Spanned<DeString<'_>>,
        value: &'a Spanned<DeValue<'i>>,
    ) -> Result<Vec<Entry<'a, 'i>>> {
        match value.get_ref().as_table() {
            Some(table) => Ok(table.iter().collect()),
            None => Err(self.config.wrong(self.at(key), format!("{:?} is not a table", key.get_ref()))),
        }
    }

    fn queue(&self, (name, value): Entry<'_, '_>) -> Result<Queue> {
        let mut queue = Queue { line: self.at(name), ..Queue::default() };
        let of = format!("queue {}", name.get_ref());
        for (key, value) in self.table(name, value)? {
            match key.get_ref().as_ref() {
                "address" => queue.address = Some(self.text(key, value)?),
                "to" => queue.to = Some(self.text(key, value)?),
                "rate" => queue.rate = Some(self.text(key, value)?),
                "protected" => match value.get_ref().as_bool() {
                    Some(on) => queue.protected = Some(At { value: on, line: self.at(key) }),
                    None => return Err(self.config.wrong(self.at(key), "protected is true or false")),
                },
                _ => self.shared(&mut queue.settings, key, value, &of, QUEUE)?,
            }
        }
        match queue.address {
            Some(_) => Ok(queue),
            None => Err(self.config.wrong(queue.line, format!("{of} has no address"))),
        }
    }

    fn cluster(&self, (name, value): Entry<'_, '_>) -> Result<Cluster> {
        let mut cluster = Cluster { line: self.at(name), ..Cluster::default() };
        let of = format!("cluster {}", name.get_ref());
        for (key, value) in self.table(name, value)? {
            match key.get_ref().as_ref() {
                "address" => cluster.address = Some(self.text(key, value)?),
                _ => self.shared(&mut cluster.settings, key, value, &of, CLUSTER)?,
            }
        }
        match cluster.address {
            Some(_) => Ok(cluster),
            None => Err(self
                .config
                .wrong(cluster.line, format!("{of} has no address"))
                .hint("it is what stands before /QUEUE, such as kafka://b1,b2, amqp://host/vhost or sqs://eu-west-1")),
        }
    }

    fn shared(
        &self,
        settings: &mut Settings,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        of: &str,
        beside: &[&str],
    ) -> Result<()> {
        match key.get_ref().as_ref() {
            "registry" => {
                let url = self.text(key, value)?;
                if !url.value.starts_with("http://") && !url.value.starts_with("https://") {
                    return Err(self.config.wrong(url.line, "registry is the URL of a schema registry"));
                }
                settings.registry = Some(url);
            }
            "options" => {
                for (name, value) in self.table(key, value)? {
                    settings.options.insert(name.get_ref().clone().into_owned(), self.text(name, value)?);
                }
            }
            name if SHARED.contains(&name) => {
                settings.options.insert(name.to_owned(), self.text(key, value)?);
            }
            _ => return Err(self.unknown(key, of, &[beside, SHARED])),
        }
        Ok(())
    }

    /// Text, or a number or truth value as text.
    fn text(&self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Result<At<String>> {
        let text = match value.get_ref() {
            DeValue::String(s) => s.clone().into_owned(),
            DeValue::Boolean(b) => b.to_string(),
            DeValue::Integer(_) | DeValue::Float(_) => self.text[value.span()].replace('_', ""),
            other => {
                let what = format!(
                    "{:?} is text, and there is {} {}",
                    key.get_ref(),
                    article(other.type_str()),
                    other.type_str()
                );
                return Err(self.config.wrong(self.at(key), what));
            }
        };
        Ok(At { value: text, line: self.at(key) })
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
