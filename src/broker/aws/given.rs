//! Access keys from a variable, a file or a command, asked for again when they expire.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};

use crate::broker::address::Options;
use crate::broker::credentials::{SOURCES, given};
use crate::broker::{Address, Error, Kind, Result};

/// The way to the keys, for the client, which comes back when what it got has expired.
#[derive(Clone)]
pub(super) struct Given {
    options: Options,
    timeout: Duration,
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
        let given = Given { options: address.options.clone(), timeout };
        // What runs a command is not run once more than it must be.
        if address.option("password-env").or(address.option("password-file")).is_some() {
            given.ask().await?;
        }
        Ok(Some(given))
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
            let asked: provider::Result = self.ask().await.map_err(CredentialsError::not_loaded);
            asked
        })
    }
}
