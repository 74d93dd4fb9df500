//! What the names stand for besides an address.

use super::same::same;
use super::{Config, Queue};
use crate::broker::Address;

impl Config {
    /// The `[queue]` a bare name stands for.
    pub fn queue_named(&self, typed: &str) -> Option<&Queue> {
        self.queues.get(typed.split('?').next().unwrap_or(typed))
    }

    /// The name to be typed before something is removed from this queue, however it was addressed.
    pub fn protection(&self, address: &Address) -> Option<&str> {
        let protected = self.queues.iter().filter(|(_, q)| q.protected.as_ref().is_some_and(|p| p.value));
        let mut names = protected
            .filter(|(name, _)| self.resolve(name, &[]).is_ok_and(|r| same(&r.address.canonical, &address.canonical)));
        names.next().map(|(name, _)| name.as_str())
    }

    /// What a shell may offer where a queue stands: names, and the beginnings of those in clusters.
    pub fn offered(&self) -> Vec<String> {
        let clusters = self.clusters.keys().map(|c| format!("{c}/"));
        self.queues.keys().cloned().chain(clusters).collect()
    }
}
