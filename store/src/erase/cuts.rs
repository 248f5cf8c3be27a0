//! The cuts of deciles without people who were erased.
//!
//! A cut is the last row of a tile: a value, and the customer who decides between equal values. The
//! value stays, and the smallest key stands in for the customer. Only who has that very value can be
//! on another side of the cut for it, and published tiles are not made from cuts again: what is left
//! of a cut serves to compare the next night with this one.

use serde_json::{Value, json};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::Gone;

/// The cuts without them, and how many named one; none when no cut does.
pub fn without(bytes: &[u8], gone: &Gone, path: &str) -> Result<Option<(Vec<u8>, u64)>, Failure> {
    let mut cuts: Value = serde_json::from_slice(bytes).map_err(|error| {
        Failure::dependency(format!("cannot decode {path}: {error}"))
            .code(ErrorCode::Damaged)
            .remedy("restore it from a backup of the store")
    })?;
    let mut count = 0;
    replace(&mut cuts, gone, &mut count);
    if count == 0 {
        return Ok(None);
    }
    let bytes = serde_json::to_vec(&cuts).map_err(|error| Failure::bug(error.to_string()))?;
    Ok(Some((bytes, count)))
}

fn replace(value: &mut Value, gone: &Gone, count: &mut u64) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, gone, count)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match stand_in(field, gone).filter(|_| name == "customer") {
                    Some(nobody) => {
                        *field = nobody;
                        *count += 1;
                    }
                    None => replace(field, gone, count),
                }
            }
        }
        _ => {}
    }
}

/// What stands in for a customer who is to be gone.
fn stand_in(customer: &Value, gone: &Gone) -> Option<Value> {
    match customer {
        Value::String(text) => gone.has_text(text).then(|| json!("")),
        number => gone.has_number(number.as_i64()?).then(|| json!(i64::MIN)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tenfold_core::snapshot::SuppressionList;

    use super::*;

    #[test]
    fn a_cut_keeps_its_value_and_loses_its_customer() {
        let keys = BTreeSet::from(["4711".to_owned(), "anna".to_owned()]);
        let list = SuppressionList::new("salt".to_owned()).with(1, &keys);
        let gone = Gone::since(&list, 0);
        let cuts = json!({"int64": [{"customers": 4711, "cuts": {"tied": 0, "cuts": [
            {"key": u64::MAX, "customer": 4711},
            {"key": 4711, "customer": 3},
            {"key": 5, "customer": "anna"},
        ]}}]});
        let (without, count) = without(cuts.to_string().as_bytes(), &gone, "c")
            .unwrap()
            .unwrap();
        assert_eq!(count, 2);
        let left: Value = serde_json::from_slice(&without).unwrap();
        let rows = &left["int64"][0]["cuts"]["cuts"];
        assert_eq!(rows[0], json!({"key": u64::MAX, "customer": i64::MIN}));
        assert_eq!(rows[1], json!({"key": 4711, "customer": 3}));
        assert_eq!(rows[2], json!({"key": 5, "customer": ""}));
        assert_eq!(left["int64"][0]["customers"], 4711);
        assert!(
            super::without(b"{\"customer\": 3}", &gone, "c")
                .unwrap()
                .is_none()
        );
    }
}
