//! What changed between two snapshots, as far as their manifests say.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::project::Project;
use crate::refresh::task::Fits;

/// A parameter of a model in two snapshots.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterChange {
    /// The model as it was asked for; `spend` for the model of spend.
    pub model: String,
    /// Name of the parameter.
    pub parameter: String,
    /// Its value before, when it was fitted.
    pub before: Option<f64>,
    /// Its value after, when it was fitted.
    pub after: Option<f64>,
    /// The relative change.
    pub change: Option<f64>,
}

/// A declaration that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeclarationChange {
    /// Its path in the resolved declarations, such as `deciles[0].tiles`.
    pub path: String,
    /// What it was; null when it was not there.
    pub before: Value,
    /// What it is; null when it is gone.
    pub after: Value,
}

/// The parameters of two fits side by side, models in the order of the later ones.
pub fn parameter_changes(before: Option<&Fits>, after: Option<&Fits>) -> Vec<ParameterChange> {
    let (before, after) = (parameters(before), parameters(after));
    let value = |all: &[(String, String, f64)], key: (&str, &str)| {
        let same = |known: &&(String, String, f64)| (known.0.as_str(), known.1.as_str()) == key;
        all.iter().find(same).map(|known| known.2)
    };
    let gone = before
        .iter()
        .filter(|old| value(&after, (&old.0, &old.1)).is_none());
    let named = after.iter().chain(gone);
    let change = |(model, parameter, _): &(String, String, f64)| {
        let (was, is) = (
            value(&before, (model, parameter)),
            value(&after, (model, parameter)),
        );
        let ratio = |(was, is): (f64, f64)| (was != 0.0).then(|| is / was - 1.0);
        ParameterChange {
            model: model.clone(),
            parameter: parameter.clone(),
            before: was,
            after: is,
            change: was.zip(is).and_then(ratio),
        }
    };
    named.map(change).collect()
}

/// (model, parameter, value).
fn parameters(fits: Option<&Fits>) -> Vec<(String, String, f64)> {
    let Some(fits) = fits else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for fit in &fits.transactions {
        let named = fit.parameters.named().into_iter();
        let model = fit.requested.name();
        all.extend(named.map(|(name, value)| (model.to_owned(), name.to_owned(), value)));
    }
    let named = fits.spend.parameters.named().into_iter();
    all.extend(named.map(|(name, value)| ("spend".to_owned(), name.to_owned(), value)));
    all
}

/// The declarations that differ, in the order of their paths.
pub fn declaration_changes(before: &Project, after: &Project) -> Vec<DeclarationChange> {
    let flat = |declarations: &Project| {
        let mut leaves = BTreeMap::new();
        // Strings, finite numbers and string-keyed maps only: serialising them cannot fail.
        let value = serde_json::to_value(declarations).unwrap_or_default();
        flatten(value, String::new(), &mut leaves);
        leaves
    };
    let (mut before, after) = (flat(before), flat(after));
    let mut changes = BTreeMap::new();
    for (path, after) in after {
        let before = before.remove(&path).unwrap_or_default();
        if before != after {
            changes.insert(path, (before, after));
        }
    }
    let gone = before.into_iter().filter(|(_, value)| !value.is_null());
    changes.extend(gone.map(|(path, value)| (path, (value, Value::Null))));
    let change = |(path, (before, after))| DeclarationChange {
        path,
        before,
        after,
    };
    changes.into_iter().map(change).collect()
}

/// Every value that is no map or list, by its path; empty ones count as values.
fn flatten(value: Value, path: String, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                let below = match path.is_empty() {
                    true => name,
                    false => format!("{path}.{name}"),
                };
                flatten(value, below, leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (place, value) in items.into_iter().enumerate() {
                flatten(value, format!("{path}[{place}]"), leaves);
            }
        }
        value => drop(leaves.insert(path, value)),
    }
}
