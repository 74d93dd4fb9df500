//! Layers, names and errors.

use super::*;
use crate::broker::Kind;

const TEXT: &str = r#"
[cluster.prod]
address = "amqp://rabbit/shop?heartbeat=9"
user = "ops"
password-env = "RABBIT"
options = { prefetch = 10, heartbeat = 5 }

[queue.orders]
address = "prod/orders.dlq"
to = "prod/orders"
rate = "200/s"
protected = true
credential-command = "vault read"
options.prefetch = 20

[cluster.events]
address = "kafka://b1,b2"

[queue.local]
address = "file:/tmp/a.ndjson"
"#;

fn config(text: &str) -> Config {
    Config::parse(text, "c.toml".into()).expect("good")
}

fn wrong(text: &str) -> Error {
    let config = match Config::parse(text, "c.toml".into()) {
        Ok(config) => config,
        Err(e) => return e,
    };
    config.check().expect_err(text)
}

#[test]
fn flag_beats_address_beats_queue_beats_cluster() {
    let config = config(TEXT);
    config.check().expect("every address is one");
    let of = |typed: &str, flags: &[(&str, &str)], name: &str| {
        let flags: Vec<_> = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let found = config.resolve(typed, &flags).expect(typed);
        let mut settings = found.settings.into_iter().filter(|s| s.name == name);
        settings.next().map(|s| (s.value, s.origin))
    };
    let queue = |line| Origin::Queue(format!("c.toml:{line}"));
    let cluster = |line| Origin::Cluster(format!("c.toml:{line}"));
    let some = |value: &str, origin| Some((value.to_owned(), origin));
    assert_eq!(of("orders", &[], "prefetch"), some("20", queue(14)));
    assert_eq!(of("prod/x", &[], "prefetch"), some("10", cluster(6)));
    assert_eq!(of("orders?prefetch=30", &[], "prefetch"), some("30", Origin::Address));
    assert_eq!(of("orders?prefetch=30", &[("prefetch", "40")], "prefetch"), some("40", Origin::Flag));
    assert_eq!(of("orders", &[], "heartbeat"), some("9", cluster(3)), "an address beats the table beside it");
    assert_eq!(of("orders", &[], "user"), some("ops", cluster(4)));
    assert_eq!(of("orders", &[], "password-env"), None, "one way to the password, that of the queue");
    assert_eq!(of("orders", &[], "credential-command"), some("vault read", queue(13)));
    assert_eq!(of("orders", &[("password-file", "p")], "credential-command"), None);
    assert_eq!(of("prod/x", &[], "password-env"), some("RABBIT", cluster(5)));
}

#[test]
fn names_become_addresses() {
    let config = config(TEXT);
    let shown = |typed: &str| config.resolve(typed, &[]).map(|r| r.address.shown).expect(typed);
    assert_eq!(shown("orders"), "amqp://ops@rabbit/shop/orders.dlq");
    assert_eq!(shown("prod/a%2Fb"), "amqp://ops@rabbit/shop/a%2Fb");
    assert_eq!(shown("events/t.DLT"), "kafka://b1:9092,b2:9092/t.DLT");
    assert_eq!(shown("local"), "file:/tmp/a.ndjson");
    assert_eq!(shown("amqp://h/orders"), "amqp://h/orders");
    for (typed, hint) in
        [("order", "\"orders\""), ("prod", "prod/QUEUE"), ("prod/", "prod/QUEUE"), ("pord/x", "\"prod\"")]
    {
        let e = config.resolve(typed, &[]).expect_err(typed);
        assert_eq!(e.kind(), Kind::Usage);
        assert!(e.get_hint().is_some_and(|h| h.contains(hint)), "{typed}: {e:?}");
    }
    let e = config.resolve(".body", &[]).expect_err("no name");
    assert!(e.get_hint().is_some_and(|h| h.contains("jq")), "{e:?}");
}

#[test]
fn a_protected_queue_is_known_by_its_address_too() {
    let config = config(TEXT);
    let protection = |typed: &str| {
        let address = config.resolve(typed, &[]).expect(typed).address;
        config.protection(&address).map(str::to_owned)
    };
    for typed in
        ["orders", "prod/orders.dlq", "amqp://rabbit/shop/orders.dlq", "amqp://me:x@RABBIT:5672/shop/orders%2Edlq"]
    {
        assert_eq!(protection(typed).as_deref(), Some("orders"), "{typed}");
    }
    for typed in ["local", "prod/orders", "amqp://rabbit/orders.dlq", "amqp://other/shop/orders.dlq"] {
        assert_eq!(protection(typed), None, "{typed}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, place, hint) in [
        ("[queue.q]\naddress = \"file:a\"\nprotect = true", "c.toml:3", "\"protected\""),
        ("[queue.q]\nadress = \"file:a\"", "c.toml:2", "\"address\""),
        ("[cluster.c]\naddress = \"amqp://h\"\noption = {}", "c.toml:3", "\"options\""),
        ("\n[queues.q]\naddress = \"file:a\"", "c.toml:2", "\"queue\""),
        ("[queue.q]\n\n", "c.toml:1", ""),
        ("[queue.q]\naddress = 3 4", "c.toml:2", ""),
        ("[queue.q]\naddress = [1]", "c.toml:2", ""),
        ("[queue.q]\naddress = \"file:a\"\nprotected = \"yes\"", "c.toml:3", ""),
        ("[queue.q]\naddress = \"file:a\"\nrate = \"fast\"", "c.toml:3", ""),
        ("[queue.q]\naddress = \"file:a\"\nto = \"nowhere\"", "c.toml:3", ""),
        ("[queue.q]\naddress = \"amqp://me:hunter2@h\"", "c.toml:2", "amqp://"),
        ("[queue.\"a/b\"]\naddress = \"file:a\"", "c.toml:1", ""),
        ("[queue.q]\naddress = \"nobody/x\"", "c.toml:2", ""),
        ("[cluster.c]\naddress = \"nonsense\"", "c.toml:2", "amqp://"),
        ("[cluster.c]\naddress = \"sqs://us-east-1\"\noptions = { visibilty = 3 }", "c.toml:3", "\"visibility\""),
        ("[queue.q]\naddress = \"amqp://h/q\"\noptions.heartbeet = 3", "c.toml:3", "\"heartbeat\""),
        ("[queue.q]\naddress = \"kafka://h/q\"\noptions.\"sasl.mechanizms\" = 3", "c.toml:3", "\"sasl.mechanisms\""),
        ("[queue.q]\naddress = \"file:q\"\noptions.region = 3", "c.toml:3", "none"),
    ] {
        let e = wrong(text);
        assert_eq!(e.kind(), Kind::Usage, "{text}");
        assert!(e.to_string().contains(place), "{text}: {e}");
        assert!(e.get_hint().unwrap_or_default().contains(hint), "{text}: {e:?}");
        assert!(!format!("{e:?}").contains("hunter2"), "{e:?}");
    }
}

#[test]
fn a_long_file_is_read_in_the_time_its_length_takes() {
    let each = |i: usize| format!("[queue.q{i}]\naddress = \"file:x{i}\"\n");
    let text: String = (0..20_000).map(each).collect();
    let began = std::time::Instant::now();
    let config = Config::parse(&text, "c".into()).expect("read");
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
    let lines = |name: &str| config.queue_named(name).map(|q| (q.line, q.address.as_ref().map(|a| a.line)));
    assert_eq!(lines("q0"), Some((1, Some(2))));
    assert_eq!(lines("q19999"), Some((39_999, Some(40_000))));
}
