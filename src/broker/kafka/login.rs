//! A login that is asked for again: before it expires, when the cluster refuses it, and when a connection was lost. The library
//! uses what it is given from the next connection on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use jiff::Timestamp;
use rdkafka::ClientConfig;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::held::lock;
use super::sys;
use crate::broker::Context;
use crate::broker::address::Options;
use crate::broker::credentials::{self, Given};

/// No oftener than this.
const PAUSE: Duration = Duration::from_secs(1);
/// A connection that is lost may be lost for another reason: what is younger is not asked for again.
const YOUNG: Duration = Duration::from_secs(10);
/// Between two tries where there is none to be had, at most.
const LONGEST: Duration = Duration::from_secs(30);
/// The library says once that a login is refused: where the answer is still the same, it is asked for so often again.
const TRIES: u32 = 6;
/// So long before it expires there is a new one, or in the last fifth of a shorter life.
const AHEAD: Duration = Duration::from_secs(60);

/// What logs in.
pub(super) trait Speaks: Send + Sync {
    /// From the next connection on it is this.
    fn log_in(&self, user: &str, password: &str);
}

impl<C: ConsumerContext + 'static> Speaks for BaseConsumer<C> {
    fn log_in(&self, user: &str, password: &str) {
        give(self.client(), user, password);
    }
}

impl<C: ProducerContext + 'static> Speaks for ThreadedProducer<C> {
    fn log_in(&self, user: &str, password: &str) {
        give(self.client(), user, password);
    }
}

fn give<C: ClientContext>(client: &Client<C>, user: &str, password: &str) {
    if let Err(code) = sys::set_login(client, user, password) {
        log::debug!(target: "librdkafka", "the new login is not taken: {code}");
    }
}

/// The login of the clients of one cluster.
pub(super) struct Login {
    /// The name that was given besides, which goes before the one that comes with the password.
    user: Option<String>,
    now: Mutex<(Given, Instant)>,
    clients: Mutex<Vec<Weak<dyn Speaks>>>,
    wanted: Arc<Notify>,
    refused: AtomicBool,
}

impl Drop for Login {
    fn drop(&mut self) {
        self.wanted.notify_one();
    }
}

impl Login {
    /// One that comes from where it can be asked for again. It is, for as long as anybody has it.
    pub(super) fn keep(options: &Options, given: Given, ctx: &Context) -> Option<Arc<Login>> {
        let fixed = ["password-env"];
        credentials::SOURCES.iter().find(|s| options.contains_key(**s) && !fixed.contains(s))?;
        let user = ["sasl.username", "user"].iter().find_map(|name| options.get(*name)).cloned();
        let now = Mutex::new((given, Instant::now()));
        let login = Arc::new(Login {
            user,
            now,
            clients: Mutex::default(),
            wanted: Arc::default(),
            refused: AtomicBool::new(false),
        });
        tokio::spawn(again(Arc::downgrade(&login), options.clone(), ctx.clone()));
        Some(login)
    }

    /// Told what a client says of its own accord.
    pub(super) fn heard(&self, code: Code) {
        match code {
            Code::Authentication | Code::SaslAuthenticationFailed => self.refused.store(true, Ordering::Relaxed),
            Code::BrokerTransportFailure if lock(&self.now).1.elapsed() >= YOUNG => {}
            _ => return,
        }
        self.wanted.notify_one();
    }

    /// With the login as it is now.
    pub(super) fn put(&self, config: &ClientConfig) -> ClientConfig {
        let mut config = config.clone();
        let now = lock(&self.now);
        config.set("sasl.password", now.0.password.expose());
        if let Some(user) = self.user.as_ref().or(now.0.username.as_ref()) {
            config.set("sasl.username", user);
        }
        config
    }

    /// Tells it of every login from now on.
    pub(super) fn tell(&self, client: Weak<dyn Speaks>) {
        let mut clients = lock(&self.clients);
        clients.retain(|c| c.strong_count() > 0);
        clients.push(client);
    }

    /// Whether it is another one.
    fn changed(&self, given: Given) -> bool {
        let user = self.user.clone().or_else(|| given.username.clone()).unwrap_or_default();
        let password = given.password.clone();
        let before = std::mem::replace(&mut *lock(&self.now), (given, Instant::now())).0;
        let same = before.password.expose() == password.expose()
            && self.user.clone().or(before.username).unwrap_or_default() == user;
        let clients: Vec<_> = lock(&self.clients).iter().filter_map(Weak::upgrade).collect();
        clients.iter().for_each(|client| client.log_in(&user, password.expose()));
        !same
    }
}

/// Until nobody has the login any more.
async fn again(login: Weak<Login>, options: Options, ctx: Context) {
    let (mut failures, mut tries) = (0_u32, 0_u32);
    while let Some((wanted, expires)) = login.upgrade().map(|l| (Arc::clone(&l.wanted), lock(&l.now).0.expires)) {
        let wait = match failures.max(tries) {
            0 => expires.map(|at| before(at, Timestamp::now())),
            n => Some((PAUSE * 2_u32.pow(n.min(5))).min(LONGEST)),
        };
        let wait = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wanted.notified() => {}
            () = wait => {}
        }
        if login.strong_count() == 0 {
            return;
        }
        match (credentials::given(&options, ctx.timeout).await, login.upgrade()) {
            (Ok(Some(given)), Some(login)) => {
                failures = 0;
                tries = match login.changed(given) {
                    false if login.refused.load(Ordering::Relaxed) && tries < TRIES => tries + 1,
                    _ => {
                        login.refused.store(false, Ordering::Relaxed);
                        0
                    }
                };
            }
            (Err(e), _) => {
                failures += 1;
                if failures == 1 {
                    (ctx.notice)(format!("the login cannot be asked for again, and stays what it was: {e}"));
                }
            }
            _ => return,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How long until one that expires is asked for again.
fn before(expires: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(expires.duration_since(now)).unwrap_or_default();
    left.saturating_sub(AHEAD.min(left / 5)).max(PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_asked_for_again_before_it_expires() {
        let now = Timestamp::now();
        let after = |seconds: i64| before(now + jiff::SignedDuration::from_secs(seconds), now);
        assert_eq!(after(3600), Duration::from_secs(3540));
        assert_eq!(after(10), Duration::from_secs(8));
        assert_eq!(after(-5), PAUSE);
    }
}
