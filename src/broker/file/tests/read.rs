use super::*;
use crate::broker::{Kind, capability::Removal};

#[tokio::test]
async fn reads_in_order_what_was_written_however_much() {
    for name in ["a.ndjson", "a.ndjson.zst"] {
        let place = Place::new(name);
        place.fill(numbers(0..3000)).await;
        place.fill(numbers(3000..5000)).await;
        assert_eq!(place.payloads().await, numbers(0..5000));
        assert_eq!(place.source().await.depth().await.unwrap().ready, Some(5000));
        assert_eq!(place.litter(), [""; 0]);
    }
}

#[tokio::test]
async fn the_same_file_has_one_canonical_address() {
    let place = Place::new("a");
    let before = place.address().canonical;
    place.fill(numbers(0..1)).await;
    let dotted = address(&place.directory.path().join(".").join("a"));
    assert_eq!(dotted.canonical, place.address().canonical);
    assert_eq!(dotted.canonical, before);
    #[cfg(unix)]
    {
        let link = place.directory.path().join("link");
        std::os::unix::fs::symlink(place.path(), &link).unwrap();
        assert_eq!(address(&link).canonical, before);
    }
    #[cfg(unix)]
    {
        let other = place.directory.path().join("other");
        fs::hard_link(place.path(), &other).unwrap();
        assert_eq!(address(&other).canonical, place.address().canonical);
    }
    assert_eq!(Address::parse("-", &[]).unwrap().canonical, "-");
    for wrong in ["file:", "file://host/a"] {
        assert_eq!(Address::parse(wrong, &[]).unwrap_err().kind(), Kind::Usage);
    }
    assert_eq!(Address::parse("file:///a", &[]).unwrap().canonical, "file:/a");
}

#[tokio::test]
async fn the_end_is_fixed_when_the_scan_begins() {
    let place = Place::new("a");
    place.fill(numbers(0..2)).await;
    let source = place.source().await;
    let mut scan = source.scan(look()).await.unwrap();
    place.fill(numbers(2..4)).await;
    assert_eq!(drain(&mut *scan).await.unwrap().len(), 2);
    scan.close().await.unwrap();
    assert_eq!(place.payloads().await, numbers(0..4));
}

#[tokio::test]
async fn reads_no_more_than_asked() {
    let place = Place::new("a");
    place.fill(numbers(0..5000)).await;
    let source = place.source().await;
    for n in [0, 1, 777] {
        let mut scan = source.scan(ScanRequest { at_most: Some(n), ..look() }).await.unwrap();
        assert_eq!(drain(&mut *scan).await.unwrap().len() as u64, n);
        scan.close().await.unwrap();
    }
}

#[tokio::test]
async fn names_the_bad_line_or_skips_and_counts_it() {
    let place = Place::new("a");
    let view = b"{\"id\":\"x\",\"body\":1}\n".to_vec();
    let text = [line("1", "a"), b"\n  \n".to_vec(), line("2", "b"), view, line("3", "c")].concat();
    fs::write(place.path(), text).unwrap();
    let source = place.source().await;
    let mut scan = source.scan(look()).await.unwrap();
    assert_eq!(scan.next().await.unwrap().unwrap().deliveries.len(), 2, "what stands before is handed out");
    let e = scan.next().await.unwrap_err();
    assert_eq!(e.kind(), Kind::Corrupt);
    assert!(e.to_string().starts_with(&format!("{}, line 5: not an archive line", place.path().display())), "{e}");
    assert!(e.get_hint().unwrap().contains("-o archive"));
    assert!(scan.next().await.unwrap().is_none());
    scan.close().await.unwrap();

    let skipping = Context { skip_bad_lines: true, ..context() };
    let (found, closed) = payloads(&*place.try_source(&skipping).await.unwrap()).await.unwrap();
    assert_eq!(found, ["a", "b", "c"]);
    assert_eq!(closed.bad_lines, 1);
}

#[tokio::test]
async fn a_torn_last_line_is_reported_and_a_whole_one_without_line_break_is_read() {
    let place = Place::new("a");
    let whole = [line("1", "a"), line("2", "b")].concat();
    fs::write(place.path(), &whole[..whole.len() - 1]).unwrap();
    assert_eq!(place.payloads().await, ["a", "b"]);
    assert_eq!(place.source().await.depth().await.unwrap().ready, Some(2));
    for cut in line("1", "a").len() + 1..whole.len() - 1 {
        fs::write(place.path(), &whole[..cut]).unwrap();
        let e = payloads(&*place.source().await).await.unwrap_err();
        assert!(e.to_string().contains("a, line 2: the last line is torn"), "{e}");
    }
    let skipping = Context { skip_bad_lines: true, ..context() };
    let (found, closed) = payloads(&*place.try_source(&skipping).await.unwrap()).await.unwrap();
    assert_eq!((found, closed.bad_lines), (vec!["a".to_owned()], 1));
    assert_eq!(place.source().await.depth().await.unwrap().ready, Some(1));
}

#[tokio::test]
async fn a_torn_frame_is_reported_too() {
    let place = Place::new("a.zst");
    place.fill(numbers(0..10)).await;
    let first = fs::metadata(place.path()).unwrap().len();
    place.fill(numbers(10..20)).await;
    let text = fs::read(place.path()).unwrap();
    fs::write(place.path(), &text[..first as usize + 20]).unwrap();
    let e = payloads(&*place.source().await).await.unwrap_err();
    assert!(says(&e).contains("line 11: the compressed data ends too early"), "{}", says(&e));
    let skipping = Context { skip_bad_lines: true, ..context() };
    let (found, closed) = payloads(&*place.try_source(&skipping).await.unwrap()).await.unwrap();
    assert_eq!((found, closed.bad_lines), (numbers(0..10), 1));
}

#[tokio::test]
async fn a_reader_passes_over_the_line_that_is_being_written() {
    let place = Place::new("a");
    place.fill(numbers(0..3)).await;
    let sink = place.sink().await;
    let text = fs::read(place.path()).unwrap();
    fs::write(place.path(), &text[..text.len() - 5]).unwrap();
    let (found, closed) = payloads(&*place.source().await).await.unwrap();
    assert_eq!(found, numbers(0..2));
    assert!(closed.notices[0].contains("still being written"), "{:?}", closed.notices);
    drop(sink);
}

#[tokio::test]
async fn says_what_is_wrong_with_a_path() {
    let place = Place::new("orders.ndjson");
    place.fill(numbers(0..1)).await;
    for (path, expected) in [
        ("order.ndjson", "NotFound: there is no file"),
        ("order.ndjson", "/orders.ndjson?"),
        ("no/orders.ndjson", "there is no directory"),
        ("", "Usage"),
    ] {
        let address = address(&place.directory.path().join(path));
        let e = (address.backend.source)(&address, &context()).await.err().unwrap();
        assert!(says(&e).contains(expected), "{path}: {}", says(&e));
    }
    let e = place.source().await.home().await.err().unwrap();
    assert_eq!(e.kind(), Kind::Unsupported);
    assert!(e.get_hint().unwrap().contains("--to"));
    let mut odd = place.address();
    odd.options.insert("x".into(), "y".into());
    assert_eq!((odd.backend.source)(&odd, &context()).await.err().unwrap().kind(), Kind::Usage);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_read_once_or_kept() {
    let place = Place::new("a");
    let text = [line("1", "a"), line("2", "b")].concat();
    let pipe = || {
        let (read, mut write) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut write, &text).unwrap();
        super::super::pipe::PipeSource::new(&place.address(), &context(), read)
    };
    let source = pipe();
    assert_eq!(source.capabilities().removal, Removal::None);
    assert_eq!(payloads(&source).await.unwrap().0, ["a", "b"]);
    assert_eq!(payloads(&source).await.unwrap_err().kind(), Kind::Unsupported);

    let source = pipe();
    let mut first = source.scan(ScanRequest { again: true, at_most: Some(1), ..look() }).await.unwrap();
    assert_eq!(drain(&mut *first).await.unwrap().len(), 1);
    let mut second = source.scan(look()).await.unwrap();
    assert_eq!(drain(&mut *second).await.unwrap().len(), 2);
    first.close().await.unwrap();
    second.close().await.unwrap();
    assert_eq!(source.scan(take()).await.err().unwrap().kind(), Kind::Unsupported);
    assert_eq!(source.depth().await.unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(source.purge_all().await.unwrap(), None);
}

#[tokio::test]
async fn a_scan_survives_cancelled_waits() {
    let place = Place::new("a");
    place.fill(numbers(0..20_000)).await;
    let source = place.source().await;
    let mut scan = source.scan(look()).await.unwrap();
    let mut found = Vec::new();
    loop {
        let step = tokio::time::timeout(Duration::from_micros(50), scan.next());
        match step.await {
            Err(_) => {}
            Ok(batch) => match batch.unwrap() {
                Some(batch) => found.extend(batch.deliveries.iter().map(payload)),
                None => break,
            },
        }
    }
    assert_eq!(found, numbers(0..20_000));
    scan.close().await.unwrap();
}

#[tokio::test]
async fn a_truncated_archive_has_no_depth() {
    let place = Place::new("a.zst");
    place.fill(numbers(0..100)).await;
    let whole = fs::read(place.path()).unwrap();
    fs::write(place.path(), &whole[..whole.len() - 5]).unwrap();
    let e = place.source().await.depth().await.unwrap_err();
    assert!(says(&e).contains("cannot read on"), "{}", says(&e));
}
