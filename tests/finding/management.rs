//! A vhost and users of a test's own, made through the management API; gone when dropped.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::servers::{self, Server};

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub struct Vhost {
    pub server: Server,
    /// Has a slash in it.
    pub name: String,
    users: std::sync::Mutex<Vec<String>>,
}

pub fn encoded(name: &str) -> String {
    name.replace('/', "%2F")
}

impl Vhost {
    /// None, in sight, where RabbitMQ is not running.
    pub fn new() -> Option<Vhost> {
        let server = servers::server("43")?;
        let name = format!("find/{}.{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let vhost = Vhost { server, name, users: Default::default() };
        vhost.put(&format!("vhosts/{}", encoded(&vhost.name)), &json!({}));
        vhost.allow("guest");
        Some(vhost)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let login = BASE64_STANDARD.encode("guest:guest");
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let url = format!("{}/api/{path}", self.server.management.trim_end_matches('/'));
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Basic {login}"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .unwrap();
        let mut answer = agent.run(request).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {} {text}", answer.status());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    fn put(&self, path: &str, body: &Value) {
        self.call("PUT", path, body);
    }

    fn of(&self, kind: &str, name: &str) -> String {
        format!("{kind}/{}/{}", encoded(&self.name), encoded(name))
    }

    pub fn queue(&self, name: &str, arguments: Value) {
        self.put(&self.of("queues", name), &json!({ "durable": true, "arguments": arguments }));
    }

    pub fn exchange(&self, name: &str, kind: &str, arguments: Value) {
        self.put(&self.of("exchanges", name), &json!({ "type": kind, "durable": true, "arguments": arguments }));
    }

    /// `to` is `q/NAME` or `e/NAME`.
    pub fn bind(&self, exchange: &str, to: &str, key: &str) {
        let path = format!("{}/{to}", self.of("bindings", "").trim_end_matches('/').to_owned() + "/e/" + exchange);
        self.call("POST", &path, &json!({ "routing_key": key }));
    }

    pub fn policy(&self, name: &str, pattern: &str, to: &str, definition: Value) {
        let body = json!({ "pattern": pattern, "apply-to": to, "definition": definition, "priority": 1 });
        self.put(&self.of("policies", name), &body);
    }

    pub fn publish(&self, queue: &str, n: usize) {
        for i in 0..n {
            let body = json!({ "properties": { "delivery_mode": 2 }, "routing_key": queue, "payload": i.to_string(),
                "payload_encoding": "string" });
            let answer = self.call("POST", &format!("{}/publish", self.of("exchanges", "amq.default")), &body);
            assert_eq!(answer["routed"], true);
        }
    }

    /// Takes so many messages off a queue for good, as a consumer does; how many there were.
    pub fn take(&self, queue: &str, n: usize) -> usize {
        self.get(queue, n, "ack_requeue_false")
    }

    /// Rejects so many, so that they are dead-lettered; how many there were.
    pub fn reject(&self, queue: &str, n: usize) -> usize {
        self.get(queue, n, "reject_requeue_false")
    }

    fn get(&self, queue: &str, n: usize, how: &str) -> usize {
        let body = json!({ "count": n, "ackmode": how, "encoding": "auto" });
        self.call("POST", &format!("{}/get", self.of("queues", queue)), &body).as_array().unwrap().len()
    }

    /// A user with these tags and a password that is its name; gone with the vhost.
    pub fn user(&self, name: &str, tags: &str) -> String {
        let name = format!("{name}-{}", self.name.replace(['/', '.'], "-"));
        self.put(&format!("users/{name}"), &json!({ "password": name, "tags": tags }));
        self.users.lock().unwrap().push(name.clone());
        name
    }

    /// Another password for a user of ours.
    pub fn password(&self, user: &str, password: &str) {
        self.put(&format!("users/{user}"), &json!({ "password": password, "tags": "management" }));
    }

    /// Lets a user do everything in this vhost.
    pub fn allow(&self, user: &str) {
        let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        self.put(&format!("permissions/{}/{user}", encoded(&self.name)), &all);
    }

    /// `amqp://USER:USER@HOST:PORT`.
    pub fn as_user(&self, user: &str) -> String {
        format!("amqp://{user}:{user}@{}", self.server.url.rsplit_once('@').unwrap().1)
    }

    /// The address of a queue.
    pub fn address(&self, queue: &str) -> String {
        format!("{}/{}/{queue}?management={}", self.server.url, encoded(&self.name), self.server.management)
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.call("DELETE", &format!("vhosts/{}", encoded(&self.name)), &Value::Null);
            for user in std::mem::take(&mut *self.users.lock().unwrap()) {
                self.call("DELETE", &format!("users/{user}"), &Value::Null);
            }
        }
    }
}
