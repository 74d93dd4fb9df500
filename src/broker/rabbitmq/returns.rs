//! Which messages no queue took. The client library hands a returned message out with whatever confirm resolves next, so a
//! confirm says nothing about its own message: only the union of what came back does, once it is complete.

use std::collections::HashMap;

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

#[derive(Debug, Default)]
struct Group {
    /// Equal messages published and not judged yet.
    open: usize,
    /// Of these came back.
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
    strangers: HashMap<(String, String), usize>,
}

impl Returns {
    /// Nothing came back: whatever was acknowledged was routed.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.strangers.is_empty()
    }

    /// Takes in what came back: prints and places newly read. `open` are the prints of every message published and not judged
    /// yet.
    pub fn note(&mut self, returned: Vec<(u128, (String, String))>, open: impl Iterator<Item = u128>) {
        let mut counts: HashMap<u128, usize> = HashMap::new();
        for print in open {
            *counts.entry(print).or_default() += 1;
        }
        for (print, place) in returned {
            match counts.get(&print) {
                Some(n) => {
                    let group = self.groups.entry(print).or_default();
                    group.open = *n;
                    group.returned += 1;
                }
                None => *self.strangers.entry(place).or_default() += 1,
            }
        }
    }

    /// Judges one message that is final.
    pub fn judge(&mut self, letter: &Letter, print: u128) -> Routed {
        if self.strangers.contains_key(&(letter.exchange.to_string(), letter.routing_key.to_string())) {
            return Routed::Perhaps;
        }
        let Some(group) = self.groups.get_mut(&print) else { return Routed::Yes };
        let routed = if !group.mixed && group.returned >= group.open {
            group.returned -= 1;
            Routed::No
        } else {
            group.mixed = true;
            Routed::Perhaps
        };
        group.open = group.open.saturating_sub(1);
        if group.open == 0 {
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

    #[test]
    fn what_came_back_was_not_routed_and_the_rest_was() {
        let (a, b) = (letter("a"), letter("b"));
        let mut returns = Returns::default();
        returns.note(vec![back(&b)], [a.print(), b.print()].into_iter());
        assert_eq!(returns.judge(&a, a.print()), Routed::Yes);
        assert_eq!(returns.judge(&b, b.print()), Routed::No);
        assert!(returns.is_empty());
    }

    #[test]
    fn equal_messages_are_judged_alike_or_not_at_all() {
        let a = letter("a");
        let mut returns = Returns::default();
        returns.note(vec![back(&a), back(&a)], [a.print(), a.print()].into_iter());
        assert_eq!([returns.judge(&a, a.print()), returns.judge(&a, a.print())], [Routed::No; 2]);
        returns.note(vec![back(&a)], [a.print(), a.print()].into_iter());
        assert_eq!([returns.judge(&a, a.print()), returns.judge(&a, a.print())], [Routed::Perhaps; 2]);
        assert!(returns.is_empty());
    }

    #[test]
    fn one_that_came_back_changed_casts_doubt_on_its_place_only() {
        let (a, b) = (letter("a"), letter("b"));
        let mut returns = Returns::default();
        returns.note(vec![(1, (String::new(), "a".into()))], [a.print(), b.print()].into_iter());
        assert_eq!(returns.judge(&a, a.print()), Routed::Perhaps);
        assert_eq!(returns.judge(&b, b.print()), Routed::Yes);
        returns.forget();
        assert!(returns.is_empty());
    }
}
