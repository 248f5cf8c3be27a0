//! Rows for a destination, made of work; and how they are cut into batches.

use tenfold_core::activation::{Act, Row, Verb, Work};
use tenfold_core::hash::sha256_hex;

use crate::driver::{Batch, Limits};

/// The row that is sent for somebody; none for those about whom nothing is sent, and for those who
/// were erased since.
pub fn row(work: &Work) -> Option<Row> {
    Some(Row {
        identity: work.identity.clone(),
        verb: verb(work)?,
        fields: work.fields.clone(),
    })
}

/// What is done with the row that is sent for somebody; none where [`row`] gives none.
pub fn verb(work: &Work) -> Option<Verb> {
    match work.act {
        _ if work.identity.is_empty() => None,
        Act::Upsert => Some(Verb::Upsert),
        Act::Remove => Some(Verb::Remove),
        Act::Forget | Act::HoldOut => None,
    }
}

/// Bytes of a row, about.
fn size(work: &Work) -> usize {
    let field = |(name, value): &(String, tenfold_core::activation::Value)| {
        name.len() + value.text().map_or(4, |text| text.len()) + 8
    };
    work.identity.len() + 48 + work.fields.iter().map(field).sum::<usize>()
}

/// Where batches end, so that none has more rows or bytes than a destination takes. A row that is too
/// large by itself is a batch by itself.
pub fn ends(work: &[Work], limits: &Limits) -> Vec<u64> {
    let mut ends = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for (place, work) in work.iter().enumerate() {
        let more = size(work);
        let full = rows >= limits.rows.max(1);
        let heavy = limits.bytes.is_some_and(|most| bytes + more > most);
        if rows > 0 && (full || heavy) {
            ends.push(place as u64);
            (rows, bytes) = (0, 0);
        }
        rows += 1;
        bytes += more;
    }
    if rows > 0 {
        ends.push(work.len() as u64);
    }
    ends
}

/// A batch of rows of a delivery.
pub fn batch(delivery: &str, number: u64, rows: Vec<Row>) -> Batch {
    let mut named = delivery.to_owned();
    for row in &rows {
        // Control characters keep identities apart.
        named.push('\n');
        named += &row.identity;
        named.push('\t');
        named += match row.verb {
            Verb::Upsert => "+",
            Verb::Remove => "-",
        };
        named += &tenfold_core::activation::payload_hash(&row.fields);
    }
    let hash = sha256_hex(named.as_bytes());
    let short = hash.get(..32).unwrap_or_default();
    Batch {
        number,
        key: format!("{delivery}-{short}"),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(identity: &str) -> Work {
        Work {
            act: Act::Upsert,
            identity: identity.to_owned(),
            customer: String::new(),
            fields: Vec::new(),
            hash: String::new(),
            holdout: None,
            decile: None,
        }
    }

    fn limits(rows: usize, bytes: Option<usize>) -> Limits {
        Limits {
            rows,
            bytes,
            at_once: 1,
            per_second: None,
        }
    }

    #[test]
    fn batches_hold_no_more_than_is_taken() {
        let all: Vec<Work> = (0..7).map(|n| work(&n.to_string())).collect();
        assert_eq!(ends(&all, &limits(3, None)), [3, 6, 7]);
        assert_eq!(ends(&all, &limits(7, None)), [7]);
        assert_eq!(ends(&all, &limits(100, Some(100))), [2, 4, 6, 7]);
        assert_eq!(ends(&all, &limits(100, Some(1))), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(ends(&[], &limits(3, None)), Vec::<u64>::new());
    }

    #[test]
    fn keys_are_those_of_the_rows() {
        let rows = |names: &[&str]| names.iter().filter_map(|name| row(&work(name))).collect();
        let key = |delivery: &str, names: &[&str]| batch(delivery, 0, rows(names)).key;
        assert_eq!(key("d-1", &["a", "b"]), key("d-1", &["a", "b"]));
        assert_ne!(key("d-1", &["a", "b"]), key("d-1", &["a"]));
        assert_ne!(key("d-1", &["a"]), key("d-2", &["a"]));
    }
}
