//! A writer that was stopped in the middle of a line or a frame leaves an archive that is written on, and what it had
//! written of it is put aside.

use super::super::frames;
use super::super::torn::Tail;
use super::*;
use crate::broker::Kind;

impl Place {
    fn torn(&self) -> Vec<u8> {
        fs::read(self.directory.path().join(format!("{}.torn", self.name))).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn tail(&self) -> Tail {
        let file = fs::File::open(self.path()).unwrap();
        Tail::of(&file, &self.path(), file.metadata().unwrap().len()).unwrap()
    }

    /// Appends one message; what was told meanwhile.
    async fn append(&self, payload: &str) -> Vec<String> {
        let told = Arc::<Mutex<Vec<String>>>::default();
        let telling = Arc::clone(&told);
        let context = Context { notice: Arc::new(move |text| telling.lock().unwrap().push(text)), ..context() };
        let address = self.address();
        let mut sink = (address.backend.sink)(&address, &context).await.unwrap();
        assert_eq!(told.lock().unwrap().len(), 0, "nothing is done before there is something to write");
        let results = sink.publish(outgoing([payload.to_owned()])).await.await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        sink.close().await.unwrap();
        std::mem::take(&mut *told.lock().unwrap())
    }

    async fn looks_and_changes_nothing(&self) {
        let (before, litter) = (self.bytes(), self.litter());
        self.sink().await.leave().await.unwrap();
        self.sink().await.close().await.unwrap();
        assert_eq!((self.bytes(), self.litter()), (before, litter));
    }
}

#[tokio::test]
async fn a_torn_line_is_put_aside_wherever_it_was_cut() {
    let (first, second) = (line("1", "a"), line("2", "d\u{e9}p\u{f4}t \u{2603}"));
    for before in [&b""[..], &first] {
        for cut in 1..second.len() - 1 {
            let place = Place::new("a");
            let piece = &second[..cut];
            fs::write(place.path(), [before, piece].concat()).unwrap();
            place.looks_and_changes_nothing().await;
            assert_eq!(place.litter(), [""; 0]);

            let told = place.append("c").await;
            let path = place.path().display().to_string();
            let bytes = if cut == 1 { "1 byte".to_owned() } else { format!("{cut} bytes") };
            let expected = format!(
                "the last line of {path} was torn ({bytes}, by a writer that was stopped): it is put aside in {path}.torn"
            );
            assert_eq!(told, [expected]);
            assert_eq!(place.payloads().await, if before.is_empty() { vec!["c"] } else { vec!["a", "c"] });
            assert_eq!(place.litter(), ["a.torn"]);
            assert_eq!(place.torn(), [piece, b"\n"].concat());
            assert_eq!(place.append("d").await, [""; 0], "once is enough");
        }
    }
}

#[tokio::test]
async fn a_torn_line_may_be_long_and_others_may_follow_it() {
    let place = Place::new("a");
    place.fill(["a".to_owned()]).await;
    let (long, short) = (line("2", &"b".repeat(200_000)), line("3", "c"));
    for piece in [&long[..150_000], &short[..30]] {
        fs::write(place.path(), [&place.bytes(), piece].concat()).unwrap();
        place.append("more").await;
    }
    assert_eq!(place.payloads().await, ["a", "more", "more"]);
    assert_eq!(place.torn(), [&long[..150_000], b"\n", &short[..30], b"\n"].concat());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let about = fs::metadata(place.directory.path().join("a.torn")).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_torn_frame_is_put_aside_wherever_it_was_cut() {
    let lines = |numbers: std::ops::Range<u32>| numbers.flat_map(|n| line(&n.to_string(), &n.to_string()));
    let first: Vec<u8> = lines(0..9).collect();
    let second = frames::pack(b"", &lines(9..60).collect::<Vec<_>>()).unwrap();
    // The first has a last line without its line break.
    for before in [vec![], frames::pack(b"", &first).unwrap(), frames::pack(b"", &first[..first.len() - 1]).unwrap()] {
        for cut in 1..second.len() {
            let place = Place::new("a.zst");
            let piece = &second[..cut];
            fs::write(place.path(), [&before, piece].concat()).unwrap();
            if cut % 50 == 0 {
                place.looks_and_changes_nothing().await;
            }
            let told = place.append("c").await;
            assert!(told[0].starts_with("the last frame of ") && told.len() == 1, "{told:?}");
            let mut expected = if before.is_empty() { vec![] } else { numbers(0..9) };
            expected.push("c".to_owned());
            assert_eq!(place.payloads().await, expected);
            assert_eq!(place.torn(), piece);
        }
    }
}

#[tokio::test]
async fn a_death_between_the_steps_loses_nothing() {
    for name in ["a", "a.zst"] {
        // What had become of it: all of it saved, half of it, or none.
        for saved in [60, 30, 0] {
            let place = Place::new(name);
            place.fill(numbers(0..3)).await;
            let whole = place.bytes();
            place.fill(numbers(3..9)).await;
            let piece = &place.bytes()[whole.len()..][..60];
            fs::write(place.path(), [&whole, piece].concat()).unwrap();
            let (file, torn) =
                (fs::File::open(place.path()).unwrap(), place.directory.path().join(format!("{name}.torn")));
            place.tail().save(&file, &place.path()).unwrap();
            fs::write(&torn, &piece[..saved]).unwrap();
            assert_eq!(place.bytes(), [&whole, piece].concat(), "it is saved before it is cut");

            assert_eq!(place.append("x").await.len(), 1);
            assert_eq!(place.payloads().await, ["0", "1", "2", "x"]);
            let between: &[u8] = if name == "a" && saved > 0 { b"\n" } else { b"" };
            let end: &[u8] = if name == "a" { b"\n" } else { b"" };
            assert_eq!(place.torn(), [&piece[..saved], between, piece, end].concat());
        }
        // Saved and cut, and nothing written yet.
        let place = Place::new(name);
        place.fill(numbers(0..3)).await;
        let whole = place.bytes();
        let piece = &frames::pack(b"", &line("4", "4")).unwrap()[..50];
        let piece = if name == "a" { &line("4", "4")[..50] } else { piece };
        fs::write(place.path(), [&whole, piece].concat()).unwrap();
        let file = fs::File::options().append(true).read(true).open(place.path()).unwrap();
        place.tail().put_aside(&file, &place.path()).unwrap();
        assert_eq!(place.bytes(), whole);
        assert_eq!(place.append("x").await, [""; 0]);
        assert_eq!(place.payloads().await, ["0", "1", "2", "x"]);
        assert!(place.torn().starts_with(piece));
    }
}

#[tokio::test]
async fn what_cannot_be_put_aside_stays_where_it_is() {
    let place = Place::new("a");
    let torn = [line("1", "a"), line("2", "b")[..60].to_vec()].concat();
    fs::write(place.path(), &torn).unwrap();
    let in_the_way = place.directory.path().join("a.torn");
    fs::create_dir(&in_the_way).unwrap();
    let mut sink = place.sink().await;
    let results = sink.publish(outgoing(numbers(0..2))).await.await;
    assert!(results.iter().all(|r| r.as_ref().unwrap_err().to_string().contains("a.torn")), "{results:?}");
    assert_eq!(place.bytes(), torn);
    fs::remove_dir(&in_the_way).unwrap();
    assert!(sink.publish(outgoing(numbers(2..3))).await.await[0].is_ok());
    sink.close().await.unwrap();
    assert_eq!(place.payloads().await, ["a", "2"]);

    // Someone who takes no lock went on writing: it was no torn line.
    fs::write(place.path(), &torn).unwrap();
    let mut sink = place.sink().await;
    let more = [&torn[..], &line("2", "b")[60..]].concat();
    fs::write(place.path(), &more).unwrap();
    let results = sink.publish(outgoing(numbers(3..4))).await.await;
    assert_eq!(results[0].as_ref().unwrap_err().kind(), Kind::Held);
    assert_eq!(place.bytes(), more);
}

#[tokio::test]
async fn what_no_archive_writer_began_is_never_cut() {
    let whole = String::from_utf8(line("1", "a")).unwrap();
    let behind = format!("{whole}{{\"id\":\"2\",\"v\":1,\"li");
    let foreign = [
        "call the vendor",
        "call the vendor\n\n",
        "\n\ncall the vendor",
        "call the vendor\n{\"v\":1,\"line\":\"1\",\"id",
        "call the vendor\n{",
        "{\"v\":2,\"line\":\"1\",\"id\":",
        "{\"v\":1,\"id\":\"1\",\"line\":",
        "{\"id\":\"1\"",
        "[",
        "{\"v\":1,\"line\":\"1\",\"id\n",
    ];
    for text in foreign {
        let notes = Place::new("notes.txt");
        fs::write(notes.path(), text).unwrap();
        let e = notes.try_sink().await.err().unwrap();
        assert!(says(&e).contains("is not one of an archive") && !says(&e).contains("truncate"), "{}", says(&e));
        assert_eq!((notes.bytes(), notes.litter()), (text.as_bytes().to_vec(), vec![]));
    }
    // An archive of some other tool, which was stopped.
    let place = Place::new("a");
    fs::write(place.path(), &behind).unwrap();
    let e = place.try_sink().await.err().unwrap();
    assert!(says(&e).contains("is torn, and nothing is appended behind it"), "{}", says(&e));
    assert!(says(&e).contains(&format!("truncate -s {} ", whole.len())), "{}", says(&e));
    assert_eq!((place.bytes(), place.litter()), (behind.into_bytes(), vec![]));
}

#[tokio::test]
async fn what_is_damaged_but_not_cut_short_is_refused() {
    let place = Place::new("a.zst");
    let text: Vec<u8> = (0..50_u32).flat_map(|n| line(&n.to_string(), &n.to_string())).collect();
    let ours = frames::pack(b"", &text).unwrap();
    let mut damaged = ours.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let theirs = zstd::encode_all(&text[..], 3).unwrap();
    for bytes in [
        damaged.clone(),
        [&damaged[..], &ours[..200]].concat(),
        theirs[..theirs.len() - 5].to_vec(),
        [&ours[..], b"no frame"].concat(),
    ] {
        fs::write(place.path(), &bytes).unwrap();
        let e = place.try_sink().await.err().unwrap();
        assert!(says(&e).contains("--skip-bad-lines"), "{}", says(&e));
        assert_eq!((place.bytes(), place.litter()), (bytes, vec![]));
    }
}

#[tokio::test]
async fn a_removal_that_is_noted_still_holds() {
    for name in ["a", "a.zst"] {
        let place = Place::new(name);
        place.fill(numbers(0..5)).await;
        let whole = place.bytes();
        let source = place.source().await;
        let mut scan = source.scan(take()).await.unwrap();
        let all = drain(&mut *scan).await.unwrap();
        settle(&*scan, &all, |d| payload(d) == "1" || payload(d) == "4").await;
        drop(scan);
        drop(source);
        place.fill(numbers(5..9)).await;
        let cut = whole.len() + 60;
        fs::write(place.path(), &place.bytes()[..cut]).unwrap();
        place.append("x").await;
        assert_eq!(place.payloads().await, ["0", "2", "3", "x"]);
        assert_eq!(place.source().await.depth().await.unwrap().ready, Some(4));
    }
}
