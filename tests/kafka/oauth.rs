//! Logins by token: client credentials against an endpoint of our own, checked by the broker's own validator.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::acls;
use crate::cluster::cluster;
use crate::replaying::{counted, numbered};
use crate::sandbox::Sandbox;
use crate::servers;

/// What gives tokens.
struct Endpoint {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Endpoint {
    /// Its tokens hold for so long, and are signed with this key.
    fn start(key: &str, holds: u64) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/token", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, key) = (Arc::clone(&asked), std::fs::read(key).expect("the key"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::Relaxed);
                drop(answer(stream.expect("a connection"), &key, holds));
            }
        });
        Endpoint { url, asked }
    }
}

fn answer(mut stream: TcpStream, key: &[u8], holds: u64) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut login) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "authorization" => login = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let wanted = format!("Basic {}", BASE64_STANDARD.encode("dlq-ops:s>cret"));
    let sound = login == wanted && body == b"grant_type=client_credentials&scope=kafka.all%20x";
    let (status, text) = match sound {
        true => ("200 OK", format!("{{\"access_token\":\"{}\",\"expires_in\":{holds}}}", token(key, holds))),
        false => ("401 Unauthorized", "{\"error\":\"invalid_client\",\"error_description\":\"no such client\"}".into()),
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len())
}

fn token(key: &[u8], holds: u64) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let header = r#"{"alg":"RS256","kid":"test","typ":"JWT"}"#;
    let claims =
        format!(r#"{{"iss":"https://issuer.test","aud":"kafka","sub":"dlq-ops","iat":{now},"exp":{}}}"#, now + holds);
    let encode = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
    let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("RSA");
    let signer = key.choose_scheme(&[rustls::SignatureScheme::RSA_PKCS1_SHA256]).expect("RS256");
    let signature = signer.sign(signed.as_bytes()).expect("signed");
    format!("{signed}.{}", encode(&signature))
}

fn login<'a>(endpoint: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["-X", "security.protocol=sasl_plaintext", "-X", "sasl.mechanisms=OAUTHBEARER"];
    args.extend(["-X", "sasl.oauthbearer.method=oidc", "-X", endpoint]);
    args.extend(["-X", "sasl.oauthbearer.client.id=dlq-ops", "-X", "sasl.oauthbearer.scope=kafka.all x"]);
    args.extend(more);
    args
}

#[test]
fn a_client_logs_in_by_token_and_asks_again_before_it_expires() {
    let _alone = acls::alone();
    let Some(cluster) = cluster() else { return };
    let (Some(sasl), Some(key)) = (servers::var("DLQ_TEST_KAFKA_SASL_URL"), servers::var("DLQ_TEST_KAFKA_TOKEN_KEY"))
    else {
        return;
    };
    let (topic, origin) = (cluster.topic(2, &[]), cluster.topic(2, &[]));
    cluster.send(&topic, &numbered(&origin, 1200, 2));
    // Each connection is shut by the broker when its token expires, unless it has shown a new one.
    let endpoint = Endpoint::start(&key, 5);
    let (url, address) = (format!("sasl.oauthbearer.token.endpoint.url={}", endpoint.url), format!("{sasl}/{topic}"));
    let sandbox = Sandbox::new();
    sandbox.write("secret", "s>cret");
    let given = login(&url, &["-X", "password-file=secret"]);
    let ran = sandbox.run(&[&["replay", &address, "-y", "--rate", "100/s"][..], &given].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("dlq-ops"), "it says as whom: {}", ran.stderr);
    assert!(counted(&cluster.read(&origin), 1200).iter().all(|n| *n == 1));
    let asked = endpoint.asked.load(Ordering::Relaxed);
    // On a machine that is busy it takes longer, and more of them.
    assert!((2..60).contains(&asked), "{asked} tokens");
    let ran = sandbox.run(&[&["purge", &address, "--all", "--no-backup", "-y"][..], &given].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_login_by_token_that_fails_says_why_at_once() {
    let Some(cluster) = cluster() else { return };
    let (Some(sasl), Some(key)) = (servers::var("DLQ_TEST_KAFKA_SASL_URL"), servers::var("DLQ_TEST_KAFKA_TOKEN_KEY"))
    else {
        return;
    };
    let topic = cluster.topic(1, &[]);
    let (address, sandbox) = (format!("{sasl}/{topic}"), Sandbox::new());
    let endpoint = Endpoint::start(&key, 60);
    let good = format!("sasl.oauthbearer.token.endpoint.url={}", endpoint.url);
    let expired = Endpoint::start(&key, 0);
    let expired = format!("sasl.oauthbearer.token.endpoint.url={}", expired.url);
    let nobody = "sasl.oauthbearer.token.endpoint.url=http://127.0.0.1:1/token";
    let right = "sasl.oauthbearer.client.secret=s>cret";
    let cases = [
        (good.as_str(), "sasl.oauthbearer.client.secret=hunter2", 1, "no such client"),
        (nobody, right, 1, "nobody gives tokens at http://127.0.0.1:1/token"),
        (&expired, right, 1, "refused the login of \"dlq-ops\""),
        (&good, "client.id=other", 2, "takes a secret"),
        (&good, right, 0, ""),
    ];
    for (url, secret, code, wanted) in cases {
        let began = Instant::now();
        let ran = sandbox.run(&[&["depth", &address][..], &login(url, &["-X", secret])].concat());
        assert_eq!(ran.code, code, "{secret}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted) && !ran.stderr.contains("hunter2"), "{secret}: {}", ran.stderr);
        assert!(began.elapsed() < Duration::from_secs(9), "{secret}: {:?}", began.elapsed());
    }
}
