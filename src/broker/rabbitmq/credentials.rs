//! Who logs in, with what password, and where that was taken from.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::address::Parts;
use crate::broker::address::Secret;
use crate::broker::{Address, Error, Kind, Result};

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

#[derive(Deserialize)]
struct Printed {
    username: Option<String>,
    password: String,
    expires: Option<String>,
}

/// The login for an address: an option beats the address, which beats the server's default `guest`.
///
/// # Errors
/// `Usage` for a variable or file that is not there, or two sources at once; `Denied` for a command that fails.
pub async fn of(address: &Address, parts: &Parts, timeout: Duration) -> Result<Credentials> {
    let given: Vec<_> = ["password-env", "password-file", "password-command"]
        .into_iter()
        .filter(|n| address.option(n).is_some())
        .collect();
    if let [a, b, ..] = given[..] {
        return Err(
            Error::new(Kind::Usage, format!("{a} and {b} are both given")).hint("name one place for the password")
        );
    }
    let user = || parts.user.clone().unwrap_or_else(|| "guest".to_owned());
    if let Some(name) = address.option("password-env") {
        let password = std::env::var(name).map_err(|_| {
            Error::new(Kind::Usage, format!("the environment variable {name} (password-env) is not set"))
        })?;
        let from = format!("the environment variable {name}");
        return Ok(Credentials { user: user(), password: Secret::new(password), from });
    }
    if let Some(path) = address.option("password-file") {
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|e| Error::new(Kind::Usage, format!("the password file {path} cannot be read")).because(e))?;
        let password = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
        return Ok(Credentials { user: user(), password: Secret::new(password), from: format!("the file {path}") });
    }
    if let Some(command) = address.option("password-command") {
        let printed = run(command, timeout).await?;
        let user = parts.user.clone().or(printed.username).unwrap_or_else(|| "guest".to_owned());
        return Ok(Credentials { user, password: Secret::new(printed.password), from: "the password command".into() });
    }
    if let Some(password) = &parts.password {
        return Ok(Credentials { user: user(), password: password.clone(), from: "the address".into() });
    }
    Ok(Credentials { user: user(), password: Secret::new("guest"), from: "the default, guest".into() })
}

/// Runs a password command. What it prints is not part of any error.
async fn run(command: &str, timeout: Duration) -> Result<Printed> {
    let failed = |why: String| {
        Error::new(Kind::Denied, format!("the password command {why}"))
            .during("asking for the password")
            .hint("it prints a password on one line, or {\"username\":…,\"password\":…,\"expires\":…}")
    };
    let running = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(timeout, running).await {
        Err(_) => return Err(failed(format!("did not finish within {} s", timeout.as_secs()))),
        Ok(Err(e)) => return Err(failed("could not be started".into()).because(e)),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let said = stderr.lines().map(str::trim).find(|l| !l.is_empty()).map_or_else(String::new, |l| format!(": {l}"));
        return Err(failed(format!("ended with {}{said}", output.status)));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| failed("printed what is not UTF-8".into()))?;
    let printed = read(&text).map_err(|why| failed(why.into()))?;
    match printed.expires.as_deref().map(str::parse::<Timestamp>) {
        Some(Err(_)) => Err(failed("printed an expiry that is not an RFC 3339 time".into())),
        Some(Ok(at)) if at <= Timestamp::now() => Err(failed(format!("printed a password that expired at {at}"))),
        _ => Ok(printed),
    }
}

fn read(text: &str) -> std::result::Result<Printed, &'static str> {
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim_start().starts_with('{') {
        // The text of a JSON error may quote the password.
        return serde_json::from_str(text).map_err(|_| "printed JSON without a password in it");
    }
    match text {
        "" => Err("printed nothing"),
        t if t.contains('\n') => Err("printed several lines"),
        t => Ok(Printed { username: None, password: t.to_owned(), expires: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
