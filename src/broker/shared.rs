//! What several queues that are opened together have in common: a connection, a client, a login.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::{Context, Result};

type Made<T> = Arc<OnceCell<Result<Arc<T>>>>;
type Kept = HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>;

/// A pool for the queues of one opening, or none: then each has all of its own, as what reads and settles must.
#[derive(Clone, Default)]
pub struct Shared(Option<Pool>);

#[derive(Clone)]
struct Pool {
    kept: Arc<Mutex<Kept>>,
    many: bool,
}

impl Shared {
    /// A new pool, for so many queues. What fails to be made in it stays failed: a later opening takes another one.
    pub fn pool(queues: usize) -> Shared {
        Shared(Some(Pool { kept: Arc::default(), many: queues > 1 }))
    }

    /// Whether there is a pool that more than one queue may ask at the same time.
    pub fn is_of_many(&self) -> bool {
        self.0.as_ref().is_some_and(|pool| pool.many)
    }

    /// Whether there is a pool.
    pub fn is_pool(&self) -> bool {
        self.0.is_some()
    }

    /// What was made under this name, or `make` makes now, while the others that want it wait. `name` must tell apart all that
    /// matters, secrets included; it is never shown.
    ///
    /// # Errors
    /// Those of `make`, to everybody who asks.
    pub async fn get<T, F>(&self, name: String, make: impl FnOnce() -> F) -> Result<Arc<T>>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T>>,
    {
        let Some(pool) = &self.0 else { return make().await.map(Arc::new) };
        let cell: Option<Made<T>> = {
            let mut kept = pool.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let cell = kept.entry((TypeId::of::<T>(), name)).or_insert_with(|| Arc::new(Made::<T>::default()));
            cell.downcast_ref::<Made<T>>().cloned()
        };
        // Under the type's own id lies nothing else.
        let Some(cell) = cell else { return make().await.map(Arc::new) };
        match cell.get_or_init(|| async { make().await.map(Arc::new) }).await {
            Ok(made) => Ok(Arc::clone(made)),
            Err(e) => Err(e.again()),
        }
    }
}

/// What was learned when a queue was opened, for the first who wants to know it right after: to count only, it is not asked
/// twice. Empty without a pool.
pub struct Fresh<T>(Mutex<Option<(Instant, T)>>);

/// What is older is asked anew.
const FRESH: Duration = Duration::from_secs(1);

impl<T> Fresh<T> {
    /// Keeps it where queues are opened to be counted.
    pub fn new(context: &Context, learned: T) -> Fresh<T> {
        Fresh(Mutex::new(context.shared.is_pool().then(|| (Instant::now(), learned))))
    }

    /// Hands it out, once.
    pub fn take(&self) -> Option<T> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.filter(|(at, _)| at.elapsed() < FRESH).map(|(_, learned)| learned)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::broker::{Error, Kind};

    #[tokio::test]
    async fn what_is_named_alike_is_made_once_and_fails_once() {
        let (pool, made) = (Shared::pool(2), AtomicU32::new(0));
        let make = || async { Ok(made.fetch_add(1, Ordering::Relaxed)) };
        let (a, b) = tokio::join!(pool.get("a".into(), make), pool.get("a".into(), make));
        assert_eq!((*a.expect("made"), *b.expect("made")), (0, 0));
        assert_eq!(*pool.get("b".into(), make).await.expect("made"), 1);
        assert_eq!(*Shared::default().get("a".into(), make).await.expect("made"), 2);
        for _ in 0..2 {
            let e =
                pool.get::<String, _>("a".into(), || async { Err(Error::new(Kind::Denied, "no").hint("so")) }).await;
            let e = e.expect_err("refused");
            assert_eq!((e.kind(), e.get_hint()), (Kind::Denied, Some("so")));
        }
    }
}
