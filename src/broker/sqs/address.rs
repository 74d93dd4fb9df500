//! `sqs://[REGION/]NAME`, a queue URL, or an ARN, and what it means.

use crate::broker::address::Options;
use crate::broker::aws::partition::{Arn, is_amazon, is_region, region_of_host};
use crate::broker::aws::{self, Place};
use crate::broker::{Address, Error, Kind, Result};

/// The form addresses have, for usage errors.
pub const FORM: &str = "sqs://[REGION/]NAME";

/// Options beside those of every address on Amazon's services.
pub const OPTIONS: &[&str] = &["visibility", "group"];

/// Seconds for which a received message is hidden where nothing says otherwise; renewed at half.
pub const VISIBILITY: u32 = 120;
/// SQS takes no more than twelve hours.
const MOST_VISIBILITY: u32 = 43_200;

/// An address taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The name of the queue, with `.fifo` where it has it.
    pub name: String,
    /// The account that owns it, where the address says.
    pub account: Option<String>,
    /// Its URL, where that was typed.
    pub url: Option<String>,
    /// Where it is.
    pub region: Option<String>,
    /// Where calls go, where the URL is not one of Amazon's ordinary ones.
    pub endpoint: Option<String>,
}

impl Parts {
    /// For [`aws::connect`].
    pub fn place(&self) -> Place {
        Place { region: self.region.clone(), endpoint: self.endpoint.clone() }
    }
}

/// Takes an address apart that was understood before.
///
/// # Errors
/// `Usage`, as [`understand`].
pub fn parts(address: &Address) -> Result<Parts> {
    parse(address.typed.expose())
}

/// Checks an address without its query, and gives it in a canonical spelling.
///
/// # Errors
/// `Usage`, with the expected form.
pub fn understand(base: &str, options: &Options) -> Result<(String, String)> {
    let Parts { name, account, region, endpoint, .. } = parse(base)?;
    visibility(options.get("visibility").map(String::as_str))?;
    let region = options.get("region").or(region.as_ref());
    let endpoint = options.get("endpoint").or(endpoint.as_ref());
    let or = |part: Option<&String>| part.map_or("-", String::as_str).to_owned();
    let canonical = format!("sqs {} {} {} {name}", or(endpoint), or(region), or(account.as_ref()));
    Ok((base.to_owned(), canonical))
}

/// `-X visibility=SECONDS`.
///
/// # Errors
/// `Usage`.
pub fn visibility(option: Option<&str>) -> Result<u32> {
    let Some(typed) = option else { return Ok(VISIBILITY) };
    typed.trim_end_matches('s').parse().ok().filter(|n| (1..=MOST_VISIBILITY).contains(n)).ok_or_else(|| {
        Error::new(Kind::Usage, format!("visibility={typed:?} is not a number of seconds from 1 to {MOST_VISIBILITY}"))
    })
}

/// Refuses options it does not know.
///
/// # Errors
/// `Usage`.
pub fn check_options(address: &Address) -> Result<()> {
    address.only_options(&[aws::OPTIONS, OPTIONS].concat())
}

fn parse(base: &str) -> Result<Parts> {
    let parts = if base.starts_with("arn:") {
        of_arn(base)?
    } else if let Some(rest) = base.strip_prefix("sqs://") {
        of_name(rest)?
    } else {
        of_url(base)?
    };
    check_name(&parts.name, base)?;
    Ok(parts)
}

fn of_arn(base: &str) -> Result<Parts> {
    match Arn::parse(base) {
        Some(arn) if arn.service == "sqs" && !arn.region.is_empty() && !arn.account.is_empty() => Ok(Parts {
            name: arn.name.to_owned(),
            account: Some(arn.account.to_owned()),
            url: None,
            region: Some(arn.region.to_owned()),
            endpoint: None,
        }),
        Some(arn) if arn.service == "sns" => {
            Err(Error::new(Kind::Usage, format!("{base} is a topic, and no queue")).hint(format!("write sns:{base}")))
        }
        _ => Err(Error::new(Kind::Usage, format!("{base:?} is not the ARN of a queue"))
            .hint("it is written arn:aws:sqs:REGION:ACCOUNT:NAME")),
    }
}

fn of_name(rest: &str) -> Result<Parts> {
    let segments: Vec<&str> = rest.split('/').collect();
    let (region, name) = match segments.as_slice() {
        [name] => (None, *name),
        [region, name] if is_region(region) => (Some((*region).to_owned()), *name),
        [other, _] => {
            return Err(Error::new(Kind::Usage, format!("{other:?} in sqs://{rest} is no region"))
                .hint(format!("write {FORM}; a queue of another account is named by its ARN or its URL")));
        }
        _ => return Err(wrong(&format!("sqs://{rest}"))),
    };
    Ok(Parts { name: name.to_owned(), account: None, url: None, region, endpoint: None })
}

/// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`; a stand-in may have more before the account.
fn of_url(base: &str) -> Result<Parts> {
    let not_one = || {
        Error::new(Kind::Usage, format!("{base:?} is not the URL of a queue"))
            .hint("it is written https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    };
    let (scheme, rest) = base.split_once("://").ok_or_else(|| wrong(base))?;
    let (authority, path) = rest.split_once('/').ok_or_else(not_one)?;
    if authority.contains('@') {
        return Err(Error::new(Kind::Usage, "the URL of a queue has no user in it")
            .hint("credentials come from the profile or the environment"));
    }
    let mut segments = path.trim_end_matches('/').rsplit('/');
    let (name, account) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    if account.is_empty() {
        return Err(not_one());
    }
    let host = authority.split(':').next().unwrap_or(authority);
    // The oldest hosts do not take today's protocol; an endpoint of one's own network must be kept.
    let ordinary = is_amazon(host) && !host.contains(".vpce.");
    Ok(Parts {
        name: name.to_owned(),
        account: Some(account.to_owned()).filter(|a| a.bytes().all(|b| b.is_ascii_digit())),
        url: Some(base.trim_end_matches('/').to_owned()),
        region: region_of_host(host).map(str::to_owned),
        endpoint: (!ordinary).then(|| format!("{scheme}://{authority}")),
    })
}

fn wrong(base: &str) -> Error {
    Error::new(Kind::Usage, format!("{base:?} is not the address of a queue"))
        .hint(format!("write {FORM}, the URL of the queue, or its ARN"))
}

fn check_name(name: &str, base: &str) -> Result<()> {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    if name.is_empty() {
        return Err(Error::new(Kind::Usage, format!("there is no queue in {base:?}")).hint(format!("write {FORM}")));
    }
    let fine = stem.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if stem.is_empty() || !fine || name.len() > 80 {
        return Err(Error::new(Kind::Usage, format!("{name:?} cannot be the name of an SQS queue"))
            .hint("it has up to 80 letters, digits, - and _, and .fifo behind them where it is a FIFO queue"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(base: &str) -> (String, Option<String>, Option<String>, Option<String>) {
        let Parts { name, account, region, endpoint, .. } = parse(base).unwrap();
        (name, account, region, endpoint)
    }

    fn some(s: &str) -> Option<String> {
        Some(s.to_owned())
    }

    #[test]
    fn every_spelling_is_taken_apart() {
        assert_eq!(parsed("sqs://orders-dlq"), ("orders-dlq".into(), None, None, None));
        assert_eq!(parsed("sqs://eu-west-1/o.fifo"), ("o.fifo".into(), None, some("eu-west-1"), None));
        let id = "123456789012";
        assert_eq!(
            parsed("arn:aws-cn:sqs:cn-north-1:123456789012:o"),
            ("o".into(), some(id), some("cn-north-1"), None)
        );
        assert_eq!(
            parsed("https://sqs.us-gov-west-1.amazonaws.com/123456789012/o"),
            ("o".into(), some(id), some("us-gov-west-1"), None)
        );
        assert_eq!(
            parsed("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123456789012/o"),
            ("o".into(), some(id), some("eu-west-1"), some("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com"))
        );
        assert_eq!(
            parsed("http://127.0.0.1:9324/000000000000/o"),
            ("o".into(), some("000000000000"), None, some("http://127.0.0.1:9324"))
        );
    }

    #[test]
    fn what_is_none_says_how_it_is_written() {
        for bad in [
            "sqs://",
            "sqs://a/b/c",
            "sqs://orders/dlq",
            "sqs://or ders",
            "sqs://.fifo",
            "arn:aws:sqs:eu-west-1:1:",
            "arn:aws:s3:::bucket",
            "https://example.com",
            "https://example.com/o",
            "https://me:secret@example.com/123456789012/o",
        ] {
            let e = parse(bad).expect_err(bad);
            assert_eq!(e.kind(), Kind::Usage, "{bad}");
            assert!(e.get_hint().is_some(), "{bad}");
            assert!(!format!("{e:?}").contains("secret"), "{e:?}");
        }
        let topic = parse("arn:aws:sns:eu-west-1:123456789012:t").unwrap_err();
        assert!(topic.get_hint().unwrap().contains("sns:arn"), "{topic:?}");
    }

    #[test]
    fn an_option_can_say_the_region_and_makes_another_queue() {
        let with = |region: &str| Options::from([("region".to_owned(), region.to_owned())]);
        let canonical = |base: &str, options: &Options| understand(base, options).unwrap().1;
        assert_eq!(canonical("sqs://eu-west-1/o", &Options::new()), canonical("sqs://o", &with("eu-west-1")));
        assert_ne!(canonical("sqs://o", &with("eu-west-1")), canonical("sqs://o", &with("eu-west-2")));
        assert!(visibility(Some("0")).is_err() && visibility(Some("43201")).is_err());
        assert_eq!((visibility(Some("30s")).unwrap(), visibility(None).unwrap()), (30, VISIBILITY));
    }
}
