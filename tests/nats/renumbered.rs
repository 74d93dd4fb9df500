//! A stream that comes back by its name and its date, and counts its messages anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dlq::broker::{Act, Address, Context, ScanRequest, Settlement};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::jetstream::Server;
use crate::own::Own;

#[tokio::test(flavor = "multi_thread")]
async fn from_a_stream_in_memory_whose_server_was_killed_nothing_is_removed_by_its_old_numbers() {
    let Some(mut servers) = Own::cluster(3) else { return };
    let config = json!({ "name": "DEAD", "subjects": ["dead"], "storage": "memory" });
    let made = Server::until(&servers[0].url(), "STREAM.CREATE.DEAD", &config, |told| told["error"].is_null());
    let holder: usize = made["cluster"]["leader"].as_str().unwrap()[1..].parse().unwrap();
    let url = servers[(holder + 1) % 3].url();
    // At the one that has it: the others come to know only a little later where "dead" goes.
    let at_holder = |servers: &[Own]| Server::at(&servers[holder].url(), &json!({}));
    at_holder(&servers).publish_all("dead", &(0..5).map(|n| format!("old {n}")).collect::<Vec<_>>());

    let address = Address::parse(&format!("{url}/DEAD"), &[]).unwrap();
    let context = Context {
        notice: Arc::new(|_| {}),
        accepted: BTreeSet::new(),
        stop: CancellationToken::new(),
        timeout: Duration::from_secs(20),
        skip_bad_lines: false,
        exclusive: true,
        shared: Default::default(),
    };
    let source = (address.backend.source)(&address, &context).await.unwrap();
    let mut scan = source.scan(ScanRequest { takes: true, at_most: None, again: false }).await.unwrap();
    let batch = scan.next().await.unwrap().unwrap();
    assert_eq!(batch.deliveries.len(), 5);

    servers[holder].kill();
    servers[holder].go_on();
    let question = json!({});
    let back = |messages: u64| {
        Server::until(&url, "STREAM.INFO.DEAD", &question, |told| told["state"]["messages"] == json!(messages))
    };
    assert_eq!(back(0)["created"], made["created"], "it is made anew by its old date");
    at_holder(&servers).publish_all("dead", &(0..8).map(|n| format!("new {n}")).collect::<Vec<_>>());

    let done = |d: &dlq::broker::Delivery| Settlement { token: d.token, act: Act::Done };
    let fates = scan.settler().settle(batch.deliveries.iter().map(done).collect()).await;
    assert!(fates.iter().all(|f| f.as_ref().is_err_and(|e| e.to_string().contains("made anew"))), "{fates:?}");
    scan.close().await.unwrap();
    back(8);
}
