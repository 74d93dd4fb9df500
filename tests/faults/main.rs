//! What goes wrong on the way, on the real brokers: killed at random, cut off, refused, no room, stopped; then the run is taken
//! up again, and every message is where it should be.
//!
//! How moving messages goes wrong, the rule against it, and the test that fails without it. `model` is
//! `tests/engine_model.rs`, of which `tests/engine/mutations.pl` takes rules out one at a time; what has no file is here.
//!
//! | rule | test |
//! |---|---|
//! | 1. of equal messages a confirmed one proves nothing of the others | `model`: `cut_off_at_any_step…`; `killed_rabbitmq`; twins in `killed_archive` |
//! | 2. nor does its id, where the destination drops repeats | `model`: `cut_off_at_any_step…` with `drops_repeats`; `killed_sqs` |
//! | 3. a multiple acknowledgement covers nothing that is kept | `broker/rabbitmq/ledger.rs`: `multiple_never_covers_what_is_kept` |
//! | 4. a publish is final once what was out when it resolved has resolved | `rabbitmq_sink`: `exactly_the_unroutable_fail_however_many_are_in_flight` |
//! | 5. a purge removes no newcomer nobody archived | `returning`: `a_purge_removes_no_newcomer_that_it_has_not_saved` |
//! | 6. fence, read the set, read the records | `kafka`: `of_two_runs_the_second_goes_on_and_the_first_is_told`; `killed_kafka` |
//! | 7. an unknown commit is looked up in the set | `network`: `kafka_behind_a_bad_network`; `kafka_restart` |
//! | 8. what carries the mark of this run is left alone | `returning`: `what_dies_again_during_the_run…`; `model`: `comes_back` |
//! | 9. what was not removed is removed when it comes again, not sent | `model`: leases that run out; `journal/claims.rs` |
//! | 10. a removal counts once the broker has answered behind it | `rabbitmq`: `a_lost_connection_ends_the_sending`; `rabbitmq_restart` |
//! | 11. a transaction is committed by time as well | `returning`: `a_low_rate_does_not_outlast_the_time_of_a_transaction` |
//! | 12. a batch larger than the window is split | `model`: batches of up to 9 in windows from 1 |
//! | 13. a window full of what is kept ends the read, with a cut | `rabbitmq_scan`: `a_scan_that_keeps_everything_ends`; `model`: `hold` |
//! | 14. nothing waits for more input alone | `model`: no run hangs, on a clock that jumps; `stopped`: `a_wait_for_the_next_one…` |
//! | 15. a scan ends before the acknowledgement timeout | `rabbitmq_scan`: `a_scan_ends_before_the_acknowledgement_timeout` |
//! | 16. confirmations make progress unpolled | `model`: `closing_the_mover_settles_what_nobody_waited_for` |
//! | 17. lists are capped and counted | `replay/tally.rs`: `lists_are_capped_and_counted` |
//! | 18. partitions open at once are capped | `kafka`: `more_partitions_than_producers_are_done_one_after_the_other` |
//! | 19. whoever opens a scan closes it | `model`: a scan that is dropped is told |
//! | 20. what is kept is held until the end | `sqs_faults`: `moving`, `looking`; `model`: nothing is settled twice |
//!
//! A clock that jumps (`clock`): pace and time limits go by the clock that only goes forward, numbers of messages by attempt, and a
//! run is known by its name. Only what is compared with the times of messages (`--since`; on SQS, what is younger than the look) is
//! no better than the clock.
#![allow(missing_docs, clippy::unwrap_used)]
#![allow(dead_code, reason = "helpers of other test crates are shared")]

mod figures;
#[path = "../support/jetstream.rs"]
mod jetstream;
mod killed;
mod load;
#[path = "../support/sandbox.rs"]
mod sandbox;
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/sqs_client.rs"]
mod sqs_client;

#[path = "../kafka/cluster.rs"]
mod cluster;
#[path = "../sqs/queues.rs"]
mod queues;
#[path = "../rabbitmq/broker.rs"]
mod rabbit;

mod killed_archive;
mod killed_kafka;
mod killed_nats;
mod killed_rabbitmq;
mod killed_sqs;
mod network;
mod on_rabbitmq;
mod proxy;

mod archives;
#[cfg(target_os = "linux")]
mod clock;
mod full;
#[cfg(target_os = "linux")]
mod preload;
mod records;
mod refused;
mod returning;
mod stopped;
mod torn;
#[cfg(target_os = "linux")]
mod unsynced;
