//! `dlq config show|check`.

use serde_json::{Value, json};

use super::probing::{self, How};
use super::session::{Opening, Session};
use crate::broker::address::hide;
use crate::broker::credentials::SOURCES;
use crate::broker::{Address, Result};
use crate::config::{Config, Origin, Setting};
use crate::exit::Exit;
use crate::output::{Format, human, json as formatted};
use crate::ui::Ui;
use crate::ui::table::{self, Column};

/// The configuration file: what its names mean, and whether they can be reached.
///
/// It is $DLQ_CONFIG, else $XDG_CONFIG_HOME/dlq/config.toml, else ~/.config/dlq/config.toml.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    /// What to do with it.
    #[command(subcommand)]
    pub what: What,
}

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Show what each name means, and where each value comes from; secrets are hidden
    Show {
        /// Only these names
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Try to connect to each named queue, and to where its replays go
    Check {
        /// Only these names
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "flattened into the help of its own fields")]
        accept: crate::cli::Accept,
    },
    /// Print the names, for completion scripts
    #[command(hide = true)]
    Names {
        /// Those of clusters alone, as `list` takes them
        #[arg(long)]
        clusters: bool,
    },
}

/// Prints the names that a shell may offer. Without a configuration that can be read there are none.
///
/// # Errors
/// Standard output cannot be written.
pub fn names(clusters: bool, ui: &Ui) -> Result<Exit> {
    let config = Config::load().unwrap_or_default();
    let offered = if clusters { config.clusters.keys().cloned().collect() } else { config.offered() };
    let mut data = ui.data();
    data.write(offered.iter().map(|name| format!("{name}\n")).collect::<String>().as_bytes())?;
    data.finish()?;
    Ok(Exit::Done)
}

/// Shows or checks.
///
/// # Errors
/// A name that is not in the file; standard output cannot be written.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    match &args.what {
        What::Show { names } => show(names, session),
        What::Check { names, accept } => check(names, &accept.accept, session).await,
        What::Names { clusters } => self::names(*clusters, &session.ui),
    }
}

/// One line of what is shown.
struct Row {
    name: String,
    key: String,
    value: String,
    from: String,
}

fn chosen(names: &[String], config: &Config) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(config.queues.keys().cloned().collect());
    }
    // Completions offer a cluster with its slash.
    let names: Vec<String> = names
        .iter()
        .map(|name| name.strip_suffix('/').filter(|c| config.clusters.contains_key(*c)).unwrap_or(name).to_owned())
        .collect();
    for name in names.iter().filter(|name| !config.clusters.contains_key(*name)) {
        config.resolve(name, &[])?;
    }
    Ok(names)
}

/// A queue and a cluster may have the same name.
fn is_queue(name: &str, config: &Config) -> bool {
    config.queues.contains_key(name) || !config.clusters.contains_key(name)
}

/// The named queues of a cluster.
fn within<'a>(cluster: &'a str, config: &'a Config) -> impl Iterator<Item = &'a String> {
    let in_it = move |at: &str| at.strip_prefix(cluster).is_some_and(|rest| rest.starts_with('/'));
    let of = move |q: &&crate::config::Queue| q.address.as_ref().is_some_and(|a| in_it(&a.value));
    config.queues.iter().filter(move |(_, q)| of(q)).map(|(name, _)| name)
}

fn show(names: &[String], session: &Session) -> Result<Exit> {
    let config = &session.config;
    let chosen = chosen(names, config)?;
    let Some(path) = &config.path else {
        let place = Config::locate().map_or_else(|| "no home".to_owned(), |(path, _)| path.display().to_string());
        session.ui.notice(&format!("there is no configuration file; it would be {place}"));
        return print(&[], session);
    };
    let mut rows = vec![];
    let clusters = config.clusters.keys().filter(|name| names.is_empty() || chosen.contains(name));
    for name in clusters {
        rows.extend(of_cluster(name, config));
    }
    for name in chosen.iter().filter(|name| is_queue(name, config)) {
        rows.extend(of_queue(name, config)?);
    }
    session.ui.notice(&format!("read from {}", path.display()));
    print(&rows, session)
}

fn of_cluster(name: &str, config: &Config) -> Vec<Row> {
    let Some(cluster) = config.clusters.get(name) else { return vec![] };
    let row = |key: &str, value: String, line: usize| Row {
        name: format!("{name}/"),
        key: key.to_owned(),
        value,
        from: config.place(line),
    };
    let mut rows = vec![];
    if let Some(at) = &cluster.address {
        rows.push(row("address", hide(&at.value), at.line));
    }
    if let Some(at) = &cluster.settings.registry {
        rows.push(row("registry", hide(&at.value), at.line));
    }
    let options = &cluster.settings.options;
    rows.extend(options.iter().map(|(key, at)| row(key, shown(key, &at.value), at.line)));
    rows
}

fn of_queue(name: &str, config: &Config) -> Result<Vec<Row>> {
    let resolved = config.resolve(name, &[])?;
    let row = |key: &str, value: String, from: String| Row { name: name.to_owned(), key: key.to_owned(), value, from };
    let mut rows = vec![];
    let Some(queue) = config.queue_named(name) else {
        rows.push(row("address", resolved.address.shown.clone(), "a cluster and what was typed".into()));
        rows.extend(resolved.settings.iter().map(|s| row(&s.name, shown(&s.name, &s.value), from(s))));
        return Ok(rows);
    };
    if let Some(at) = &queue.address {
        rows.push(row("address", resolved.address.shown.clone(), config.place(at.line)));
    }
    for (key, at) in [("to", &queue.to), ("rate", &queue.rate), ("registry", &queue.settings.registry)] {
        rows.extend(at.iter().map(|at| row(key, hide(&at.value), config.place(at.line))));
    }
    rows.extend(queue.protected.iter().map(|at| row("protected", at.value.to_string(), config.place(at.line))));
    rows.extend(resolved.settings.iter().map(|s| row(&s.name, shown(&s.name, &s.value), from(s))));
    for (option, variable) in resolved.address.backend.environment {
        let set = std::env::var(variable).ok().filter(|v| !v.is_empty());
        let beaten = resolved.settings.iter().any(|s| s.name == *option);
        if let (Some(value), false) = (set, beaten) {
            rows.push(row(option, shown(option, &value), format!("the environment, {variable}")));
        }
    }
    Ok(rows)
}

fn from(setting: &Setting) -> String {
    match &setting.origin {
        Origin::Flag => "a flag".to_owned(),
        Origin::Address => "the address as typed".to_owned(),
        Origin::Queue(place) | Origin::Cluster(place) => place.clone(),
    }
}

/// What may be a secret is not shown; where one is to be found is. A command line may have one in it behind its first word.
fn shown(key: &str, value: &str) -> String {
    let leads = SOURCES.contains(&key);
    let secret = ["password", "secret", "token", "credential", "oauth", "sasl.jaas", "key.pem"];
    if leads && key.ends_with("command") {
        let first = value.split_whitespace().next().unwrap_or_default();
        return if first == value { first.to_owned() } else { format!("{first} …") };
    }
    if !leads && secret.iter().any(|s| key.contains(s)) { "***".to_owned() } else { hide(value) }
}

fn print(rows: &[Row], session: &Session) -> Result<Exit> {
    let values = rows.iter().map(|r| json!({ "name": r.name, "key": r.key, "value": r.value, "from": r.from }));
    let columns = [
        Column::text("NAME", 8, 24, 9),
        Column::text("KEY", 8, 24, 8),
        Column::text("VALUE", 16, 60, 7),
        Column::text("FROM", 16, 60, 5),
    ];
    let cells: Vec<Vec<String>> =
        rows.iter().map(|r| vec![r.name.clone(), r.key.clone(), r.value.clone(), r.from.clone()]).collect();
    written(&columns, &cells, values.collect(), session)?;
    Ok(Exit::Done)
}

fn written(columns: &[Column], cells: &[Vec<String>], values: Vec<Value>, session: &Session) -> Result<()> {
    let look = session.ui.look();
    let mut out = vec![];
    match session.format.resolve(look.tty, true) {
        Format::Json => {
            formatted::pretty(Value::from(values).to_string().as_bytes(), &look, &mut out);
            out.push(b'\n');
        }
        Format::Jsonl => {
            for value in values {
                formatted::compact(value.to_string().as_bytes(), &look, &mut out);
                out.push(b'\n');
            }
        }
        _ if cells.is_empty() => {}
        _ => {
            let (text, notes) = table::render(columns, cells, &look);
            out.extend_from_slice(text.as_bytes());
            notes.iter().for_each(|n| session.ui.notice(n));
        }
    }
    let mut data = session.ui.data();
    data.write(&out)?;
    data.finish()
}

async fn check(names: &[String], accept: &[String], session: &Session) -> Result<Exit> {
    let config = &session.config;
    let chosen = chosen(names, config)?;
    let clusters: Vec<_> = chosen.iter().filter(|c| !names.is_empty() && config.clusters.contains_key(*c)).collect();
    let mut queues: Vec<_> = chosen.iter().filter(|name| is_queue(name, config)).cloned().collect();
    for name in clusters.iter().flat_map(|c| within(c, config)) {
        if !queues.contains(name) {
            queues.push(name.clone());
        }
    }
    let addresses = queues.iter().map(|name| config.resolve(name, &[]).map(|r| r.address));
    let mut probes = probing::probes(addresses.collect::<Result<Vec<_>>>()?);
    let how = How { accept, age: false, within: Some(session.timeout()), until: None, local: false };
    let found = probing::all(session, &mut probes, how).await;
    let mut tried: Vec<(String, String, Result<String>)> = vec![];
    for ((name, probe), found) in queues.iter().zip(&probes).zip(found) {
        let said = found.map(|m| {
            let waiting = m.depth.waiting().map_or_else(|| "an unknown number".to_owned(), human::count);
            format!("{}, {waiting} waiting", m.depth.kind)
        });
        tried.push((name.clone(), probe.address().shown.clone(), said));
    }
    for name in &queues {
        let Some(to) = config.queue_named(name).and_then(|q| q.to.as_ref()) else { continue };
        let to = config.resolve(&to.value, &[])?.address;
        // An archive is made when it is written to.
        if !to.backend.creates() {
            tried.push((format!("{name}, to"), to.shown.clone(), reached(&to, session).await));
        }
    }
    let mut untried = 0;
    let meant = config.clusters.keys().filter(|c| names.is_empty() || clusters.contains(c));
    for cluster in meant.filter(|c| within(c, config).next().is_none()) {
        session.ui.notice(&format!("cluster {cluster} was not tried: no queue in it has a name"));
        untried += usize::from(!names.is_empty());
    }
    Ok(match report(tried, session)? {
        Exit::Done if untried > 0 => Exit::Partly,
        exit => exit,
    })
}

async fn reached(to: &Address, session: &Session) -> Result<String> {
    let context = session.context(Opening::default());
    let trying = async {
        let sink = (to.backend.sink)(to, &context).await?;
        let there = sink.check(None).await;
        sink.leave().await?;
        there.map(|()| "can be sent to".to_owned())
    };
    tokio::time::timeout(session.timeout(), trying).await.unwrap_or_else(|_| {
        let text = format!("{to} did not answer within {:?}", session.timeout());
        Err(crate::broker::Error::new(crate::broker::Kind::Timeout, text))
    })
}

fn report(tried: Vec<(String, String, Result<String>)>, session: &Session) -> Result<Exit> {
    let (all, mut failed) = (tried.len(), 0);
    let (mut cells, mut values) = (vec![], vec![]);
    for (name, address, result) in tried {
        let (ok, said) = match &result {
            Ok(said) => (true, said.clone()),
            Err(e) => {
                failed += 1;
                session.ui.error(e);
                (false, e.to_string())
            }
        };
        values.push(json!({ "name": name, "address": address, "ok": ok, "said": said }));
        let word = if ok { "ok" } else { "failed" };
        cells.push(vec![name, address, word.to_owned(), said]);
    }
    let columns = [
        Column::text("NAME", 8, 24, 9),
        Column::text("ADDRESS", 16, 60, 7),
        Column::text("IS", 2, 8, 8),
        Column::text("BECAUSE", 16, 80, 4),
    ];
    written(&columns, &cells, values, session)?;
    Ok(match failed {
        0 => Exit::Done,
        n if n == all => Exit::Failed,
        _ => Exit::Partly,
    })
}
