//! What a pre-scan gathers for the plan that precedes a change. Pure, and of bounded size.

use std::collections::HashMap;
use std::sync::Arc;

use super::prepare::Treatment;
use super::report::{Counted, Planned};
use super::route::Route;
use crate::broker::{Address, Load};
use crate::death::Death;
use crate::message::unwrap::Envelope;
use crate::message::{ClaimCheck, DeadLetter, Mark, Target, unwrap};

/// A message that would have nowhere to go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unroutable {
    /// Its id.
    pub id: String,
    /// Why.
    pub error: String,
}

/// Distinct causes and destinations that are told apart; the messages of others are counted together.
const DISTINCT: usize = 10_000;
/// How many of each the plan names.
const NAMED: usize = 20;
/// Unroutable messages that are named.
const EXAMPLES: usize = 3;

/// Counts what would happen.
#[derive(Debug, Default)]
pub struct PlanFacts {
    rules: Option<Rules>,
    read: u64,
    selected: u64,
    causes: Tallied,
    destinations: Tallied,
    groups: Tallied,
    targets: Vec<(Arc<Target>, Load)>,
    load: Load,
    absent_path: u64,
    enveloped: u64,
    claim_checks: u64,
    over_max_replays: u64,
    unroutable: u64,
    unroutable_examples: Vec<Unroutable>,
}

#[derive(Debug)]
struct Rules {
    route: Route,
    max_replays: u32,
    unwrap: Option<&'static Envelope>,
}

/// Counts by name, of bounded size.
#[derive(Debug, Default)]
pub struct Tallied {
    counts: HashMap<String, (u64, String)>,
    others: u64,
}

impl Tallied {
    /// One more of this name.
    pub fn add(&mut self, name: &str, detail: impl FnOnce() -> String) {
        if let Some((n, _)) = self.counts.get_mut(name) {
            *n += 1;
        } else if self.counts.len() < DISTINCT {
            self.counts.insert(name.to_owned(), (1, detail()));
        } else {
            self.others += 1;
        }
    }

    /// The most frequent first, and how many names beyond those there were.
    pub fn named(self) -> (Vec<Counted>, u64) {
        let mut all: Vec<_> =
            self.counts.into_iter().map(|(name, (count, detail))| Counted { name, detail, count }).collect();
        all.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        let omitted = all.len().saturating_sub(NAMED) as u64 + u64::from(self.others > 0);
        all.truncate(NAMED);
        (all, omitted)
    }
}

impl PlanFacts {
    /// For messages treated like this.
    pub fn new(treatment: &Treatment, source: &Address) -> Self {
        let rules = match treatment {
            Treatment::Verbatim => None,
            Treatment::Replay { to_one_place, max_replays, fallback, unwrap, .. } => Some(Rules {
                route: Route::new(*to_one_place, fallback.clone(), source),
                max_replays: *max_replays,
                unwrap: *unwrap,
            }),
        };
        PlanFacts { rules, ..PlanFacts::default() }
    }

    /// So many messages were looked at.
    pub fn read(&mut self, messages: u64) {
        self.read += messages;
    }

    /// One selected message; whether it would be sent. `absent_path`: a path the expression names was absent from it.
    pub fn selected(&mut self, m: &DeadLetter, death: Option<&Death>, absent_path: bool) -> bool {
        self.selected += 1;
        self.absent_path += u64::from(absent_path);
        self.claim_checks += u64::from(ClaimCheck::of(m).is_some());
        self.causes.add(death.map_or("", |d| d.cause.as_str()), || death.map(in_words).unwrap_or_default());
        if let Some(group) = death.and_then(|d| d.origin.as_ref()?.group.as_deref()) {
            self.groups.add(group, String::new);
        }
        let Some(Rules { route, max_replays, unwrap }) = &self.rules else {
            self.load.add(m.payload.len() as u64);
            return true;
        };
        let inner = unwrap::inner(m);
        self.enveloped += u64::from(inner.is_some());
        let mark = match inner.filter(|i| unwrap.is_some_and(|e| e.name == i.envelope)) {
            Some(inner) => inner.mark(m),
            None => Mark::of(&m.headers),
        };
        if mark.map_or(0, |m| m.count) >= *max_replays {
            self.over_max_replays += 1;
            return false;
        }
        let body = m.payload.len() as u64;
        match route.of(m, death.and_then(|d| d.origin.as_ref())) {
            Ok(Some(target)) => {
                if let Some((_, load)) = self.targets.iter_mut().find(|(known, _)| *known == target) {
                    load.add(body);
                } else if self.targets.len() < NAMED {
                    self.targets.push((Arc::clone(&target), Load::of(body)));
                }
                self.destinations.add(&target.to_string(), String::new);
                true
            }
            Ok(None) => {
                self.load.add(body);
                true
            }
            Err(e) => {
                self.unroutable += 1;
                if self.unroutable_examples.len() < EXAMPLES {
                    self.unroutable_examples.push(Unroutable { id: m.id.to_string(), error: e.to_string() });
                }
                false
            }
        }
    }

    /// What would be sent to the one place, where there is one.
    pub fn load(&self) -> Load {
        self.load
    }

    /// The first few distinct places with what would be sent there, to be checked and described before the question.
    pub fn targets(&self) -> &[(Arc<Target>, Load)] {
        &self.targets
    }

    /// What was found. A cause or destination without a name is one that is not known.
    pub fn finish(self) -> Planned {
        let (causes, causes_omitted) = self.causes.named();
        let (destinations, destinations_omitted) = self.destinations.named();
        let (groups, groups_omitted) = self.groups.named();
        Planned {
            read: self.read,
            selected: self.selected,
            causes,
            causes_omitted,
            destinations,
            destinations_omitted,
            groups,
            groups_omitted,
            absent_path: self.absent_path,
            enveloped: self.enveloped,
            claim_checks: self.claim_checks,
            over_max_replays: self.over_max_replays,
            unroutable: self.unroutable,
            unroutable_examples: self.unroutable_examples,
        }
    }
}

/// Reason, class and queue of a death: what an engineer knows a cause by.
pub fn in_words(d: &Death) -> String {
    let queue = d.origin.as_ref().and_then(|o| o.queue.as_deref());
    let what = d.class.as_deref().or(d.reason.as_deref());
    match (what, queue) {
        (Some(what), Some(queue)) => format!("{what} in {queue}"),
        (Some(what), None) => what.to_owned(),
        (None, Some(queue)) => format!("from {queue}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::address::Secret;
    use crate::message::{MARK_HEADER, Origin, Payload};

    fn facts(to_one_place: bool) -> PlanFacts {
        let source = Address {
            backend: crate::broker::registry::BACKENDS[0],
            typed: Secret::default(),
            shown: "amqp://h/dlq".into(),
            canonical: "amqp://h/dlq".into(),
            options: Default::default(),
        };
        let treatment = Treatment::Replay {
            to_one_place,
            keep_death_headers: false,
            max_replays: 2,
            fallback: vec![],
            unwrap: None,
            changes: Arc::default(),
        };
        PlanFacts::new(&treatment, &source)
    }

    fn message(id: &str, origin: Option<&str>, replays: u32) -> DeadLetter {
        let mut m = DeadLetter::new("q".into(), Payload::Absent);
        m.id = id.into();
        m.origin = origin.map(|q| Origin { queue: Some(q.into()), ..Origin::default() });
        if replays > 0 {
            m.headers.push(MARK_HEADER, Mark { id: "r.1".into(), count: replays }.to_value());
        }
        m
    }

    #[test]
    fn counts_where_everything_would_go() {
        let mut facts = facts(false);
        facts.read(9);
        let died = Death { cause: "3f2a9c11".into(), ..Death::default() };
        facts.selected(&message("a", Some("orders"), 1), Some(&died), true);
        facts.selected(&message("b", Some("orders"), 0), Some(&died), false);
        facts.selected(&message("c", Some("bills"), 0), None, false);
        facts.selected(&message("d", Some("bills"), 2), None, false);
        facts.selected(&message("e", None, 0), None, false);
        let plan = facts.finish();
        let counted = |name: &str, count| Counted { name: name.into(), detail: String::new(), count };
        assert_eq!(plan.causes, [counted("", 3), counted("3f2a9c11", 2)]);
        assert_eq!(plan.destinations, [counted("orders", 2), counted("bills", 1)]);
        assert_eq!((plan.read, plan.selected, plan.absent_path), (9, 5, 1));
        assert_eq!((plan.over_max_replays, plan.unroutable), (1, 1));
        assert_eq!(plan.unroutable_examples[0].id, "e");
    }

    #[test]
    fn names_the_most_frequent_and_says_how_many_it_left_out() {
        let mut facts = facts(true);
        for n in 0..30 {
            let died = Death { cause: format!("{n:08}"), ..Death::default() };
            (0..=n).for_each(|_| _ = facts.selected(&message("x", None, 0), Some(&died), false));
        }
        let plan = facts.finish();
        assert_eq!((plan.causes.len(), plan.causes_omitted, plan.causes[0].count), (20, 10, 30));
        assert_eq!((plan.unroutable, plan.destinations.len()), (0, 0), "one place needs no origin");
    }
}
