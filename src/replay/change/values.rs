//! From what JSON can say back to typed values. The type that was there decides.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jaq_json::{Map, Rc, Val};
use jiff::Timestamp;

use super::{fields, shown};
use crate::message::Value;
use crate::message::view::{is_number, value_view, write_json_within};

/// The most one part of a message may come to, in bytes of JSON.
const MOST: usize = 256 << 20;

/// As JSON, on one line.
pub(super) fn json(v: &Val) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    match write_json_within(v, &mut out, MOST, || true) {
        true => Ok(out),
        false => Err("what it makes is longer than any message".to_owned()),
    }
}

/// Whether two values read alike, to the last digit.
pub(super) fn same(a: &Val, b: &Val) -> Result<bool, String> {
    Ok(match (a, b) {
        (Val::Arr(a), Val::Arr(b)) if Rc::ptr_eq(a, b) => true,
        (Val::Obj(a), Val::Obj(b)) if Rc::ptr_eq(a, b) => true,
        (Val::TStr(a), Val::TStr(b)) => a == b,
        _ => json(a)? == json(b)?,
    })
}

/// The bytes of `{"base64": …}`, where that is all of it.
pub(super) fn base64(v: &Val) -> Option<Bytes> {
    match v {
        Val::BStr(b) => Some((**b).clone()),
        Val::Obj(o) if o.len() == 1 => match o.get(&Val::from("base64".to_owned())) {
            Some(Val::TStr(s)) => STANDARD.decode(&**s).ok().map(Bytes::from),
            _ => None,
        },
        _ => None,
    }
}

/// The text of a string that is one.
pub(super) fn text(v: &Val) -> Option<Bytes> {
    match v {
        // A copy: the slice would keep the batch it was read in.
        Val::TStr(s) => std::str::from_utf8(s).is_ok().then(|| Bytes::copy_from_slice(s)),
        _ => None,
    }
}

/// A typed value for what a changed view has, of the type there was where that can hold it.
pub(super) fn value(made: &Val, before: Option<&Value>) -> Result<Value, String> {
    if let Some(Value::Labelled(label, inner)) = before {
        return Ok(Value::Labelled(label.clone(), Box::new(value(made, Some(inner))?)));
    }
    Ok(match made {
        Val::Null => Value::Null,
        Val::Bool(b) => Value::Bool(*b),
        Val::Num(_) => {
            let digits = String::from_utf8(json(made)?).map_err(|e| e.to_string())?;
            return number(&digits, before);
        }
        Val::TStr(_) => {
            let bytes = text(made).ok_or("text must be UTF-8")?;
            return of_text(bytes, before);
        }
        Val::BStr(b) => Value::Bytes((**b).clone()),
        Val::Obj(o) => match base64(made) {
            Some(bytes) if matches!(before, Some(Value::Text(_))) => Value::Text(bytes),
            Some(bytes) => Value::Bytes(bytes),
            None => Value::Table(table(o, before)?),
        },
        Val::Arr(made) => {
            let before: &[Value] = match before {
                Some(Value::Array(vs)) => vs,
                _ => &[],
            };
            let element = |(at, v): (usize, &Val)| match before.get(at) {
                Some(old) if same(&value_view(old), v)? => Ok(old.clone()),
                old => value(v, old),
            };
            Value::Array(made.iter().enumerate().map(element).collect::<Result<_, String>>()?)
        }
    })
}

fn table(made: &Map, before: Option<&Value>) -> Result<crate::message::Fields, String> {
    let mut table = match before {
        Some(Value::Table(t)) => t.clone(),
        _ => crate::message::Fields::default(),
    };
    let Val::Obj(seen) = value_view(&Value::Table(table.clone())) else { return Ok(table) };
    for edit in fields::edits(&table, &seen, made)? {
        edit.apply(&mut table);
    }
    Ok(table)
}

fn of_text(bytes: Bytes, before: Option<&Value>) -> Result<Value, String> {
    let text = std::str::from_utf8(&bytes).map_err(|e| e.to_string())?;
    Ok(match before {
        Some(Value::ShortText(_)) => Value::ShortText(text.to_owned()),
        Some(Value::Bytes(_)) => Value::Bytes(bytes),
        Some(Value::Number(_)) => Value::Number(text.to_owned()),
        Some(Value::Time(_)) => {
            let time: Timestamp = text.parse().map_err(|_| {
                format!("it was {}, and {text:?} is none: write it as 2026-11-23T05:48:11Z", shown(&Value::Time(0)))
            })?;
            Value::Time(u64::try_from(time.as_second()).map_err(|_| "a time before 1970 cannot be sent".to_owned())?)
        }
        _ => Value::Text(bytes),
    })
}

fn number(digits: &str, before: Option<&Value>) -> Result<Value, String> {
    macro_rules! keep {
        ($($variant:ident),*) => {
            match before {
                $(Some(Value::$variant(_)) => digits.parse().ok().map(Value::$variant),)*
                Some(Value::Number(_)) => Some(Value::Number(digits.to_owned())),
                Some(Value::Decimal { .. }) => decimal(digits),
                _ => None,
            }
        };
    }
    let kept = keep!(I8, U8, I16, U16, I32, U32, I64, U64, F32, F64, Time);
    let natural = || digits.parse().map(Value::I64).or_else(|_| digits.parse().map(Value::U64)).ok();
    let float = || digits.parse().ok().filter(|f: &f64| f.is_finite()).map(Value::F64);
    kept.or_else(natural).or_else(float).ok_or_else(|| format!("{digits} is no number that can be sent"))
}

/// AMQP's decimal, where the digits fit.
fn decimal(digits: &str) -> Option<Value> {
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let value = format!("{whole}{part}").parse().ok()?;
    Some(Value::Decimal { scale: u8::try_from(part.len()).ok()?, value })
}

/// What was typed as the value of a header: of the type there was where it reads as one, else text.
pub(super) fn typed(typed: &str, before: Option<&Value>) -> Value {
    let text = || match before {
        Some(Value::ShortText(_)) => Value::ShortText(typed.to_owned()),
        Some(Value::Bytes(_)) => Value::Bytes(Bytes::copy_from_slice(typed.as_bytes())),
        _ => Value::text(typed),
    };
    match before {
        Some(Value::Labelled(label, inner)) => {
            Value::Labelled(label.clone(), Box::new(self::typed(typed, Some(inner))))
        }
        Some(Value::Bool(_)) => typed.parse().map_or_else(|_| text(), Value::Bool),
        Some(Value::Time(_)) => of_text(Bytes::copy_from_slice(typed.as_bytes()), before).unwrap_or_else(|_| text()),
        Some(v) if is_number(typed.as_bytes()) && shown(v) == shown(&Value::I8(0)) => {
            number(typed, before).unwrap_or_else(|_| text())
        }
        _ => text(),
    }
}
