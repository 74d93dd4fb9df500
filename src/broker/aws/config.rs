//! Region, credentials and endpoint, found the way Amazon's own tools find them.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::given::Given;
use super::partition::is_amazon;
use super::principal::{self, Principal};
use crate::broker::{Address, Context, Error, Kind, Result};

/// Options of every address on Amazon's services.
pub const OPTIONS: &[&str] = &[
    "region",
    "profile",
    "endpoint",
    "role",
    "sign",
    "user",
    "password-env",
    "password-file",
    "password-command",
    "credential-command",
];

/// Variables that stand for such options.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("region", "AWS_REGION"),
    ("region", "AWS_DEFAULT_REGION"),
    ("profile", "AWS_PROFILE"),
    ("endpoint", "AWS_ENDPOINT_URL"),
    ("endpoint", "AWS_ENDPOINT_URL_SQS"),
    ("endpoint", "AWS_ENDPOINT_URL_SNS"),
    ("credential-command", "AWS_ACCESS_KEY_ID"),
];

/// Tries of a call that may be made twice.
const TRIES: u32 = 4;
/// A connection that takes longer is not coming.
const CONNECT: Duration = Duration::from_secs(5);

/// What an address itself says about where to connect.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Of the ARN, the URL or the address.
    pub region: Option<String>,
    /// `https://host[:port]` of a queue URL that is not on one of Amazon's ordinary hosts.
    pub endpoint: Option<String>,
}

/// Everything the clients of one address are made from.
pub struct Aws {
    /// Calls made with this are tried again where their answer is lost: only for those that may be made twice.
    pub sdk: SdkConfig,
    /// The region.
    pub region: String,
    /// Where calls go, where the address or an option says.
    pub endpoint: Option<String>,
    sts: SdkConfig,
    timeout: Duration,
    signs: bool,
}

/// Finds region and credentials. No call is made to the service.
///
/// # Errors
/// `Usage`: an option that is none, or no region anywhere.
pub async fn connect(address: &Address, place: Place, ctx: &Context) -> Result<Aws> {
    let endpoint = match address.option("endpoint") {
        Some(url) => Some(endpoint(url)?),
        None => place.endpoint,
    };
    let signs = signs(address)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(endpoint.as_deref().filter(|_| !signs)))
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(timeouts(ctx.timeout, Duration::ZERO))
        // Messages are small, and the time limit of each call covers a stall.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(profile) = address.option("profile") {
        loader = loader.profile_name(profile);
    }
    match address.option("region").map(str::to_owned).or(place.region) {
        Some(region) => loader = loader.region(Region::new(region)),
        // Nobody reads the region of a signature that nobody checks.
        None if !signs => loader = loader.region(Region::new("us-east-1")),
        None => {}
    }
    if !signs {
        loader = loader.credentials_provider(Credentials::new("none", "none", None, None, "sign=no"));
    } else if let Some(given) = Given::of(address, ctx.timeout).await? {
        loader = loader.credentials_provider(given);
    }
    let sdk = loader.load().await;
    let Some(region) = sdk.region().map(ToString::to_string) else {
        return Err(Error::new(Kind::Usage, format!("no region is known for {address}")).hint(
            "give -X region=NAME or AWS_REGION, or set it in the profile; an ARN, a queue URL and sqs://REGION/NAME have one",
        ));
    };
    if region.is_empty() || !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(Error::new(Kind::Usage, format!("{region:?} is no region")).hint(
            "regions are called as in eu-west-1: give -X region=NAME, or leave it out for that of the environment",
        ));
    }
    let elsewhere = |url: &String| !is_amazon(host(url));
    let sts = at(&sdk, endpoint.clone().filter(elsewhere));
    let sdk = at(&sdk, endpoint.clone());
    let Some(role) = address.option("role").filter(|_| signs) else {
        return Ok(Aws { sdk, region, endpoint, sts, timeout: ctx.timeout, signs });
    };
    let provider = AssumeRoleProvider::builder(role).session_name("dlq").configure(&sts).build().await;
    let provider = SharedCredentialsProvider::new(provider);
    let assumed = |sdk: SdkConfig| sdk.into_builder().credentials_provider(provider.clone()).build();
    Ok(Aws { sdk: assumed(sdk), region, endpoint, sts: assumed(sts), timeout: ctx.timeout, signs })
}

fn endpoint(url: &str) -> Result<String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    Err(Error::new(Kind::Usage, format!("the endpoint {url:?} is not a URL"))
        .hint("write it as -X endpoint=https://host[:port]"))
}

fn signs(address: &Address) -> Result<bool> {
    match address.option("sign") {
        None | Some("yes") => Ok(true),
        Some("no") => Ok(false),
        Some(other) => Err(Error::new(Kind::Usage, format!("sign is yes or no, not {other:?}"))
            .hint("-X sign=no is for servers that stand in for Amazon's and want no credentials")),
    }
}

/// The same, where calls go to `endpoint`. Without one the environment and the profile may still name one.
fn at(sdk: &SdkConfig, endpoint: Option<String>) -> SdkConfig {
    match endpoint {
        Some(url) => sdk.to_builder().endpoint_url(url).build(),
        None => sdk.clone(),
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or(rest)
}

/// `plain`: where everything goes, if it is known now and needs no certificates.
fn http_client(plain: Option<&str>) -> SharedHttpClient {
    match plain {
        // Reading the system's certificates takes longer than everything else here.
        Some(url) if url.starts_with("http://") => HttpClient::new().build_http(),
        _ => HttpClient::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https(),
    }
}

/// A command that gives keys is waited for as long as an answer, and it is to be told that it was this.
const AFTER_KEYS: Duration = Duration::from_millis(150);

/// `--timeout` is for one answer; a call that waits at the server of its own accord is given that time on top.
fn timeouts(longest: Duration, waits: Duration) -> TimeoutConfig {
    let attempt = longest + waits + AFTER_KEYS;
    TimeoutConfig::builder().connect_timeout(longest.min(CONNECT)).operation_attempt_timeout(attempt).build()
}

impl Aws {
    /// For calls that must not be made twice unasked, such as sending to a place that does not drop repeats, and for those
    /// that wait at the server for up to `waits`.
    pub fn once(&self, waits: Duration) -> SdkConfig {
        let once = self.sdk.to_builder().retry_config(RetryConfig::disabled());
        once.timeout_config(timeouts(self.timeout, waits)).build()
    }

    /// Who we are, as STS says; `None` where it does not answer, which is no failure.
    pub async fn principal(&self) -> Option<Principal> {
        if !self.signs {
            return None;
        }
        principal::ask(&self.sts, self.timeout).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_and_hosts_are_cut_out_of_them() {
        assert_eq!(endpoint("http://localhost:9324/").unwrap(), "http://localhost:9324");
        assert_eq!(endpoint("localhost:9324").unwrap_err().kind(), Kind::Usage);
        assert_eq!(host("https://sqs.eu-west-1.amazonaws.com/1/q"), "sqs.eu-west-1.amazonaws.com");
        assert_eq!(host("http://127.0.0.1:9324"), "127.0.0.1");
    }
}
