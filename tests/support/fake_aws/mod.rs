//! SQS, SNS and STS in this process, on loopback: queues that lease, count, group, deduplicate, redrive and forget, and a plan
//! of what goes wrong. Limits are those of AWS, not of ElasticMQ.
#![allow(dead_code, reason = "each test crate uses a part of it")]

pub mod fault;
mod http;
mod moves;
pub mod queue;
pub mod sns;
mod sqs;
mod sqs_batch;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

pub use fault::{Fault, Plan, Refusal};
use http::{Reply, Request};
pub use queue::{Message, Millis, Queue};
pub use sns::Topic;

pub const REGION: &str = "eu-west-1";
pub const ACCOUNT: &str = "123456789012";

/// What is there.
pub struct World {
    pub queues: BTreeMap<String, Queue>,
    pub topics: BTreeMap<String, Topic>,
    pub moves: Vec<moves::Move>,
    /// Queues in a page of a list.
    pub page: usize,
    /// Messages a move task has moved by each look at it.
    pub stride: usize,
    /// Waits of long polls and are so many times shorter.
    pub hurry: u32,
    skew: Duration,
    number: u64,
}

impl World {
    pub fn now(&self) -> Millis {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970") + self.skew;
        u64::try_from(now.as_millis()).expect("before the year 500 million")
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Puts a message into a queue: its id.
    pub fn put(&mut self, queue: &str, mut m: Message) -> String {
        let (now, number) = (self.now(), self.next_number());
        if m.id.is_empty() {
            m.id = format!("{number:08x}-0000-4000-8000-{number:012x}");
        }
        self.queues.get_mut(queue).expect("the queue").put(m, now, number).0
    }
}

/// One call, as it came in.
#[derive(Clone, Debug)]
pub struct Call {
    pub operation: String,
    /// Of the JSON protocol; an object of texts for the query protocol.
    pub body: serde_json::Value,
}

impl Call {
    /// Entries of a batch.
    pub fn entries(&self) -> usize {
        self.body["Entries"].as_array().map_or(0, Vec::len)
    }
}

pub struct Shared {
    world: Mutex<World>,
    plan: Mutex<Plan>,
    calls: Mutex<Vec<Call>>,
    closing: AtomicBool,
    waiting: (Mutex<()>, Condvar),
    address: SocketAddr,
}

/// A running fake; ends when dropped.
pub struct Fake {
    shared: Arc<Shared>,
}

impl Fake {
    pub fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let world = World {
            queues: BTreeMap::new(),
            topics: BTreeMap::new(),
            moves: vec![],
            page: 1000,
            stride: 2,
            hurry: 20,
            skew: Duration::ZERO,
            number: 0,
        };
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            plan: Mutex::default(),
            calls: Mutex::default(),
            closing: AtomicBool::new(false),
            waiting: Default::default(),
            address: listener.local_addr().expect("its address"),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || http::serve(listener, serving));
        Fake { shared }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared.world)
    }

    /// Makes a queue; a name that ends in `.fifo` makes a FIFO queue.
    pub fn queue(&self, name: &str) -> String {
        self.world().queues.insert(name.into(), Queue::new(name));
        arn(name)
    }

    /// Makes `dead` the dead-letter queue of `source`.
    pub fn redrive(&self, source: &str, dead: &str, most: u32) {
        self.world().queues.get_mut(source).expect("the queue").redrive = Some((arn(dead), most));
    }

    /// Puts `0`, `1`, … there, dead in `source`; their ids.
    pub fn fill(&self, queue: &str, n: usize, source: Option<&str>) -> Vec<String> {
        let mut world = self.world();
        let message = |i: usize| {
            let m = Message::new(&format!("{{\"n\":{i}}}")).with("kind", "String", "order");
            source.map_or_else(|| m.clone(), |s| m.clone().died_in(&arn(s)))
        };
        (0..n).map(|i| world.put(queue, message(i))).collect()
    }

    pub fn put(&self, queue: &str, m: Message) -> String {
        self.world().put(queue, m)
    }

    /// The next calls of an operation go so.
    pub fn next(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.shared.plan).next(operation, faults);
    }

    /// Every call of an operation goes so.
    pub fn lasting(&self, operation: &'static str, fault: Fault) {
        lock(&self.shared.plan).lasting(operation, fault);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        lock(&self.shared.plan).clear();
    }

    /// Planned faults that did not happen.
    pub fn unmet(&self) -> Vec<String> {
        lock(&self.shared.plan).unmet()
    }

    /// What was called, in order.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        lock(&self.shared.calls).iter().filter(|c| c.operation == operation).cloned().collect()
    }

    /// Names of all that was called, in order.
    pub fn called(&self) -> Vec<String> {
        lock(&self.shared.calls).iter().map(|c| c.operation.clone()).collect()
    }

    /// Time goes by.
    pub fn later(&self, by: Duration) {
        self.world().skew += by;
    }

    /// Bodies in a queue, in its order, whoever holds them.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        self.world().queues[queue].messages.iter().map(|m| m.body.clone()).collect()
    }

    /// Messages in a queue, in its order.
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        self.world().queues[queue].messages.clone()
    }

    /// Messages nobody holds.
    pub fn visible(&self, queue: &str) -> usize {
        let world = self.world();
        world.queues[queue].visible(world.now())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.waiting.1.notify_all();
        // Wakes the listener.
        drop(TcpStream::connect(self.shared.address));
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed elsewhere is to be told as it failed.
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Until the fake ends.
    fn hang(&self) {
        let mut held = lock(&self.waiting.0);
        while !self.closing.load(Ordering::SeqCst) {
            (held, _) = self
                .waiting
                .1
                .wait_timeout(held, Duration::from_millis(100))
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

pub fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

/// Carries out a call as its fault has it.
fn answer(shared: &Shared, request: &Request) -> Reply {
    let query = request.operation.is_empty();
    let (operation, body) = if query { sns::parse(&request.body) } else { sqs::parse(request) };
    lock(&shared.calls).push(Call { operation: operation.clone(), body: body.clone() });
    let fault = lock(&shared.plan).take(&operation);
    let refused = |r: &Refusal| Reply::Answer(if query { r.xml() } else { r.json() });
    match &fault {
        Fault::Refused(r) => return refused(r),
        Fault::ResetBefore => return Reply::Reset,
        Fault::Slow(by) => std::thread::sleep(*by),
        Fault::Hangs => {
            shared.hang();
            return Reply::Reset;
        }
        _ => {}
    }
    let answer = match query {
        true => sns::carry_out(shared, &operation, &body, &fault),
        false => sqs::carry_out(shared, &operation, &body, &fault),
    };
    match &fault {
        Fault::RefusedAfter(r) => refused(r),
        Fault::ResetAfter => Reply::Reset,
        Fault::HangsAfter => {
            shared.hang();
            Reply::Reset
        }
        _ => Reply::Answer(answer),
    }
}
