//! Is it there: queues and exchanges by passive declaration, and what was meant where they are not.

use std::sync::Arc;

use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::{FieldTable, ShortString};

use super::address;
use super::connect::{Link, read_as};
use super::held::answer;
use super::management::Management;
use crate::broker::{Address, Context, Error, Kind, Result, nearest};

fn name(s: &str) -> Result<ShortString> {
    ShortString::try_new(s).map_err(|_| Error::new(Kind::Usage, "names on RabbitMQ have 255 bytes at most"))
}

/// Passes where the exchange is there. The server closes the channel where it is not.
pub async fn exchange_exists(link: &Link, exchange: &str) -> Result<()> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let channel = link.asking().await?;
    let asked = channel.exchange_declare(name(exchange)?, ExchangeKind::Direct, options, FieldTable::default());
    answer(link.longest, "looking for the exchange", asked).await?;
    link.asked(channel).await;
    Ok(())
}

/// Passes where the queue is there.
pub async fn queue_exists(link: &Link, queue: &str) -> Result<()> {
    ready(link, queue).await.map(drop)
}

/// How many messages of a queue can be delivered, counted now.
pub async fn ready(link: &Link, queue: &str) -> Result<u64> {
    if queue.is_empty() {
        // Declared passively, an empty name is the queue declared last.
        return Err(Error::new(Kind::Usage, "no queue is named"));
    }
    Ok(link.counts(&name(queue)?, "looking for the queue").await?.0)
}

/// Adds to a "not found" the nearest name there is, where the server can be asked, and how the address was read.
pub async fn suggest(e: Error, link: &Link, address: &Address, ctx: &Context, exchange: bool, name: &str) -> Error {
    let quiet = Context { notice: Arc::new(|_| {}), ..ctx.clone() };
    let close = match Management::open(address, &quiet, link).await {
        None => None,
        Some(api) => {
            let there = if exchange { api.exchange_names().await } else { api.queue_names().await };
            nearest(name, there.unwrap_or_default().iter().map(String::as_str)).map(|n| format!("did you mean {n:?}?"))
        }
    };
    let read = address::parts(address).ok().filter(|p| !exchange && p.queue == name).map(|p| read_as(&p));
    match (close, read) {
        (Some(close), Some(read)) => e.hint(format!("{close} {read}")),
        (Some(hint), None) | (None, Some(hint)) => e.hint(hint),
        (None, None) => e,
    }
}
