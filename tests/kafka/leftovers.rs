//! What is open at a destination before anything is sent there: a dead run may have left it, or another program may be at work.

use rdkafka::producer::{BaseProducer, Producer};

use crate::cluster::{Cluster, LONG, Stored, cluster, hand_over, until};
use crate::sandbox::Sandbox;

const MANY: usize = 50;

/// A destination where another program's transaction is open from the first offset on.
fn held_open(cluster: &Cluster, name: &str) -> (String, BaseProducer) {
    let topic = cluster.topic(1, &[]);
    let other = cluster.transaction(name);
    hand_over(&other, &topic, &[Stored { value: Some(b"other".to_vec()), ..Stored::default() }]);
    other.flush(LONG).expect("flush");
    (topic, other)
}

fn dead_letters(cluster: &Cluster, origin: &str) -> String {
    let topic = cluster.topic(1, &[]);
    let dead = |n: usize| Cluster::dead(origin, 0, &format!("k{n}"), &n.to_string());
    cluster.send(&topic, &(0..MANY).map(dead).collect::<Vec<Stored>>());
    topic
}

/// Everything once, and what the other program sent as well, when it is committed; how many offsets markers have taken by then.
fn markers(cluster: &Cluster, origin: &str, other: &BaseProducer, many: usize) -> i64 {
    other.commit_transaction(LONG).expect("the other program goes on");
    until("it is committed", || cluster.ends(origin)[0].1 > 0);
    cluster.settled(origin);
    let mut texts: Vec<String> = cluster.read(origin).iter().map(Stored::text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!((texts.len(), cluster.read(origin).len()), (many + 1, many + 1));
    cluster.ends(origin)[0].1 - i64::try_from(texts.len()).expect("few")
}

#[test]
fn what_may_be_left_of_a_dead_run_is_ended_without_a_record_and_nobody_else_is_harmed() {
    let Some(cluster) = cluster() else { return };
    let (sandbox, state) = (Sandbox::new(), format!("state-topic={}", cluster.name()));
    let (origin, other) = held_open(&cluster, "other");
    let topic = dead_letters(&cluster, &origin);
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "-X", &state]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // That nothing of ours is open, that the replay is committed, and what the other program sent.
    assert_eq!(markers(&cluster, &origin, &other, MANY), 3);
}

#[test]
fn what_a_dead_run_left_open_of_another_queues_set_holds_up_nobody_for_good() {
    let Some(cluster) = cluster() else { return };
    let (sandbox, set, origin) =
        (Sandbox::new(), cluster.topic(1, &[("cleanup.policy", "compact")]), cluster.topic(1, &[]));
    let topic = dead_letters(&cluster, &origin);
    let dead: BaseProducer = cluster
        .config()
        .set("transactional.id", format!("dlq-{origin}-3"))
        .set("transaction.timeout.ms", "300000")
        .create()
        .expect("a producer");
    dead.init_transactions(LONG).expect("init");
    dead.begin_transaction().expect("begin");
    let key = Some(format!("{origin}:3:0").into_bytes());
    hand_over(&dead, &set, &[Stored { key, value: Some(vec![1]), ..Stored::default() }]);
    dead.flush(LONG).expect("flush");
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "-X", &format!("state-topic={set}")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(cluster.read(&origin).len(), MANY);
}

#[test]
fn what_is_done_and_hidden_at_a_destination_is_not_undone() {
    let Some(cluster) = cluster() else { return };
    let (sandbox, set) = (Sandbox::new(), cluster.name());
    let state = format!("state-topic={set}");
    let (origin, other) = held_open(&cluster, "hidden");
    let topic = dead_letters(&cluster, &origin);
    let ran = sandbox.run(&["purge", &cluster.address(&topic), "-n", "1", "--no-backup", "-y", "-X", &state]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // The set says that the last transaction of this queue which is done is the one that is open there.
    let mut noted = cluster.read(&set).pop().expect("the set");
    let key = String::from_utf8(noted.key.clone().expect("a key")).expect("text");
    let id = key.split(':').next().expect("a topic's id");
    noted.key = Some(format!("{id}:0:to:{origin}").into_bytes());
    noted.value = Some(b"\x010:0".to_vec());
    cluster.send(&set, &[noted]);
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "-X", &state]);
    // It is not ours, and a commit does not end it: so it is told.
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let told = format!(
        "records in partition 0 of {origin} from offset 0 on, sent by an earlier run, are committed and hidden"
    );
    assert!(ran.stderr.contains(&told), "{}", ran.stderr);
    assert_eq!(markers(&cluster, &origin, &other, MANY - 1), 2, "of the two commits");
}
