//! The running cluster, topics that go away with the test, and a reader that is not ours.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::servers;

/// What a busy cluster may take for any one thing.
pub const LONG: Duration = Duration::from_secs(60);

/// A cluster and the topics of one test.
pub struct Cluster {
    pub url: String,
    run: String,
    made: AtomicU32,
}

/// A record as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970; only sent, never read back.
    pub time: Option<i64>,
}

impl Stored {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// The cluster; none, in sight, where there is none.
pub fn cluster() -> Option<Cluster> {
    servers::kafka().map(Cluster::at)
}

impl Cluster {
    /// The one at this address.
    pub fn at(url: String) -> Cluster {
        let run = format!("{:x}", std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos());
        Cluster { url, run, made: AtomicU32::new(0) }
    }

    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.url.trim_start_matches("kafka://"));
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("connect to Kafka")
    }

    /// A name nobody else has.
    pub fn name(&self) -> String {
        format!("test.{}.{}", self.run, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// A new topic.
    pub fn topic(&self, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = self.name();
        self.create(&name, partitions, settings);
        name
    }

    pub fn create(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        self.place(name, partitions, TopicReplication::Fixed(1), settings);
    }

    /// A new topic of one partition, on this node.
    pub fn topic_on(&self, node: i32, settings: &[(&str, &str)]) -> String {
        let name = self.name();
        self.place(&name, 1, TopicReplication::Variable(&[&[node]]), settings);
        name
    }

    /// Changes one setting of a topic, and gives the others back to the cluster.
    pub fn alter(&self, topic: &str, setting: &str, value: &str) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(setting, value);
        let changed = futures::executor::block_on(self.admin().alter_configs([&change], &AdminOptions::new()));
        changed.expect("alter")[0].as_ref().expect("altered");
    }

    fn place(&self, name: &str, partitions: i32, on: TopicReplication<'_>, settings: &[(&str, &str)]) {
        let topic = settings.iter().fold(NewTopic::new(name, partitions, on), |t, (k, v)| t.set(k, v));
        let made = futures::executor::block_on(self.admin().create_topics([&topic], &AdminOptions::new()));
        made.expect("create")[0].as_ref().expect("created");
        let partitions = usize::try_from(partitions).expect("not negative");
        until("the new topic turns up", || self.ends(name).len() == partitions);
    }

    pub fn delete(&self, name: &str) {
        let gone = futures::executor::block_on(self.admin().delete_topics(&[name], &AdminOptions::new()));
        gone.expect("delete")[0].as_ref().expect("deleted");
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        until("the topic is gone", || {
            let metadata = consumer.fetch_metadata(Some(name), LONG);
            metadata.is_ok_and(|m| m.topics()[0].partitions().is_empty())
        });
    }

    /// Waits until all that was sent to a topic is committed or undone: a transaction is answered before its end is everywhere.
    pub fn settled(&self, topic: &str) {
        until("no transaction is open", || {
            let ends = self.ends(topic);
            let high = |p: usize| self.stored(topic, i32::try_from(p).expect("few"));
            !ends.is_empty() && ends.iter().enumerate().all(|(p, (_, stable))| *stable == high(p))
        });
    }

    /// Deletes what is before an offset of a partition.
    pub fn trim(&self, name: &str, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(name, partition, Offset::Offset(before)).expect("a partition");
        let gone = futures::executor::block_on(self.admin().delete_records(&list, &AdminOptions::new()));
        gone.expect("trim");
    }

    /// The times of a partition's records, in milliseconds since 1970.
    pub fn times(&self, topic: &str) -> Vec<i64> {
        let consumer: BaseConsumer =
            self.config().set("group.id", "none").set("enable.partition.eof", "true").create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).expect("a partition");
        consumer.assign(&list).expect("assign");
        let mut times = vec![];
        loop {
            match consumer.poll(LONG).expect("an answer") {
                Ok(m) => times.push(m.timestamp().to_millis().expect("a time")),
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => return times,
                Err(e) => panic!("{e}"),
            }
        }
    }

    pub fn address(&self, topic: &str) -> String {
        format!("{}/{topic}", self.url)
    }

    /// Sends records in order and waits for them; `transaction`: in one that is committed, aborted, or left open.
    pub fn send(&self, topic: &str, records: &[Stored]) {
        let mut config = self.config();
        // A few are there at once or not at all: the flush does not wait for more.
        config.set("linger.ms", "1000").set("message.max.bytes", "20000000");
        let producer: BaseProducer = config.create().expect("a producer");
        hand_over(&producer, topic, records);
        producer.flush(LONG).expect("sent");
    }

    /// A producer with a transaction begun.
    pub fn transaction(&self, id: &str) -> BaseProducer {
        let producer: BaseProducer = self
            .config()
            .set("transactional.id", format!("{id}-{}", self.run))
            .set("transaction.timeout.ms", "300000")
            .create()
            .expect("a producer");
        producer.init_transactions(LONG).expect("init");
        producer.begin_transaction().expect("begin");
        producer
    }

    /// The first offset of each partition and the one behind what is committed, in their order.
    pub fn ends(&self, topic: &str) -> Vec<(i64, i64)> {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let Ok(metadata) = consumer.fetch_metadata(Some(topic), LONG) else { return vec![] };
        let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
        let ends = partitions.iter().map(|p| consumer.fetch_watermarks(topic, *p, LONG));
        ends.collect::<Result<_, _>>().unwrap_or_default()
    }

    /// Behind the last record of a partition, whether it is committed or not.
    pub fn stored(&self, topic: &str, partition: i32) -> i64 {
        let mut config = self.config();
        let consumer: BaseConsumer = config.set("isolation.level", "read_uncommitted").create().expect("a consumer");
        consumer.fetch_watermarks(topic, partition, Duration::from_secs(10)).map_or(0, |(_, high)| high)
    }

    /// The node that leads a partition; none while it is away.
    pub fn leader(&self, topic: &str, partition: usize) -> Option<i32> {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).ok()?;
        Some(metadata.topics()[0].partitions().get(partition)?.leader()).filter(|node| *node >= 0)
    }

    /// All there is to read at `read_committed`, in order of partition and offset.
    pub fn read(&self, topic: &str) -> Vec<Stored> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", "none")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("fetch.message.max.bytes", "20000000")
            .create()
            .expect("a consumer");
        let partitions = i32::try_from(self.ends(topic).len()).expect("few");
        let mut list = TopicPartitionList::new();
        for p in 0..partitions {
            list.add_partition_offset(topic, p, Offset::Beginning).expect("a partition");
        }
        consumer.assign(&list).expect("assign");
        let (mut all, mut ended) = (vec![], 0);
        while ended < partitions {
            match consumer.poll(LONG).expect("an answer") {
                Ok(m) => all.push(Stored {
                    partition: m.partition(),
                    offset: m.offset(),
                    key: m.key().map(<[u8]>::to_vec),
                    value: m.payload().map(<[u8]>::to_vec),
                    headers: m
                        .headers()
                        .map(|h| h.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect())
                        .unwrap_or_default(),
                    time: None,
                }),
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
                Err(e) => panic!("{e}"),
            }
        }
        all.sort();
        all
    }

    /// A record of a dead-letter topic that came from `origin`.
    pub fn dead(origin: &str, partition: i32, key: &str, value: &str) -> Stored {
        Stored {
            partition,
            key: Some(key.into()),
            value: Some(value.into()),
            headers: vec![
                ("kafka_dlt-original-topic".into(), Some(origin.into())),
                ("kafka_dlt-exception-fqcn".into(), Some("java.lang.IllegalStateException".into())),
            ],
            ..Stored::default()
        }
    }
}

/// Waits until it is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends to the partitions the records name, without waiting for the answers.
pub fn hand_over(producer: &BaseProducer, topic: &str, records: &[Stored]) {
    for r in records {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(r.partition);
        record.key = r.key.as_deref();
        record.timestamp = r.time;
        record.payload = r.value.as_deref();
        let headers = r
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: value.as_deref() }));
        record.headers = Some(headers);
        while let Err((e, back)) = producer.send(record) {
            assert!(e.to_string().contains("Queue full"), "{e}");
            record = back;
            producer.poll(Duration::from_millis(10));
        }
    }
    producer.poll(Duration::ZERO);
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let made = self.made.load(Ordering::Relaxed);
        // A test that lacks another server makes none.
        if made == 0 || std::thread::panicking() {
            return;
        }
        let names: Vec<String> = (0..made).map(|n| format!("test.{}.{n}", self.run)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Some were deleted by their test.
        let gone = futures::executor::block_on(self.admin().delete_topics(&names, &AdminOptions::new()));
        gone.expect("delete");
    }
}
