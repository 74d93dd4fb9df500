//! The names of the types on an archive line: a public format, never to be changed.

use super::super::Value;

macro_rules! tags {
    ($($tag:ident $name:literal $pattern:pat,)*) => {
        /// The type of a value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Tag {
            $($tag,)*
        }

        impl Tag {
            /// By its name.
            pub(super) fn named(name: &str) -> Option<Tag> {
                Some(match name {
                    $($name => Tag::$tag,)*
                    _ => return None,
                })
            }

            /// The name of a value's type.
            pub(super) fn name_of(value: &Value) -> &'static str {
                match value {
                    $($pattern => $name,)*
                }
            }
        }
    };
}

tags! {
    Null "null" Value::Null,
    Bool "bool" Value::Bool(_),
    I8 "i8" Value::I8(_),
    U8 "u8" Value::U8(_),
    I16 "i16" Value::I16(_),
    U16 "u16" Value::U16(_),
    I32 "i32" Value::I32(_),
    U32 "u32" Value::U32(_),
    I64 "i64" Value::I64(_),
    U64 "u64" Value::U64(_),
    F32 "f32" Value::F32(_),
    F64 "f64" Value::F64(_),
    Decimal "decimal" Value::Decimal { .. },
    Number "number" Value::Number(_),
    Text "text" Value::Text(_),
    ShortText "short" Value::ShortText(_),
    Bytes "bytes" Value::Bytes(_),
    Time "time" Value::Time(_),
    Array "array" Value::Array(_),
    Table "table" Value::Table(_),
    Labelled "labelled" Value::Labelled(..),
}
