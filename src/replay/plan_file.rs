//! A plan that was written down: the very messages, where they go and what is done to them, sealed by a hash.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::broker::{Error, Kind, Result};

/// Version of the shape of plan files.
const SHAPE: u32 = 1;

/// What a plan file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Version of the shape.
    pub dlq_plan: u32,
    /// Version of the program.
    pub version: String,
    /// When it was made.
    pub made: Timestamp,
    /// The verb it is for.
    pub verb: String,
    /// Address of the queue, without secrets.
    pub source: String,
    /// Address of the destination; none where each message goes where it came from.
    pub destination: Option<String>,
    /// What a replay does to the messages.
    pub treatment: Treatment,
    /// The plan as it was shown.
    pub plan: Value,
    /// The messages; of equal ones that share an id it stands there for each.
    pub ids: Vec<String>,
    /// Over all of the above.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

/// What a replay was told to do to the messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Treatment {
    /// `--max-replays`.
    pub max_replays: u32,
    /// `--keep-death-headers`.
    pub keep_death_headers: bool,
    /// `--unwrap`.
    pub unwrap: Option<String>,
    /// `--keep-partition`.
    pub keep_partition: bool,
    /// `--keep-timestamps`.
    pub keep_timestamps: bool,
    /// `--order`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// `--to-topic`: the destination is reached as the queue is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_topic: Option<String>,
    /// `--map`.
    pub map: Option<String>,
    /// `--arg`, for the expression.
    pub arg: Vec<String>,
    /// `--argjson`, for the expression.
    pub argjson: Vec<String>,
    /// `--set-header`.
    pub set_header: Vec<(String, String)>,
    /// `--drop-header`.
    pub drop_header: Vec<String>,
}

impl PlanFile {
    /// Of a plan made now.
    pub fn new(verb: &str, source: &str, destination: Option<&str>, treatment: Treatment) -> Self {
        PlanFile {
            dlq_plan: SHAPE,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made: Timestamp::now(),
            verb: verb.to_owned(),
            source: source.to_owned(),
            destination: destination.map(str::to_owned),
            treatment,
            plan: Value::Null,
            ids: vec![],
            hash: String::new(),
        }
    }

    /// Writes it, sealed; a file that is there gives way whole.
    ///
    /// # Errors
    /// `Io`.
    pub fn write(mut self, path: &Path) -> Result<()> {
        self.hash = String::new();
        self.hash = seal(&serde_json::to_value(&self).unwrap_or_default());
        let failed = |e: std::io::Error| {
            Error::new(Kind::Io, format!("the plan cannot be written to {}", path.display())).because(e)
        };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        serde_json::to_writer_pretty(&mut file, &self).map_err(|e| failed(e.into()))?;
        std::io::Write::write_all(&mut file, b"\n").map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|e| failed(e.error)).map(drop)
    }

    /// Reads one, and refuses what is not as it was written.
    ///
    /// # Errors
    /// `Usage` for what is no plan; `Guard` for one that was changed.
    pub fn read(path: &Path) -> Result<PlanFile> {
        let text = std::fs::read(path)
            .map_err(|e| Error::new(Kind::Usage, format!("the plan {} cannot be read", path.display())).because(e))?;
        let no_plan = || {
            Error::new(Kind::Usage, format!("{} is no plan", path.display()))
                .hint("dlq replay QUEUE --plan-out FILE writes one")
        };
        let mut value: Value = serde_json::from_slice(&text).map_err(|e| no_plan().because(e))?;
        match value["dlq_plan"].as_u64() {
            None => return Err(no_plan()),
            Some(shape) if shape != u64::from(SHAPE) => {
                let text = format!("{} was written by another version of dlq", path.display());
                return Err(Error::new(Kind::Usage, text).hint("make the plan anew"));
            }
            Some(_) => {}
        }
        let written = value.as_object_mut().and_then(|o| o.remove("hash"));
        let sealed = seal(&value);
        if written.as_ref().and_then(Value::as_str) != Some(&*sealed) {
            let text = format!("the plan {} is not as it was written", path.display());
            return Err(
                Error::new(Kind::Guard, text).hint("a plan is not to be edited: make it anew with other arguments")
            );
        }
        let plan: PlanFile = serde_json::from_value(value).map_err(|e| no_plan().because(e))?;
        Ok(PlanFile { hash: sealed, ..plan })
    }

    /// Refuses one that is too old.
    ///
    /// # Errors
    /// `Guard`.
    pub fn fresh(&self, now: Timestamp, most: Duration) -> Result<()> {
        let age = now.duration_since(self.made);
        if Duration::try_from(age).is_ok_and(|age| age > most) {
            let text = format!("the plan was made at {:.0}, which is longer ago than {most:?}", self.made);
            return Err(Error::new(Kind::Guard, text).hint("make it anew, or allow more with --plan-max-age"));
        }
        Ok(())
    }

    /// The ids, and how many messages of each.
    pub fn counted(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        self.ids.iter().for_each(|id| *counts.entry(id.clone()).or_default() += 1);
        counts
    }
}

/// Over the content, however it is laid out.
fn seal(content: &Value) -> String {
    let digest = Sha256::digest(content.to_string().as_bytes());
    let mut text = "sha256:".to_owned();
    for byte in digest {
        _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> PlanFile {
        let mut plan =
            PlanFile::new("replay", "amqp://h/q", None, Treatment { max_replays: 3, ..Treatment::default() });
        plan.ids = ["a", "b", "a"].map(str::to_owned).to_vec();
        plan
    }

    #[test]
    fn what_was_written_is_read_and_what_was_edited_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        plan().write(&path).unwrap();
        let read = PlanFile::read(&path).unwrap();
        assert_eq!(read.ids, ["a", "b", "a"]);
        assert_eq!(read.counted(), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));

        let text = std::fs::read_to_string(&path).unwrap();
        let spread: String = text.replace("    ", "\t");
        std::fs::write(&path, spread).unwrap();
        assert!(PlanFile::read(&path).is_ok(), "how it is laid out does not count");
        for (from, to) in
            [("\"b\"", "\"c\""), ("amqp://h/q", "amqp://h/r"), ("\"max_replays\": 3", "\"max_replays\": 4")]
        {
            assert!(text.contains(from));
            std::fs::write(&path, text.replace(from, to)).unwrap();
            assert_eq!(PlanFile::read(&path).unwrap_err().kind(), Kind::Guard, "{from}");
        }
        std::fs::write(&path, "{\"v\":1}").unwrap();
        assert_eq!(PlanFile::read(&path).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn a_plan_grows_old() {
        let plan = plan();
        let later = |h: u64| plan.made + Duration::from_secs(3600 * h);
        let day = Duration::from_secs(86_400);
        assert!(plan.fresh(later(23), day).is_ok());
        assert_eq!(plan.fresh(later(25), day).unwrap_err().kind(), Kind::Guard);
    }
}
