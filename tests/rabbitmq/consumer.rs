//! A consumer in a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::StreamExt;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};

use crate::broker::{Broker, LONG, body};

/// What it does with each message.
#[derive(Clone, Copy)]
pub enum Does {
    Take,
    Reject,
    /// Takes one after so long.
    TakeSlowly(Duration),
    /// Takes so many, then stops.
    TakeOnly(usize),
}

pub struct Consumer {
    stop: Arc<AtomicBool>,
    /// The bodies it was given.
    pub got: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Consumer {
    pub fn start(b: &Broker, queue: &str, does: Does) -> Consumer {
        let (stop, got) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(vec![])));
        let (url, queue, stopped, list) = (b.server.url.clone(), queue.to_owned(), Arc::clone(&stop), Arc::clone(&got));
        let (begun, begins) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(run(&url, &queue, does, &stopped, &list, begun));
        });
        begins.recv().expect("it consumes");
        Consumer { stop, got, thread: Some(thread) }
    }

    pub fn bodies(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until it was given so many, and a moment for more.
    pub fn given(&self, many: usize) -> Vec<String> {
        let began = Instant::now();
        while self.bodies().len() < many && began.elapsed() < LONG {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(300));
        self.bodies()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

async fn run(url: &str, queue: &str, does: Does, stop: &AtomicBool, got: &Mutex<Vec<String>>, begun: Sender<()>) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let consume =
        channel.basic_consume(queue.into(), "worker".into(), BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = consume.await.unwrap();
    begun.send(()).unwrap();
    while !stop.load(Ordering::Relaxed) {
        if let Does::TakeOnly(most) = does
            && got.lock().unwrap().len() >= most
        {
            break;
        }
        let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_millis(100), consumer.next()).await else {
            continue;
        };
        let delivery = delivery.unwrap();
        got.lock().unwrap().push(body(&delivery));
        match does {
            Does::Reject => delivery.reject(BasicRejectOptions { requeue: false }).await.unwrap(),
            Does::Take | Does::TakeOnly(_) => delivery.ack(BasicAckOptions::default()).await.unwrap(),
            Does::TakeSlowly(pause) => {
                tokio::time::sleep(pause).await;
                delivery.ack(BasicAckOptions::default()).await.unwrap()
            }
        };
    }
    _ = connection.close(200, "done".into()).await;
}
