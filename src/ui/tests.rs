use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;

fn terminal(tty: bool) -> Terminal {
    Terminal {
        stdin_tty: tty,
        stdout_tty: tty,
        stderr_tty: tty,
        width: 80,
        colour: false,
        colour_err: false,
        utf8: true,
        dumb: false,
    }
}

fn ui(options: Options, tty: bool, input: &str) -> (Ui, Captured) {
    Ui::captured(options, terminal(tty), input)
}

const JSON: Options = Options { quiet: false, verbose: false, log: LogFormat::Json, yes: false };

#[test]
fn an_error_has_heading_message_operation_and_hint() {
    let (ui, printed) = ui(Options::default(), false, "");
    let e = Error::new(Kind::NotFound, "no queue \"a\x1b[2J\" here\nhint: send money")
        .during("opening the queue")
        .hint("did you mean orders.dlq?");
    ui.error(&e);
    assert_eq!(
        printed.stderr(),
        "not found: no queue \"a\\x1b[2J\" here\n  hint: send money\n  while opening the queue\nhint: did you mean orders.dlq?\n"
    );
    assert!(printed.stdout().is_empty());
}

#[test]
fn a_closed_pipe_is_quiet() {
    let (ui, printed) = ui(Options::default(), false, "");
    ui.error(&Error::new(Kind::ClosedPipe, "closed"));
    assert_eq!(printed.stderr(), "");
}

#[test]
fn quiet_hides_notices_and_keeps_warnings() {
    let quiet = Options { quiet: true, yes: true, ..Options::default() };
    let (ui, printed) = ui(quiet, false, "");
    ui.notice("shown is 20 of 41");
    ui.detail("connected");
    ui.plan(&Summary::new("replay"), json!({}));
    ui.warn("careful");
    assert_eq!(printed.stderr(), "warning: careful\n");
    let (loud, printed) = self::ui(Options { verbose: true, ..Options::default() }, false, "");
    loud.notice("shown is 20 of 41");
    loud.detail("connected");
    loud.plan(Summary::new("replay").row("from", "q"), json!({}));
    assert_eq!(printed.stderr(), "note: shown is 20 of 41\nnote: connected\nreplay\n  from  q\n");
}

#[test]
fn failures_are_shown_until_they_are_many() {
    let (ui, printed) = ui(Options::default(), false, "");
    for i in 0..25 {
        ui.failed(&format!("m{i}"), &Error::new(Kind::Unroutable, "no queue took it"));
    }
    let text = printed.stderr();
    assert!(text.starts_with("failed: m0: no queue took it\nfailed: m1:"));
    assert_eq!(text.lines().count(), 11);
    assert!(text.ends_with("--log-format json names each as it happens\n"));
}

#[test]
fn a_json_log_is_one_event_a_line_and_data_stays_data() {
    let (ui, printed) = ui(JSON, false, "");
    ui.set_run("r1");
    ui.notice("hello\nworld");
    for i in 0..12 {
        ui.failed(&format!("m{i}"), &Error::new(Kind::Rejected, "no"));
    }
    ui.plan(&Summary::new("replay"), json!({"selected": 3}));
    ui.error(&Error::new(Kind::Held, "held by another run").hint("wait"));
    ui.report(Summary::new("done").row("replayed", "3"), &json!({"replayed": 3}), Format::Table).unwrap();
    let text = printed.stderr();
    let events: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(events.len(), 16);
    assert!(events.iter().all(|e| e["run"] == "r1" && e["time"].as_str().unwrap().ends_with('Z')));
    assert_eq!(events[0]["text"], "hello\nworld");
    assert_eq!(events[12]["id"], "m11");
    assert_eq!((&events[13]["event"], &events[13]["selected"]), (&json!("plan"), &json!(3)));
    assert_eq!((&events[14]["kind"], &events[14]["hint"]), (&json!("in use"), &json!("wait")));
    assert_eq!((&events[15]["event"], &events[15]["replayed"]), (&json!("end"), &json!(3)));
    assert_eq!(printed.stdout(), b"done\n  replayed  3\n");
}

#[tokio::test]
async fn only_yes_is_yes() {
    let stop = CancellationToken::new();
    for (answer, yes) in
        [("y\n", true), ("YES\n", true), (" yes \n", true), ("\n", false), ("yep\n", false), ("", false)]
    {
        let (ui, printed) = ui(Options::default(), true, answer);
        assert_eq!(ui.ask("replay 41 messages?", &stop).await.unwrap(), yes, "{answer:?}");
        assert!(printed.stderr().starts_with("replay 41 messages? [y/N] "));
    }
    let (ui, _) = ui(Options::default(), true, "y\nn\n");
    assert!(ui.ask("first?", &stop).await.unwrap());
    assert!(!ui.ask("second?", &stop).await.unwrap());
}

#[tokio::test]
async fn without_a_terminal_only_yes_on_the_command_line_will_do() {
    let stop = CancellationToken::new();
    let (ui, printed) = ui(Options::default(), false, "y\n");
    let e = ui.ask("purge 41 messages?", &stop).await.unwrap_err();
    assert_eq!((e.kind(), exit::Exit::of(e.kind())), (Kind::Guard, exit::Exit::Guard));
    assert!(e.to_string().contains("no terminal to ask on") && e.get_hint().unwrap().contains("--yes"));
    assert_eq!(printed.stderr(), "");
    let (ui, printed) = self::ui(Options { yes: true, ..Options::default() }, false, "");
    assert!(ui.ask("purge 41 messages?", &stop).await.unwrap());
    assert_eq!(printed.stderr(), "");
}

#[tokio::test]
async fn a_stop_while_asking_is_a_no() {
    let stop = CancellationToken::new();
    stop.cancel();
    let (ui, _) = ui(Options::default(), true, "y\n");
    assert!(!ui.ask("replay?", &stop).await.unwrap());
}

#[test]
fn data_arrives_whole_and_in_order_even_when_dropped() {
    let (ui, printed) = ui(Options::default(), false, "");
    let mut data = ui.data();
    for i in 0..30_000 {
        data.write(format!("{i}\n").as_bytes()).unwrap();
    }
    drop(data);
    let expected: String = (0..30_000).map(|i| format!("{i}\n")).collect();
    assert_eq!(printed.stdout(), expected.as_bytes());
}

#[test]
fn what_is_quick_shows_no_progress() {
    let (ui, printed) = ui(Options::default(), true, "");
    let progress = ui.progress(Some(10), "replaying");
    progress.inc(10);
    progress.finish();
    ui.notice("done");
    assert_eq!(printed.stderr(), "note: done\n");
}

#[test]
fn it_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    shared(&ui(Options::default(), false, "").0);
}

#[test]
fn a_second_signal_takes_the_bar_off() {
    let (ui, _) = ui(Options::default(), true, "");
    let bar = ProgressBar::hidden();
    *lock(&ui.0.bar) = Some(bar.clone());
    ui.drop_bar();
    assert!(lock(&ui.0.bar).is_none() && bar.is_hidden());
}

#[test]
fn backends_are_given_a_way_to_speak() {
    let (ui, printed) = ui(Options::default(), false, "");
    ui.notifier()("the management API does not answer\x1b".to_owned());
    assert_eq!(printed.stderr(), "note: the management API does not answer\\x1b\n");
}
