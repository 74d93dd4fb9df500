//! To another broker and back: sent, confirmed, then marked; nothing is lost and nothing is sent twice.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::cluster::cluster;
use crate::replaying::{counted, numbered};
use crate::sandbox::Sandbox;
use crate::servers;

/// Makes a quorum queue through the management API, and gives its address.
fn queue(server: &servers::Server, name: &str, delete: bool) -> String {
    let login = server.url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).expect("a login").0;
    let (url, login) =
        (format!("{}/api/queues/%2F/{name}", server.management), format!("Basic {}", BASE64_STANDARD.encode(login)));
    let done = match delete {
        true => ureq::delete(&url).header("authorization", login).call(),
        false => ureq::put(&url)
            .header("authorization", login)
            .header("content-type", "application/json")
            .send("{\"durable\":true,\"arguments\":{\"x-queue-type\":\"quorum\"}}"),
    };
    done.expect("done");
    format!("{}/{name}", server.url)
}

#[test]
fn to_a_queue_of_rabbitmq_and_back() {
    let Some(cluster) = cluster() else { return };
    let Some(server) = servers::server("43") else { return };
    let (topic, back) = (cluster.topic(3, &[]), cluster.topic(2, &[]));
    let name = cluster.name();
    let rabbit = queue(&server, &name, false);
    cluster.send(&topic, &numbered("orders", 900, 3));
    let (from, sandbox) = (cluster.address(&topic), Sandbox::new());
    let ran = sandbox.run(&["replay", &from, "--to", &rabbit, "-y", "-o", "json", "-n", "400"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &400.into()), "{}", ran.stderr);
    assert_eq!(sandbox.run(&["filter", &from, "true"]).lines(), 500);
    let ran = sandbox.run(&["move", &from, &rabbit, "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["moved"]), (0, &500.into()), "{}", ran.stderr);
    assert_eq!(sandbox.run(&["filter", &from, "true"]).lines(), 0);
    // The set is in the topic: it is seen from everywhere.
    assert_eq!(Sandbox::new().run(&["filter", &from, "true"]).lines(), 0);
    assert_eq!(cluster.read(&topic).len(), 900, "nothing was deleted");
    let ran = sandbox.run(&["move", &rabbit, &cluster.address(&back), "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["moved"]), (0, &900.into()), "{}", ran.stderr);
    assert!(counted(&cluster.read(&back), 900).iter().all(|n| *n == 1));
    let depth = sandbox.run(&["depth", &rabbit, "-o", "json"]).json();
    assert_eq!(depth[0]["ready"], 0, "{depth}");
    queue(&server, &name, true);
}
