//! Access keys from a variable, a file or a command, asked for again when they expire.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::broker::address::Options;
use crate::broker::credentials::{SOURCES, given};
use crate::broker::{Address, Error, Kind, Result};

/// For so long after a failure the client is told the same again: it asks several times for one call of ours.
const SAME: Duration = Duration::from_secs(1);

/// The way to the keys, for the client, which comes back when what it got has expired.
#[derive(Clone)]
pub(super) struct Given {
    options: Options,
    timeout: Duration,
    failed: Arc<Mutex<Option<(Instant, Error)>>>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given")
    }
}

impl Given {
    /// Of an address that has such options. What is wrong with them is told here, in our words.
    ///
    /// # Errors
    /// Those of [`given`]; `Usage` where nothing names the access key.
    pub(super) async fn of(address: &Address, timeout: Duration) -> Result<Option<Given>> {
        if !SOURCES.iter().any(|name| address.option(name).is_some()) {
            return Ok(None);
        }
        let given = Given { options: address.options.clone(), timeout, failed: Arc::default() };
        // What runs a command is not run once more than it must be.
        if address.option("password-env").or(address.option("password-file")).is_some() {
            given.ask().await?;
        }
        Ok(Some(given))
    }

    /// Asks, unless that failed a moment ago.
    async fn ask_once(&self) -> Result<Credentials> {
        let mut failed = self.failed.lock().await;
        if let Some((_, e)) = failed.as_ref().filter(|(at, _)| at.elapsed() < SAME) {
            return Err(e.again());
        }
        let asked = self.ask().await;
        *failed = asked.as_ref().err().map(|e| (Instant::now(), e.again()));
        asked
    }

    async fn ask(&self) -> Result<Credentials> {
        let Some(found) = given(&self.options, self.timeout).await? else {
            return Err(Error::new(Kind::Usage, "no option leads to a secret key"));
        };
        let Some(user) = found.username.or_else(|| self.options.get("user").cloned()) else {
            return Err(Error::new(
                Kind::Usage,
                format!("{} gives a secret key, and nothing names its access key id", found.from),
            )
            .hint("give -X user=ACCESS_KEY_ID, or have a command print {\"username\":…,\"password\":…}"));
        };
        let token = found.token.map(|t| t.expose().to_owned());
        let expires = found.expires.and_then(|at| SystemTime::try_from(at).ok());
        Ok(Credentials::new(user, found.password.expose(), token, expires, "credential-command"))
    }
}

impl ProvideCredentials for Given {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let asked: provider::Result = self.ask_once().await.map_err(CredentialsError::provider_error);
            asked
        })
    }
}
