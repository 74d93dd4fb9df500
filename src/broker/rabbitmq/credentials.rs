//! Who logs in, with what password, and where that was taken from.

use std::time::Duration;

use super::address::Parts;
use crate::broker::address::Secret;
use crate::broker::credentials::{Given, given};
use crate::broker::{Address, Result};

/// A login. `Debug` does not show the password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Where the password came from, for errors: `the environment variable X`.
    pub from: String,
}

/// The login for an address: an option beats the address, which beats the server's default `guest`.
///
/// # Errors
/// `Usage` for a variable or file that is not there, or two sources at once; `Denied` for a command that fails.
pub async fn of(address: &Address, parts: &Parts, timeout: Duration) -> Result<Credentials> {
    let user = || parts.user.clone();
    if let Some(Given { username, password, from, .. }) = given(&address.options, timeout).await? {
        let user = user().or(username).unwrap_or_else(|| "guest".to_owned());
        return Ok(Credentials { user, password, from });
    }
    let user = user().unwrap_or_else(|| "guest".to_owned());
    if let Some(password) = &parts.password {
        return Ok(Credentials { user, password: password.clone(), from: "the address".into() });
    }
    Ok(Credentials { user, password: Secret::new("guest"), from: "the default, guest".into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Kind;

    async fn with(typed: &str, options: &[(&str, &str)]) -> Result<Credentials> {
        let flags: Vec<_> = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let address = Address::parse(typed, &flags).unwrap();
        let parts = super::super::address::parts(&address).unwrap();
        of(&address, &parts, Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn options_beat_the_address_which_beats_the_default() {
        let login = |c: Credentials| (c.user, c.password.expose().to_owned());
        assert_eq!(login(with("amqp://h/q", &[]).await.unwrap()), ("guest".into(), "guest".into()));
        assert_eq!(login(with("amqp://a:b@h/q", &[]).await.unwrap()), ("a".into(), "b".into()));
        let c = with("amqp://a:b@h/q", &[("user", "u"), ("password-command", "echo 'p w'")]).await.unwrap();
        assert_eq!(login(c), ("u".into(), "p w".into()));
        let json = "echo '{\"username\":\"x\",\"password\":\"y\",\"expires\":\"2999-01-01T00:00:00Z\"}'";
        assert_eq!(login(with("amqp://h/q", &[("password-command", json)]).await.unwrap()), ("x".into(), "y".into()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " secret \n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(login(with("amqp://h/q", &[("password-file", path)]).await.unwrap()).1, " secret ");
    }

    #[tokio::test]
    async fn a_command_that_fails_is_denied_and_shows_no_secret() {
        for command in [
            "echo hunter2; exit 3",
            "true",
            "yes hunter2",
            "printf 'hunter2\\0'",
            "printf 'hunter2\\nhunter2'",
            "echo '{\"pass\":\"hunter2\"}'",
            "echo '{\"password\":\"hunter2\",\"expires\":\"2001-01-01T00:00:00Z\"}'",
        ] {
            let e = with("amqp://h/q", &[("password-command", command)]).await.expect_err(command);
            assert_eq!(e.kind(), Kind::Denied, "{command}");
            assert!(!format!("{e:?}").contains("hunter2"), "{e:?}");
        }
    }

    #[tokio::test]
    async fn a_source_that_is_not_there_is_a_usage_error() {
        for (k, v) in [("password-env", "DLQ_NO_SUCH_VARIABLE"), ("password-file", "/no/such/file")] {
            assert_eq!(with("amqp://h/q", &[(k, v)]).await.unwrap_err().kind(), Kind::Usage);
        }
        let both = [("password-env", "HOME"), ("password-file", "/x")];
        assert_eq!(with("amqp://h/q", &both).await.unwrap_err().kind(), Kind::Usage);
    }
}
