//! In whose name calls are made.

use std::fmt;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// Longer than this nobody waits for a name.
const PATIENCE: Duration = Duration::from_secs(3);

/// A user, or a session of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Twelve digits.
    pub account: String,
    /// `arn:aws:sts::123456789012:assumed-role/ops/alice`.
    pub arn: String,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

/// Asks STS, which needs no permission; a stand-in for SQS has none, and a network may not let us through to it.
pub async fn ask(sdk: &SdkConfig, longest: Duration) -> Option<Principal> {
    let patience = longest.min(PATIENCE);
    let config = aws_sdk_sts::config::Builder::from(sdk)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(patience).build())
        .build();
    let call = aws_sdk_sts::Client::from_conf(config).get_caller_identity().send();
    let answer = tokio::time::timeout(patience, call).await.ok()?.ok()?;
    Some(Principal { account: answer.account()?.to_owned(), arn: answer.arn()?.to_owned() })
}
