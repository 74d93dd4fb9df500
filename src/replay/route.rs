//! Where one message of a replay goes.

use std::sync::Arc;

use crate::broker::address::decode;
use crate::broker::{Address, Error, Kind, Result};
use crate::message::{DeadLetter, Origin, Target};

/// Decides the target of each message from what is known before it is stripped.
#[derive(Clone, Debug)]
pub struct Route {
    one_place: bool,
    fallback: Vec<Arc<Target>>,
    own: Option<String>,
    /// The partition it had goes with it; otherwise its key decides anew.
    keeps_partition: bool,
}

impl Route {
    /// `one_place`: everything goes where the sink was opened to. `fallback`: the origins the broker's topology names.
    pub fn new(one_place: bool, fallback: Vec<Target>, source: &Address) -> Self {
        let keeps_partition = source.option("keep-partition").is_some_and(|v| v != "false");
        Route {
            one_place,
            fallback: fallback.into_iter().map(Arc::new).collect(),
            own: queue_name(source),
            keeps_partition,
        }
    }

    /// The target of one message; `None` where the sink was opened to.
    ///
    /// # Errors
    /// `Usage`: nothing, or more than one thing, says where the message came from, or it came from the queue it is in.
    pub fn of(&self, m: &DeadLetter, death: Option<&Origin>) -> Result<Option<Arc<Target>>> {
        if self.one_place {
            return Ok(None);
        }
        let told = [death, m.origin.as_ref()].into_iter().flatten().find_map(|o| self.target_of(o));
        let target = match told {
            Some(target) => Arc::new(target),
            None => match self.fallback.as_slice() {
                [only] => Arc::clone(only),
                [] => {
                    return Err(Error::new(Kind::Usage, "nothing says where it came from")
                        .hint("give --to to say where it should go"));
                }
                several => {
                    let names = several.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    return Err(Error::new(
                        Kind::Usage,
                        format!(
                            "it does not say where it came from, and more than one place dead-letters here: {names}"
                        ),
                    )
                    .hint("give --to to say where it should go"));
                }
            },
        };
        match &self.own {
            Some(own) if leads_to(&target, own) => Err(Error::new(
                Kind::Usage,
                format!("it says it came from {own}, the queue it is in: a replay would put it back there"),
            )
            .hint("give --to to say where it should go")),
            _ => Ok(Some(target)),
        }
    }

    /// The part of an origin that says where to send to: not the offset it had there, nor who read it.
    fn target_of(&self, origin: &Origin) -> Option<Target> {
        let Origin { queue, exchange, routing_key, partition, .. } = origin;
        match (exchange, routing_key, queue) {
            // Another queue bound to the same exchange gets it as well, as it did when it was first published.
            (Some(_), Some(_), _) => {
                Some(Target { exchange: exchange.clone(), routing_key: routing_key.clone(), ..Target::default() })
            }
            (_, _, Some(_)) => Some(Target {
                queue: queue.clone(),
                routing_key: if exchange.is_none() { routing_key.clone() } else { None },
                partition: partition.filter(|_| self.keeps_partition),
                ..Target::default()
            }),
            (None, Some(_), None) => Some(Target { routing_key: routing_key.clone(), ..Target::default() }),
            (Some(x), None, None) if !x.is_empty() => Some(Target { exchange: exchange.clone(), ..Target::default() }),
            _ => None,
        }
    }
}

fn leads_to(target: &Target, queue: &str) -> bool {
    match (&target.exchange, &target.routing_key) {
        (Some(x), Some(key)) => x.is_empty() && &**key == queue,
        _ => target.queue.as_deref() == Some(queue),
    }
}

/// The name of the queue within its broker. An archive is no queue a message could have come from.
fn queue_name(address: &Address) -> Option<String> {
    let (_, path) = address.shown.split_once("://")?;
    Some(decode(path.rsplit('/').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Payload;

    fn message() -> DeadLetter {
        DeadLetter::new("q".into(), Payload::Absent)
    }

    fn origin(exchange: Option<&str>, routing_key: Option<&str>, queue: Option<&str>) -> Origin {
        let arc = |s: &str| Arc::<str>::from(s);
        Origin {
            exchange: exchange.map(arc),
            routing_key: routing_key.map(arc),
            queue: queue.map(arc),
            offset: Some(7),
            group: Some("g".into()),
            partition: Some(3),
        }
    }

    fn route(fallback: Vec<Target>) -> Route {
        Route {
            one_place: false,
            fallback: fallback.into_iter().map(Arc::new).collect(),
            own: Some("orders.dlq".into()),
            keeps_partition: true,
        }
    }

    #[test]
    fn one_place_beats_everything() {
        let route = Route { one_place: true, ..route(vec![]) };
        let at = origin(Some("x"), Some("k"), Some("orders"));
        assert_eq!(route.of(&message(), Some(&at)).unwrap(), None);
    }

    #[test]
    fn exchange_and_key_beat_the_queue_and_the_past_is_left_out() {
        let at = route(vec![]).of(&message(), Some(&origin(Some("x"), Some("k"), Some("orders")))).unwrap().unwrap();
        let wanted = Target { exchange: Some("x".into()), routing_key: Some("k".into()), ..Target::default() };
        assert_eq!(*at, wanted);
        let at = route(vec![]).of(&message(), Some(&origin(Some("x"), None, Some("orders")))).unwrap().unwrap();
        assert_eq!(*at, Target { queue: Some("orders".into()), partition: Some(3), ..Target::default() });
        let at = route(vec![]).of(&message(), Some(&origin(None, Some("orders.eu"), Some("ORDERS")))).unwrap().unwrap();
        assert_eq!((at.queue.as_deref(), at.routing_key.as_deref()), (Some("ORDERS"), Some("orders.eu")));
    }

    #[test]
    fn headers_then_broker_then_topology() {
        let topology = vec![origin(None, None, Some("by-topology"))];
        let mut m = message();
        m.origin = Some(origin(None, None, Some("by-broker")));
        let queue = |m: &DeadLetter, death: Option<&Origin>| {
            route(topology.clone()).of(m, death).unwrap().unwrap().queue.clone().unwrap().to_string()
        };
        assert_eq!(queue(&m, Some(&origin(None, None, Some("by-header")))), "by-header");
        assert_eq!(queue(&m, Some(&Origin::default())), "by-broker", "an origin that says nothing is passed over");
        m.origin = None;
        assert_eq!(queue(&m, None), "by-topology");
    }

    #[test]
    fn none_and_several_are_errors_that_say_what_to_do() {
        let e = route(vec![]).of(&message(), None).unwrap_err();
        assert_eq!(e.to_string(), "nothing says where it came from");
        assert!(e.get_hint().unwrap().contains("--to"));
        let two = vec![origin(None, None, Some("a")), origin(Some("x"), Some("k"), None)];
        let e = route(two).of(&message(), None).unwrap_err();
        assert!(e.to_string().ends_with("a, partition 3; exchange x, routing key k"), "{e}");
    }

    #[test]
    fn the_queue_itself_is_no_destination() {
        for at in [origin(None, None, Some("orders.dlq")), origin(Some(""), Some("orders.dlq"), Some("other"))] {
            let e = route(vec![]).of(&message(), Some(&at)).unwrap_err();
            assert!(e.to_string().contains("orders.dlq, the queue it is in"), "{e}");
        }
        let elsewhere = origin(Some("x"), Some("orders.dlq"), Some("orders"));
        assert!(route(vec![]).of(&message(), Some(&elsewhere)).is_ok());
    }

    #[test]
    fn the_name_of_the_queue_is_decoded_and_archives_have_none() {
        let address = |shown: &str| Address {
            backend: crate::broker::registry::BACKENDS[0],
            typed: crate::broker::address::Secret::default(),
            shown: shown.into(),
            canonical: shown.into(),
            options: Default::default(),
        };
        assert_eq!(queue_name(&address("amqp://h/v/orders%2Fdlq")).as_deref(), Some("orders/dlq"));
        assert_eq!(queue_name(&address("file:dir/orders")), None);
    }
}
