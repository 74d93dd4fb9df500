//! What was typed where a queue should stand, and what it means.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::error::{Error, Kind, Result};
use super::registry::{self, Backend};

/// Text that must not be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    pub fn new(s: impl Into<String>) -> Self {
        Secret(s.into())
    }

    /// The text itself, for the client library only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Options of an address: `-X k=v` over `?k=v`.
pub type Options = BTreeMap<String, String>;

/// One queue, as typed and understood.
#[derive(Clone)]
pub struct Address {
    /// Who speaks to it.
    pub backend: &'static Backend,
    /// The address without its query, passwords included.
    pub typed: Secret,
    /// The same for people: no password, no query.
    pub shown: String,
    /// Equal for two addresses of the same queue, however they were spelled.
    pub canonical: String,
    /// `?k=v` overlaid by `-X k=v`. Values may be secrets: never print them.
    pub options: Options,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Understands what was typed. `flags` are `-X k=v` pairs and win over the query.
    ///
    /// # Errors
    /// `Usage` with the expected form, and a hint where the slip is a known one.
    pub fn parse(typed: &str, flags: &[(String, String)]) -> Result<Address> {
        let backend = registry::of_address(typed)?;
        let (base, query) = match typed.split_once('?') {
            Some((base, query)) if backend.has_query => (base, query),
            _ => (typed, ""),
        };
        let mut options = Options::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (k, v) = pair.split_once('=').ok_or_else(|| {
                // With a question mark in a password this is a piece of it.
                let what = if pair.contains('@') { "an option".into() } else { format!("option {pair:?}") };
                Error::new(Kind::Usage, format!("{what} of the address has no value"))
                    .hint("options are written ?name=value&name=value, and a question mark in a name or password %3F")
            })?;
            options.insert(decode(k), decode(v));
        }
        options.extend(flags.iter().cloned());
        let (shown, canonical) = (backend.understand)(base, &options)?;
        Ok(Address { backend, typed: Secret::new(base), shown, canonical, options })
    }

    /// One option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Refuses options this backend does not know, naming the nearest it does.
    ///
    /// # Errors
    /// `Usage`.
    pub fn only_options(&self, known: &[&str]) -> Result<()> {
        for name in self.options.keys() {
            if !known.contains(&name.as_str()) {
                let mut e = Error::new(Kind::Usage, format!("{} has no option {name:?}", self.backend.name));
                e = match super::nearest(name, known.iter().copied()) {
                    Some(close) => e.hint(format!("did you mean {close:?}?")),
                    None if known.is_empty() => e.hint("it has none"),
                    None => e.hint(format!("it knows {}", known.join(", "))),
                };
                return Err(e);
            }
        }
        Ok(())
    }
}

/// Text that repeats what somebody typed, without the passwords of addresses in it. Rather hides too much.
pub fn hide(text: &str) -> String {
    static LOGIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"((?:[^\s:@/"']*://)?[^\s:@/"']*):[^\s"']*@"#).expect("the pattern is tried in a test")
    });
    LOGIN.replace_all(text, "$1:***@").into_owned()
}

/// Undoes percent encoding; what is not UTF-8 then is left encoded.
pub fn decode(s: &str) -> String {
    percent_encoding::percent_decode_str(s).decode_utf8().map_or_else(|_| s.to_owned(), |d| d.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_what_was_typed_is_repeated() {
        for (typed, shown) in [
            ("amqp://me:hunter2@h/q", "amqp://me:***@h/q"),
            ("amqp://me:hun/ter2@h/q?management=http://me:hunter2@h", "amqp://me:***@h"),
            ("me:hunter2@h/q", "me:***@h/q"),
            ("unexpected argument 'amqp://me:hunter2@h/q' found", "unexpected argument 'amqp://me:***@h/q' found"),
            ("\x1b[33mamqp://me:hunter2@h/q\x1b[0m", "\x1b[33mamqp://me:***@h/q\x1b[0m"),
            (".body.a == 1", ".body.a == 1"),
            ("amqp://h/q", "amqp://h/q"),
            ("amqp:/me:hunter2@h", "amqp:***@h"),
        ] {
            assert_eq!(hide(typed), shown);
        }
        for typed in [
            "amqp://me:hun?ter2@h/q",
            "me:hunter2@h/q",
            "me:hunter2@h?management=http://h",
            "amqb://me:hunter2@h/q",
            "amqp://me:hun?ter2=@h/q",
        ] {
            let e = Address::parse(typed, &[]).expect_err("refused");
            assert!(!format!("{e:?}").contains("hun") && !format!("{e:?}").contains("ter2@"), "{e:?}");
        }
    }
}
