//! `sns:ARN`.

use crate::broker::address::Options;
use crate::broker::aws::partition::Arn;
use crate::broker::{Address, Error, Kind, Result, aws};

/// The form addresses have, for usage errors.
pub const FORM: &str = "sns:arn:aws:sns:REGION:ACCOUNT:TOPIC";

/// Options beside those of every address on Amazon's services.
const OPTIONS: &[&str] = &["group"];

/// The ARN of an address that was understood before.
///
/// # Errors
/// `Usage`, as [`understand`].
pub fn arn(address: &Address) -> Result<Arn<'_>> {
    parse(address.typed.expose())
}

/// Checks an address without its query, and gives it in a canonical spelling.
///
/// # Errors
/// `Usage`, with the expected form.
pub fn understand(base: &str, options: &Options) -> Result<(String, String)> {
    parse(base)?;
    let endpoint = options.get("endpoint").map_or("-", String::as_str);
    Ok((base.to_owned(), format!("{base} {endpoint}")))
}

/// Refuses options it does not know.
///
/// # Errors
/// `Usage`.
pub fn check_options(address: &Address) -> Result<()> {
    address.only_options(&[aws::OPTIONS, OPTIONS].concat())
}

fn parse(base: &str) -> Result<Arn<'_>> {
    let wrong = |what: &str| Err(Error::new(Kind::Usage, format!("{base:?} {what}")).hint(format!("write {FORM}")));
    let Some(arn) = base.strip_prefix("sns:").and_then(Arn::parse) else { return wrong("is not the ARN of a topic") };
    if arn.service != "sns" {
        return wrong(&format!("names a resource of {}, not a topic", arn.service));
    }
    if arn.name.contains(':') {
        return wrong("is the ARN of a subscription, not of a topic");
    }
    let stem = arn.name.strip_suffix(".fifo").unwrap_or(arn.name);
    let fine = stem.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if arn.region.is_empty() || arn.account.is_empty() || !fine || stem.is_empty() || arn.name.len() > 256 {
        return wrong("is not the ARN of a topic");
    }
    Ok(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_named_by_their_arn_and_by_nothing_else() {
        for good in ["sns:arn:aws:sns:eu-west-1:123456789012:orders", "sns:arn:aws-cn:sns:cn-north-1:1:o_-.fifo"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "sns:orders",
            "sns:",
            "sns:arn:aws:sqs:eu-west-1:123456789012:orders",
            "sns:arn:aws:sns:eu-west-1:123456789012:orders:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
            "sns:arn:aws:sns::123456789012:orders",
            "sns:arn:aws:sns:eu-west-1:123456789012:.fifo",
            "sns:arn:aws:sns:eu-west-1:123456789012:or ders",
        ] {
            let e = parse(bad).expect_err(bad);
            assert!(e.kind() == Kind::Usage && e.get_hint().is_some(), "{bad}: {e:?}");
        }
    }
}
