//! ARNs, and the host names that belong to Amazon.

/// A resource named in full: `arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
    /// `sqs`, `sns`, …
    pub service: &'a str,
    /// Empty for services without one.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// What is behind the account, colons included.
    pub name: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes one apart; `None` for what is none.
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        if next()? != "arn" {
            return None;
        }
        let arn = Arn { partition: next()?, service: next()?, region: next()?, account: next()?, name: next()? };
        (arn.partition.starts_with("aws") && !arn.service.is_empty() && !arn.name.is_empty()).then_some(arn)
    }
}

/// Whether a host is one of Amazon's own, in any partition; a stand-in or a proxy is not.
pub fn is_amazon(host: &str) -> bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn", ".amazonaws.eu"]
        .iter()
        .any(|suffix| host.ends_with(suffix))
}

/// The region in the host of a service: `sqs.eu-west-1.amazonaws.com`, `eu-west-1.queue.amazonaws.com`, `vpce-….sqs.…`.
pub fn region_of_host(host: &str) -> Option<&str> {
    if !is_amazon(host) {
        return None;
    }
    // The oldest host of SQS has no region in it and is in the first there was.
    if host == "queue.amazonaws.com" {
        return Some("us-east-1");
    }
    host.split('.').find(|part| is_region(part))
}

/// `eu-west-1`, `us-gov-east-1`, `us-isob-east-1`: letters, then a direction, then a number.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first @ .., number] = parts.as_slice() else { return false };
    (2..=3).contains(&first.len())
        && first[0].len() >= 2
        && first.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_every_partition_are_taken_apart() {
        for (text, partition, region) in [
            ("arn:aws:sqs:eu-west-1:123456789012:orders-dlq", "aws", "eu-west-1"),
            ("arn:aws-cn:sqs:cn-north-1:123456789012:orders-dlq", "aws-cn", "cn-north-1"),
            ("arn:aws-us-gov:sqs:us-gov-west-1:123456789012:orders-dlq", "aws-us-gov", "us-gov-west-1"),
        ] {
            let arn = Arn::parse(text).unwrap();
            assert_eq!((arn.partition, arn.service, arn.region), (partition, "sqs", region));
            assert_eq!((arn.account, arn.name), ("123456789012", "orders-dlq"));
        }
        for bad in ["", "arn:", "arn:aws:sqs:eu-west-1:1", "arn:aws:sqs:eu-west-1:1:", "orders", "arn:x:sqs:r:1:q"] {
            assert_eq!(Arn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_region_is_read_off_amazons_hosts_only() {
        for (host, region) in [
            ("sqs.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("sqs.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("sqs-fips.us-gov-east-1.amazonaws.com", Some("us-gov-east-1")),
            ("ap-southeast-2.queue.amazonaws.com", Some("ap-southeast-2")),
            ("queue.amazonaws.com", Some("us-east-1")),
            ("sqs.eu-west-1.api.aws", Some("eu-west-1")),
            ("vpce-0a1b-2c3d.sqs.us-east-1.vpce.amazonaws.com", Some("us-east-1")),
            ("sqs.us-east-1.localhost.localstack.cloud", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(region_of_host(host), region, "{host}");
        }
        for no in ["orders", "orders-dlq", "a-b-1", "eu-west", "Eu-west-1", "eu-west-1a"] {
            assert!(!is_region(no), "{no}");
        }
    }
}
