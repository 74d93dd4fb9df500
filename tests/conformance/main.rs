//! One suite for every backend. A case reads what the opened queue declares it can do, never which broker it is.

mod cases;
mod fixture;
#[path = "../support/jetstream.rs"]
mod jetstream;
mod on_file;
mod on_kafka;
mod on_nats;
mod on_rabbitmq;
mod on_sqs;
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/sqs_client.rs"]
mod sqs_client;

/// One test per case and backend; the fixture says whether its server is there.
macro_rules! conformance {
    ($backend:ident, $fixture:expr; $($case:ident),* $(,)?) => {
        mod $backend {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    if let Some(fixture) = $fixture {
                        cases::$case(&fixture).await;
                    }
                }
            )*
        }
    };
}

macro_rules! every_case {
    ($backend:ident, $fixture:expr) => {
        conformance!($backend, $fixture;
            sees_what_was_published_exactly_and_in_order,
            looking_changes_nothing,
            an_empty_queue_ends_at_once,
            depth_counts_what_is_there,
            removes_what_is_done_and_gives_back_the_rest_in_order,
            settling_out_of_order_removes_just_those,
            reads_no_more_than_asked_for,
            leaves_alone_what_came_after_the_start,
            equal_messages_are_removed_one_by_one,
            an_absent_queue_is_not_found,
            settling_twice_or_the_unknown_removes_nothing_else,
            empties_the_whole_queue_where_it_says_so,
            refuses_to_take_where_nothing_can_be_removed,
            survives_queue_to_archive_to_queue,
            a_stopped_scan_gives_everything_back,
            large_and_odd_payloads_survive,
        );
    };
}

every_case!(archive, on_file::plain());
every_case!(compressed_archive, on_file::compressed());
every_case!(kafka_topic, on_kafka::topic());
every_case!(rabbitmq_43_quorum, on_rabbitmq::queue("43", "quorum"));
every_case!(rabbitmq_43_classic, on_rabbitmq::queue("43", "classic"));
every_case!(rabbitmq_43_stream, on_rabbitmq::queue("43", "stream"));
every_case!(rabbitmq_40_quorum, on_rabbitmq::queue("40", "quorum"));
every_case!(rabbitmq_310_quorum, on_rabbitmq::queue("310", "quorum"));
every_case!(rabbitmq_310_classic, on_rabbitmq::queue("310", "classic"));
every_case!(elasticmq_standard, on_sqs::queues(""));
every_case!(elasticmq_fifo, on_sqs::queues(".fifo"));
every_case!(nats_limits, on_nats::streams("limits"));
every_case!(nats_workqueue, on_nats::streams("workqueue"));
