//! Where a password comes from besides the address: a variable, a file, or a command that prints it.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::address::{Options, Secret};
use super::{Error, Kind, Result};

/// A password from one of the `password-…` options.
#[derive(Clone, Debug)]
pub struct Given {
    /// Where the command names one.
    pub username: Option<String>,
    /// The password.
    pub password: Secret,
    /// Where it came from, for errors: `the environment variable X`.
    pub from: String,
}

#[derive(Deserialize)]
struct Printed {
    username: Option<String>,
    password: String,
    expires: Option<String>,
}

/// The password the option `password-env`, `password-file` or `password-command` leads to; none without them.
///
/// # Errors
/// `Usage` for a variable or file that is not there, or two sources at once; `Denied` for a command that fails.
pub async fn given(options: &Options, timeout: Duration) -> Result<Option<Given>> {
    let option = |name: &str| options.get(name).map(String::as_str);
    let given: Vec<_> =
        ["password-env", "password-file", "password-command"].into_iter().filter(|n| option(n).is_some()).collect();
    if let [a, b, ..] = given[..] {
        return Err(
            Error::new(Kind::Usage, format!("{a} and {b} are both given")).hint("name one place for the password")
        );
    }
    if let Some(name) = option("password-env") {
        let password = std::env::var(name).map_err(|_| {
            Error::new(Kind::Usage, format!("the environment variable {name} (password-env) is not set"))
        })?;
        let from = format!("the environment variable {name}");
        return Ok(Some(Given { username: None, password: Secret::new(password), from }));
    }
    if let Some(path) = option("password-file") {
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|e| Error::new(Kind::Usage, format!("the password file {path} cannot be read")).because(e))?;
        let password = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
        return Ok(Some(Given { username: None, password: Secret::new(password), from: format!("the file {path}") }));
    }
    if let Some(command) = option("password-command") {
        let Printed { username, password, .. } = run(command, timeout).await?;
        return Ok(Some(Given { username, password: Secret::new(password), from: "the password command".into() }));
    }
    Ok(None)
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
