use super::*;
use crate::broker::Kind;

async fn remove_where(place: &Place, done: impl Fn(&Delivery) -> bool) -> Closed {
    let source = place.source().await;
    let mut scan = source.scan(take()).await.unwrap();
    let all = drain(&mut *scan).await.unwrap();
    settle(&*scan, &all, done).await;
    scan.close().await.unwrap()
}

#[tokio::test]
async fn what_is_settled_is_gone_and_the_rest_stays_byte_for_byte() {
    for name in ["a", "a.zst"] {
        let place = Place::new(name);
        // White space, order of keys and blank lines are the user's own.
        let odd = b"{ \"line\":\"odd\", \"v\":1, \"payload\":\"7\", \"queue\":\"q\", \"id\":\"i\" }\r\n\n".to_vec();
        let text = [line("1", "1"), odd.clone(), line("2", "2"), line("3", "3")].concat();
        fs::write(place.path(), if name == "a" { text } else { zstd::encode_all(&*text, 1).unwrap() }).unwrap();
        let closed = remove_where(&place, |d| payload(d) == "1" || payload(d) == "3").await;
        assert_eq!(closed, Closed::default());
        let left = fs::read(place.path()).unwrap();
        let left = if name == "a" { left } else { zstd::decode_all(&*left).unwrap() };
        assert_eq!(left, [odd, line("2", "2")].concat());
        assert_eq!(place.litter(), [""; 0]);
        remove_where(&place, |_| true).await;
        assert_eq!(
            fs::read(place.path()).unwrap().len(),
            if name == "a" { 1 } else { fs::read(place.path()).unwrap().len() }
        );
        assert_eq!(place.payloads().await, [""; 0]);
        assert_eq!(place.source().await.depth().await.unwrap().ready, Some(0));
        place.fill(numbers(0..2)).await;
        assert_eq!(place.payloads().await, numbers(0..2));
    }
}

#[tokio::test]
async fn an_archive_of_which_all_is_removed_is_an_empty_file() {
    for name in ["a", "a.zst"] {
        let place = Place::new(name);
        place.fill(numbers(0..10)).await;
        remove_where(&place, |_| true).await;
        assert_eq!(fs::metadata(place.path()).unwrap().len(), 0);
        assert_eq!(place.payloads().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_scan_that_removes_nothing_leaves_the_very_same_file() {
    let place = Place::new("a");
    place.fill(numbers(0..3)).await;
    let before = fs::metadata(place.path()).unwrap();
    remove_where(&place, |_| false).await;
    let after = fs::metadata(place.path()).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&before), std::os::unix::fs::MetadataExt::ino(&after));
    assert_eq!(place.litter(), [""; 0]);
}

#[tokio::test]
async fn of_twins_only_the_settled_one_goes() {
    let place = Place::new("a");
    let once = [line("1", "a"), line("2", "b")].concat();
    fs::write(place.path(), [once.clone(), once.clone()].concat()).unwrap();
    let source = place.source().await;
    let mut scan = source.scan(take()).await.unwrap();
    let all = drain(&mut *scan).await.unwrap();
    settle(&*scan, &all[..1], |_| true).await;
    assert_eq!(place.payloads().await, ["b", "a", "b"], "the side log alone tells them apart");
    scan.close().await.unwrap();
    assert_eq!(place.payloads().await, ["b", "a", "b"]);
    remove_where(&place, |d| payload(d) == "b").await;
    assert_eq!(place.payloads().await, ["a"]);
}

#[tokio::test]
async fn every_reader_honours_a_removal_before_the_file_is_rewritten() {
    let place = Place::new("a");
    place.fill(numbers(0..4)).await;
    let source = place.source().await;
    let mut scan = source.scan(take()).await.unwrap();
    let all = drain(&mut *scan).await.unwrap();
    settle(&*scan, &all, |d| payload(d) == "2").await;
    assert_eq!(place.litter(), ["a.lock", "a.removed"]);
    assert_eq!(place.payloads().await, ["0", "1", "3"]);
    assert_eq!(place.source().await.depth().await.unwrap().ready, Some(3));
    scan.close().await.unwrap();
    assert_eq!(place.litter(), [""; 0]);
}

#[tokio::test]
async fn a_second_one_who_would_change_it_is_refused_and_a_reader_is_not() {
    let place = Place::new("a");
    place.fill(numbers(0..3)).await;
    let exclusive = Context { exclusive: true, ..context() };
    let first = place.try_source(&exclusive).await.unwrap();
    for e in [
        place.try_source(&exclusive).await.err().unwrap(),
        place.try_sink().await.err().unwrap(),
        place.source().await.scan(take()).await.err().unwrap(),
        place.source().await.purge_all().await.unwrap_err(),
    ] {
        assert_eq!(e.kind(), Kind::Held);
        assert!(e.to_string().ends_with("this very run"), "{e}");
    }
    fs::write(place.directory.path().join("a.lock"), "4242").unwrap();
    assert!(place.try_sink().await.err().unwrap().to_string().ends_with("process 4242"));
    assert_eq!(place.payloads().await, numbers(0..3));
    drop(first);
    place.fill(numbers(3..4)).await;
    assert_eq!(place.litter(), [""; 0]);
}

#[tokio::test]
async fn one_source_removes_in_one_scan_at_a_time() {
    let place = Place::new("a");
    place.fill(numbers(0..3)).await;
    let source = place.try_source(&Context { exclusive: true, ..context() }).await.unwrap();
    for left in [2, 1] {
        let mut scan = source.scan(take()).await.unwrap();
        assert_eq!(source.scan(take()).await.err().unwrap().kind(), Kind::Held);
        assert_eq!(source.purge_all().await.unwrap_err().kind(), Kind::Held);
        let all = drain(&mut *scan).await.unwrap();
        settle(&*scan, &all[..1], |_| true).await;
        scan.close().await.unwrap();
        assert_eq!(payloads(&*source).await.unwrap().0.len(), left);
    }
    assert_eq!(source.purge_all().await.unwrap(), Some(1));
}

#[tokio::test]
async fn looking_scans_and_closed_ones_remove_nothing() {
    let place = Place::new("a");
    place.fill(numbers(0..1)).await;
    let source = place.source().await;
    for request in [look(), take()] {
        let mut scan = source.scan(request).await.unwrap();
        let all = drain(&mut *scan).await.unwrap();
        let settler = scan.settler();
        scan.close().await.unwrap();
        let done = settler.settle(vec![Settlement { token: all[0].token, act: Act::Done }]).await;
        assert_eq!(done[0].as_ref().unwrap_err().kind(), Kind::Unsupported);
    }
    assert_eq!(place.payloads().await, ["0"]);
}

#[tokio::test]
async fn the_whole_purge_counts_what_went() {
    for name in ["a", "a.zst"] {
        let place = Place::new(name);
        place.fill(numbers(0..5)).await;
        let source = place.source().await;
        let mut scan = source.scan(take()).await.unwrap();
        let all = drain(&mut *scan).await.unwrap();
        settle(&*scan, &all, |d| payload(d) == "2").await;
        drop(scan);
        assert_eq!(source.purge_all().await.unwrap(), Some(4));
        assert_eq!(fs::metadata(place.path()).unwrap().len(), 0);
        assert_eq!(place.litter(), [""; 0]);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn compaction_keeps_the_permissions_and_follows_links() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new("a");
    place.fill(numbers(0..3)).await;
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let link = Place { directory: tempfile::tempdir().unwrap(), name: "link" };
    std::os::unix::fs::symlink(place.path(), link.path()).unwrap();
    remove_where(&link, |d| payload(d) == "0").await;
    assert!(fs::symlink_metadata(link.path()).unwrap().is_symlink());
    assert_eq!(place.payloads().await, ["1", "2"]);
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o640);
}
