//! `dlq`: look at, filter, sample, copy, replay and purge dead-letter queues, with the same verbs on every broker.

pub mod broker;
pub mod cli;
pub mod commands;
pub mod config;
pub mod death;
pub mod exit;
pub mod filter;
pub mod journal;
pub mod message;
pub mod output;
pub mod replay;
pub mod select;
pub mod state;
pub mod ui;
