//! The dead letters of a server: what consumers gave up on, as far as streams keep the advisories, and streams by their names.

use std::collections::BTreeSet;

use super::address::{self, Parts, encode};
use super::advisories;
use super::connect::{self, Link};
use super::stream::StreamInfo;
use super::{depth, number};
use crate::broker::listing::{Finds, Lister, Listing, Sign, is_conventional};
use crate::broker::{Accuracy, Address, Context, Depth, Error, Kind, Result};

/// Finds them.
pub(super) static LISTER: Lister = Lister {
    form: address::CLUSTER_FORM,
    understand: address::understand_cluster,
    implied: &["user"],
    list: |address, ctx| Box::pin(list(address, ctx)),
};

/// Subjects of which a stream that keeps advisories has some.
const KEPT: &str = "$JS.EVENT.ADVISORY.CONSUMER.*.*.*";

async fn list(address: &Address, ctx: &Context) -> Result<Listing> {
    let parts = address::parts(address)?;
    let link = connect::connect(address, ctx).await?;
    let streams = link.streams(None).await?;
    let mut picture =
        Picture { parts: &parts, link: &link, streams: &streams, finds: Finds::default(), listing: Listing::default() };
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    for info in &streams {
        if ctx.stop.is_cancelled() {
            return Err(Error::new(Kind::Stopped { terminated: false }, "stopped while the streams were looked at"));
        }
        let of_these = |kind: &&str| info.takes(&format!("{kind}.x.x"));
        if info.config.subjects.iter().any(|s| advisories::is_one(&s.replace(['*', '>'], "x")))
            || advisories::KINDS.iter().any(of_these)
        {
            told.extend(picture.keeper(info).await);
        }
        if is_conventional(&info.config.name) {
            let found = picture.finds.at(&address::shown(&parts, &info.config.name));
            found.signs.insert(Sign::Name);
            found.depth = Some(depth::of_stream(info));
        }
    }
    let mut consumers = 0;
    for info in &streams {
        consumers += picture.consumers(info, &told).await;
    }
    let Picture { finds, mut listing, .. } = picture;
    listing.found = finds.into_vec();
    listing.looked_at = format!(
        "{} and {} at {}: names, settings, and the advisories that are kept",
        number(streams.len() as u64, "stream"),
        number(consumers, "consumer"),
        link.place
    );
    Ok(listing)
}

/// What is found, as it is found.
struct Picture<'a> {
    parts: &'a Parts,
    link: &'a Link,
    streams: &'a [StreamInfo],
    finds: Finds,
    listing: Listing,
}

impl Picture<'_> {
    /// A stream that keeps advisories: a row of its own, and one for each consumer that is told of.
    async fn keeper(&mut self, info: &StreamInfo) -> BTreeSet<(String, String)> {
        let name = &info.config.name;
        let mut told = BTreeSet::new();
        let subjects = match self.link.subjects(name, KEPT).await {
            Ok(subjects) => subjects,
            Err(e) => {
                self.listing.gaps.push(format!("what stream {name} keeps could not be asked: {e}"));
                return told;
            }
        };
        let mut sources = BTreeSet::new();
        for (subject, many) in &subjects {
            let Some((stream, consumer)) = advisories::about(subject) else { continue };
            if !self.streams.iter().any(|s| s.config.name == stream) {
                self.listing
                    .notes
                    .push(format!("stream {name} tells of consumer {consumer} of {stream}, which is not there"));
                continue;
            }
            sources.insert(format!("consumer {consumer} of {stream}"));
            told.insert((stream.to_owned(), consumer.to_owned()));
            let at = format!("{}?consumer={}", address::shown(self.parts, stream), encode(consumer));
            let found = self.finds.at(&at);
            found.sources.insert(format!("consumer {consumer}"));
            found.signs.insert(Sign::Advisory);
            let all = advisories::KINDS.iter().all(|kind| {
                let subject = format!("{kind}.{stream}.{consumer}");
                self.streams.iter().any(|s| s.takes(&subject))
            });
            let before = found.depth.as_ref().and_then(|d| d.ready).unwrap_or(0);
            // An advisory may be of a message that is gone by now, and there may be two of one; and of the other kind none.
            found.depth = Some(Depth {
                kind: "consumer",
                ready: Some(before + many),
                in_flight: None,
                delayed: None,
                unresolved: None,
                oldest: None,
                accuracy: if all { Accuracy::UpperBound } else { Accuracy::Approximate },
            });
        }
        let found = self.finds.at(&address::shown(self.parts, name));
        found.sources.extend(sources);
        found.signs.insert(Sign::Advisory);
        found.depth = Some(depth::of_stream(info));
        told
    }

    /// Notes consumers that give up without anybody keeping what of. How many there are.
    async fn consumers(&mut self, info: &StreamInfo, told: &BTreeSet<(String, String)>) -> u64 {
        let stream = &info.config.name;
        if info.state.consumer_count == 0 {
            return 0;
        }
        let all = match self.link.consumers(stream).await {
            Ok(all) => all,
            Err(e) => {
                self.listing.gaps.push(format!("the consumers of stream {stream} could not be asked for: {e}"));
                return 0;
            }
        };
        for c in all.iter().filter(|c| c.config.max_deliver > 0) {
            if told.contains(&(stream.clone(), c.name.clone())) || self.is_kept(stream, &c.name) {
                continue;
            }
            self.listing.notes.push(format!(
                "consumer {} of stream {stream} gives up on a message after {}, and no stream keeps which; dlq depth {}?consumer={} says how to make one",
                c.name,
                match c.config.max_deliver {
                    1 => "1 delivery".to_owned(),
                    n => format!("{n} deliveries"),
                },
                address::shown(self.parts, stream),
                encode(&c.name)
            ));
        }
        all.len() as u64
    }

    fn is_kept(&self, stream: &str, consumer: &str) -> bool {
        let subject = format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.{consumer}");
        self.streams.iter().any(|s| s.takes(&subject))
    }
}
