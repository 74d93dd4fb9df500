//! The README keeps what it says: the table of brokers is made from what backends declare, and every flag and file it
//! names is there.

use std::fmt::Write;

use clap::CommandFactory;
use dlq::broker::capability::{Accuracy, Capabilities, Coverage, IdentityKind, Lease, Order, Peek, Removal};
use dlq::broker::registry::BACKENDS;

const README: &str = include_str!("../README.md");

fn row(broker: &str, c: &Capabilities) -> String {
    let look = match &c.peek {
        Peek::Free => "costs nothing".to_owned(),
        Peek::MarksRedelivered => "messages come back flagged redelivered".to_owned(),
        Peek::CountsReceive { .. } => "raises the receive count".to_owned(),
        Peek::CountsDelivery { .. } => "counts as a delivery; refused near the limit".to_owned(),
    };
    let sees = match c.coverage {
        Coverage::All => "everything",
        Coverage::Free => "all that no consumer holds",
        Coverage::Heads => "all that no consumer holds; of a group that stays, its first messages",
        Coverage::Sampled => "whatever turns up",
    };
    let removes = match c.removal {
        Removal::Each | Removal::Logged => "one by one",
        Removal::MarkAndTrim => "marks, then trims",
        Removal::None => "cannot",
    };
    let holds = match c.lease {
        Lease::None => "any time",
        Lease::Session { .. } => "until the acknowledgement timeout",
        Lease::Timed => "renewed leases",
    };
    let order = match c.order {
        Order::None => "none",
        Order::Lanes => "kept",
        Order::StrictLanes => "kept, a failure waits",
    };
    let ids = match c.identity {
        IdentityKind::Exact => "unique",
        IdentityKind::Like => "fingerprint",
    };
    let depth = match c.accuracy {
        Accuracy::Exact => "exact",
        Accuracy::Approximate => "approximate",
        Accuracy::UpperBound => "upper bound",
        Accuracy::LowerBound => "lower bound",
    };
    let name = if c.kind == broker { broker.to_owned() } else { format!("{broker}, {}", c.kind) };
    format!("| {name} | {look} | {sees} | {removes} | {holds} | {order} | {ids} | {depth} |")
}

fn table() -> String {
    let mut out = String::from(
        "| queue | a look | sees | removes | holds for | order | ids | depth |\n|---|---|---|---|---|---|---|---|\n",
    );
    for backend in BACKENDS {
        for c in (backend.describe)() {
            writeln!(out, "{}", row(backend.name, &c)).expect("text");
        }
    }
    out
}

#[test]
fn the_table_of_brokers_is_what_they_declare() {
    let (before, rest) = README.split_once("<!-- brokers -->\n").expect("the table begins");
    let (written, after) = rest.split_once("<!-- end -->").expect("the table ends");
    if written != table() && std::env::var_os("DLQ_REGENERATE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        std::fs::write(path, format!("{before}<!-- brokers -->\n{}<!-- end -->{after}", table())).expect("write");
        return;
    }
    assert_eq!(written, table(), "make the README's table anew with DLQ_REGENERATE=1 cargo test --test readme");
}

#[test]
fn every_verb_and_flag_it_names_is_there() {
    let command = dlq::cli::Cli::command();
    let mut flags = std::collections::BTreeSet::new();
    for verb in command.get_subcommands() {
        assert!(README.contains(&format!("`{}", verb.get_name())), "the README lacks {}", verb.get_name());
        for argument in verb.get_arguments().chain(command.get_arguments()) {
            flags.extend(argument.get_long().map(|l| format!("--{l}")));
        }
    }
    let known = [
        "--help",
        "--version",
        "--release",
        "--path",
        "--keep",
        "--locked",
        "--test",
        "--bin",
        "--bench",
        // Of the nats command line.
        "--subjects",
        "--storage",
        "--defaults",
    ];
    let pattern = regex::Regex::new(r"--[a-z][a-zA-Z-]*").expect("pattern");
    for named in pattern.find_iter(README) {
        let name = named.as_str().trim_end_matches('-');
        assert!(flags.contains(name) || known.contains(&name), "the README names {name}, which no verb has");
    }
}

#[test]
fn every_file_it_links_to_is_there() {
    let pattern = regex::Regex::new(r"\]\(([^)#:]+)\)").expect("pattern");
    for link in pattern.captures_iter(README) {
        let path = format!("{}/{}", env!("CARGO_MANIFEST_DIR"), &link[1]);
        assert!(std::path::Path::new(&path).exists(), "the README links to {}, which is not there", &link[1]);
    }
}
