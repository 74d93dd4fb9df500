//! The paths a program must find somewhere, watched as messages are judged.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jaq_json::Val;

/// Paths, and whether any message had them. Once all were seen this costs one load a message.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<(Vec<Val>, String, AtomicBool)>,
    unseen: AtomicUsize,
    judged: AtomicBool,
}

impl Watched {
    /// Watches these paths.
    pub fn new(paths: Vec<Vec<String>>) -> Self {
        let unseen = AtomicUsize::new(paths.len());
        let paths = paths.into_iter().map(|p| {
            let shown = p.iter().map(|k| step(k)).collect::<String>();
            let shown = if shown.starts_with('[') { format!(".{shown}") } else { shown };
            (p.into_iter().map(Val::from).collect(), shown, AtomicBool::new(false))
        });
        Watched { paths: paths.collect(), unseen, judged: AtomicBool::new(false) }
    }

    /// Whether each was seen; nothing is left to watch then.
    pub fn has_seen_all(&self) -> bool {
        self.unseen.load(Ordering::Relaxed) == 0
    }

    /// Notes which paths this message has.
    pub fn look(&self, view: &Val) {
        if self.has_seen_all() {
            return;
        }
        if !self.judged.load(Ordering::Relaxed) {
            self.judged.store(true, Ordering::Relaxed);
        }
        for (path, _, seen) in &self.paths {
            if !seen.load(Ordering::Relaxed) && has(view, path) && !seen.swap(true, Ordering::Relaxed) {
                self.unseen.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// The top-level field of each.
    pub fn first_steps(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().filter_map(|(path, _, _)| match path.first() {
            Some(Val::TStr(s)) => std::str::from_utf8(s).ok(),
            _ => None,
        })
    }

    /// All of them.
    pub fn all(&self) -> Vec<String> {
        self.paths.iter().map(|(_, shown, _)| shown.clone()).collect()
    }

    /// Those no message had; none as long as there was no message.
    pub fn absent(&self) -> Vec<String> {
        if !self.judged.load(Ordering::Relaxed) {
            return vec![];
        }
        let unseen = self.paths.iter().filter(|(_, _, seen)| !seen.load(Ordering::Relaxed));
        unseen.map(|(_, shown, _)| shown.clone()).collect()
    }
}

fn has(view: &Val, path: &[Val]) -> bool {
    let mut at = view;
    path.iter().all(|k| match at {
        Val::Obj(o) => o.get(k).is_some_and(|v| {
            at = v;
            true
        }),
        _ => false,
    })
}

fn step(key: &str) -> String {
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if word { format!(".{key}") } else { format!("[{}]", serde_json::Value::from(key)) }
}
