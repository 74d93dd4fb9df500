//! Redrive policies, the other way around.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use crate::fake_aws::fault::DENIED;
use crate::fake_aws::{Fake, Fault};
use crate::sandbox::Sandbox;
use crate::{row, rows, servers, sqs_client};

#[test]
fn redrive_policies_and_names_on_elasticmq() {
    let Some(endpoint) = servers::elasticmq() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = sqs_client::client(&endpoint);
    let name = |what: &str| format!("find-{}-{what}", std::process::id());
    let made: Vec<String> = runtime.block_on(async {
        let mut made = vec![];
        for what in ["graves", "named-dlq", "idle"] {
            made.push(client.create_queue().queue_name(name(what)).send().await.unwrap().queue_url.unwrap());
        }
        let asked = client.get_queue_attributes().queue_url(&made[0]).attribute_names(QueueAttributeName::QueueArn);
        let arn = asked.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
        for what in ["orders", "bills"] {
            let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": "3" }).to_string();
            let create = client.create_queue().queue_name(name(what));
            let create = create.attributes(QueueAttributeName::RedrivePolicy, policy);
            made.push(create.send().await.unwrap().queue_url.unwrap());
        }
        for body in ["1", "2"] {
            client.send_message().queue_url(&made[0]).message_body(body).send().await.unwrap();
        }
        made
    });
    let s = Sandbox::new();
    let endpoint = format!("endpoint={endpoint}");
    let options = ["-X", endpoint.as_str(), "-X", "sign=no"];
    let ran = s.run(&[&["list", "sqs://", "-o", "jsonl"], &options[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = rows(&ran);
    let graves = row(&found, &name("graves"));
    assert_eq!(graves["sources"], json!([name("bills"), name("orders")]));
    assert_eq!((&graves["recognised_by"], &graves["ready"]), (&json!(["redrive-policy"]), &json!(2)));
    assert_eq!((&graves["oldest"], &graves["accuracy"]), (&json!(null), &json!("approximate")));
    assert_eq!(row(&found, &name("named-dlq"))["recognised_by"], json!(["name"]));
    assert!(!found.iter().any(|r| r["queue"].as_str().unwrap().ends_with(&name("idle"))));
    let depth = s.run(&["depth", graves["address"].as_str().unwrap(), "-o", "json"]);
    assert_eq!((depth.code, &depth.json()[0]["ready"]), (0, &json!(2)), "{}", depth.stderr);
    let table = s.run(&[&["list", "sqs://us-east-1"], &options[..]].concat());
    assert!(
        table.stderr.contains(&format!("-X '{endpoint}' -X 'sign=no'")) || table.stderr.contains("-X sign=no"),
        "{}",
        table.stderr
    );
    assert!(table.stdout().contains(&format!("{}, {}", name("bills"), name("orders"))), "{}", table.stdout());
    let ran = s.run(&[&["list", &format!("sqs://{}", name("graves"))], &options[..]].concat());
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains(&format!("dlq depth sqs://{}", name("graves"))), "{}", ran.stderr);
    runtime.block_on(async {
        for url in made {
            client.delete_queue().queue_url(url).send().await.unwrap();
        }
    });
}

fn sandbox(fake: &Fake) -> (Sandbox, Vec<String>) {
    let mut s = Sandbox::new();
    s.environment = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec();
    let list = ["list", "sqs://eu-west-1", "-o", "jsonl", "-X"].map(str::to_owned);
    (s, [list.to_vec(), vec![format!("endpoint={}", fake.endpoint())]].concat())
}

#[test]
fn every_page_is_read_and_what_may_not_be_read_is_listed_as_not_known() {
    let fake = Fake::start();
    fake.world().page = 7;
    for n in 0..40 {
        fake.queue(&format!("work-{n:02}"));
    }
    fake.queue("graves");
    fake.queue("orders-dlq");
    fake.redrive("work-39", "graves", 3);
    fake.redrive("work-38", "gone", 3);
    let (s, args) = sandbox(&fake);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = s.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = rows(&ran);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(row(&found, "/graves")["sources"], json!(["work-39"]));
    assert_eq!(row(&found, "/graves")["queue"], "sqs://eu-west-1/graves");
    assert!(ran.stderr.contains("work-38 moves messages received more than 3 times to"), "{}", ran.stderr);
    assert!(ran.stderr.contains("which was not found here"), "{}", ran.stderr);

    // One that is denied may be the dead-letter queue of others, or have one: not known, and not hidden.
    fake.next("GetQueueAttributes", [Fault::Refused(DENIED)]);
    let ran = s.run(&args);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let found = rows(&ran);
    let denied: Vec<_> = found.iter().filter(|r| !r["error"].is_null()).collect();
    assert_eq!(denied.len(), 1, "{found:#?}");
    assert_eq!((&denied[0]["ready"], &denied[0]["kind"]), (&json!(null), &json!(null)));
    assert!(ran.stderr.contains("sqs:GetQueueAttributes") || ran.stderr.contains("denied"), "{}", ran.stderr);

    fake.lasting("ListQueues", Fault::Refused(DENIED));
    let ran = s.run(&args);
    assert_eq!((ran.code, ran.stdout()), (1, ""));
    assert!(ran.stderr.contains("sqs:ListQueues"), "{}", ran.stderr);
}
