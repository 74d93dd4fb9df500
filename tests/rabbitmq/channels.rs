//! Connections on which there may be few channels.

use crate::broker::{Broker, KINDS};
use crate::sandbox::Sandbox;

#[test]
fn two_channels_are_enough_for_a_look_and_a_replay() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        let s = Sandbox::new();
        let (q, to) = b.pair(kind);
        b.fill(&q, 30);
        let few = |queue: &str| format!("{}&channel_max=2", b.address(queue));
        let ran = s.run(&["inspect", &few(&q), "-n", "50", "-o", "jsonl"]);
        assert_eq!((ran.code, ran.stdout().lines().count()), (0, 30), "{kind}: {}", ran.stderr);
        let ran = s.run(&["replay", &few(&q), "--to", &few(&to), "-y", "-o", "json"]);
        assert_eq!((ran.code, &ran.json()["replayed"]), (0, &30.into()), "{kind}: {}", ran.stderr);
        // The one after the other, on one connection.
        let ran = s.run(&["depth", &few(&q), &few(&to), "-o", "json"]);
        let ready: Vec<u64> = ran.json().as_array().unwrap().iter().map(|d| d["ready"].as_u64().unwrap()).collect();
        assert_eq!((ran.code, ready), (0, vec![0, 30]), "{kind}: {}", ran.stderr);
    }
}
