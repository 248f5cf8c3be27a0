//! Customers by another identity than their key, and what they are like.

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Identity, SharedIdentity, literal};
use tenfold_core::snapshot::{ATTRIBUTES_OWN, DIM_CUSTOMER, Manifest};
use tenfold_store::object::Store;

use super::{Fact, columns};
use crate::args::Who;
use crate::commands::Stopped;
use crate::commands::sql::answer;
use crate::machine::Machine;

/// The namespace that `--email` looks in.
const EMAIL: &str = "email";

/// Who was asked for.
pub enum Asked<'a> {
    /// By key.
    Key(String),
    /// By the namespace of an identity and its value.
    Identity(&'a str, &'a str),
}

/// Reads who was asked for.
pub fn asked(who: &Who) -> Result<Asked<'_>, Failure> {
    match (&who.id, &who.email, &who.identity) {
        (Some(id), ..) => Ok(Asked::Key(id.clone())),
        (_, Some(email), _) => Ok(Asked::Identity(EMAIL, email)),
        (.., Some(identity)) => {
            let parts = identity.split_once('=');
            let (namespace, value) = parts.ok_or_else(|| {
                Failure::config("an identity is a namespace and a value")
                    .remedy("write it like `--identity phone=030-1234`")
            })?;
            Ok(Asked::Identity(namespace, value))
        }
        _ => Err(Failure::config("nobody is asked for")
            .remedy("give the key of a customer, or `--email`, or `--identity`")),
    }
}

/// So many customers who share a value are shown at most.
const SHOWN: usize = 100;

/// The keys of the customers that are meant by a value of an identity now: one, or several where the project
/// keeps those who share it.
pub fn customers(
    namespace: &str,
    value: &str,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<Vec<String>, Stopped> {
    let identity = declared(namespace, manifest)?;
    let nobody = || {
        let number = manifest.number;
        let none = format!("no customer of snapshot {number} has this {namespace} now");
        let remedy = "check it; earlier values are in dim_customer, which `tenfold sql` reads";
        let failure = Failure::config(none).code(ErrorCode::UnknownCustomer);
        Stopped::not_found(failure.remedy(remedy))
    };
    let Some(value) = identity.normalize.apply(value) else {
        return Err(nobody());
    };
    let query = format!(
        "SELECT customer FROM {DIM_CUSTOMER} WHERE is_current AND \"{}\" = {} \
         ORDER BY valid_from DESC, customer",
        identity.attribute,
        literal(&value)
    );
    let (_, batches) = answer(&query, store, manifest, machine)?;
    let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let wanted = match identity.duplicates {
        SharedIdentity::Newest => 1,
        SharedIdentity::Keep if found <= SHOWN => found,
        _ if found <= 1 => found,
        policy => return Err(shared(namespace, found, policy).into()),
    };
    let mut keys = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let key = array_value_to_string(batch.column(0), row);
            keys.push(
                key.map_err(|error| Failure::bug(format!("a key cannot be shown: {error}")))?,
            );
        }
    }
    keys.truncate(wanted);
    match keys.is_empty() {
        true => Err(nobody()),
        false => Ok(keys),
    }
}

/// Why a value that several customers have shows none of them.
fn shared(namespace: &str, found: usize, policy: SharedIdentity) -> Failure {
    let failure = Failure::config(format!("{found} customers have this {namespace}"));
    failure.remedy(match policy {
        SharedIdentity::Keep => format!(
            "at most {SHOWN} are shown: ask by key, or look at them with `tenfold sql` in {DIM_CUSTOMER}"
        ),
        _ => format!(
            "ask by key; or declare for the identity {namespace} `duplicates: keep`, which shows all of them, \
             or `duplicates: newest`, which takes the customer whose attributes changed last"
        ),
    })
}

fn declared<'a>(namespace: &str, manifest: &'a Manifest) -> Result<&'a Identity, Failure> {
    let sources = manifest.declarations.sources.values();
    let all = || sources.clone().flat_map(|source| &source.identities);
    let found = all().find(|(name, _)| *name == namespace);
    found.map(|(_, identity)| identity).ok_or_else(|| {
        let names: Vec<&str> = all().map(|(name, _)| name.as_str()).collect();
        let known = match names.is_empty() {
            true => "none is".to_owned(),
            false => format!("these are: {}", names.join(", ")),
        };
        Failure::config(format!(
            "{namespace} is no identity that snapshot {} declares",
            manifest.number
        ))
        .remedy(format!(
            "declare it under `identities:` of a source of attributes; {known}"
        ))
    })
}

/// What a customer is like now, where the snapshot says so.
pub fn attributes(
    literal: &str,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<Vec<Fact>, Failure> {
    if !manifest.tables.contains_key(DIM_CUSTOMER) {
        return Ok(Vec::new());
    }
    let query = format!("SELECT * FROM {DIM_CUSTOMER} WHERE is_current AND customer = {literal}");
    let (_, batches) = answer(&query, store, manifest, machine)?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(Vec::new());
    };
    let own = |fact: &Fact| !ATTRIBUTES_OWN.contains(&fact.name.as_str());
    let named = |fact: Fact| Fact {
        name: format!("attribute_{}", fact.name),
        ..fact
    };
    Ok(columns(batch).into_iter().filter(own).map(named).collect())
}
