//! Which messages no queue took. The client library hands a returned message out with whatever confirm resolves next, so a
//! confirm says nothing about its own message: only the union of what came back does, once it is complete.

use std::collections::{HashMap, HashSet};

use super::letter::Letter;

/// The fate of a message the server has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routed {
    /// A queue took it.
    Yes,
    /// None did.
    No,
    /// It or an equal one came back, and which is not known.
    Perhaps,
}

/// How many messages of each print are published and not judged.
pub type Open = HashMap<u128, usize>;

#[derive(Debug, Default)]
struct Group {
    /// How many of these came back.
    returned: usize,
    /// One of them could not be told from another.
    mixed: bool,
}

/// What came back on one channel and is not accounted for yet.
#[derive(Debug, Default)]
pub struct Returns {
    /// By content.
    groups: HashMap<u128, Group>,
    /// Came back as nothing that was sent, by exchange and key: the server changed it on the way.
    strangers: HashSet<(String, String)>,
}

impl Returns {
    /// Nothing came back: whatever was acknowledged was routed.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.strangers.is_empty()
    }

    /// Takes in what came back: prints and places newly read.
    pub fn note(&mut self, returned: Vec<(u128, (String, String))>, open: &Open) {
        for (print, place) in returned {
            if open.contains_key(&print) {
                self.groups.entry(print).or_default().returned += 1;
            } else {
                self.strangers.insert(place);
            }
        }
    }

    /// Whether some but not all of the open messages with this print have come back: more may be on their way.
    pub fn is_unclear(&self, print: u128, open: &Open) -> bool {
        let open = open.get(&print).copied().unwrap_or_default();
        self.groups.get(&print).is_some_and(|g| !g.mixed && g.returned < open)
    }

    /// Judges one message that is final, and takes it off `open`.
    pub fn judge(&mut self, letter: &Letter, print: u128, open: &mut Open) -> Routed {
        let equal = open.entry(print).or_default();
        let routed = match self.groups.get_mut(&print) {
            _ if self.strangers.contains(&(letter.exchange.to_string(), letter.routing_key.to_string())) => {
                Routed::Perhaps
            }
            None => Routed::Yes,
            Some(group) if !group.mixed && group.returned >= *equal => {
                group.returned -= 1;
                Routed::No
            }
            Some(group) => {
                group.mixed = true;
                Routed::Perhaps
            }
        };
        *equal = equal.saturating_sub(1);
        if *equal == 0 {
            open.remove(&print);
            self.groups.remove(&print);
        }
        routed
    }

    /// Nothing is outstanding any more: a message that came back changed cannot concern what is published next.
    pub fn forget(&mut self) {
        self.groups.clear();
        self.strangers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(key: &str) -> Letter {
        Letter::for_test("", key, key.to_owned().into())
    }

    fn back(l: &Letter) -> (u128, (String, String)) {
        (l.print(), (l.exchange.to_string(), l.routing_key.to_string()))
    }

    fn open(letters: &[&Letter]) -> Open {
        let mut open = Open::new();
        letters.iter().for_each(|l| *open.entry(l.print()).or_default() += 1);
        open
    }

    #[test]
    fn what_came_back_was_not_routed_and_the_rest_was() {
        let (a, b) = (letter("a"), letter("b"));
        let (mut returns, mut open) = (Returns::default(), open(&[&a, &b]));
        returns.note(vec![back(&b)], &open);
        assert_eq!(returns.judge(&a, a.print(), &mut open), Routed::Yes);
        assert_eq!(returns.judge(&b, b.print(), &mut open), Routed::No);
        assert!(returns.is_empty() && open.is_empty());
    }

    #[test]
    fn equal_messages_are_judged_alike_or_not_at_all() {
        let a = letter("a");
        let (mut returns, mut both) = (Returns::default(), open(&[&a, &a]));
        returns.note(vec![back(&a)], &both);
        assert!(returns.is_unclear(a.print(), &both), "the other may still come");
        returns.note(vec![back(&a)], &both);
        assert!(!returns.is_unclear(a.print(), &both));
        assert_eq!([0; 2].map(|_| returns.judge(&a, a.print(), &mut both)), [Routed::No; 2]);
        let mut both = open(&[&a, &a]);
        returns.note(vec![back(&a)], &both);
        assert_eq!([0; 2].map(|_| returns.judge(&a, a.print(), &mut both)), [Routed::Perhaps; 2]);
        assert!(returns.is_empty());
    }

    #[test]
    fn one_that_came_back_changed_casts_doubt_on_its_place_only() {
        let (a, b) = (letter("a"), letter("b"));
        let (mut returns, mut open) = (Returns::default(), open(&[&a, &b]));
        returns.note(vec![(1, (String::new(), "a".into()))], &open);
        assert_eq!(returns.judge(&a, a.print(), &mut open), Routed::Perhaps);
        assert_eq!(returns.judge(&b, b.print(), &mut open), Routed::Yes);
        returns.forget();
        assert!(returns.is_empty());
    }
}
