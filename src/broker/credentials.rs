//! Where a password comes from besides the address: a variable, a file, or a command that prints it.

use std::process::{Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::address::{Options, Secret};
use super::{Error, Kind, Result};

/// Options that lead to a password, or to a user and a password. The last two are the same.
pub const SOURCES: &[&str] = &["password-env", "password-file", "password-command", "credential-command"];

/// A password from one of the `password-…` options.
#[derive(Clone, Debug)]
pub struct Given {
    /// Where the command names one.
    pub username: Option<String>,
    /// The password.
    pub password: Secret,
    /// What goes with it, where a command printed one: the session token of Amazon's services.
    pub token: Option<Secret>,
    /// Until when it is good, where that was said.
    pub expires: Option<Timestamp>,
    /// Where it came from, for errors: `the environment variable X`.
    pub from: String,
}

/// What a command prints: ours, or what Amazon's own tools take from a `credential_process`.
#[derive(Deserialize)]
struct Printed {
    #[serde(alias = "AccessKeyId")]
    username: Option<String>,
    #[serde(alias = "SecretAccessKey")]
    password: String,
    #[serde(alias = "SessionToken", alias = "session_token")]
    token: Option<String>,
    #[serde(alias = "Expiration")]
    expires: Option<String>,
}

impl Given {
    fn plain(password: &str, from: String) -> Given {
        Given { username: None, password: Secret::new(password), token: None, expires: None, from }
    }
}

/// The password the option `password-env`, `password-file` or `password-command` leads to; none without them.
///
/// # Errors
/// `Usage` for a variable or file that is not there, or two sources at once; `Denied` for a command that fails.
pub async fn given(options: &Options, timeout: Duration) -> Result<Option<Given>> {
    let option = |name: &str| options.get(name).map(String::as_str);
    let given: Vec<_> = SOURCES.iter().filter(|n| option(n).is_some()).collect();
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
        return Ok(Some(Given::plain(&password, from)));
    }
    if let Some(path) = option("password-file") {
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|e| Error::new(Kind::Usage, format!("the password file {path} cannot be read")).because(e))?;
        let password = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
        return Ok(Some(Given::plain(password, format!("the file {path}"))));
    }
    if let Some(command) = option("password-command").or_else(|| option("credential-command")) {
        return run(command, timeout).await.map(Some);
    }
    Ok(None)
}

/// Runs a password command. What it prints is not part of any error.
async fn run(command: &str, timeout: Duration) -> Result<Given> {
    let failed = |why: String| {
        Error::new(Kind::Denied, format!("the password command {why}"))
            .during("asking for the password")
            .hint("it prints a password on one line, or {\"username\":…,\"password\":…,\"expires\":…}")
    };
    let Output { status, stdout, stderr } = match tokio::time::timeout(timeout, output(command)).await {
        Err(_) => return Err(failed(format!("did not finish within {} s", timeout.as_secs()))),
        Ok(Err(e)) => return Err(failed("could not be started".into()).because(e)),
        Ok(Ok(output)) => output,
    };
    if stdout.len() > MOST {
        return Err(failed(format!("printed more than {} KiB", MOST / 1024)));
    }
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        let said = stderr.lines().map(str::trim).find(|l| !l.is_empty()).map_or_else(String::new, |l| format!(": {l}"));
        return Err(failed(format!("ended with {status}{said}")));
    }
    let text = String::from_utf8(stdout).map_err(|_| failed("printed what is not UTF-8".into()))?;
    let Printed { username, password, token, expires } = read(&text).map_err(|why| failed(why.into()))?;
    let expires = expires.map(|at| at.parse::<Timestamp>()).transpose();
    let expires = expires.map_err(|_| failed("printed an expiry that is not an RFC 3339 time".into()))?;
    if let Some(at) = expires.filter(|at| *at <= Timestamp::now()) {
        return Err(failed(format!("printed a password that expired at {at}")));
    }
    let (password, token) = (Secret::new(password), token.map(Secret::new));
    Ok(Given { username, password, token, expires, from: "the password command".into() })
}

/// Bytes of what a command prints that are read. Tokens are long, but not so long.
const MOST: usize = 64 << 10;

/// A command that has ended has printed what it has to print; what it left running may hold its pipes open for ever.
const BEHIND: Duration = Duration::from_millis(500);

/// What a command printed, little more than [`MOST`] of it; one that goes on printing is ended.
async fn output(command: &str) -> std::io::Result<Output> {
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (vec![], vec![]);
    let status = {
        let mut reading = std::pin::pin!(async { tokio::try_join!(fill(out, &mut stdout), fill(err, &mut stderr)) });
        tokio::select! {
            biased;
            read = &mut reading => {
                read?;
                // With its pipes closed it is told at its next line, if it has not ended.
                child.wait().await?
            }
            ended = child.wait() => {
                let status = ended?;
                if let Ok(read) = tokio::time::timeout(BEHIND, reading).await {
                    read?;
                }
                status
            }
        }
    };
    Ok(Output { status, stdout, stderr })
}

/// Reads to the end, or to enough, and closes the pipe. What was read stays where this is abandoned.
async fn fill(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> std::io::Result<()> {
    if let Some(mut pipe) = pipe {
        while into.len() <= MOST && pipe.read_buf(into).await? > 0 {}
    }
    Ok(())
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
        t if t.contains(char::is_control) => Err("printed control characters, which no password has"),
        t => Ok(Printed { username: None, password: t.to_owned(), token: None, expires: None }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn printed(command: &str) -> Result<String> {
        let options = [("password-command".to_owned(), command.to_owned())].into();
        let given = given(&options, Duration::from_secs(20)).await?;
        Ok(given.map(|g| g.password.expose().to_owned()).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_command_is_not_waited_for_longer_than_it_runs() {
        let began = Instant::now();
        assert_eq!(printed("sleep 25 & echo secret").await.expect("a password"), "secret");
        let long = "x".repeat(60_000);
        assert_eq!(printed(&format!("printf %s {long}; sleep 25 2>&1 &")).await.expect("a password"), long);
        assert_eq!(printed("yes").await.expect_err("too much").kind(), Kind::Denied);
        assert!(printed("echo why >&2; sleep 25 & exit 3").await.expect_err("failed").to_string().contains("why"));
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    }
}
