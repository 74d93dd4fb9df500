//! The dead-letter topics of a cluster: by the names they are given, by settings, and by the headers of their records.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, stream};

use super::address;
use super::clues::Clues;
use super::connect::{self, Link, blocking};
use super::source;
use crate::broker::listing::{Finds, Found, Lister, Listing, Sign, is_conventional};
use crate::broker::{Address, Context, Kind, Result, Source as _};
use crate::death;

/// Finds them.
pub(super) static LISTER: Lister = Lister {
    form: address::CLUSTER_FORM,
    understand: address::understand_cluster,
    implied: &[],
    list: |address, ctx| Box::pin(list(address, ctx)),
};

/// Topics looked at side by side.
const AT_ONCE: usize = 8;

async fn list(address: &Address, ctx: &Context) -> Result<Listing> {
    let link = Arc::new(connect::connect(address, ctx).await?);
    let here = Arc::clone(&link);
    let topics = blocking(move || {
        let all = here.metadata(None)?;
        let names = all.topics().iter().filter(|t| t.error().is_none()).map(|t| t.name().to_owned());
        Ok(names.filter(|t| !is_internal(t)).collect::<Vec<_>>())
    })
    .await?;
    let mut clues = Clues::gather(&link, &topics).await?;
    let there: BTreeSet<&str> = topics.iter().map(String::as_str).collect();
    let mut listing = Listing { notes: std::mem::take(&mut clues.notes), ..Listing::default() };
    let mut finds = Finds::default();
    let at = |topic: &str| format!("{}/{topic}", address.shown);
    for (topic, sources) in clues.topics {
        if !there.contains(topic.as_str()) {
            let who = sources.into_iter().collect::<Vec<_>>().join(", ");
            listing.notes.push(format!("{who} sends dead letters to topic {topic}, which is not there: none are kept"));
            continue;
        }
        let found = finds.at(&at(&topic));
        found.sources.extend(sources);
        found.signs.insert(Sign::Config);
    }
    for topic in topics.iter().filter(|t| is_conventional(t)) {
        finds.at(&at(topic)).signs.insert(Sign::Name);
    }
    let looks = finds.into_vec().into_iter().map(|found| look(found, &link, address, ctx));
    let looked: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    // Deleted since it was listed.
    listing.found = looked.into_iter().flatten().collect();
    listing.looked_at = format!(
        "{} that {} may see at {}: their names, their settings and those of groups and connectors",
        match topics.len() {
            1 => "1 topic".to_owned(),
            n => format!("{n} topics"),
        },
        link.user(),
        link.parts.bootstrap()
    );
    Ok(listing)
}

/// Of Kafka itself, of its tools, and ours.
fn is_internal(topic: &str) -> bool {
    topic.starts_with("__") || topic.starts_with("_confluent") || topic == "_schemas"
}

/// Measures a candidate and looks at the headers of its newest record.
async fn look(mut found: Found, link: &Arc<Link>, address: &Address, ctx: &Context) -> Option<Found> {
    match evidence(&mut found, link, address, ctx).await {
        Ok(()) => {}
        Err(e) if e.kind() == Kind::NotFound => return None,
        Err(e) => found.unknown = Some(e.to_string()),
    }
    Some(found)
}

async fn evidence(found: &mut Found, link: &Arc<Link>, cluster: &Address, ctx: &Context) -> Result<()> {
    let options: Vec<(String, String)> = cluster.options.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let address = Address::parse(&found.address, &options)?;
    let topic = address::parts(&address)?.topic;
    let source = source::on(Arc::clone(link), topic, &address, ctx).await?;
    let depth = found.depth.insert(source.depth().await?);
    if depth.waiting() != Some(0) {
        depth.oldest = source.oldest().await?.at;
    }
    if let Some(death) = source.newest().await?.as_ref().and_then(death::of) {
        found.signs.insert(Sign::Header);
        found.sources.extend(death.origin.and_then(|o| o.queue).map(|q| q.to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_cluster_itself_is_no_dead_letter_topic() {
        assert!(is_internal("__dlq_resolved") && is_internal("_confluent-error") && !is_internal("_dead_letter"));
    }
}
