//! Every error of Amazon's clients, made ours in one function.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::broker::{Error, Kind};

/// What was asked of the service, for its error: `("counting messages", "sqs:GetQueueAttributes", "queue orders-dlq")`.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// As a phrase.
    pub doing: &'static str,
    /// The permission it takes.
    pub action: &'static str,
    /// With what, for people.
    pub what: &'a str,
}

/// An error of a call that changed nothing, or that may be made again.
pub fn of<E>(e: SdkError<E, HttpResponse>, asked: Asked<'_>) -> Error
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answer) = &e {
        let (meta, status) = (answer.err().meta(), answer.raw().status().as_u16());
        return of_code(meta.code().unwrap_or_default(), meta.message().unwrap_or_default(), status, asked);
    }
    let Asked { doing, what, .. } = asked;
    if let Some(missing) = find::<CredentialsError>(&e) {
        return credentials(missing).during(doing);
    }
    let why = chain(&e);
    match &e {
        SdkError::TimeoutError(_) if never_sent(&e) => unreachable(what, &why),
        SdkError::TimeoutError(_) => {
            Error::new(Kind::Timeout, format!("no answer about {what} in time")).hint("--timeout DURATION waits longer")
        }
        SdkError::DispatchFailure(f) if f.is_timeout() && !never_sent(&e) => {
            Error::new(Kind::Timeout, format!("no answer about {what} in time")).hint("--timeout DURATION waits longer")
        }
        SdkError::DispatchFailure(_) if is_untrusted(&e) => {
            Error::new(Kind::Tls, format!("the endpoint for {what} is not trusted: {why}"))
        }
        SdkError::DispatchFailure(_) => unreachable(what, &why),
        SdkError::ConstructionFailure(_) => {
            Error::new(Kind::Usage, format!("the request about {what} cannot be made: {why}"))
        }
        _ => Error::new(Kind::Other, format!("the answer about {what} cannot be read: {why}")),
    }
    .during(doing)
}

/// An error of a call that sends: where it is not certain that nothing was carried out, the outcome is unknown.
pub fn of_sending<E>(e: SdkError<E, HttpResponse>, asked: Asked<'_>) -> Error
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    if certainly_not_done(&e) {
        return of(e, asked);
    }
    let told = of(e, asked);
    Error::new(Kind::Indeterminate, format!("it was sent and no answer came: {told}")).during(asked.doing)
}

/// Whether the call surely changed nothing: it never left, or the service refused it.
pub fn certainly_not_done<E>(e: &SdkError<E, HttpResponse>) -> bool
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    match e {
        SdkError::ConstructionFailure(_) => true,
        SdkError::ServiceError(answer) => {
            answer.raw().status().as_u16() < 500 || is_throttling(answer.err().meta().code().unwrap_or_default())
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => {
            never_sent(e) || find::<CredentialsError>(e).is_some()
        }
        _ => false,
    }
}

/// Whether the service asks to be called less often; it has carried out nothing then.
pub fn is_throttled<E: ProvideErrorMetadata>(e: &SdkError<E, HttpResponse>) -> bool {
    matches!(e, SdkError::ServiceError(answer) if is_throttling(answer.err().meta().code().unwrap_or_default()))
}

/// The codes of it, of a whole call and of one entry of a batch.
pub fn is_throttling(code: &str) -> bool {
    let code = short(code);
    matches!(code, "SlowDown" | "TooManyRequestsException" | "RequestLimitExceeded" | "OverLimit")
        || code.to_ascii_lowercase().contains("throttl")
}

/// What an error code means.
pub fn of_code(code: &str, message: &str, status: u16, asked: Asked<'_>) -> Error {
    let Asked { doing, action, what } = asked;
    let said = if message.is_empty() { code } else { message };
    let e = match short(code) {
        "NonExistentQueue" | "QueueDoesNotExist" => Error::new(Kind::NotFound, format!("there is no {what}")),
        "NotFound" | "NotFoundException" | "ResourceNotFoundException" => {
            Error::new(Kind::NotFound, format!("{what} is not there: {said}"))
        }
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            Error::new(Kind::Denied, format!("the credentials for {what} have expired: {said}"))
                .hint("log in again (aws sso login, or whatever gives you credentials), then repeat the command")
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "InvalidSecurity" => Error::new(Kind::Denied, format!("the credentials are not accepted: {said}"))
            .hint("aws sts get-caller-identity shows who they are of; -X profile=NAME takes others"),
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "KmsAccessDenied"
        | "AccountProblem" => Error::new(Kind::Denied, format!("access to {what} is denied: {said}")).hint(format!(
            "this takes {action}; the policy of the identity and that of the resource must both allow it"
        )),
        "PurgeQueueInProgress" => Error::new(Kind::Held, format!("{what} was purged less than 60 seconds ago: {said}"))
            .hint("try again in a minute"),
        "InvalidMessageContents"
        | "InvalidParameterValue"
        | "InvalidParameterValueException"
        | "InvalidParameter"
        | "MissingParameter" => Error::new(Kind::Rejected, format!("{what} does not take it: {}", join(code, message))),
        "BatchRequestTooLong" | "MessageTooLong" => {
            Error::new(Kind::TooLarge, format!("{what} does not take so much at once: {said}"))
        }
        code if is_throttling(code) => {
            Error::new(Kind::Other, format!("{what} is called too often: {said}")).hint("lower --rate or --concurrency")
        }
        _ if status == 413 => Error::new(Kind::TooLarge, format!("{what} does not take so much at once: {said}")),
        code => Error::new(Kind::Other, format!("{what}: {}", join(code, message))),
    };
    e.during(doing)
}

fn join(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => "the service gives no reason".to_owned(),
        (code, "") => code.to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{message} ({code})"),
    }
}

/// `QueueDoesNotExist` of `AWS.SimpleQueueService.QueueDoesNotExist` and of `com.amazonaws.sqs#QueueDoesNotExist`.
fn short(code: &str) -> &str {
    code.rsplit(['.', '#']).next().unwrap_or(code)
}

fn credentials(e: &CredentialsError) -> Error {
    let why = chain(e);
    match e {
        CredentialsError::CredentialsNotLoaded(_) => Error::new(Kind::Denied, "no AWS credentials were found")
            .hint("log in (aws sso login), name a profile with -X profile=NAME or AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        CredentialsError::ProviderTimedOut(_) => {
            Error::new(Kind::Timeout, format!("the AWS credentials did not come in time: {why}"))
        }
        CredentialsError::InvalidConfiguration(_) => {
            Error::new(Kind::Usage, format!("the AWS configuration cannot be used: {why}"))
        }
        _ if why.to_ascii_lowercase().contains("expired") => {
            Error::new(Kind::Denied, format!("the AWS credentials have expired: {why}"))
                .hint("log in again (aws sso login, or whatever gives you credentials), then repeat the command")
        }
        _ => Error::new(Kind::Denied, format!("the AWS credentials cannot be had: {why}")),
    }
}

fn unreachable(what: &str, why: &str) -> Error {
    Error::new(Kind::Unreachable, format!("the endpoint for {what} cannot be reached: {why}"))
}

/// The connection was never made.
fn never_sent(e: &(dyn StdError + 'static)) -> bool {
    let refused = find::<io::Error>(e).is_some_and(|e| {
        matches!(
            e.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
        )
    });
    refused || is_untrusted(e) || find::<ResolveDnsError>(e).is_some() || connect_timed_out(e)
}

/// The peer's certificate was refused, before anything was sent. Other errors of TLS can come in the midst of a connection.
fn is_untrusted(e: &(dyn StdError + 'static)) -> bool {
    // The client wraps it so that its type cannot be told any more.
    matches!(find::<rustls::Error>(e), Some(rustls::Error::InvalidCertificate(_)))
        || chain(e).contains("invalid peer certificate")
}

/// The client keeps the type of this error to itself.
fn connect_timed_out(e: &(dyn StdError + 'static)) -> bool {
    chain(e).contains("HTTP connect timeout")
}

fn find<'a, T: StdError + 'static>(e: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut at = Some(e);
    while let Some(e) = at {
        if let Some(found) = e.downcast_ref::<T>() {
            return Some(found);
        }
        // An I/O error keeps what it wraps out of its sources.
        if let Some(found) =
            e.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|e| e.downcast_ref::<T>())
        {
            return Some(found);
        }
        at = e.source();
    }
    None
}

/// The texts of all causes, without those that repeat the one before.
fn chain(e: &(dyn StdError + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut at = Some(e);
    while let Some(e) = at {
        let text = e.to_string();
        // These say nothing.
        let empty = ["dispatch failure", "io error", "service error", "other", "timeout"].contains(&text.as_str());
        if !empty && !texts.last().is_some_and(|last| last.ends_with(&text)) {
            texts.push(text);
        }
        at = e.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked { doing: "testing", action: "sqs:SendMessage", what: "queue orders" };

    #[test]
    fn codes_have_kinds_however_they_are_written() {
        for (code, kind) in [
            ("AWS.SimpleQueueService.NonExistentQueue", Kind::NotFound),
            ("com.amazonaws.sqs#QueueDoesNotExist", Kind::NotFound),
            ("ExpiredToken", Kind::Denied),
            ("ExpiredTokenException", Kind::Denied),
            ("InvalidClientTokenId", Kind::Denied),
            ("AccessDenied", Kind::Denied),
            ("AWS.SimpleQueueService.PurgeQueueInProgress", Kind::Held),
            ("RequestThrottled", Kind::Other),
            ("InternalError", Kind::Other),
        ] {
            assert_eq!(of_code(code, "because", 400, ASKED).kind(), kind, "{code}");
        }
        let e = of_code("AccessDenied", "User: x is not authorized", 403, ASKED);
        assert!(e.get_hint().unwrap().contains("sqs:SendMessage"), "{e:?}");
        assert!(e.to_string().contains("queue orders"), "{e}");
    }

    #[test]
    fn throttling_is_told_by_its_codes() {
        for code in
            ["RequestThrottled", "ThrottlingException", "KMS.ThrottlingException", "AWS.SimpleQueueService.OverLimit"]
        {
            assert!(is_throttling(code), "{code}");
        }
        assert!(!is_throttling("InternalError"));
    }
}
