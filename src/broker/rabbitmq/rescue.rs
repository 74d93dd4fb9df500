//! Saves a message that the broker would destroy when it is given back: an exact copy goes to the end of the same queue, and
//! once that is confirmed, the original is acknowledged. The copy starts with a count of zero.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};

use super::connect::Link;
use super::error;
use super::hazard::{ACQUIRED_COUNT, DELIVERY_COUNT};
use super::held::{Held, answer};
use crate::broker::{Error, Kind, Result};
use crate::message::{DeadLetter, archive};

const DOING: &str = "copying a message that its delivery limit would destroy";

/// A message that must not be given back.
pub struct AtRisk {
    /// Its delivery.
    pub tag: u64,
    /// Properties and headers, as delivered.
    pub properties: BasicProperties,
    /// The body.
    pub body: bytes::Bytes,
    /// The same message, for an archive where the queue takes no copy.
    pub message: DeadLetter,
}

/// The channel copies are published on.
pub struct Rescuer {
    channel: lapin::Channel,
    queue: ShortString,
    user: String,
    longest: Duration,
}

impl Rescuer {
    /// Opens a confirming channel.
    ///
    /// # Errors
    /// As the connection is.
    pub async fn open(link: &Link, longest: Duration) -> Result<Rescuer> {
        let channel = link.channel().await?;
        answer(longest, DOING, channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(Rescuer { channel, queue: link.queue.as_str().into(), user: link.user.clone(), longest })
    }

    /// Copies, awaits every confirm, then acknowledges the originals. Either all of `messages` are safe, or they stay as they
    /// were and some may be there twice.
    ///
    /// # Errors
    /// What stood in the way of the copy or of the acknowledgement.
    pub async fn rescue(&self, held: &Held, messages: &[AtRisk]) -> Result<()> {
        for chunk in messages.chunks(500) {
            let copies = chunk.iter().map(|m| async {
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let properties = copy_of(&m.properties, &self.user);
                let confirm = self
                    .channel
                    .basic_publish(ShortString::default(), self.queue.clone(), options, &m.body, properties)
                    .await?;
                confirm.await
            });
            let confirms = answer(self.longest, DOING, async { join_all(copies).await.into_iter().collect() }).await?;
            let confirms: Vec<Confirmation> = confirms;
            // A returned message may be attached to any confirm of the channel: one among them spoils them all.
            if confirms.iter().any(|c| !matches!(c, Confirmation::Ack(None))) {
                return Err(Error::new(Kind::Rejected, "the queue did not take the copy").during(DOING));
            }
            let tags: Vec<u64> = chunk.iter().map(|m| m.tag).collect();
            for fate in held.done(&tags).await {
                fate?;
            }
        }
        Ok(())
    }

    /// Closes the channel.
    ///
    /// # Errors
    /// As the connection is by then.
    pub async fn close(self) -> Result<()> {
        self.channel.close(200, "done".into()).await.map_err(|e| error::map(&e, DOING))
    }
}

/// The last resort where the queue takes no copy: writes the messages to a new archive, in this folder or else in the one for
/// temporary files, and gives its path.
///
/// # Errors
/// `Io` where neither can be written.
pub fn save(messages: &[AtRisk], now: jiff::Timestamp) -> Result<PathBuf> {
    let mut lines = Vec::new();
    for m in messages {
        archive::write(&archive::fresh_line_id(), &m.message, &mut lines)?;
    }
    let name = format!("dlq-rescued-{}-{}.ndjson", now.strftime("%Y%m%dT%H%M%SZ"), std::process::id());
    let mut failed = None;
    for folder in [PathBuf::from("."), std::env::temp_dir()] {
        let path = folder.join(&name);
        match write(&path, &lines) {
            Ok(()) => return Ok(path),
            Err(e) => failed = Some(e),
        }
    }
    let e = Error::new(Kind::Io, "the messages could not be saved in an archive either");
    Err(match failed {
        Some(cause) => e.because(cause),
        None => e,
    })
}

fn write(path: &Path, lines: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(lines)?;
    file.sync_all()
}

/// The properties of the copy: all of them, less the counts. `CC` would send copies to other queues as well, and a `user-id`
/// that is not ours would be refused, so both are left out.
fn copy_of(p: &BasicProperties, user: &str) -> BasicProperties {
    let mut out = BasicProperties::default();
    if let Some(headers) = p.headers() {
        let mut headers = headers.clone();
        // The table cannot give up an entry, so it is built anew.
        let kept = std::mem::take(&mut headers);
        for (name, value) in kept.inner() {
            if ![DELIVERY_COUNT, ACQUIRED_COUNT, "CC", "BCC"].contains(&name.as_str()) {
                headers.insert(name.clone(), value.clone());
            }
        }
        out = out.with_headers(headers);
    }
    macro_rules! put {
        ($($with:ident $get:ident),* $(,)?) => { $(if let Some(v) = p.$get() { out = out.$with(v.clone()); })* };
    }
    put!(
        with_content_type content_type,
        with_content_encoding content_encoding,
        with_delivery_mode delivery_mode,
        with_priority priority,
        with_correlation_id correlation_id,
        with_reply_to reply_to,
        with_expiration expiration,
        with_message_id message_id,
        with_timestamp timestamp,
        with_type kind,
        with_app_id app_id,
        with_cluster_id cluster_id,
    );
    match p.user_id() {
        Some(id) if id.as_str() == user => out.with_user_id(id.clone()),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::{AMQPValue, FieldTable};

    use super::*;

    #[test]
    fn the_copy_has_everything_but_the_counts_and_what_routes_or_is_refused() {
        let mut t = FieldTable::default();
        for name in [DELIVERY_COUNT, ACQUIRED_COUNT, "CC", "x-death", "mine"] {
            t.insert(name.into(), AMQPValue::LongLongInt(26));
        }
        let p = BasicProperties::default()
            .with_headers(t)
            .with_message_id("m".into())
            .with_expiration("60000".into())
            .with_delivery_mode(2)
            .with_user_id("other".into());
        let copy = copy_of(&p, "me");
        let names: Vec<&str> = copy.headers().as_ref().unwrap().inner().keys().map(|k| k.as_str()).collect();
        assert_eq!(names, ["mine", "x-death"]);
        assert_eq!(copy.message_id(), p.message_id());
        assert_eq!(copy.expiration(), p.expiration());
        assert_eq!(copy.delivery_mode(), p.delivery_mode());
        assert_eq!(copy.user_id(), &None);
        assert_eq!(copy_of(&p, "other").user_id(), p.user_id());
    }
}
