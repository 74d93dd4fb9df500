//! Rows of a batch as bytes: number (8, little endian), flags (1), identity (16), length of the id (2), id.

use super::ledger::Row;
use crate::message::Identity;

const CONFIRMED: u8 = 1;
const EXACT: u8 = 2;

pub(super) fn encode(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 64);
    for row in rows {
        let id = &row.id.as_bytes()[..row.id.floor_char_boundary(usize::from(u16::MAX))];
        out.extend_from_slice(&row.sequence.to_le_bytes());
        let (exact, of) = match row.identity {
            Identity::Exact(of) => (EXACT, of),
            Identity::Like(of) => (0, of),
        };
        out.push(exact | if row.confirmed { CONFIRMED } else { 0 });
        out.extend_from_slice(&of.to_le_bytes());
        out.extend_from_slice(&(id.len() as u16).to_le_bytes());
        out.extend_from_slice(id);
    }
    out
}

/// `None` where the bytes are not what [`encode`] gives.
pub(super) fn decode(mut bytes: &[u8]) -> Option<Vec<Row>> {
    let mut rows = vec![];
    while !bytes.is_empty() {
        let (sequence, rest) = bytes.split_first_chunk::<8>()?;
        let (&flags, rest) = rest.split_first()?;
        let (of, rest) = rest.split_first_chunk::<16>()?;
        let of = u128::from_le_bytes(*of);
        let identity = if flags & EXACT == 0 { Identity::Like(of) } else { Identity::Exact(of) };
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (id, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let id = String::from_utf8(id.to_vec()).ok()?;
        let sequence = u64::from_le_bytes(*sequence);
        rows.push(Row { sequence, identity, id: id.into(), confirmed: flags & CONFIRMED != 0 });
        bytes = rest;
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_back_what_it_writes(
            rows in prop::collection::vec((any::<u64>(), any::<u128>(), any::<bool>(), ".{0,40}", any::<bool>()), 0..9)
        ) {
            let row = |(sequence, of, exact, id, confirmed): (_, _, _, String, _)| {
                let identity = if exact { Identity::Exact(of) } else { Identity::Like(of) };
                Row { sequence, identity, id: id.into(), confirmed }
            };
            let rows: Vec<Row> = rows.into_iter().map(row).collect();
            prop_assert_eq!(decode(&encode(&rows)), Some(rows));
        }

        #[test]
        fn whatever_else_it_reads_it_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            _ = decode(&bytes);
        }
    }
}
