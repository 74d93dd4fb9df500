//! How much waits in the queues a publish reaches, and whether they have run dry since.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::connect::{self, Link};
use super::letter::Place;
use super::management::Management;
use super::{lookup, topology};
use crate::broker::{Address, Context, Gauge, Kind, Receipt, Result};
use crate::message::Target;

/// The counts of the management API are up to five seconds old: that nothing is held counts once it was so for longer.
const STALE: Duration = Duration::from_secs(6);

/// On a connection of its own: that of the sink is closed when a canary begins to wait.
pub struct RabbitGauge {
    address: Address,
    ctx: Context,
    place: Place,
    open: tokio::sync::Mutex<Option<Open>>,
    /// Since when nothing has been left at a place.
    dry: Mutex<HashMap<Place, Instant>>,
}

/// A connection, and the API where there is one.
#[derive(Clone)]
struct Open {
    link: Arc<Link>,
    api: Option<Management>,
}

/// What waits at one place.
struct Waiting {
    ready: u64,
    /// Where the API tells.
    held: Option<u64>,
}

impl RabbitGauge {
    /// `place`: where the sink was opened to.
    pub fn new(address: &Address, ctx: &Context, place: &Place) -> Self {
        let quiet = Context { notice: Arc::new(|_| {}), ..ctx.clone() };
        RabbitGauge {
            address: address.clone(),
            ctx: quiet,
            place: place.clone(),
            open: tokio::sync::Mutex::new(None),
            dry: Mutex::default(),
        }
    }

    fn place_of(&self, target: Option<&Target>) -> Result<Place> {
        target.map_or_else(|| Ok(self.place.clone()), Place::of)
    }

    async fn open(&self) -> Result<Open> {
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let link = Arc::new(connect::connect(&self.address, &self.ctx, "watching").await?);
        let api = Management::open(&self.address, &self.ctx, &link).await;
        Ok(open.insert(Open { link, api }).clone())
    }

    /// What waits there; a connection that broke is opened anew the next time.
    async fn waiting(&self, place: &Place) -> Result<Option<Vec<Waiting>>> {
        let counted = count(&self.open().await?, place).await;
        if counted.as_ref().is_err_and(|e| e.kind() == Kind::Unreachable) {
            *self.open.lock().await = None;
        }
        counted
    }
}

/// Of each queue behind a place; `None` where the bindings of its exchange cannot be known.
async fn count(Open { link, api }: &Open, place: &Place) -> Result<Option<Vec<Waiting>>> {
    let key = place.key.as_deref().unwrap_or_default();
    let queues = match (place.exchange.as_str(), api) {
        ("", _) => vec![key.to_owned()],
        (exchange, Some(api)) => topology::behind(api, exchange, key).await?.into_iter().collect(),
        (_, None) => return Ok(None),
    };
    let mut all = Vec::with_capacity(queues.len());
    for queue in queues {
        let ready = match lookup::ready(link, &queue).await {
            Ok(ready) => ready,
            // One of another connection's own, or one that may not be looked at.
            Err(e) if matches!(e.kind(), Kind::Denied | Kind::Held) => return Ok(None),
            Err(e) => return Err(e),
        };
        let held = match api {
            Some(api) => api.queue(&queue).await?.and_then(|q| q.messages_unacknowledged),
            None => None,
        };
        all.push(Waiting { ready, held });
    }
    Ok(Some(all))
}

#[async_trait]
impl Gauge for RabbitGauge {
    async fn backlog(&self, target: Option<&Target>) -> Result<Option<u64>> {
        let waiting = self.waiting(&self.place_of(target)?).await?;
        Ok(waiting.map(|all| all.iter().map(|w| w.ready + w.held.unwrap_or(0)).max().unwrap_or(0)))
    }

    async fn consumed(&self, target: Option<&Target>, _: &[Receipt]) -> Result<Option<bool>> {
        let place = self.place_of(target)?;
        // Without the API it is not known what consumers hold.
        let Some(all) = self.waiting(&place).await?.filter(|all| all.iter().all(|w| w.held.is_some())) else {
            return Ok(None);
        };
        let left = all.iter().any(|w| w.ready > 0 || w.held != Some(0));
        let mut dry = self.dry.lock().unwrap_or_else(PoisonError::into_inner);
        if left || all.is_empty() {
            dry.remove(&place);
            return Ok(Some(false));
        }
        let since = *dry.entry(place).or_insert_with(Instant::now);
        Ok(Some(since.elapsed() >= STALE))
    }
}
