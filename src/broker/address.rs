//! What was typed where a queue should stand, and what it means.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::error::{Error, Kind, Result};
use super::listing::{self, Cluster};
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
        let (base, options) = Address::split(backend, typed, flags)?;
        let understood = (backend.understand)(base, &options);
        let (shown, canonical) = understood.map_err(|e| listing::suggest(e, backend, base, &options))?;
        Ok(Address { backend, typed: Secret::new(base), shown, canonical, options })
    }

    /// Understands what was typed as a cluster, an account or a folder, for [`Backend::list`].
    ///
    /// # Errors
    /// `Usage`, as [`Address::parse`]; also for the address of a queue, and where there is nothing to find.
    pub fn cluster(typed: &str, flags: &[(String, String)]) -> Result<Address> {
        let backend = registry::of_address(typed)?;
        let (base, options) = Address::split(backend, typed, flags)?;
        let Some(lister) = backend.list else {
            let forms = registry::BACKENDS.iter().filter_map(|b| b.list).map(|l| l.form).collect::<Vec<_>>().join(", ");
            let text = format!("there are no dead-letter queues to be found at {}", hide(base));
            return Err(Error::new(Kind::Usage, text).hint(format!("they are at {forms}")));
        };
        let Cluster { typed, shown, canonical } = (lister.understand)(base, &options)?;
        Ok(Address { backend, typed: Secret::new(typed), shown, canonical, options })
    }

    fn split<'a>(backend: &Backend, typed: &'a str, flags: &[(String, String)]) -> Result<(&'a str, Options)> {
        let (base, pairs) = split(typed, backend)?;
        let mut options: Options = pairs.into_iter().collect();
        options.extend(flags.iter().cloned());
        Ok((base, options))
    }

    /// A queue or topic beside this one: the same place and options under another name.
    ///
    /// # Errors
    /// `Unsupported` where an address has no name that could be replaced; `Usage` where nothing can be called so.
    pub fn beside(&self, name: &str) -> Result<Address> {
        let place = self.typed.expose().rsplit_once('/').filter(|(place, _)| place.contains("://"));
        let Some((place, _)) = place else {
            return Err(Error::new(Kind::Unsupported, format!("{} has no topics beside it", self.shown))
                .hint("name the destination with --to"));
        };
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        // Which part of a queue is read says nothing of another.
        let options = self.options.iter().filter(|(k, _)| *k != "partitions").map(|(k, v)| (k.clone(), v.clone()));
        Address::parse(&format!("{place}/{name}"), &options.collect::<Vec<_>>())
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

/// An address without its options, and the options that stood behind its question mark.
///
/// # Errors
/// `Usage` for an option without a value.
pub fn split<'a>(typed: &'a str, backend: &Backend) -> Result<(&'a str, Vec<(String, String)>)> {
    let (base, query) = match typed.split_once('?') {
        Some((base, query)) if backend.has_query => (base, query),
        _ => (typed, ""),
    };
    let pairs = query.split('&').filter(|p| !p.is_empty()).map(|pair| match pair.split_once('=') {
        Some((k, v)) => Ok((decode(k), decode(v))),
        None => {
            // With a question mark in a password this is a piece of it.
            let what = if pair.contains('@') { "an option".into() } else { format!("option {pair:?}") };
            Err(Error::new(Kind::Usage, format!("{what} of the address has no value"))
                .hint("options are written ?name=value&name=value, and a question mark in a name or password %3F"))
        }
    });
    Ok((base, pairs.collect::<Result<_>>()?))
}

/// Text that repeats what somebody typed, without the passwords of addresses in it. Rather hides too much.
pub fn hide(text: &str) -> String {
    static LOGIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"((?:[^\s:@/"']*://)?[^\s:@/"']*):[^\s"']*@"#).expect("the pattern is tried in a test")
    });
    LOGIN.replace_all(text, "$1:***@").into_owned()
}

/// One word of a command line, without the passwords in it: those of addresses, and of options such as
/// `sasl.password=SECRET`, alone or in the query of an address.
pub fn hide_argument(word: &str) -> String {
    static OPTION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)((?:^|[?&]|^-X|^--[a-z-]+=)([a-z][a-z0-9._-]*))=([^&]*)")
            .expect("the pattern is tried in a test")
    });
    let word = OPTION.replace_all(word, |all: &regex::Captures<'_>| {
        let name = all[2].to_lowercase();
        let secret = ["password", "secret", "token", "jaas", ".pem"].iter().any(|s| name.contains(s));
        let elsewhere =
            ["-env", "-file", "-command", "-location", ".location", ".url"].iter().any(|s| name.ends_with(s));
        if secret && !elsewhere { format!("{}=***", &all[1]) } else { all[0].to_owned() }
    });
    hide(&word)
}

/// Undoes percent encoding; what is not UTF-8 then is left encoded.
pub fn decode(s: &str) -> String {
    percent_encoding::percent_decode_str(s).decode_utf8().map_or_else(|_| s.to_owned(), |d| d.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_a_command_line_is_kept() {
        for (typed, shown) in [
            ("sasl.password=hunter2", "sasl.password=***"),
            ("-Xsasl.password=hun=ter2", "-Xsasl.password=***"),
            ("--to-option=ssl.key.password=x", "--to-option=ssl.key.password=***"),
            ("kafka://h/t?sasl.password=x&acks=all", "kafka://h/t?sasl.password=***&acks=all"),
            ("amqp://me:hunter2@h/q", "amqp://me:***@h/q"),
            ("password-env=NAME", "password-env=NAME"),
            ("ssl.ca.location=/ca", "ssl.ca.location=/ca"),
            (r#".body.token=="x""#, r#".body.token=="x""#),
            ("--run", "--run"),
        ] {
            assert_eq!(hide_argument(typed), shown);
        }
    }

    #[test]
    fn a_topic_beside_another_has_its_options() {
        let options = [("state".to_owned(), "local".to_owned()), ("partitions".to_owned(), "3".to_owned())];
        let a = Address::parse("kafka://h,i:7/orders.DLT?linger.ms=3", &options).expect("an address");
        let b = a.beside("orders.eu_1").expect("beside it");
        assert_eq!(b.shown, "kafka://h:9092,i:7/orders.eu_1");
        assert_eq!(
            (b.option("linger.ms"), b.option("state"), b.option("partitions")),
            (Some("3"), Some("local"), None)
        );
        assert_eq!(a.beside("or ders").expect_err("refused").kind(), Kind::Usage);
        let file = Address::parse("file:a/b", &[]).expect("an address");
        assert_eq!(file.beside("x").expect_err("refused").kind(), Kind::Unsupported);
    }

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
