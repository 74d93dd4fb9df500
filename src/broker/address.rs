//! What was typed where a queue should stand, and what it means.

use std::collections::BTreeMap;
use std::fmt;

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

/// What was typed, for an error about it: `user:pass@` is shown as `user:***@` wherever something looks like an address.
pub fn without_passwords(typed: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`');
    let hide = |word: &str| -> Option<String> {
        let start = word.find(":/")? + 1;
        let at = start + word[start..].rfind('@')?;
        let colon = start + word[start..at].find(':')?;
        Some(format!("{}:***{}", &word[..colon], &word[at..]))
    };
    typed.split_inclusive(is_end).map(|word| hide(word).unwrap_or_else(|| word.to_owned())).collect()
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
                Error::new(Kind::Usage, format!("option {pair:?} of the address has no value"))
                    .hint("options are written ?name=value&name=value")
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

/// Undoes percent encoding; what is not UTF-8 then is left encoded.
pub fn decode(s: &str) -> String {
    percent_encoding::percent_decode_str(s).decode_utf8().map_or_else(|_| s.to_owned(), |d| d.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_in_what_is_no_address_too() {
        for (typed, shown) in [
            ("amqp://u:s3c/r:e@t@h/q", "amqp://u:***@h/q"),
            ("'amqp:/u:pw@h' and x", "'amqp:/u:***@h' and x"),
            ("amqp://u@h/q", "amqp://u@h/q"),
            ("file:a:b@c", "file:a:b@c"),
        ] {
            assert_eq!(without_passwords(typed), shown);
        }
    }
}
