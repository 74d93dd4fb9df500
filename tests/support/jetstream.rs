//! A bare client of NATS, so that what is tested is not what tests: one connection, one question at a time.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A server with JetStream, and a connection to it.
#[derive(Clone)]
pub struct Server {
    /// `nats://HOST:PORT`.
    pub url: String,
    line: Arc<Mutex<Line>>,
}

struct Line {
    write: TcpStream,
    read: BufReader<TcpStream>,
    asked: u64,
    /// Where answers come to: of this connection alone.
    inbox: String,
}

/// A message as it was received.
#[derive(Clone, Debug)]
pub struct Received {
    pub subject: String,
    pub reply: Option<String>,
    /// `NATS/1.0` and its lines; empty without.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Server {
    /// The one that all tests share; none, in sight, where it is not running and not required.
    pub fn shared() -> Option<Server> {
        super::servers::var("DLQ_TEST_NATS_URL").map(|url| Server::at(&url, &json!({})))
    }

    /// The one at an address. `login`: what goes into `CONNECT` besides.
    pub fn at(url: &str, login: &Value) -> Server {
        let url = url.trim_end_matches('/').to_owned();
        let place = url.strip_prefix("nats://").expect("an address of a server");
        let write = TcpStream::connect(place).expect("connect");
        write.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
        let inbox = format!("_INBOX.test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let read = BufReader::new(write.try_clone().expect("a second handle"));
        let mut line = Line { read, write, asked: 0, inbox };
        let mut hello = json!({ "verbose": false, "headers": true, "no_responders": true, "protocol": 1, "lang": "test", "version": "0" });
        hello.as_object_mut().expect("an object").extend(login.as_object().cloned().unwrap_or_default());
        line.send(format!("CONNECT {hello}\r\nSUB {}.* 1\r\n", line.inbox).as_bytes());
        Server { url, line: Arc::new(Mutex::new(line)) }
    }

    pub fn address(&self, stream: &str) -> String {
        format!("{}/{stream}", self.url)
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks JetStream.
    pub fn api(&self, operation: &str, question: &Value) -> Value {
        self.line().ask(&format!("$JS.API.{operation}"), "", question.to_string().as_bytes()).json()
    }

    /// Asks a server of a cluster, some of which may be away, until the answer is right.
    pub fn until(url: &str, operation: &str, question: &Value, right: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            let server = Server::at(url, &json!({}));
            server.line().write.set_read_timeout(Some(Duration::from_secs(1))).expect("a time limit");
            let body = question.to_string();
            let text =
                format!("SUB _INBOX.until 2\r\nPUB $JS.API.{operation} _INBOX.until {}\r\n{body}\r\n", body.len());
            server.say_raw(&text);
            let mut answer = vec![];
            let mut some = [0; 1 << 12];
            let told = loop {
                let Ok(n @ 1..) = server.line().read.read(&mut some) else { break None };
                answer.extend_from_slice(&some[..n]);
                let told = answer.split(|b| *b == b'\n').find_map(|line| serde_json::from_slice::<Value>(line).ok());
                if told.is_some() {
                    break told;
                }
            };
            match told {
                Some(told) if right(&told) => return told,
                told => assert!(began.elapsed() < Duration::from_secs(60), "{operation}: {told:?}"),
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Makes a stream anew.
    pub fn make(&self, config: Value) {
        let name = config["name"].as_str().expect("a name").to_owned();
        self.api(&format!("STREAM.DELETE.{name}"), &json!({}));
        let made = self.api(&format!("STREAM.CREATE.{name}"), &config);
        assert!(made["error"].is_null(), "{made}");
    }

    /// Makes a durable consumer that acknowledges each message.
    pub fn consume(&self, stream: &str, name: &str, more: &Value) {
        let mut config = json!({ "durable_name": name, "ack_policy": "explicit" });
        config.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let question = json!({ "stream_name": stream, "config": config });
        let made = self.api(&format!("CONSUMER.CREATE.{stream}.{name}"), &question);
        assert!(made["error"].is_null(), "{made}");
    }

    /// Sends and has it confirmed. `headers`: lines, each with its end.
    pub fn publish(&self, subject: &str, headers: &str, body: &[u8]) -> Value {
        self.line().ask(subject, headers, body).json()
    }

    /// Sends many, whose confirmations are read behind them.
    pub fn publish_all(&self, subject: &str, bodies: &[String]) {
        let mut line = self.line();
        for chunk in bodies.chunks(500) {
            let mut out = vec![];
            for body in chunk {
                out.extend_from_slice(
                    format!("PUB {subject} {}.all {}\r\n{body}\r\n", line.inbox, body.len()).as_bytes(),
                );
            }
            line.send(&out);
            for _ in chunk {
                let told = line.next().json();
                assert!(told["error"].is_null() && told["seq"].is_u64(), "{told}");
            }
        }
    }

    /// How many a stream holds.
    pub fn count(&self, stream: &str) -> u64 {
        self.api(&format!("STREAM.INFO.{stream}"), &json!({}))["state"]["messages"].as_u64().expect("a count")
    }

    /// All a stream holds: subject, headers as they are stored, body.
    pub fn contents(&self, stream: &str) -> Vec<Received> {
        let state = self.api(&format!("STREAM.INFO.{stream}"), &json!({}))["state"].clone();
        let (mut next, last) = (state["first_seq"].as_u64().expect("first"), state["last_seq"].as_u64().expect("last"));
        let mut all = vec![];
        while next <= last {
            let told = self.api(&format!("STREAM.MSG.GET.{stream}"), &json!({ "seq": next, "next_by_subj": ">" }));
            if told["error"]["err_code"] == 10037 {
                break;
            }
            let m = &told["message"];
            let bytes = |field: &str| {
                use base64::Engine as _;
                let text = m[field].as_str().unwrap_or_default();
                base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
            };
            all.push(Received {
                subject: m["subject"].as_str().expect("a subject").to_owned(),
                reply: None,
                headers: String::from_utf8(bytes("hdrs")).expect("text"),
                body: bytes("data"),
            });
            next = m["seq"].as_u64().expect("a number") + 1;
        }
        all
    }

    /// Takes so many from a consumer without acknowledging; each has the subject to answer to.
    pub fn pull(&self, stream: &str, consumer: &str, many: u64) -> Vec<Received> {
        let mut line = self.line();
        let question = json!({ "batch": many, "no_wait": true }).to_string();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        let asked = format!("PUB {subject} {}.pull {}\r\n{question}\r\n", line.inbox, question.len());
        line.send(asked.as_bytes());
        let mut got = vec![];
        while (got.len() as u64) < many {
            let m = line.next();
            if m.reply.is_none() {
                break;
            }
            got.push(m);
        }
        got
    }

    /// Answers so many messages that are sent to a subject, as an application does that listens there.
    pub fn answer(&self, subject: &str, with: &'static str, many: usize) -> std::thread::JoinHandle<()> {
        let server = Server::at(&self.url, &json!({}));
        server.say_raw(&format!("SUB {subject} 2\r\n"));
        // An answer to this comes once the server has taken that.
        server.api("INFO", &json!({}));
        std::thread::spawn(move || {
            for _ in 0..many {
                let asked = server.line().next();
                server.say(&asked.reply.expect("where to answer"), with);
            }
        })
    }

    fn say_raw(&self, text: &str) {
        self.line().send(text.as_bytes());
    }

    /// Says what is answered when it is done, though with nothing: how a message is acknowledged for certain.
    pub fn settle(&self, reply: &str, how: &str) {
        self.line().ask(reply, "", how.as_bytes());
    }

    /// Waits until so many of what was sent wait for a consumer: a server counts them a moment after it has confirmed them.
    pub fn waits(&self, stream: &str, consumer: &str, many: u64) {
        let began = std::time::Instant::now();
        loop {
            let told = self.api(&format!("CONSUMER.INFO.{stream}.{consumer}"), &json!({}));
            if told["num_pending"] == json!(many) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{many} are to wait: {told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Says something without an answer.
    pub fn say(&self, subject: &str, body: &str) {
        self.line().send(format!("PUB {subject} {}\r\n{body}\r\n", body.len()).as_bytes());
    }
}

impl Line {
    fn send(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).expect("write");
    }

    fn ask(&mut self, subject: &str, headers: &str, body: &[u8]) -> Received {
        self.asked += 1;
        let reply = format!("{}.{}", self.inbox, self.asked);
        let block = if headers.is_empty() { String::new() } else { format!("NATS/1.0\r\n{headers}\r\n") };
        let mut out = match block.len() {
            0 => format!("PUB {subject} {reply} {}\r\n", body.len()),
            n => format!("HPUB {subject} {reply} {n} {}\r\n{block}", n + body.len()),
        }
        .into_bytes();
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
        self.send(&out);
        loop {
            let m = self.next();
            if m.subject == reply {
                return m;
            }
        }
    }

    fn next(&mut self) -> Received {
        loop {
            let mut head = String::new();
            self.read.read_line(&mut head).expect("an answer in time");
            assert!(!head.is_empty(), "the server hung up");
            let words: Vec<&str> = head.split_whitespace().collect();
            let (fixed, sizes) = match words[0] {
                "PING" => {
                    self.send(b"PONG\r\n");
                    continue;
                }
                "MSG" => (4, 1),
                "HMSG" => (5, 2),
                "-ERR" => panic!("{head}"),
                _ => continue,
            };
            let number = |at: usize| words[words.len() - at].parse::<usize>().expect("a size");
            let (total, block) = (number(1), if sizes == 2 { number(2) } else { 0 });
            let mut bytes = vec![0; total + 2];
            self.read.read_exact(&mut bytes).expect("a body");
            bytes.truncate(total);
            let body = bytes.split_off(block);
            return Received {
                subject: words[1].to_owned(),
                reply: (words.len() > fixed).then(|| words[3].to_owned()),
                headers: String::from_utf8_lossy(&bytes).into_owned(),
                body,
            };
        }
    }
}
