//! What may be done with a topic, or sent to one, as far as the cluster tells.

use std::sync::Arc;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::connect::{Link, blocking};
use super::error;
use super::facts::{self, Settings};
use super::resolved::{State, transactional_id};
use super::sys::{self, Granted, Rule};
use crate::broker::{Ability, Finding, Result};
use crate::output::human;

const READ: &str = "permission to read";
const WRITE: &str = "permission to write";
const MARK: &str = "permission to mark";
const IDS: &str = "permission for transactions";
const ROOM: &str = "freeing room";
const UNTOLD: &str = "the cluster does not say what it grants";

/// By the operations the cluster grants us, its rules, and the topic's settings, which are given as well. `partition`: one of those
/// that would be worked on.
pub(super) async fn of(
    link: &Arc<Link>,
    state: &State,
    partition: i32,
    topic: &str,
    ability: Ability,
) -> (Vec<Finding>, Settings) {
    let marking = async {
        match (ability, state.keeps_local) {
            (Ability::Remove, false) => marks(link, state, partition).await,
            (Ability::Remove, true) => vec![Finding::yes(MARK, "the resolved set is kept on this machine")],
            _ => vec![],
        }
    };
    let (granted, marking, settings) = tokio::join!(granted(link, topic), marking, settings(link, topic));
    let mut found = vec![];
    if ability != Ability::Count {
        found.push(match granted {
            Some(Granted { read: true, .. }) => Finding::yes(READ, format!("the cluster grants READ on {topic}")),
            Some(_) => Finding::no(READ, format!("the cluster does not grant READ on {topic}")),
            None => Finding::unknown(READ, UNTOLD),
        });
    }
    if ability == Ability::Remove {
        found.push(match granted {
            Some(Granted { delete: true, .. }) => Finding::yes(ROOM, format!("the cluster grants DELETE on {topic}")),
            Some(_) => Finding::yes(ROOM, format!("without DELETE on {topic} records are marked only")),
            None => Finding::unknown(ROOM, UNTOLD),
        });
    }
    found.extend(marking);
    if let Some(bytes) = settings.max_message {
        found.push(Finding::yes("size", format!("batches of {topic} have up to {bytes} bytes")));
    }
    if settings.compacts == Some(true) {
        found.push(Finding::unknown("retention", "the topic is compacted: of a key it keeps the last record alone"));
    }
    (found, settings)
}

/// Sends to a topic: by what was learned when it was checked.
pub(super) fn send(topic: &str, may_write: Option<bool>, settings: &Settings) -> Vec<Finding> {
    let mut found = vec![match may_write {
        Some(true) => Finding::yes(WRITE, format!("the cluster grants WRITE on {topic}")),
        Some(false) => Finding::no(WRITE, format!("the cluster does not grant WRITE on {topic}")),
        None => Finding::unknown(WRITE, UNTOLD),
    }];
    found.push(match settings.max_message {
        Some(bytes) => Finding::yes("size", format!("{topic} takes batches of up to {bytes} bytes")),
        None => Finding::unknown("size", format!("how much {topic} takes is not shown to us (max.message.bytes)")),
    });
    found.extend(settings.keeps().map(|kept| {
        let text = format!("{topic} keeps a record for {}", human::duration(kept));
        Finding::kept(kept, text)
    }));
    found
}

/// A removal reads and writes the topic of the set, in transactions of ours.
async fn marks(link: &Arc<Link>, state: &State, partition: i32) -> Vec<Finding> {
    let ids = async {
        let (here, id) = (Arc::clone(link), transactional_id(&state.topic_id, partition));
        blocking(move || Ok(sys::writing_as(here.consumer.client(), &id, here.longest))).await
    };
    let topic = &state.topic;
    let set = async {
        if state.exists() {
            return match granted(link, topic).await {
                Some(Granted { read: true, write: true, .. }) => {
                    Finding::yes(MARK, format!("the cluster grants READ and WRITE on {topic}"))
                }
                Some(_) => Finding::no(
                    MARK,
                    format!("the cluster does not grant READ and WRITE on {topic} (or: -X state=local)"),
                ),
                None => Finding::unknown(MARK, UNTOLD),
            };
        }
        let here = Arc::clone(link);
        let creates = blocking(move || sys::may_create(here.consumer.client(), here.longest).map_err(error::of_code));
        match creates.await {
            Ok(Some(true)) => Finding::unknown(
                MARK,
                format!(
                    "{topic} is to be made: CREATE is granted, and whether READ and WRITE on it are is told by trying"
                ),
            ),
            _ => Finding::unknown(
                MARK,
                format!("{topic} is to be made; whether CREATE on it is granted is told by trying"),
            ),
        }
    };
    let (ids, set) = tokio::join!(ids, set);
    let set = match &ids {
        Ok(Err(Code::SecurityDisabled)) if !state.exists() => {
            Finding::yes(MARK, format!("{topic} is to be made, and the cluster has no access rules"))
        }
        _ => set,
    };
    vec![set, transactions(ids, &transactional_id(&state.topic_id, partition), &principal(link))]
}

/// `User:…`, as brokers name who logs in by name, or nobody by name. `None` where a certificate or a token says who we are.
fn principal(link: &Link) -> Option<String> {
    match link.base.get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase().as_str() {
        "plaintext" => Some("User:ANONYMOUS".to_owned()),
        protocol if protocol.starts_with("sasl") && link.tokens.is_none() => link.name().map(|n| format!("User:{n}")),
        _ => None,
    }
}

/// By the rules of the cluster. Super users need none, and who they are is not told.
fn transactions(rules: Result<std::result::Result<Vec<Rule>, Code>>, id: &str, principal: &Option<String>) -> Finding {
    let what = format!("WRITE on the transactional id {id}");
    let rules = match rules {
        Ok(Ok(rules)) => rules,
        Ok(Err(Code::SecurityDisabled)) => {
            return Finding::yes(IDS, "the cluster has no access rules: everybody may do everything");
        }
        _ => {
            return Finding::unknown(
                IDS,
                format!("{what} is told by trying: the rules of the cluster are not shown to us"),
            );
        }
    };
    let Some(principal) = principal else {
        return Finding::unknown(
            IDS,
            format!("{what} is told by trying: which name the cluster knows us by is not known"),
        );
    };
    let ours = |rule: &&Rule| rule.principal == *principal || rule.principal == "User:*";
    let (allow, deny): (Vec<&Rule>, Vec<&Rule>) = rules.iter().filter(ours).partition(|rule| rule.allows);
    let exactly = |rule: &&Rule| rule.principal == *principal && rule.host == "*";
    if deny.iter().any(exactly) {
        return Finding::no(IDS, format!("a rule denies {principal} {what} (or: -X state=local)"));
    }
    match (deny.first(), allow.iter().any(|rule| rule.host == "*")) {
        (None, true) => Finding::yes(IDS, format!("a rule allows {what}")),
        (None, false) => Finding::unknown(IDS, format!("no rule allows {principal} {what}; a super user needs none")),
        (Some(rule), _) => Finding::unknown(IDS, format!("a rule denies {} at {} {what}", rule.principal, rule.host)),
    }
}

async fn granted(link: &Arc<Link>, topic: &str) -> Option<Granted> {
    let (here, topic) = (Arc::clone(link), topic.to_owned());
    let asked =
        blocking(move || sys::granted(here.consumer.client(), &topic, here.longest).map_err(error::of_code)).await;
    asked.ok().flatten()
}

async fn settings(link: &Arc<Link>, topic: &str) -> Settings {
    match facts::admin(link) {
        Ok(admin) => facts::settings(&admin, topic, link.longest).await.unwrap_or_default(),
        Err(_) => Settings::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Answer;

    #[test]
    fn rules_are_weighed_as_the_broker_does_and_never_guessed() {
        let rule =
            |principal: &str, host: &str, allows| Rule { principal: principal.into(), host: host.into(), allows };
        let us = Some("User:us".to_owned());
        let answer = |rules: &[Rule]| transactions(Ok(Ok(rules.to_vec())), "dlq-x-0", &us).answer;
        assert_eq!(answer(&[]), Answer::Unknown, "we may be a super user");
        assert_eq!(answer(&[rule("User:us", "*", true)]), Answer::Yes);
        assert_eq!(answer(&[rule("User:*", "*", true)]), Answer::Yes);
        assert_eq!(answer(&[rule("User:them", "*", true)]), Answer::Unknown);
        assert_eq!(answer(&[rule("User:us", "10.0.0.1", true)]), Answer::Unknown, "we may be elsewhere");
        assert_eq!(answer(&[rule("User:us", "*", false), rule("User:us", "*", true)]), Answer::No);
        assert_eq!(answer(&[rule("User:*", "*", false), rule("User:us", "*", true)]), Answer::Unknown);
        assert_eq!(answer(&[rule("User:them", "*", false), rule("User:us", "*", true)]), Answer::Yes);
        assert_eq!(transactions(Ok(Err(Code::SecurityDisabled)), "dlq-x-0", &None).answer, Answer::Yes);
        assert_eq!(transactions(Ok(Err(Code::ClusterAuthorizationFailed)), "dlq-x-0", &us).answer, Answer::Unknown);
        assert_eq!(transactions(Ok(Ok(vec![])), "dlq-x-0", &None).answer, Answer::Unknown);
    }
}
