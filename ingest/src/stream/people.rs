//! Customers by an e-mail address, for messages that name none.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::{Map, Value};
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_core::intake::EMAIL;
use tenfold_core::project::{Identity, SharedIdentity, literal};
use tenfold_core::snapshot::{At, DIM_CUSTOMER, Manifest};
use tenfold_query::{Parameters, Session, SessionOptions};
use tenfold_store::object::Store;
use tenfold_store::resolve::{Unresolved, resolve};
use tenfold_worker::RECORD_BYTES;

/// Addresses that are looked up by one query.
const AT_ONCE: usize = 500;

/// The column in which rows of responses name their customers.
const CUSTOMER: &str = "customer";

/// What a query may use.
const OPTIONS: SessionOptions = SessionOptions {
    memory_bytes: 256 << 20,
    threads: 1,
};

/// Puts customers into messages that have an e-mail address in their place, as the newest snapshot
/// knows them. A message whose customer is not known keeps its address, and is refused for lacking one.
pub async fn find_customers(
    store: &Store,
    identity: &str,
    lines: Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    let messages = lines.split_inclusive(|byte| *byte == b'\n');
    let named = messages.clone().filter_map(address);
    let addresses: BTreeSet<String> = named.map(|(_, address)| address).collect();
    if addresses.is_empty() {
        return Ok(lines);
    }
    let known = customers(store, identity, &addresses).await?;
    let mut found = Vec::with_capacity(lines.len());
    for message in messages {
        let line = address(message)
            .and_then(|(fields, address)| with_customer(fields, known.get(&address)?));
        found.extend_from_slice(line.as_deref().unwrap_or(message));
    }
    Ok(found)
}

/// The line of a message whose customer is known. Written anew, numbers may be longer: none, if it would
/// be no line that can be read.
fn with_customer(mut fields: Map<String, Value>, customer: &str) -> Option<Vec<u8>> {
    fields.remove(EMAIL);
    fields.insert(CUSTOMER.to_owned(), Value::String(customer.to_owned()));
    let mut line = Value::Object(fields).to_string().into_bytes();
    line.push(b'\n');
    (line.len() <= RECORD_BYTES).then_some(line)
}

/// A message that names no customer, with the address in it, if it has one.
fn address(message: &[u8]) -> Option<(Map<String, Value>, String)> {
    // Most messages have none, and need not be taken apart to know that.
    let place = EMAIL.as_bytes();
    message
        .windows(place.len())
        .any(|bytes| bytes == place)
        .then_some(())?;
    let fields: Map<String, Value> = serde_json::from_slice(message).ok()?;
    let named = fields.get(CUSTOMER).is_some_and(|named| !named.is_null());
    let address = fields.get(EMAIL)?.as_str()?.to_owned();
    (!named).then_some((fields, address))
}

/// The customers that have these values of an identity now.
async fn customers(
    store: &Store,
    namespace: &str,
    values: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let manifest = match resolve(store, &At::Latest).await {
        Ok(manifest) => manifest,
        // Before the first snapshot nobody is known.
        Err(Unresolved::Absent(_)) => return Ok(BTreeMap::new()),
        Err(Unresolved::Failed(failure)) => return Err(failure),
    };
    let sources = manifest.declarations.sources.values();
    let mut identities = sources.flat_map(|source| &source.identities);
    let identity = identities.find(|(name, _)| *name == namespace);
    let (Some((_, identity)), Some(table)) = (identity, manifest.tables.get(DIM_CUSTOMER)) else {
        return Ok(BTreeMap::new());
    };
    let tables = BTreeMap::from([(DIM_CUSTOMER.to_owned(), table.clone())]);
    let session = Session::open(store, &tables, OPTIONS).await?;
    let values: Vec<(&String, String)> = values
        .iter()
        .filter_map(|value| Some((value, identity.normalize.apply(value)?)))
        .collect();
    let mut known = BTreeMap::new();
    for some in values.chunks(AT_ONCE) {
        let rows = rows(&session, identity, some)
            .await
            .map_err(|failure| unsaid(&failure, &manifest))?;
        for (value, normal) in some {
            let theirs = rows.get(normal).map(Vec::as_slice).unwrap_or_default();
            match (theirs, identity.duplicates) {
                ([only], _) => drop(known.insert((*value).clone(), only.clone())),
                ([newest, ..], SharedIdentity::Newest) => {
                    known.insert((*value).clone(), newest.clone());
                }
                _ => {}
            }
        }
    }
    Ok(known)
}

/// The customers of each value, the one that changed last first.
async fn rows(
    session: &Session,
    identity: &Identity,
    values: &[(&String, String)],
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let literals: Vec<String> = values.iter().map(|(_, value)| literal(value)).collect();
    let query = format!(
        "SELECT \"{0}\", customer FROM {DIM_CUSTOMER} WHERE is_current AND \"{0}\" IN ({1}) \
         ORDER BY valid_from DESC, customer",
        identity.attribute,
        literals.join(", ")
    );
    let prepared = session.prepare(&query, &Parameters::default()).await?;
    let batches = prepared.run().await?.collect().await?;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for batch in &batches {
        let (values, customers) = (texts(batch, 0)?, texts(batch, 1)?);
        for (value, customer) in values.into_iter().zip(customers) {
            found.entry(value).or_default().push(customer);
        }
    }
    Ok(found)
}

fn texts(batch: &RecordBatch, column: usize) -> Result<Vec<String>, Failure> {
    let texts = cast(batch.column(column), &DataType::Utf8)
        .map_err(|error| Failure::bug(format!("arrow: {error}")))?;
    let texts = texts.as_string::<i32>().iter();
    Ok(texts
        .map(|text| text.unwrap_or_default().to_owned())
        .collect())
}

/// A failure without the query, which holds addresses.
fn unsaid(failure: &Failure, manifest: &Manifest) -> Failure {
    let message = format!(
        "customers cannot be found by their addresses in snapshot {} ({})",
        manifest.number,
        failure.number()
    );
    Failure::new(FailureClass::Dependency, message).remedy("gather again; nothing is lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_is_not_looked_up() {
        let found = |text: &str| address(text.as_bytes()).map(|(_, address)| address);
        let lacking = r#"{"tenfold_email": "a@b.c", "customer": null}"#;
        assert_eq!(found(lacking).unwrap(), "a@b.c");
        assert_eq!(found(r#"{"tenfold_email": "a@b.c", "customer": 7}"#), None);
        assert_eq!(found(r#"{"customer": 7}"#), None);
    }

    #[test]
    fn a_line_that_would_be_too_long_is_none() {
        let fields = |numbers: usize| {
            let text = format!(
                r#"{{"tenfold_email": "a", "x": [{}]}}"#,
                vec!["1e9"; numbers].join(",")
            );
            serde_json::from_str::<Map<String, Value>>(&text).unwrap()
        };
        let line = with_customer(fields(1), "7").unwrap();
        let read: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read, serde_json::json!({"customer": "7", "x": [1e9]}));
        assert_eq!(with_customer(fields(240_000), "7"), None);
    }
}
