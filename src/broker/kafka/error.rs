//! From the client library's errors to ours: the one place.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaConfRes;

use crate::broker::{Error, Kind};

/// What an error of the client library means here; `doing` as a phrase: "reading the topic".
pub(super) fn map(e: &KafkaError, doing: &'static str) -> Error {
    match e {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => no_such_option(name),
        // The text repeats the value; only the values of secrets are not checked at all.
        KafkaError::ClientConfig(_, text, name, _) => {
            Error::new(Kind::Usage, format!("the option {name} is not as Kafka's client wants it: {}", plain(text)))
        }
        KafkaError::ClientCreation(text) => {
            let kind = if text.contains("ssl") || text.contains("SSL") { Kind::Tls } else { Kind::Usage };
            Error::new(kind, format!("no client can be made with these options: {}", plain(text)))
        }
        KafkaError::Transaction(t) => of_code_saying(t.code(), &t.string()),
        other => match other.rdkafka_error_code() {
            Some(code) => of_code(code),
            None => Error::new(Kind::Other, other.to_string()),
        },
    }
    .during(doing)
}

/// One code in words.
pub(super) fn of_code(code: Code) -> Error {
    of_code_saying(code, &code.to_string())
}

/// One code, and what the library says of it.
pub(super) fn of_code_saying(code: Code, text: &str) -> Error {
    let e = Error::new(kind(code), words(code).map_or_else(|| plain(text), str::to_owned));
    match takes(code) {
        Some(permissions) => e.hint(permissions),
        None => e,
    }
}

/// The permissions whose lack a code stands for.
fn takes(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::TopicAuthorizationFailed => {
            "reading takes DESCRIBE and READ on a topic, sending DESCRIBE and WRITE, deleting what is purged DELETE"
        }
        Code::GroupAuthorizationFailed => "it takes DESCRIBE on the group",
        Code::TransactionalIdAuthorizationFailed => {
            "it takes WRITE and DESCRIBE on transactional ids that begin with dlq-"
        }
        _ => return None,
    })
}

/// The kind of failure a code stands for.
pub(super) fn kind(code: Code) -> Kind {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId => {
            Kind::NotFound
        }
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => Kind::Denied,
        Code::SSL => Kind::Tls,
        Code::MessageSizeTooLarge => Kind::TooLarge,
        Code::InvalidTimestamp | Code::InvalidRecord | Code::PolicyViolation | Code::InvalidMessage => Kind::Rejected,
        Code::UnsupportedVersion | Code::UnsupportedFeature | Code::NotImplemented => Kind::Unsupported,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::ConcurrentTransactions => Kind::Held,
        Code::OperationTimedOut | Code::RequestTimedOut => Kind::Timeout,
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::NetworkException
        | Code::BrokerNotAvailable
        | Code::LeaderNotAvailable
        | Code::CoordinatorNotAvailable
        | Code::CoordinatorLoadInProgress => Kind::Unreachable,
        _ => Kind::Other,
    }
}

fn words(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            "there is no such topic or partition"
        }
        Code::TopicAuthorizationFailed => "the cluster does not allow this user that topic",
        Code::ClusterAuthorizationFailed => "the cluster does not allow this user that operation",
        Code::TransactionalIdAuthorizationFailed => "the cluster does not allow this user that transactional id",
        Code::MessageSizeTooLarge => "the record is larger than the topic takes",
        Code::InvalidTimestamp => "the time of the record is outside of what the topic takes",
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => "another run has taken over",
        Code::AllBrokersDown => "no broker of the cluster can be reached",
        Code::OperationTimedOut | Code::RequestTimedOut => "the cluster did not answer in time",
        _ => return None,
    })
}

/// Without the library's decoration, in one line.
pub(super) fn plain(text: &str) -> String {
    let text = text.strip_prefix("Broker: ").or_else(|| text.strip_prefix("Local: ")).unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

fn no_such_option(name: &str) -> Error {
    let e = Error::new(Kind::Usage, format!("Kafka has no option {name:?}"));
    let known = super::config::names();
    let all = known.iter().map(String::as_str).chain(super::address::OPTIONS.iter().copied());
    match crate::broker::nearest(name, all) {
        Some(close) => e.hint(format!("did you mean {close:?}?")),
        None => e.hint("it knows the properties of librdkafka (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md), which are not those of Java clients"),
    }
}
