//! A run that dies between two steps leaves an archive that reads the same, and the next run finishes its work.

use super::super::compact::{self, Gone};
use super::super::lock::stamp;
use super::super::removed::{Removed, SideLog};
use super::*;

/// Five messages, of which 1 and 3 are removed by a run that then died.
async fn died_after_settling(name: &'static str) -> Place {
    let place = Place::new(name);
    place.fill(numbers(0..5)).await;
    let source = place.source().await;
    let mut scan = source.scan(take()).await.unwrap();
    let all = drain(&mut *scan).await.unwrap();
    settle(&*scan, &all, |d| payload(d) == "1" || payload(d) == "3").await;
    place
}

fn removed(place: &Place) -> Removed {
    Removed::load(&place.path(), stamp(&fs::File::open(place.path()).unwrap()).unwrap()).unwrap()
}

/// The steps of a compaction, up to the one after which it died.
fn compact_until(place: &Place, step: u32) {
    let path = place.path();
    let mut log = SideLog::open(&path).unwrap();
    let new = compact::rewrite(&path, &removed(place), &Gone::Logged).unwrap();
    if step > 1 {
        log.announce(new.stamp).unwrap();
    }
    if step > 2 {
        compact::swap(&path, &new).unwrap();
    }
    if step > 3 {
        compact::clean(&path).unwrap();
    }
}

#[tokio::test]
async fn compaction_may_die_anywhere() {
    for name in ["a", "a.zst"] {
        for step in 0..=4 {
            for next in ["read", "append", "remove", "purge"] {
                let place = died_after_settling(name).await;
                if step > 0 {
                    compact_until(&place, step);
                }
                assert_eq!(place.payloads().await, ["0", "2", "4"], "{name} after step {step}");
                assert_eq!(place.source().await.depth().await.unwrap().ready, Some(3));
                let mut expected = vec!["0", "2", "4"];
                match next {
                    "append" => {
                        place.fill(["5".to_owned()]).await;
                        expected.push("5");
                    }
                    "remove" => {
                        let source = place.source().await;
                        let mut scan = source.scan(take()).await.unwrap();
                        let all = drain(&mut *scan).await.unwrap();
                        settle(&*scan, &all, |d| payload(d) == "2").await;
                        let closed = scan.close().await.unwrap();
                        assert_eq!(closed, Closed::default());
                        assert_eq!(place.litter(), [""; 0]);
                        expected.remove(1);
                    }
                    "purge" => {
                        assert_eq!(place.source().await.purge_all().await.unwrap(), Some(3));
                        assert_eq!(place.litter(), [""; 0]);
                        expected.clear();
                    }
                    _ => {}
                }
                assert_eq!(place.payloads().await, expected, "{name} after step {step}, then {next}");
            }
        }
    }
}

#[tokio::test]
async fn a_twin_survives_the_death_between_swap_and_clean() {
    let place = Place::new("a");
    let same = line("1", "twin");
    fs::write(place.path(), [same.clone(), same].concat()).unwrap();
    let source = place.source().await;
    let mut scan = source.scan(take()).await.unwrap();
    let all = drain(&mut *scan).await.unwrap();
    settle(&*scan, &all[..1], |_| true).await;
    drop(scan);
    compact_until(&place, 3);
    assert_eq!(place.litter(), ["a.removed"]);
    // What stayed has moved to the very place the record names, and has the very id.
    assert_eq!(place.payloads().await, ["twin"]);
    place.fill(["more".to_owned()]).await;
    assert_eq!(place.payloads().await, ["twin", "more"]);
}

#[tokio::test]
async fn a_torn_record_removes_nothing_and_does_not_hide_later_ones() {
    let place = died_after_settling("a").await;
    let log = place.directory.path().join("a.removed");
    let good = fs::read(&log).unwrap();
    for tail in [&good[..5], &[0; 40], b"0000000000000001x", b"not a record\n"] {
        fs::write(&log, [&good[..], tail].concat()).unwrap();
        assert_eq!(place.payloads().await, ["0", "2", "4"]);
    }
    let source = place.source().await;
    let mut scan = source.scan(take()).await.unwrap();
    let all = drain(&mut *scan).await.unwrap();
    settle(&*scan, &all, |d| payload(d) == "4").await;
    assert_eq!(place.payloads().await, ["0", "2"]);
}

#[tokio::test]
async fn records_never_hit_another_line() {
    let place = died_after_settling("a").await;
    // Someone replaced the file by hand: the first message is gone, all others have moved.
    let text = fs::read(place.path()).unwrap();
    let second = text.iter().position(|b| *b == b'\n').unwrap() + 1;
    fs::write(place.path(), &text[second..]).unwrap();
    let (found, closed) = payloads(&*place.source().await).await.unwrap();
    assert_eq!(found, numbers(1..5), "nothing is lost; what was removed shows up again");
    assert!(closed.notices[0].contains("2 removals noted beside"), "{:?}", closed.notices);
}

#[tokio::test]
async fn an_archive_that_grew_without_a_lock_is_not_replaced() {
    let place = died_after_settling("a").await;
    let mut log = SideLog::open(&place.path()).unwrap();
    let new = compact::rewrite(&place.path(), &removed(&place), &Gone::Logged).unwrap();
    log.announce(new.stamp).unwrap();
    let grown = [fs::read(place.path()).unwrap(), line("by hand", "5")].concat();
    fs::write(place.path(), grown).unwrap();
    assert!(compact::swap(&place.path(), &new).is_err());
    assert_eq!(place.payloads().await, ["0", "2", "4", "5"]);
    assert_eq!(place.litter(), ["a.removed"]);
}

#[tokio::test]
async fn a_new_archive_does_not_suffer_for_the_one_that_was_deleted() {
    let place = died_after_settling("a").await;
    let text = fs::read(place.path()).unwrap();
    fs::remove_file(place.path()).unwrap();
    place.sink().await.close().await.unwrap();
    assert_eq!(place.litter(), [""; 0]);
    fs::write(place.path(), text).unwrap();
    assert_eq!(place.payloads().await, numbers(0..5));
}
