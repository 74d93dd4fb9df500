//! What the settings of a cluster tell of its dead-letter topics: of topics, of share groups, and of Kafka Connect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::ResourceSpecifier;
use rdkafka::consumer::Consumer;

use super::connect::{Link, blocking};
use super::facts::{self, Admin};
use super::reader::{Into, Reader};
use super::sys::{self, Record};
use super::{error, offsets};
use crate::broker::Result;

/// A topic takes the dead letters of share groups.
const ENABLED: &str = "errors.deadletterqueue.group.enable";
/// Where a share group, and where a sink connector, sends dead letters.
const NAMED: &str = "errors.deadletterqueue.topic.name";
/// Resources in one request.
const AT_ONCE: usize = 500;
/// A topic of connector settings is small; of a larger one only so many records are read.
const RECORDS: u64 = 20_000;

/// Dead-letter topics, and who sends there.
#[derive(Default)]
pub(super) struct Clues {
    pub(super) topics: BTreeMap<String, BTreeSet<String>>,
    /// What could not be read, a sentence each.
    pub(super) notes: Vec<String>,
}

impl Clues {
    fn add(&mut self, topic: &str, source: Option<String>) {
        self.topics.entry(topic.to_owned()).or_default().extend(source);
    }

    /// Looks wherever the user may.
    ///
    /// # Errors
    /// Only that no client can be made; what is not shown is a note.
    pub(super) async fn gather(link: &Arc<Link>, topics: &[String]) -> Result<Clues> {
        let admin = facts::admin(link)?;
        let mut clues = Clues::default();
        clues.of_topics(&admin, topics, link.longest).await;
        clues.of_groups(link).await;
        for topic in topics.iter().filter(|t| is_connect(t)) {
            clues.of_connect(link, topic).await;
        }
        Ok(clues)
    }

    async fn of_topics(&mut self, admin: &Admin, topics: &[String], longest: Duration) {
        let mut hidden = 0;
        for some in topics.chunks(AT_ONCE) {
            let asked: Vec<ResourceSpecifier<'_>> = some.iter().map(|t| ResourceSpecifier::Topic(t)).collect();
            match admin.describe_configs(&asked, &facts::within(longest)).await {
                Ok(answers) => {
                    for (topic, answer) in some.iter().zip(answers) {
                        match answer.as_ref().map(|r| r.get(ENABLED).and_then(|e| e.value.as_deref())) {
                            Ok(Some("true")) => self.add(topic, None),
                            Ok(_) => {}
                            Err(_) => hidden += 1,
                        }
                    }
                }
                Err(e) => return self.notes.push(format!("settings of topics: {}", error::map(&e, ""))),
            }
        }
        if hidden > 0 {
            self.notes.push(format!(
                "the settings of {hidden} of {} topics are not shown to this user (DESCRIBE_CONFIGS)",
                topics.len()
            ));
        }
    }

    async fn of_groups(&mut self, link: &Arc<Link>) {
        let here = Arc::clone(link);
        let asked = blocking(move || {
            let client = here.consumer.client();
            let groups =
                client.fetch_group_list(None, here.longest).map_err(|e| error::map(&e, "listing the groups"))?;
            // Classic groups have no settings.
            let groups = groups.groups().iter().filter(|g| g.protocol_type() != "consumer");
            let names: Vec<String> = groups.map(|g| g.name().to_owned()).collect();
            let mut found = Vec::new();
            for some in names.chunks(AT_ONCE) {
                // Brokers before 4.0 know no settings of groups, and have no share groups either.
                let Ok(settings) = sys::group_setting(client, some, NAMED, here.longest) else { break };
                found.extend(settings);
            }
            Ok(found)
        });
        match asked.await {
            Ok(found) => {
                for (group, topic) in found.into_iter().filter(|(_, topic)| !topic.is_empty()) {
                    self.add(&topic, Some(format!("share group {group}")));
                }
            }
            Err(e) => self.notes.push(format!("share groups: {e}")),
        }
    }

    async fn of_connect(&mut self, link: &Arc<Link>, topic: &str) {
        let (here, named) = (Arc::clone(link), topic.to_owned());
        match blocking(move || connectors(&here, &named)).await {
            Ok(found) => {
                for (connector, dead) in found {
                    self.add(&dead, Some(format!("connector {connector}")));
                }
            }
            Err(e) => self.notes.push(format!("settings of Kafka Connect in {topic}: {e}")),
        }
    }
}

/// Whether Kafka Connect may keep its settings here: `config.storage.topic` is `connect-configs` nearly everywhere.
fn is_connect(topic: &str) -> bool {
    topic.contains("connect") && topic.contains("config")
}

/// The connectors whose settings are in a topic, and their dead-letter topics.
fn connectors(link: &Arc<Link>, topic: &str) -> Result<BTreeMap<String, String>> {
    let partitions = link.partitions(topic)?;
    let spans = offsets::spans(link, topic, &partitions)?;
    let mut reader = Reader { most: RECORDS, ..Reader::of(link, topic, spans) };
    let mut settings = Settings::default();
    reader.read(&mut settings)?;
    Ok(settings.0)
}

#[derive(Default)]
struct Settings(BTreeMap<String, String>);

impl Settings {
    /// `connector-NAME`: `{"properties":{…}}`; a later record of the same key replaces it, one without a value ends it.
    fn note(&mut self, key: &[u8], value: Option<&[u8]>) {
        let Some(name) = std::str::from_utf8(key).ok().and_then(|k| k.strip_prefix("connector-")) else { return };
        let json = value.and_then(|v| serde_json::from_slice::<serde_json::Value>(v).ok());
        let dead = json.as_ref().and_then(|j| j["properties"][NAMED].as_str()).filter(|t| !t.is_empty());
        match dead {
            Some(topic) => _ = self.0.insert(name.to_owned(), topic.to_owned()),
            None => _ = self.0.remove(name),
        }
    }
}

impl Into for Settings {
    fn take(&mut self, _: i32, records: &[Record<'_>]) -> bool {
        records.iter().for_each(|r| self.note(r.key().unwrap_or_default(), r.value()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_settings_of_a_connector_count() {
        let mut s = Settings::default();
        let to = |t: &str| format!("{{\"properties\":{{\"{NAMED}\":\"{t}\"}}}}").into_bytes();
        s.note(b"connector-a", Some(&to("one")));
        s.note(b"connector-a", Some(&to("two")));
        s.note(b"connector-b", Some(&to("three")));
        s.note(b"connector-b", None);
        s.note(b"connector-c", Some(b"no json"));
        s.note(b"task-a-0", Some(&to("four")));
        assert_eq!(s.0.into_iter().collect::<Vec<_>>(), [("a".to_owned(), "two".to_owned())]);
        assert!(is_connect("connect-configs") && is_connect("_prod_connect_config") && !is_connect("connect-offsets"));
    }
}
