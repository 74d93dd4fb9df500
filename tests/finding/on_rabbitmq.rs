//! Dead-letter exchanges by argument and policy, and where they lead.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::management::{Vhost, encoded};
use crate::sandbox::{Ran, Sandbox};
use crate::{row, rows};

fn list(s: &Sandbox, v: &Vhost, cluster: &str) -> Ran {
    s.run(&["list", cluster, "-X", &format!("management={}", v.server.management), "-o", "jsonl"])
}

fn topology(v: &Vhost) {
    let argument = |exchange: &str| json!({ "x-dead-letter-exchange": exchange, "x-queue-type": "quorum" });
    for (exchange, kind, arguments) in [
        ("fan", "fanout", json!({})),
        ("keys", "direct", json!({ "alternate-exchange": "rest" })),
        ("rest", "fanout", json!({})),
        ("words", "topic", json!({})),
        ("empty", "direct", json!({})),
    ] {
        v.exchange(exchange, kind, arguments);
    }
    for dead in ["fan.1", "fan.2", "keyed", "rest", "worded", "default", "once", "x.dlq", "busy"] {
        v.queue(dead, json!({}));
    }
    v.bind("fan", "q/fan.1", "");
    v.bind("fan", "q/fan.2", "");
    v.bind("keys", "q/keyed", "a");
    v.bind("rest", "q/rest", "");
    v.bind("keys", "e/words", "b");
    v.bind("words", "q/worded", "b.#");
    v.queue("orders", argument("fan"));
    v.queue("carts", json!({ "x-dead-letter-exchange": "keys", "x-dead-letter-routing-key": "a" }));
    v.queue("ships", json!({ "x-dead-letter-exchange": "keys", "x-dead-letter-routing-key": "b" }));
    v.queue("strays", json!({ "x-dead-letter-exchange": "keys", "x-dead-letter-routing-key": "z" }));
    v.queue("lost", argument("nowhere"));
    v.queue("unheard", argument("empty"));
    v.queue("bills", json!({}));
    v.policy("bills", "^bills$", "queues", json!({ "dead-letter-exchange": "", "dead-letter-routing-key": "default" }));
    v.queue("safe", json!({ "x-queue-type": "quorum" }));
    let once = json!({ "dead-letter-exchange": "", "dead-letter-routing-key": "once",
        "dead-letter-strategy": "at-least-once", "overflow": "reject-publish" });
    v.policy("safe", "^safe$", "quorum_queues", once);
}

#[test]
fn arguments_policies_bindings_and_alternates_lead_to_the_dead_letters() {
    let Some(v) = Vhost::new() else { return };
    topology(&v);
    v.publish("fan.1", 3);
    let s = Sandbox::new();
    let cluster = format!("{}/{}", v.server.url, encoded(&v.name));
    let began = Instant::now();
    // The API's counts are some seconds old.
    let found = loop {
        let ran = list(&s, &v, &cluster);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found = rows(&ran);
        if row(&found, "/fan.1")["ready"] == 3 {
            assert!(ran.stderr.contains("lost go to exchange \"nowhere\", which is not there: they are dropped"));
            assert!(ran.stderr.contains("unheard go to exchange \"empty\", which leads to no queue"), "{}", ran.stderr);
            break found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{found:#?}");
        std::thread::sleep(Duration::from_millis(500));
    };
    let sources = |end: &str| row(&found, end)["sources"].clone();
    let how = |end: &str| row(&found, end)["recognised_by"].clone();
    assert_eq!((sources("/fan.1"), sources("/fan.2")), (json!(["orders"]), json!(["orders"])));
    assert_eq!((sources("/keyed"), sources("/rest")), (json!(["carts"]), json!(["strays"])));
    assert_eq!(sources("/worded"), json!(["ships"]));
    assert_eq!((sources("/default"), how("/default")), (json!(["bills"]), json!(["policy"])));
    assert_eq!((sources("/once"), how("/once")), (json!(["safe"]), json!(["policy"])));
    assert_eq!((sources("/x.dlq"), how("/x.dlq")), (json!([]), json!(["name"])));
    assert_eq!(how("/keyed"), json!(["dead-letter-exchange"]));
    assert_eq!(found.len(), 8, "and none besides: {found:#?}");
    // Each address is ready to paste, and has no password in it.
    for row in &found {
        let address = row["address"].as_str().unwrap();
        assert!(!address.contains("guest:guest"), "{address}");
        let depth = s.run(&["depth", address, "-o", "json"]);
        assert_eq!(depth.code, 0, "{address}: {}", depth.stderr);
    }
    // Without a vhost, all of them.
    let all = rows(&list(&s, &v, &v.server.url));
    assert_eq!(row(&all, &format!("{}/fan.1", encoded(&v.name)))["sources"], json!(["orders"]));
}

#[test]
fn an_address_that_names_no_cluster_is_told_apart() {
    let Some(v) = Vhost::new() else { return };
    let s = Sandbox::new();
    let ran = list(&s, &v, &format!("{}/a/b", v.server.url));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("dlq depth amqp://") && !ran.stderr.contains("guest:guest"), "{}", ran.stderr);
    let ran = list(&s, &v, &format!("{}/{}x", v.server.url, encoded(&v.name)));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&format!("did you mean vhost {:?}", v.name)), "{}", ran.stderr);
    let ran = s.run(&["list", &v.server.url, "-X", "management=none"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let ran = s.run(&["depth", &v.server.url]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("dlq list amqp://guest@127.0.0.1"), "{}", ran.stderr);
    let ran = list(&s, &v, &format!("{}/{}", v.server.url, encoded(&v.name)));
    assert_eq!((ran.code, ran.stdout()), (0, ""));
    assert!(ran.stderr.contains("looked at 0 queues"), "{}", ran.stderr);
}

#[test]
fn what_a_user_may_not_see_is_said() {
    let Some(v) = Vhost::new() else { return };
    topology(&v);
    let s = Sandbox::new();
    // No tag: the API refuses.
    let nobody = v.user("nobody", "");
    v.allow(&nobody);
    let ran = list(&s, &v, &format!("{}/{}", v.as_user(&nobody), encoded(&v.name)));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("denied") && ran.stderr.contains("monitoring"), "{}", ran.stderr);
    // One that may use this vhost alone: it is let in without being told which, and sees no other.
    let some = v.user("some", "management");
    v.allow(&some);
    let began = Instant::now();
    loop {
        let ran = list(&s, &v, &v.as_user(&some));
        let (found, said) = (rows(&ran), ran.stderr.clone());
        assert!(said.contains("only the vhosts it has permissions in"), "{said}");
        assert!(found.iter().all(|r| r["queue"].as_str().unwrap().contains(&encoded(&v.name))), "{found:#?}");
        assert_eq!(row(&found, "/fan.1")["sources"], json!(["orders"]));
        // It may not read policies: until the server tells which applies, that is a gap.
        match ran.code {
            3 => assert!(said.contains("declared a moment ago"), "{said}"),
            0 => {
                assert_eq!(row(&found, "/default")["sources"], json!(["bills"]));
                break;
            }
            other => panic!("{other}: {said}"),
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{said}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let ran = list(&s, &v, &v.server.url.replace("guest:guest", "guest:wrong"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("refused the login"), "{}", ran.stderr);
}
