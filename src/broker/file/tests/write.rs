use super::super::sink::FileSink;
use super::super::store::Store;
use super::*;
use crate::broker::{Kind, error};
use crate::message::{Origin, Value};

#[tokio::test]
async fn an_archive_is_created_by_the_first_batch_or_by_closing_but_not_by_naming_it() {
    let place = Place::new("a");
    let sink = place.sink().await;
    sink.check(None).await.unwrap();
    assert_eq!(sink.check(Some(&Origin::default())).await.unwrap_err().kind(), Kind::Unsupported);
    assert!(!place.path().exists());
    drop(sink);
    // The lock goes with the thread.
    let sink = loop {
        if let Ok(sink) = place.try_sink().await {
            break sink;
        }
    };
    assert!(!place.path().exists());
    sink.close().await.unwrap();
    assert_eq!(place.payloads().await, [""; 0]);
    assert_eq!(place.litter(), [""; 0]);

    let nowhere = address(&place.directory.path().join("no/a"));
    let e = (nowhere.backend.sink)(&nowhere, &context()).await.err().unwrap();
    assert!(says(&e).starts_with("NotFound: there is no directory"), "{}", says(&e));
    let directory = address(place.directory.path());
    assert_eq!((directory.backend.sink)(&directory, &context()).await.err().unwrap().kind(), Kind::Usage);
}

#[tokio::test]
async fn appends_behind_a_whole_line_that_lacks_its_line_break() {
    for long in ["b".to_owned(), "b".repeat(200_000)] {
        let place = Place::new("a");
        let whole = [line("1", "a"), line("2", &long)].concat();
        fs::write(place.path(), &whole[..whole.len() - 1]).unwrap();
        place.fill(["c".to_owned()]).await;
        assert_eq!(place.payloads().await, ["a", &long, "c"]);
    }
}

#[tokio::test]
async fn keeps_what_the_message_was_and_gives_each_line_an_id() {
    let place = Place::new("a");
    let mut batch = outgoing(numbers(0..3));
    batch[1].message.headers.push("n", Value::I8(1));
    batch[1].message.origin = Some(Origin { queue: Some("orders".into()), ..Origin::default() });
    let sent: Vec<DeadLetter> = batch.iter().map(|o| (*o.message).clone()).collect();
    let mut sink = place.sink().await;
    let receipts = sink.publish(batch).await.await;
    sink.close().await.unwrap();
    let ids: std::collections::HashSet<_> = receipts.into_iter().map(|r| r.unwrap().id.unwrap()).collect();
    assert_eq!(ids.len(), 3);
    let source = place.source().await;
    let mut scan = source.scan(look()).await.unwrap();
    for (mut sent, found) in sent.into_iter().zip(drain(&mut *scan).await.unwrap()) {
        sent.identity = found.message.identity;
        assert_eq!(sent, *found.message);
    }
    scan.close().await.unwrap();
}

#[tokio::test]
async fn a_message_that_no_line_can_hold_fails_alone() {
    let place = Place::new("a");
    let mut batch = outgoing(numbers(0..3));
    let deep = (0..archive::MAX_DEPTH).fold(Value::Null, |v, _| Value::Array(vec![v]));
    batch[1].message.headers.push("deep", deep);
    let mut sink = place.sink().await;
    assert_eq!(sink.fit()(&mut batch[1]).unwrap_err().kind(), Kind::Rejected);
    assert_eq!(sink.fit()(&mut batch[0]).unwrap(), [""; 0]);
    let results = sink.publish(batch).await.await;
    assert_eq!(results[1].as_ref().unwrap_err().kind(), Kind::Rejected);
    assert!(results[0].is_ok() && results[2].is_ok());
    sink.close().await.unwrap();
    assert_eq!(place.payloads().await, ["0", "2"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_fails_every_message_of_the_batch() {
    let full = address(Path::new("/dev/full"));
    let mut sink = (full.backend.sink)(&full, &context()).await.unwrap();
    let results = sink.publish(outgoing(numbers(0..3))).await.await;
    assert_eq!(results.len(), 3);
    for r in results {
        let e = r.unwrap_err();
        assert_eq!(e.kind(), Kind::Io);
        assert!(e.get_hint().unwrap().contains("make room"), "{}", says(&e));
    }
    sink.close().await.unwrap();
}

impl Store for Faulty {
    fn append(&mut self, lines: &[u8]) -> error::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.log.lock().unwrap().push("append");
        if self.fail_append { Err(Error::new(Kind::Io, "no")) } else { Ok(()) }
    }

    fn sync(&mut self) -> error::Result<()> {
        if self.slow {
            std::thread::sleep(Duration::from_millis(100));
        }
        self.log.lock().unwrap().push("sync");
        if self.fail_sync { Err(Error::new(Kind::Indeterminate, "who knows")) } else { Ok(()) }
    }

    fn keeps(&self) -> bool {
        true
    }
}

async fn through(store: &Faulty) -> Vec<Result<Receipt>> {
    let mut sink = FileSink::start("x".into(), Box::new(store.clone())).unwrap();
    let results = sink.publish(outgoing(numbers(0..2))).await.await;
    let _ = Box::new(sink).close().await;
    results
}

#[tokio::test]
async fn nothing_is_confirmed_before_it_is_synced() {
    let good = Faulty::default();
    assert!(through(&good).await.iter().all(Result::is_ok));
    assert_eq!(good.log.lock().unwrap()[..2], ["append", "sync"]);
    for (store, kind) in [
        (Faulty { fail_append: true, ..Faulty::default() }, Kind::Io),
        (Faulty { fail_sync: true, ..Faulty::default() }, Kind::Indeterminate),
    ] {
        let results = through(&store).await;
        assert_eq!(results.len(), 2);
        assert!(results.iter().all(|r| r.as_ref().unwrap_err().kind() == kind), "{results:?}");
    }
}

#[tokio::test]
async fn batches_that_wait_share_a_sync_and_make_progress_unpolled() {
    let store = Faulty { slow: true, ..Faulty::default() };
    let mut sink = FileSink::start("x".into(), Box::new(store.clone())).unwrap();
    let mut confirms = Vec::new();
    for n in 0..6 {
        confirms.push(sink.publish(outgoing(numbers(n..n + 1))).await);
    }
    Box::new(sink).close().await.unwrap();
    let log = store.log.lock().unwrap().clone();
    assert_eq!(log.iter().filter(|l| **l == "append").count(), 6);
    assert!(log.iter().filter(|l| **l == "sync").count() < 6, "{log:?}");
    for confirm in confirms {
        assert!(confirm.await[0].is_ok());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_reader_that_went_away_is_a_closed_pipe() {
    use super::super::store::StreamStore;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let file = fs::File::from(std::os::fd::OwnedFd::from(writer));
    let mut sink = FileSink::start("x".into(), Box::new(StreamStore::new("x".into(), file))).unwrap();
    let results = sink.publish(outgoing(numbers(0..2))).await.await;
    assert!(results.iter().all(|r| r.as_ref().unwrap_err().kind() == Kind::ClosedPipe), "{results:?}");
}

/// Takes a few bytes, fails, and takes everything again, as a disk does on which room is made.
struct Full(Arc<Mutex<Vec<u8>>>, usize, std::io::ErrorKind);

impl std::io::Write for Full {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let room = buf.len().min(self.1);
        self.1 = if room < buf.len() && self.1 > 0 { 0 } else { usize::MAX };
        if room == 0 {
            return Err(self.2.into());
        }
        self.0.lock().unwrap().extend_from_slice(&buf[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_follows_half_a_line_that_cannot_be_taken_back() {
    use super::super::store::StreamStore;
    // That the reader went away is no failure, and stays none for what would have come next.
    for (why, kind) in [(std::io::ErrorKind::StorageFull, Kind::Io), (std::io::ErrorKind::BrokenPipe, Kind::ClosedPipe)]
    {
        let written = Arc::default();
        let store = StreamStore::new("x".into(), Full(Arc::clone(&written), 10, why));
        let mut sink = FileSink::start("x".into(), Box::new(store)).unwrap();
        for _ in 0..2 {
            let results = sink.publish(outgoing(numbers(0..1))).await.await;
            assert_eq!(results[0].as_ref().unwrap_err().kind(), kind, "{results:?}");
        }
        assert_eq!(written.lock().unwrap().len(), 10);
    }
}

#[tokio::test]
async fn an_archive_never_takes_the_place_of_the_side_file_of_another() {
    let place = Place::new("a");
    place.fill(numbers(0..3)).await;
    for side in ["a.lock", "a.removed", "a.compact", "a.torn"] {
        let path = place.directory.path().join(side);
        let beside = address(&path);
        let e = (beside.backend.sink)(&beside, &context()).await.err().unwrap();
        assert_eq!(e.kind(), Kind::Usage, "{}", says(&e));
    }
    // Put there by other means it is not taken for a list of removals, which is emptied in the end.
    fs::copy(place.path(), place.directory.path().join("a.removed")).unwrap();
    let e = place.source().await.scan(take()).await.err().unwrap();
    assert!(says(&e).contains("give it another name"), "{}", says(&e));
    assert!(place.try_sink().await.is_err());
    assert_eq!(fs::read(place.path()).unwrap(), fs::read(place.directory.path().join("a.removed")).unwrap());
}

/// The file may not grow beyond some size, as on a disk that fills up: half a batch is written when the error comes.
#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_fills_up_leaves_no_torn_line() {
    const CHILD: &str = "DLQ_TEST_FULL_DISK";
    if let Some(path) = std::env::var_os(CHILD) {
        let address = address(Path::new(&path));
        let mut sink = (address.backend.sink)(&address, &context()).await.unwrap();
        for (batch, fits) in [(numbers(0..50), true), (numbers(50..9000), false), (numbers(9000..9050), true)] {
            let results = sink.publish(outgoing(batch)).await.await;
            assert!(results.iter().all(|r| r.is_ok() == fits), "{:?}", results[0]);
        }
        sink.close().await.unwrap();
        return;
    }
    for name in ["a", "a.zst"] {
        let place = Place::new(name);
        let test = "broker::file::tests::write::a_disk_that_fills_up_leaves_no_torn_line";
        let child = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg(test)
            .env(CHILD, place.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        let expected = [numbers(0..50), numbers(9000..9050)].concat();
        assert_eq!(place.payloads().await, expected);
    }
}
