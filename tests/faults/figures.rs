//! What was counted, a line a broker.

use std::collections::BTreeSet;
use std::io::Write;

use crate::load::{Arrived, Count, count};

#[derive(Default)]
pub struct Figures {
    pub kills: u64,
    pub messages: u64,
    pub lost: u64,
    pub doubled: u64,
    pub named: u64,
}

impl Figures {
    /// Compares what was sent with what is there at the end. Every double must be among the named ones.
    pub fn add(&mut self, what: &str, sent: &Count, there: &[Arrived], named: &Count) {
        let bodies = count(there.iter().map(|a| a.body.clone()));
        for body in bodies.keys() {
            assert!(sent.contains_key(body), "{what}: {body} was never sent");
        }
        let mut unnamed = vec![];
        for (body, many) in sent {
            let found = bodies.get(body).copied().unwrap_or(0);
            self.messages += many;
            self.lost += many.saturating_sub(found);
            let more = found.saturating_sub(*many);
            self.doubled += more;
            let told = named.get(body).copied().unwrap_or(0);
            self.named += told;
            if more > told {
                unnamed.push(format!("{body}: {found} of {many}, {told} named"));
            }
        }
        let some = &unnamed[..unnamed.len().min(10)];
        assert!(unnamed.is_empty(), "{what}: {} doubled and not named: {some:?}", unnamed.len());
        let mut marks = BTreeSet::new();
        for a in there {
            if let Some(mark) = &a.mark {
                assert!(
                    marks.insert(mark) || named.contains_key(&a.body),
                    "{what}: {} is there twice with the mark {mark}, and not named",
                    a.body
                );
            }
        }
        assert_eq!(self.lost, 0, "{what}: lost");
    }

    /// `window`: messages that may be unconfirmed at once.
    pub fn print(&self, broker: &str, window: u64) {
        assert!(self.doubled <= self.kills * window, "{broker}: more than was unconfirmed");
        let Figures { kills, messages, lost, doubled, named } = self;
        let line = format!("| {broker} | {kills} | {messages} | {lost} | {doubled} | {named} |\n");
        // All at once, since tests run side by side; not by a macro, since the figures are for whoever runs the tests.
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}
