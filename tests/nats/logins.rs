//! Who one is, whom one trusts, and what one may.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::jetstream::Server;
use crate::own::Own;
use crate::sandbox::Sandbox;
use crate::servers;

/// The pair of NATS's own documentation.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

#[test]
fn users_tokens_and_nkeys_log_in_and_are_never_shown() {
    let users = format!("authorization {{ users: [ {{ user: me, password: hunter2 }}, {{ nkey: {PUBLIC} }} ] }}");
    let Some(own) = Own::start(&users) else { return };
    let s = Sandbox::new();
    s.write("seed", &format!("-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"));
    s.write("password", "hunter2\n");
    let server = Server::at(&own.url(), &json!({ "user": "me", "pass": "hunter2" }));
    server.make(json!({ "name": "S", "subjects": ["s"] }));
    let (plain, with) = (server.address("S"), server.address("S").replace("nats://", "nats://me:hunter2@"));
    for args in [
        &["depth", &with][..],
        &["depth", &plain, "-X", "user=me", "-X", "password-file=password"],
        &["depth", &plain, "-X", "nkey=seed"],
    ] {
        let ran = s.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    }
    let wrong = with.replace("hunter2", "hunter3");
    for (args, says) in [
        (&["depth", &wrong][..], "refused the login (user me, password from the address)"),
        (&["depth", &plain], "refused the login (without a name)"),
        (&["depth", &plain, "-X", "token=hunter3"], "refused the login (a token)"),
        (&["depth", &plain, "-X", "nkey=password"], "holds no seed"),
        (&["depth", &plain, "-X", "creds=password"], "holds no user credentials"),
    ] {
        let ran = s.run(args);
        assert!(ran.code > 0 && ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hunter"), "{}", ran.stderr);
    }
    let Some(own) = Own::start("authorization { token: hunter2 }") else { return };
    let server = Server::at(&own.url(), &json!({ "auth_token": "hunter2" }));
    server.make(json!({ "name": "S", "subjects": ["s"] }));
    let mut s = Sandbox::new();
    s.environment.push(("TOKEN".into(), "hunter2".into()));
    let ran = s.run(&["depth", &server.address("S"), "-X", "token-env=TOKEN"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// A JWT as NATS has it: these claims of a key, signed by another.
fn signed(by: &KeyPair, of: &KeyPair, claims: &Value) -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({ "iat": 1, "iss": by.public_key(), "sub": of.public_key(), "name": "test", "nats": claims });
    let text = format!("{}.{}", part(json!({ "typ": "JWT", "alg": "ed25519-nkey" })), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(by.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

#[test]
fn a_credentials_file_logs_in() {
    let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let (system, stranger) = (KeyPair::new_account(), KeyPair::new_account());
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1
    });
    let of_account = |key| signed(&operator, key, &json!({ "type": "account", "version": 2, "limits": limits }));
    let Some(own) = Own::start(&format!(
        "operator: {}\nsystem_account: {system}\nresolver: MEMORY\nresolver_preload {{ {account}: {}, {system}: {} }}",
        signed(&operator, &operator, &json!({ "type": "operator", "version": 2 })),
        of_account(&account),
        signed(&operator, &system, &json!({ "type": "account", "version": 2 })),
        account = account.public_key(),
        system = system.public_key(),
    )) else {
        return;
    };
    let s = Sandbox::new();
    for (file, by) in [("good.creds", &account), ("bad.creds", &stranger)] {
        let claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let jwt = signed(by, &user, &claims);
        let seed = user.seed().unwrap();
        s.write(
            file,
            &format!(
                "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
                 -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
            ),
        );
    }
    let address = format!("{}/S", own.url());
    for (more, says) in [
        // It is let in: what is missing is the stream.
        (&["-X", "creds=good.creds"][..], "there is no stream \"S\""),
        (&["-X", "creds=bad.creds"], "refused the login (the credentials in bad.creds)"),
        (&[], "refused the login (without a name)"),
    ] {
        let ran = s.run(&[&["depth", &address], more].concat());
        assert!(ran.code == 1 && ran.stderr.contains(says), "{more:?}: {} {}", ran.code, ran.stderr);
    }
}

#[test]
fn tls_is_with_those_who_are_trusted() {
    let Some(tls) = servers::var("DLQ_TEST_NATS_TLS") else { return };
    let Some(own) =
        Own::start(&format!("tls {{ cert_file: \"{tls}/server-cert.pem\", key_file: \"{tls}/server-key.pem\" }}"))
    else {
        return;
    };
    let s = Sandbox::new();
    let (plain, ca) = (format!("{}/S", own.url()), format!("cacertfile={tls}/ca.pem"));
    let crypt = plain.replace("nats://", "tls://");
    for address in [&plain, &crypt] {
        let ran = s.run(&["depth", address, "-X", &ca]);
        // It is let in: what is missing is the stream.
        assert!(ran.code == 1 && ran.stderr.contains("there is no stream \"S\""), "{address}: {}", ran.stderr);
        let ran = s.run(&["depth", address, "-X", "verify=verify_none"]);
        assert!(ran.stderr.contains("there is no stream \"S\""), "{address}: {}", ran.stderr);
        let ran = s.run(&["depth", address]);
        assert!(ran.code == 1 && ran.stderr.contains("-X cacertfile=FILE"), "{address}: {}", ran.stderr);
    }
}

#[test]
fn a_missing_permission_is_named_at_once_and_costs_no_message() {
    let allow =
        |subjects: &str| format!("{{ publish: {{ allow: [{subjects}] }}, subscribe: {{ allow: [\"_INBOX.>\"] }} }}");
    let reads = "\"$JS.API.STREAM.INFO.*\", \"$JS.API.STREAM.MSG.GET.*\"";
    let users = format!(
        "authorization {{ users: [ {{ user: all, password: p }}, {{ user: reads, password: p, permissions: {} }}, \
         {{ user: removes, password: p, permissions: {} }} ] }}",
        allow(reads),
        allow(&format!("{reads}, \"$JS.API.STREAM.MSG.DELETE.*\"")),
    );
    let Some(own) = Own::start(&users) else { return };
    let server = Server::at(&own.url(), &json!({ "user": "all", "pass": "p" }));
    server.make(json!({ "name": "DEAD", "subjects": ["dead.>"] }));
    server.make(json!({ "name": "TO", "subjects": ["to"] }));
    server.publish_all("dead.x", &(0..300).map(|n| n.to_string()).collect::<Vec<_>>());
    let s = Sandbox::new();
    let at = |user: &str, stream: &str| server.address(stream).replace("nats://", &format!("nats://{user}:p@"));
    for args in
        [&["depth", &at("reads", "DEAD")][..], &["inspect", &at("reads", "DEAD")], &["stats", &at("reads", "DEAD")]]
    {
        let ran = s.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    }
    let began = Instant::now();
    let ran = s.run(&["purge", &at("reads", "DEAD"), "--all", "-y", "--backup", "file:b.ndjson"]);
    assert!(ran.code > 0 && ran.stderr.contains("$JS.API.STREAM.MSG.DELETE.DEAD"), "{} {}", ran.code, ran.stderr);
    let ran = s.run(&["replay", &at("removes", "DEAD"), "--to", &at("removes", "TO"), "-y", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["failed"], &report["indeterminate"]), (1, &json!(300), &json!(0)), "{}", ran.stderr);
    assert!(ran.stdout().contains("Permissions Violation for Publish to"), "{}", ran.stdout());
    assert!(began.elapsed().as_secs() < 15, "a refusal is not waited for: {:?}", began.elapsed());
    assert_eq!((server.count("DEAD"), server.count("TO")), (300, 0));
    let ran = s.run(&["list", &own.url().replace("nats://", "nats://reads:p@")]);
    assert!(ran.code == 1 && ran.stderr.contains("$JS.API.STREAM.LIST"), "{} {}", ran.code, ran.stderr);
}
