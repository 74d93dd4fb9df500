//! The peer: the shovel plugin, set up as the "Move messages" button of the management page does it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use ureq::Agent;

use super::Result;
use super::broker::Broker;

/// How often the destination is asked how full it is.
const POLL: Duration = Duration::from_millis(20);
/// Longer than any machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The shovels of one server.
pub struct Shovels<'a> {
    broker: &'a Broker,
    agent: Agent,
    login: String,
}

impl<'a> Shovels<'a> {
    pub fn of(broker: &'a Broker) -> Shovels<'a> {
        let agent = Agent::new_with_config(Agent::config_builder().http_status_as_error(false).build());
        let user = broker.url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
        let login = format!("Basic {}", BASE64_STANDARD.encode(user.unwrap_or("guest:guest")));
        Shovels { broker, agent, login }
    }

    /// The version of the server, from the API the shovels are made with.
    pub fn server(&self) -> Result<String> {
        let url = format!("{}/api/overview", self.broker.management);
        let answer = self.agent.get(url).header("authorization", &self.login).call()?;
        let overview: serde_json::Value = answer.into_body().read_json()?;
        Ok(overview["rabbitmq_version"].as_str().unwrap_or("of unknown version").to_owned())
    }

    /// Moves all there is in one queue to another: seconds from the request to the last message ready in the new queue.
    /// That it then takes itself down is waited for, but not counted.
    pub fn run(&self, from: &str, to: &str, many: u64) -> Result<f64> {
        let url = format!("{}/api/parameters/shovel/%2f/{from}", self.broker.management);
        let value = json!({"value": {
            "src-protocol": "amqp091",
            "src-uri": "amqp:///%2f",
            "src-queue": from,
            "src-delete-after": "queue-length",
            "dest-protocol": "amqp091",
            "dest-uri": "amqp:///%2f",
            "dest-queue": to,
            "dest-add-forward-headers": false,
            "ack-mode": "on-confirm",
        }});
        let begun = Instant::now();
        let answer = self.agent.put(&url).header("authorization", &self.login).send_json(&value)?;
        if !answer.status().is_success() {
            let (status, said) = (answer.status(), answer.into_body().read_to_string()?);
            return Err(format!("the shovel was refused with {status}: {said}").into());
        }
        let patient = |what: &str| {
            std::thread::sleep(POLL);
            if begun.elapsed() > PATIENCE {
                return Err(format!("the shovel did not {what} within {PATIENCE:?}"));
            }
            Ok(())
        };
        while self.broker.count(to)? < many {
            patient("finish")?;
        }
        let took = begun.elapsed();
        while self.agent.get(&url).header("authorization", &self.login).call()?.status() != 404 {
            patient("take itself down")?;
        }
        Ok(took.as_secs_f64())
    }
}
