//! A real server with queues of a test's own, driven from a plain thread.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::runtime::Runtime;

use crate::servers::{self, Server};

pub const BOTH: [&str; 2] = ["43", "310"];
pub const KINDS: [&str; 2] = ["classic", "quorum"];

/// What a busy server may take for any one thing.
pub const LONG: std::time::Duration = std::time::Duration::from_secs(60);

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub struct Broker {
    pub server: Server,
    pub runtime: Runtime,
    pub connection: Connection,
    pub channel: Channel,
    prefix: String,
    queues: RefCell<Vec<String>>,
    exchanges: RefCell<Vec<String>>,
}

pub fn text(s: &str) -> AMQPValue {
    AMQPValue::LongString(s.into())
}

pub fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut t = FieldTable::default();
    for (k, v) in entries {
        t.insert((*k).into(), v.clone());
    }
    t
}

pub fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2)
}

pub fn body(d: &Delivery) -> String {
    String::from_utf8(d.data.clone()).expect("a text")
}

impl Broker {
    /// None, in sight, where that version is not running.
    pub fn open(version: &str) -> Option<Broker> {
        servers::server(version).map(Broker::at)
    }

    /// The one at this address.
    pub fn at(server: Server) -> Broker {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::connect(&server.url, ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            (connection, channel)
        });
        let prefix = format!("e2e.{}.{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Broker {
            server,
            runtime,
            connection,
            channel,
            prefix,
            queues: RefCell::default(),
            exchanges: RefCell::default(),
        }
    }

    pub fn name(&self, what: &str) -> String {
        format!("{}.{what}", self.prefix)
    }

    /// Declares a durable queue.
    pub fn queue(&self, what: &str, kind: &str, more: &[(&str, AMQPValue)]) -> String {
        let name = self.name(what);
        let mut arguments = table(more);
        arguments.insert("x-queue-type".into(), text(kind));
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.runtime.block_on(self.channel.queue_declare(name.as_str().into(), options, arguments)).unwrap();
        self.queues.borrow_mut().push(name.clone());
        name
    }

    /// Two queues of a kind, to send from the one to the other.
    pub fn pair(&self, kind: &str) -> (String, String) {
        (self.queue(&format!("q.{kind}"), kind, &[]), self.queue(&format!("to.{kind}"), kind, &[]))
    }

    /// Declares a queue that outlives this, until [`Broker::forget`].
    pub fn keep(&self, kind: &str, what: &str) -> String {
        let name = self.queue(&format!("{what}.{kind}"), kind, &[]);
        self.queues.borrow_mut().retain(|q| *q != name);
        name
    }

    /// Deletes these with the others.
    pub fn forget(&self, queues: &[String]) {
        self.queues.borrow_mut().extend_from_slice(queues);
    }

    pub fn exchange(&self, what: &str, kind: ExchangeKind) -> String {
        let name = self.name(what);
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declare = self.channel.exchange_declare(name.as_str().into(), kind, options, FieldTable::default());
        self.runtime.block_on(declare).unwrap();
        self.exchanges.borrow_mut().push(name.clone());
        name
    }

    pub fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let (q, x, k) = (queue.into(), exchange.into(), key.into());
        let o = QueueBindOptions::default();
        self.runtime.block_on(self.channel.queue_bind(q, x, k, o, FieldTable::default())).unwrap();
    }

    pub fn delete_exchange(&self, exchange: &str) {
        let delete = self.channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default());
        self.runtime.block_on(delete).unwrap();
    }

    pub fn publish(&self, exchange: &str, key: &str, properties: BasicProperties, body: &[u8]) {
        let o = BasicPublishOptions::default();
        self.runtime.block_on(async {
            let confirm = self.channel.basic_publish(exchange.into(), key.into(), o, body, properties).await.unwrap();
            assert!(confirm.await.unwrap().is_ack());
        });
    }

    /// Puts `0`, `1`, … straight into a queue.
    pub fn fill(&self, queue: &str, n: usize) -> Vec<String> {
        let bodies: Vec<String> = (0..n).map(|i| i.to_string()).collect();
        self.runtime.block_on(async {
            let sends = bodies.iter().map(|b| async {
                let o = BasicPublishOptions::default();
                self.channel.basic_publish("".into(), queue.into(), o, b.as_bytes(), persistent()).await
            });
            for sent in futures::future::join_all(sends).await {
                assert!(sent.unwrap().await.unwrap().is_ack());
            }
        });
        bodies
    }

    pub fn ready(&self, queue: &str) -> u32 {
        let o = QueueDeclareOptions { passive: true, ..Default::default() };
        self.runtime
            .block_on(self.channel.queue_declare(queue.into(), o, FieldTable::default()))
            .unwrap()
            .message_count()
    }

    /// Waits until so many are ready: deaths and returns take a moment.
    pub fn settled(&self, queue: &str, n: u32) {
        let began = std::time::Instant::now();
        while self.ready(queue) != n && began.elapsed() < LONG {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(self.ready(queue), n, "{queue}");
    }

    /// Waits until at least so many are ready in these queues together: what a lost connection held comes back in its time.
    pub fn all_back(&self, queues: &[&str], n: usize) {
        let began = std::time::Instant::now();
        let there = || queues.iter().map(|q| self.ready(q) as usize).sum::<usize>();
        while there() < n {
            assert!(began.elapsed() < LONG, "{} of {n} are in {queues:?}", there());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Takes out everything, in order.
    pub fn drain(&self, queue: &str) -> Vec<Delivery> {
        let mut all = vec![];
        loop {
            let n = self.ready(queue) as usize;
            if n == 0 {
                return all;
            }
            self.runtime.block_on(async {
                let (tag, o) = (format!("drain {queue}"), BasicConsumeOptions { no_ack: true, ..Default::default() });
                let consume = self.channel.basic_consume(queue.into(), tag.as_str().into(), o, FieldTable::default());
                let mut consumer = consume.await.unwrap();
                for _ in 0..n {
                    all.push(consumer.next().await.unwrap().unwrap());
                }
                self.channel.basic_cancel(tag.into(), BasicCancelOptions::default()).await.unwrap();
            });
        }
    }

    pub fn get(&self, queue: &str, no_ack: bool) -> Option<Delivery> {
        let got = self.runtime.block_on(self.channel.basic_get(queue.into(), BasicGetOptions { no_ack })).unwrap();
        got.map(|g| g.delivery)
    }

    pub fn bodies(&self, queue: &str) -> Vec<String> {
        self.drain(queue).iter().map(body).collect()
    }

    /// Takes and refuses so many: they die of it.
    pub fn reject(&self, queue: &str, n: usize) {
        for _ in 0..n {
            let got = self.get(queue, false).expect("a message");
            let refuse = got.reject(BasicRejectOptions { requeue: false });
            self.runtime.block_on(refuse).unwrap();
        }
    }

    /// Ends the connections of a user that have this name, from the server's side.
    pub fn close_connections(&self, user: &str, name: &str) {
        let login = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "guest:guest");
        let login = format!("Basic {login}");
        let api = format!("{}/api/connections", self.server.management);
        let began = std::time::Instant::now();
        while began.elapsed() < LONG {
            let mut list = ureq::get(&api).header("authorization", &login).call().unwrap();
            let list: serde_json::Value = list.body_mut().read_json().unwrap();
            let of_user =
                |c: &&serde_json::Value| c["user"] == user && c["client_properties"]["connection_name"] == name;
            let found: Vec<_> = list.as_array().unwrap().iter().filter(of_user).collect();
            for c in &found {
                let id = dlq::broker::rabbitmq::address::encode(c["name"].as_str().unwrap());
                ureq::delete(format!("{api}/{id}")).header("authorization", &login).call().unwrap();
            }
            if !found.is_empty() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("no connection {name} of {user}");
    }

    /// The address of a queue, management API named.
    pub fn address(&self, queue: &str) -> String {
        format!("{}/{queue}?management={}", self.server.url, self.server.management)
    }

    /// The same, without one.
    pub fn bare(&self, queue: &str) -> String {
        format!("{}/{queue}?management=none", self.server.url)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A channel the test lost is no reason to leave queues behind.
        let _ = self.runtime.block_on(async {
            let channel = self.connection.create_channel().await?;
            for q in self.queues.take() {
                channel.queue_delete(q.as_str().into(), QueueDeleteOptions::default()).await?;
            }
            for x in self.exchanges.take() {
                channel.exchange_delete(x.as_str().into(), ExchangeDeleteOptions::default()).await?;
            }
            self.connection.close(200, "done".into()).await
        });
    }
}
