//! The body: one pass that decides whether the payload is strict JSON and builds what is wanted of it.
//!
//! jaq's own parser takes more than JSON (comments, NaN) and recurses without limit, so a second, strict pass would have to
//! come before it. One strict pass is faster than either, and its strings are slices of the payload.

use bytes::Bytes;
use jaq_core::ValT;
use jaq_json::{Map, Num, Rc, Val};

/// Deeper nesting than this is not read as JSON.
pub const MAX_DEPTH: usize = 512;

/// Longer integers keep their digits but count as decimals: making a big integer takes quadratic time.
const MAX_INT_DIGITS: usize = 1000;

/// The parts of a body a program looks at. What is not wanted is checked but not built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Want {
    /// All of it.
    #[default]
    All,
    /// If it is an object, only these keys of it.
    Keys(Vec<(Box<[u8]>, Want)>),
}

impl Want {
    /// Nothing of it.
    pub const NONE: Want = Want::Keys(Vec::new());

    /// Adds what lies at `path`.
    pub fn add<'a>(&mut self, mut path: impl Iterator<Item = &'a str>) {
        let Want::Keys(keys) = self else { return };
        let Some(step) = path.next() else {
            *self = Want::All;
            return;
        };
        let at = keys.iter().position(|(k, _)| **k == *step.as_bytes()).unwrap_or_else(|| {
            keys.push((step.as_bytes().into(), Want::NONE));
            keys.len() - 1
        });
        keys[at].1.add(path);
    }

    fn key(&self, key: &[u8]) -> Option<&Want> {
        match self {
            Want::All => Some(&Want::All),
            Want::Keys(keys) => keys.iter().find(|(k, _)| **k == *key).map(|(_, w)| w),
        }
    }
}

/// Parsed if the payload is JSON, else text if it is UTF-8, else `{"base64": …}`.
pub fn body(payload: &Bytes, want: &Want) -> Val {
    if std::str::from_utf8(payload).is_err() {
        return super::values::bytes(payload);
    }
    let mut p = Parser { all: payload, s: payload, i: 0 };
    match p.document(want) {
        Some(v) => v,
        None => Val::utf8_str(payload.clone()),
    }
}

/// Whether a payload is read as JSON.
pub fn body_is_json(payload: &[u8]) -> bool {
    let all = Bytes::new();
    std::str::from_utf8(payload).is_ok() && Parser { all: &all, s: payload, i: 0 }.checked()
}

/// Whether this is a number as JSON writes it.
pub fn is_number(text: &[u8]) -> bool {
    let all = Bytes::new();
    let mut p = Parser { all: &all, s: text, i: 0 };
    p.number().is_some() && p.i == text.len()
}

/// How deep brackets nest outside strings; `None` where a `#` outside strings makes that uncertain.
pub fn nesting(s: &[u8]) -> Option<usize> {
    let (mut depth, mut deepest, mut i) = (0usize, 0, 0);
    while i < s.len() {
        match s[i] {
            b'[' | b'{' | b'(' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' | b')' => depth = depth.saturating_sub(1),
            b'#' => return None,
            b'"' => {
                i += 1;
                while i < s.len() && s[i] != b'"' {
                    i += 1 + usize::from(s[i] == b'\\');
                }
            }
            _ => {}
        }
        i += 1;
    }
    Some(deepest)
}

/// Where a strict pass is in its source.
pub(super) struct Parser<'a> {
    all: &'a Bytes,
    pub(super) s: &'a [u8],
    pub(super) i: usize,
}

/// Where a string's bytes are: between two positions of the source, or unescaped.
enum Text {
    Plain(usize, usize),
    Escaped(Vec<u8>),
}

impl Parser<'_> {
    fn document(&mut self, want: &Want) -> Option<Val> {
        self.space();
        let v = self.value(0, want)?;
        self.space();
        (self.i == self.s.len()).then_some(v)
    }

    fn checked(&mut self) -> bool {
        self.space();
        let is = self.pass(0).is_some();
        self.space();
        is && self.i == self.s.len()
    }

    fn literal(&mut self, word: &[u8], v: Val) -> Option<Val> {
        self.pass_word(word).map(|()| v)
    }

    fn value(&mut self, depth: usize, want: &Want) -> Option<Val> {
        match self.peek()? {
            b'{' => self.object(depth + 1, want),
            b'[' => self.array(depth + 1),
            b'"' => self.string().map(|text| self.text(text)),
            b't' => self.literal(b"true", Val::Bool(true)),
            b'f' => self.literal(b"false", Val::Bool(false)),
            b'n' => self.literal(b"null", Val::Null),
            _ => {
                let start = self.i;
                let whole = self.number()?;
                Some(self.to_number(start, whole))
            }
        }
    }

    fn object(&mut self, depth: usize, want: &Want) -> Option<Val> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut o = Map::default();
        self.i += 1;
        self.space();
        if self.peek()? == b'}' {
            self.i += 1;
            return Some(Val::obj(o));
        }
        loop {
            let key = self.string()?;
            self.space();
            self.pass_byte(b':')?;
            self.space();
            let wanted = match &key {
                Text::Plain(from, to) => want.key(&self.s[*from..*to]),
                Text::Escaped(b) => want.key(b),
            };
            match wanted {
                Some(wanted) => {
                    let v = self.value(depth, wanted)?;
                    o.insert(self.text(key), v);
                }
                None => self.pass(depth)?,
            }
            self.space();
            match self.peek()? {
                b',' => self.i += 1,
                b'}' => break,
                _ => return None,
            }
            self.space();
        }
        self.i += 1;
        Some(Val::obj(o))
    }

    fn array(&mut self, depth: usize) -> Option<Val> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut a = Vec::new();
        self.i += 1;
        self.space();
        if self.peek()? == b']' {
            self.i += 1;
            return Some(Val::Arr(Rc::new(a)));
        }
        loop {
            // What lies in an array is not told apart.
            a.push(self.value(depth, &Want::All)?);
            self.space();
            match self.peek()? {
                b',' => self.i += 1,
                b']' => break,
                _ => return None,
            }
            self.space();
        }
        self.i += 1;
        Some(Val::Arr(Rc::new(a)))
    }

    fn text(&self, text: Text) -> Val {
        match text {
            Text::Plain(from, to) => Val::utf8_str(self.all.slice(from..to)),
            Text::Escaped(b) => Val::utf8_str(b),
        }
    }

    fn string(&mut self) -> Option<Text> {
        self.pass_byte(b'"')?;
        let start = self.i;
        self.plain();
        if self.peek()? == b'"' {
            self.i += 1;
            return Some(Text::Plain(start, self.i - 1));
        }
        let mut out = self.s[start..self.i].to_vec();
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.i += 1;
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                // A control byte must be escaped.
                _ => return None,
            }
            let from = self.i;
            self.plain();
            out.extend_from_slice(&self.s[from..self.i]);
        }
        self.i += 1;
        Some(Text::Escaped(out))
    }

    fn to_number(&self, start: usize, whole: bool) -> Val {
        let text = std::str::from_utf8(&self.s[start..self.i]).unwrap_or("0");
        if whole && text.len() < 19 && text != "-0" {
            return Val::Num(Num::Int(text.parse().unwrap_or_default()));
        }
        if whole && text.len() <= MAX_INT_DIGITS && text != "-0" {
            return Val::from_num(text).unwrap_or_default();
        }
        Val::Num(Num::Dec(Rc::new(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::write_json;
    use super::*;

    fn strict(s: &[u8]) -> Option<Val> {
        let b = Bytes::copy_from_slice(s);
        std::str::from_utf8(s).ok()?;
        Parser { all: &b, s: &b, i: 0 }.document(&Want::All)
    }

    fn shown(v: &Val) -> String {
        let mut out = vec![];
        write_json(v, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn serde_takes(s: &[u8]) -> bool {
        serde_json::from_slice::<serde::de::IgnoredAny>(s).is_ok()
    }

    #[test]
    fn takes_what_json_is_and_nothing_else() {
        for good in ["{}", " [1, 2.5e3,-0] ", "\"a\\u00e9\\n\"", "true", "null", "0", "[[],{}]", r#"{"a":{"b":[]}}"#] {
            assert!(strict(good.as_bytes()).is_some() && serde_takes(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            " ",
            "NaN",
            "[1,]",
            "{\"a\":}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "nul",
            "[1] 2",
            "# c\n1",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12\"",
            "b\"x\"",
            "Infinity",
            "-",
            "{\"a\" 1}",
            "[1 2]",
            "\"open",
            "{\"a\":1",
            "\u{feff}1",
        ] {
            assert!(strict(bad.as_bytes()).is_none() && !serde_takes(bad.as_bytes()), "{bad}");
            let b = Bytes::copy_from_slice(bad.as_bytes());
            assert!(matches!(body(&b, &Want::All), Val::TStr(t) if *t == b), "{bad} stays text");
        }
    }

    #[test]
    fn any_byte_at_any_place_of_a_string_is_seen() {
        for at in 0..20 {
            for c in (0..=0x7f).map(char::from).chain(['\u{80}', 'é', '\u{a2}', '日', '😀']) {
                let mut text = "abcdefghijklmnopqrst".to_owned();
                text.insert(at, c);
                let doc = format!("{{\"{text}\":\"{text}\"}}");
                let (ours, takes) = (strict(doc.as_bytes()), serde_takes(doc.as_bytes()));
                assert_eq!((ours.is_some(), body_is_json(doc.as_bytes())), (takes, takes), "{doc:?}");
                if let Some(ours) = ours {
                    assert_eq!(ours, jaq_json::read::parse_single(doc.as_bytes()).unwrap(), "{doc:?}");
                }
            }
        }
    }

    #[test]
    fn any_byte_at_any_place_of_a_document_is_seen_whether_it_is_built_or_not() {
        let good = br#" {"abcdefgh\"ijkl" : ["\ud83d\ude00xxxxxxxxx", -0.5e+10, {"k":null,"l":[true,false]}, 1]} "#;
        for at in 0..good.len() {
            for c in 0..0x80 {
                let mut doc = good.to_vec();
                doc[at] = c;
                let takes = serde_takes(&doc);
                let ours = (strict(&doc).is_some(), body_is_json(&doc));
                assert_eq!(ours, (takes, takes), "{}", String::from_utf8_lossy(&doc));
            }
        }
    }

    #[test]
    fn numbers_keep_every_digit() {
        let doc =
            r#"[9007199254740993,18446744073709551615,-0,0.1000000000000000000000000001,1E400,-9223372036854775808]"#;
        assert_eq!(shown(&strict(doc.as_bytes()).unwrap()), doc);
        let long = format!("[{}]", "9".repeat(5000));
        assert_eq!(shown(&strict(long.as_bytes()).unwrap()), long);
    }

    #[test]
    fn nesting_has_a_limit_and_costs_no_stack_beyond_it() {
        let deep = |n: usize| Bytes::from("[".repeat(n) + &"]".repeat(n));
        assert!(matches!(body(&deep(MAX_DEPTH), &Want::All), Val::Arr(_)));
        assert!(matches!(body(&deep(MAX_DEPTH + 1), &Want::All), Val::TStr(_)));
        assert!(matches!(body(&deep(1_000_000), &Want::All), Val::TStr(_)));
        let is_json = [MAX_DEPTH, MAX_DEPTH + 1, 1_000_000].map(|n| body_is_json(&deep(n)));
        assert_eq!(is_json, [true, false, false]);
        assert_eq!(nesting(&deep(1_000_000)), Some(1_000_000));
        assert_eq!(nesting(br#"["[[\"[[",[]]"#), Some(2));
        assert_eq!(nesting(b"#\"\n[[[["), None);
    }

    #[test]
    fn what_is_not_wanted_is_checked_but_not_built() {
        let mut want = Want::NONE;
        want.add(["a", "b"].into_iter());
        want.add(["c"].into_iter());
        let doc = Bytes::from_static(br#"{"x":[1,{"y":"\n"}],"a":{"b":1,"z":2},"\u0063":[1,{"q":2}],"a2":1}"#);
        assert_eq!(shown(&body(&doc, &want)), r#"{"a":{"b":1},"c":[1,{"q":2}]}"#);
        let broken = Bytes::from_static(br#"{"a":{"b":1},"x":[1,}"#);
        assert!(matches!(body(&broken, &want), Val::TStr(_)));
        want.add([].into_iter());
        assert_eq!(want, Want::All);
    }

    #[test]
    fn half_a_surrogate_pair_becomes_a_replacement_character() {
        assert_eq!(shown(&strict(br#""\ud83d\ude00 \ud83d x \ud83d\u0041""#).unwrap()), "\"😀 \u{fffd} x \u{fffd}A\"");
    }

    #[test]
    fn bytes_become_base64() {
        assert_eq!(shown(&body(&Bytes::from_static(&[0xff, 0x00]), &Want::All)), r#"{"base64":"/wA="}"#);
    }

    proptest! {
        #[test]
        fn agrees_with_serde_on_what_is_json(s in r#"[\[\]\{\}:,"\\u0-9a-f.eE+ -]{0,24}"#) {
            let takes = serde_takes(s.as_bytes());
            prop_assert_eq!((strict(s.as_bytes()).is_some(), body_is_json(s.as_bytes())), (takes, takes), "{}", s);
        }

        #[test]
        fn agrees_with_jaq_on_what_it_means(v in json()) {
            let text = v.to_string();
            let ours = strict(text.as_bytes()).expect("serde wrote it");
            prop_assert_eq!(&ours, &jaq_json::read::parse_single(text.as_bytes()).unwrap());
            prop_assert_eq!(shown(&ours), text);
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value as J;
        let leaf = prop_oneof![
            Just(J::Null),
            any::<bool>().prop_map(J::from),
            any::<i64>().prop_map(J::from),
            any::<u64>().prop_map(J::from),
            (-1e9..1e9f64).prop_map(J::from),
            any::<String>().prop_map(J::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(J::from),
                proptest::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| J::Object(m.into_iter().collect())),
            ]
        })
    }
}
