//! Names against a running broker.

use crate::Queues;
use crate::sandbox::Sandbox;

fn named(s: &Sandbox, q: &Queues) {
    std::fs::create_dir_all(s.path("config/dlq")).expect("a folder");
    let text = format!(
        "[cluster.rabbit]\naddress = {url:?}\npassword-env = \"RABBIT\"\nuser = \"guest\"\noptions = {{ management = {api:?} }}\n\
         [queue.orders]\naddress = \"rabbit/{from}\"\nto = \"rabbit/{to}\"\nprotected = true\nrate = \"1000/s\"\n\
         [queue.gone]\naddress = \"rabbit/no-such-queue\"\n",
        url = q.server.url.replace("guest:guest@", ""),
        api = q.server.management,
        from = q.names[2],
        to = q.names[0],
    );
    s.write("config/dlq/config.toml", &text);
}

#[test]
fn a_name_stands_wherever_an_address_does() {
    let Some(q) = Queues::new(3) else { return };
    let mut s = Sandbox::new();
    s.environment.push(("RABBIT".into(), "guest".into()));
    named(&s, &q);
    assert_eq!(s.run(&["depth", "orders", "-o", "json"]).json()[0]["ready"], 2);
    assert_eq!(s.run(&["depth", &format!("rabbit/{}", q.names[1]), "-o", "json"]).json()[0]["ready"], 1);
    let ran = s.run(&["depth", "--all-named", "-o", "json"]);
    assert_eq!((ran.code, ran.json().as_array().map(Vec::len)), (3, Some(2)), "{}", ran.stderr);
    let ran = s.run(&["config", "check", "-o", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let tried: Vec<_> = ran.json().as_array().expect("a list").iter().map(|t| t["ok"].clone()).collect();
    assert_eq!(tried, [false, true, true]);
    assert_eq!(s.run(&["config", "check", "orders"]).code, 0);
    for typed in ["orders".to_owned(), q.address(2)] {
        let ran = s.run(&["replay", &typed, "--to", &q.address(0), "--yes"]);
        assert_eq!(ran.code, 6, "{}", ran.stderr);
    }
    let ran = s.run(&["replay", "orders", "--confirm", "orders", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["replayed"], 2);
    assert_eq!(s.run(&["depth", &q.address(0), "-o", "json"]).json()[0]["ready"], 2);
}
