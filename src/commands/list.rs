//! `dlq list CLUSTER`.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::session::{Opening, Session};
use crate::broker::Result;
use crate::broker::address::{Address, hide};
use crate::broker::listing::{Found, Listing};
use crate::cli;
use crate::config::{Config, Origin, Resolved, Setting, joined};
use crate::exit::Exit;
use crate::output::{Format, json, listing};

/// An option keeps what is legible and cannot be mistaken for a delimiter.
const OPTION: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b':').remove(b'/').remove(b',');

/// Find the dead-letter queues of a cluster, an account or a folder, by its topology.
///
/// On SQS by the redrive policies of all queues; on RabbitMQ by dead-letter exchanges, set by argument or policy, and what is
/// bound to them; on Kafka by names, settings and the headers of one record of each topic; in a folder by the first line of each
/// file. A queue known by its name alone is marked so. What could not be looked at is said (exit 3).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to look: sqs://[REGION], amqp://HOST[/VHOST], kafka://HOST[,HOST...], nats://HOST, file:DIR
    #[arg(value_name = "CLUSTER")]
    pub cluster: String,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
}

/// Looks, and prints a line a queue.
///
/// # Errors
/// A wrong address, or whatever keeps the place from being looked at.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let place = Place::of(session.cluster(&args.cluster, &args.connection)?);
    let Some(lister) = place.address.backend.list else { return Ok(Exit::Done) };
    let context = session.context(Opening::default());
    let found = session.unless_stopped((lister.list)(&place.address, &context)).await?;
    print(&found, &place, session)?;
    let complete = found.complete();
    say(found, &place, session);
    Ok(if complete { Exit::Done } else { Exit::Partly })
}

fn print(listing: &Listing, place: &Place, session: &Session) -> Result<()> {
    let (look, now) = (session.ui.look(), Timestamp::now());
    let value = |f: &Found| listing::value(f, &place.whole(f, &session.config), now);
    let mut out = vec![];
    match session.format.resolve(look.tty, true) {
        Format::Json => {
            let all: Vec<_> = listing.found.iter().map(value).collect();
            json::pretty(serde_json::Value::from(all).to_string().as_bytes(), &look, &mut out);
            out.push(b'\n');
        }
        Format::Jsonl => {
            for found in &listing.found {
                json::compact(value(found).to_string().as_bytes(), &look, &mut out);
                out.push(b'\n');
            }
        }
        _ if listing.found.is_empty() => {}
        _ => {
            let short = |f: &Found| Found { address: place.short(f, &session.config), ..f.clone() };
            let rows: Vec<Found> = listing.found.iter().map(short).collect();
            let (text, notes) = listing::render(&rows, now, &look);
            out.extend_from_slice(text.as_bytes());
            notes.iter().for_each(|n| session.ui.notice(n));
        }
    }
    let mut data = session.ui.data();
    data.write(&out)?;
    data.finish()
}

fn say(listing: Listing, place: &Place, session: &Session) {
    let ui = &session.ui;
    let tells = session.format.resolve(ui.look().tty, true) == Format::Table && !listing.found.is_empty();
    if tells && !place.options.is_empty() {
        let flag = |(k, v): &(String, String)| format!("-X {}", quoted(&format!("{k}={v}")));
        let flags: Vec<String> = place.options.iter().map(flag).collect();
        ui.notice(&format!("to each of these addresses belongs: {}", flags.join(" ")));
    }
    if !listing.found.is_empty() && !place.secret.is_empty() {
        ui.notice(&format!("left out, since they may hold a password: {}", place.secret.join(", ")));
    }
    listing.notes.iter().for_each(|n| ui.notice(n));
    for f in &listing.found {
        if let Some(why) = &f.unknown {
            ui.warn(&format!("{}: {why}", f.address));
        }
    }
    listing.gaps.iter().for_each(|gap| ui.warn(gap));
    if listing.found.is_empty() {
        ui.notice(&format!("no dead-letter queue was found; looked at {}", listing.looked_at));
    } else {
        ui.detail(&format!("looked at {}", listing.looked_at));
    }
}

fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |q| q.into_owned())
}

fn is_secret(name: &str, value: &str) -> bool {
    let elsewhere = ["-env", "-file", "-command", ".location"].iter().any(|end| name.ends_with(end));
    let named = ["password", "secret", "token", "jaas", ".pem"].iter().any(|word| name.contains(word));
    named && !elsewhere || hide(value) != value
}

/// Where was looked, and how queues there are addressed.
struct Place {
    address: Address,
    /// Of a cluster of the configuration file.
    name: Option<String>,
    /// What the addresses found need besides.
    options: Vec<(String, String)>,
    /// Names of those that are not shown.
    secret: Vec<String>,
}

impl Place {
    fn of(resolved: Resolved) -> Place {
        let Resolved { address, settings, name } = resolved;
        let implied = address.backend.list.map_or(&[][..], |l| l.implied);
        // What the file says of a cluster is known by its name.
        let typed = |s: &Setting| name.is_none() || matches!(s.origin, Origin::Flag | Origin::Address);
        let needed = settings.into_iter().filter(|s| typed(s) && !implied.contains(&s.name.as_str()));
        let (secret, options): (Vec<_>, Vec<_>) = needed.partition(|s| is_secret(&s.name, &s.value));
        Place {
            address,
            name,
            options: options.into_iter().map(|s| (s.name, s.value)).collect(),
            secret: secret.into_iter().map(|s| s.name).collect(),
        }
    }

    /// `CLUSTER/QUEUE` where that names the same queue, else the address; without options.
    fn short(&self, f: &Found, config: &Config) -> String {
        let named = || {
            let queue = f.address.strip_prefix(&self.address.shown)?.trim_start_matches('/');
            let named = joined(self.name.as_ref()?, queue);
            let same = |typed: &str| config.resolve(typed, &self.options).map(|r| r.address.canonical).ok();
            (same(&named)? == same(&f.address)?).then_some(named)
        };
        named().unwrap_or_else(|| f.address.clone())
    }

    /// The same with the options in it that it needs.
    fn whole(&self, f: &Found, config: &Config) -> String {
        let encoded = |s: &str| utf8_percent_encode(s, OPTION).to_string();
        let query: Vec<String> = self.options.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
        let short = self.short(f, config);
        // What a consumer gave up on has an option of its own.
        let mark = if short.contains('?') { '&' } else { '?' };
        if query.is_empty() { short } else { format!("{short}{mark}{}", query.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str) -> Found {
        Found { address: address.into(), ..Found::default() }
    }

    #[test]
    fn what_an_address_needs_is_in_it_and_no_secret() {
        let options = [("endpoint", "http://127.0.0.1:9324"), ("region", "eu-west-1"), ("sign", "no")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let config = Config::default();
        let place = Place::of(config.resolve_cluster("sqs://", &options).expect("an account"));
        let address = place.whole(&found("sqs://eu-west-1/q"), &config);
        assert_eq!(address, "sqs://eu-west-1/q?endpoint=http://127.0.0.1:9324&sign=no");
        assert!(Address::parse(&address, &[]).is_ok());
        assert!(is_secret("sasl.password", "x") && is_secret("management", "http://me:pw@h:1"));
        assert!(!is_secret("password-env", "X") && !is_secret("management", "http://h:1"));
    }

    #[test]
    fn a_queue_of_a_named_cluster_is_called_by_its_name() {
        let file = "[cluster.prod]\naddress = \"amqp://ops@rabbit\"\npassword-env = \"PW\"\n\
                    [cluster.vhost]\naddress = \"amqp://rabbit/v\"\n[cluster.aws]\naddress = \"sqs://\"\n";
        let config = Config::parse(file, "config.toml".into()).expect("a file");
        let short = |cluster: &str, address: &str| {
            let place = Place::of(config.resolve_cluster(cluster, &[]).unwrap_or_else(|e| panic!("{e}")));
            place.whole(&found(address), &config)
        };
        assert_eq!(short("prod", "amqp://ops@rabbit/orders.dlq"), "prod/orders.dlq");
        assert_eq!(short("prod", "amqp://ops@rabbit/v%2Fw/orders.dlq"), "prod/v%2Fw/orders.dlq");
        assert_eq!(short("vhost", "amqp://rabbit/v/q"), "vhost/q");
        assert_eq!(short("aws", "sqs://eu-west-1/q"), "aws/eu-west-1/q");
        assert_eq!(short("amqp://rabbit", "amqp://rabbit/q"), "amqp://rabbit/q");
        let e = config.resolve_cluster("prd", &[]).expect_err("no such name");
        assert!(e.get_hint().is_some_and(|h| h.contains("\"prod\"")), "{e:?}");
    }
}
