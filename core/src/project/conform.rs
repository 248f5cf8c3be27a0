//! Holds a tree of nodes against the JSON Schema of the written form: every unknown key, missing
//! key, wrong type, unknown word and number out of range is reported with its place.
//!
//! What comes back is JSON that the schema accepts, so that the other checks can go on: unusable
//! optional values are left out, required ones are replaced by a stand-in, and both are spoiled.

use serde_json::{Map, Value};

use super::finding::{At, Report};
use super::near::{did_you_mean, listed, nearest};
use super::tree::{Content, Key, Node};

/// The file as JSON that conforms to `schema`; `None` when its root is no mapping at all.
pub(super) fn conform(root: &Node, schema: &Value, report: &mut Report) -> Option<Value> {
    report.place("", root.spot, root.spot);
    Conformer { schema, report }.value(root, schema, "")
}

struct Conformer<'a> {
    schema: &'a Value,
    report: &'a mut Report,
}

impl<'a> Conformer<'a> {
    fn value(&mut self, node: &Node, schema: &'a Value, path: &str) -> Option<Value> {
        let leaves = self.leaves(schema);
        match &node.content {
            Content::Null if leaves.iter().any(|leaf| takes_null(leaf)) => Some(Value::Null),
            Content::Null => {
                self.mismatch(path, "has no value".to_owned(), &leaves);
                None
            }
            Content::Bool(value) if leaves.iter().any(|leaf| is(leaf, "boolean")) => {
                Some(Value::Bool(*value))
            }
            Content::Bool(_) => {
                self.scalar_mismatch(node, path, &leaves);
                None
            }
            Content::Number(number) => self.number(node, number, path, &leaves),
            Content::Text(text) => self.text(text, path, &leaves),
            Content::List(items) => self.list(items, path, &leaves),
            Content::Map(entries) => self.map(entries, path, &leaves),
        }
    }

    /// The alternatives of a schema with references and nested alternatives followed.
    fn leaves(&self, schema: &'a Value) -> Vec<&'a Value> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.schema.pointer(reference.trim_start_matches('#'));
            return target.map_or_else(Vec::new, |target| self.leaves(target));
        }
        let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"));
        match branches.and_then(Value::as_array) {
            Some(branches) => branches
                .iter()
                .flat_map(|branch| self.leaves(branch))
                .collect(),
            None => vec![schema],
        }
    }

    fn number(
        &mut self,
        node: &Node,
        number: &serde_json::Number,
        path: &str,
        leaves: &[&'a Value],
    ) -> Option<Value> {
        let whole = number.is_i64() || number.is_u64();
        let fits = |leaf: &&&Value| is(leaf, "number") || (is(leaf, "integer") && whole);
        let Some(leaf) = leaves.iter().find(fits) else {
            self.scalar_mismatch(node, path, leaves);
            return None;
        };
        if let Some(range) = range_missed(number.as_f64().unwrap_or_default(), leaf) {
            let message = format!("{} is {number}", called(path));
            self.report
                .error(At::Value, path, message, format!("use a number {range}"));
            return None;
        }
        Some(Value::Number(number.clone()))
    }

    fn text(&mut self, text: &str, path: &str, leaves: &[&'a Value]) -> Option<Value> {
        let words: Vec<&str> = leaves.iter().flat_map(|leaf| words(leaf)).collect();
        let free = leaves
            .iter()
            .any(|leaf| is(leaf, "string") && self::words(leaf).is_empty());
        if words.contains(&text) || (free && !text.is_empty()) {
            return Some(Value::from(text));
        }
        if words.is_empty()
            || (nearest(text, words.iter().copied()).is_none() && leaves.len() > words.len())
        {
            let got = if text.is_empty() {
                "is empty".to_owned()
            } else if leaves
                .iter()
                .any(|leaf| required(leaf).any(|key| key == "env"))
            {
                // It may be the secret itself, where the place of one is wanted.
                "is a text".to_owned()
            } else {
                format!("is `{text}`")
            };
            self.mismatch(path, got, leaves);
        } else {
            let message = format!("{} cannot be `{text}`", called(path));
            let remedy = did_you_mean(text, words.iter().copied());
            self.report.error(At::Value, path, message, remedy);
        }
        None
    }

    fn list(&mut self, items: &[Node], path: &str, leaves: &[&'a Value]) -> Option<Value> {
        let Some(leaf) = leaves.iter().find(|leaf| is(leaf, "array")) else {
            self.mismatch(path, "is a list".to_owned(), leaves);
            return None;
        };
        if items.is_empty() && leaf.get("minItems").is_some() {
            let message = format!("{} is an empty list", called(path));
            self.report.error(
                At::Value,
                path,
                message,
                "name at least one, or take the line out",
            );
            return None;
        }
        let schema = leaf.get("items")?;
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.report.place(&path, item.spot, item.spot);
            let value = self.value(item, schema, &path);
            values.push(value.unwrap_or_else(|| self.stand_in(schema, &path)));
        }
        Some(Value::Array(values))
    }

    fn map(&mut self, entries: &[(Key, Node)], path: &str, leaves: &[&'a Value]) -> Option<Value> {
        let mappings: Vec<&'a Value> = leaves
            .iter()
            .copied()
            .filter(|leaf| is(leaf, "object"))
            .collect();
        match mappings.as_slice() {
            [] => {
                self.mismatch(path, "is a mapping".to_owned(), leaves);
                None
            }
            [leaf] if leaf.get("properties").is_some() => self.record(entries, path, leaf),
            [leaf] => self.named(entries, path, leaf),
            choices => self.choice(entries, path, choices),
        }
    }

    /// A mapping with known keys.
    fn record(&mut self, entries: &[(Key, Node)], path: &str, leaf: &'a Value) -> Option<Value> {
        let properties = leaf.get("properties")?.as_object()?;
        let mut found = Map::new();
        for (key, node) in entries {
            let inner = join(path, &key.name);
            if !self.enter(key, node, &inner) {
                continue;
            }
            let Some(schema) = properties.get(&key.name) else {
                self.unknown_key(key, path, properties);
                continue;
            };
            match self.value(node, schema, &inner) {
                Some(value) => drop(found.insert(key.name.clone(), value)),
                None => self.report.spoil(&inner),
            }
        }
        for name in required(leaf)
            .filter(|name| !found.contains_key(*name))
            .collect::<Vec<_>>()
        {
            let inner = join(path, name);
            if !self.report.is_spoiled(&inner) {
                let message = format!("`{name}` is missing in {}", called(path));
                self.report
                    .error(At::Key, &inner, message, format!("add `{name}:`"));
            }
            let value = self.stand_in(properties.get(name)?, &inner);
            found.insert(name.to_owned(), value);
        }
        Some(Value::Object(found))
    }

    /// A mapping whose keys are names that the user gives.
    fn named(&mut self, entries: &[(Key, Node)], path: &str, leaf: &'a Value) -> Option<Value> {
        let schema = leaf.get("additionalProperties")?;
        if entries.is_empty() && leaf.get("minProperties").is_some() {
            let message = format!("{} is empty", called(path));
            self.report
                .error(At::Value, path, message, "declare at least one");
            return None;
        }
        let mut found = Map::new();
        for (key, node) in entries {
            let inner = join(path, &key.name);
            if self.enter(key, node, &inner) {
                let value = self.value(node, schema, &inner);
                let value = value.unwrap_or_else(|| self.stand_in(schema, &inner));
                found.insert(key.name.clone(), value);
            }
        }
        Some(Value::Object(found))
    }

    /// A mapping that takes exactly one of several keys.
    fn choice(
        &mut self,
        entries: &[(Key, Node)],
        path: &str,
        choices: &[&'a Value],
    ) -> Option<Value> {
        let known: Vec<&str> = choices.iter().flat_map(|choice| required(choice)).collect();
        let chosen = |name: &str| {
            choices
                .iter()
                .find(|leaf| required(leaf).any(|key| key == name))
        };
        match entries {
            [(key, _)] => match chosen(&key.name) {
                Some(leaf) => {
                    let value = self.record(entries, path, leaf)?;
                    (!self.report.is_spoiled(&join(path, &key.name))).then_some(value)
                }
                None => {
                    self.report
                        .place(&join(path, &key.name), key.spot, key.spot);
                    let message = format!("unknown key `{}` in {}", key.name, called(path));
                    let remedy = did_you_mean(&key.name, known);
                    self.report
                        .error(At::Key, &join(path, &key.name), message, remedy);
                    None
                }
            },
            several => {
                let message = format!("{} has {} keys", called(path), several.len());
                let remedy = format!("give exactly one of {}", listed(known));
                self.report.error(At::Value, path, message, remedy);
                None
            }
        }
    }

    /// Notes where an entry stands; false when its key was given before.
    fn enter(&mut self, key: &Key, node: &Node, path: &str) -> bool {
        if self.report.is_written(path) {
            let message = format!("`{}` is given twice", key.name);
            let remedy = "take one of the two out".to_owned();
            let severity = super::finding::Severity::Error;
            self.report
                .add_at(severity, key.spot, path, message, remedy);
            return false;
        }
        self.report.place(path, key.spot, node.spot);
        true
    }

    fn unknown_key(&mut self, key: &Key, path: &str, properties: &Map<String, Value>) {
        let names = properties.keys().map(String::as_str);
        let absent = names
            .clone()
            .filter(|name| !self.report.is_written(&join(path, name)));
        let message = format!("unknown key `{}` in {}", key.name, called(path));
        let meant = nearest(&key.name, absent);
        let remedy = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known keys are {}", listed(names)),
        };
        self.report
            .error(At::Key, &join(path, &key.name), message, remedy);
        if let Some(meant) = meant {
            self.report.spoil(&join(path, meant));
        }
    }

    fn scalar_mismatch(&mut self, node: &Node, path: &str, leaves: &[&'a Value]) {
        let written = match &node.content {
            Content::Number(number) => number.to_string(),
            Content::Bool(value) => value.to_string(),
            _ => return,
        };
        if leaves
            .iter()
            .any(|leaf| is(leaf, "string") && words(leaf).is_empty())
        {
            let message = format!(
                "{} is {written}, which YAML does not read as text",
                called(path)
            );
            self.report.error(
                At::Value,
                path,
                message,
                format!("put it in quotes: \"{written}\""),
            );
        } else {
            self.mismatch(path, format!("is {written}"), leaves);
        }
    }

    fn mismatch(&mut self, path: &str, got: String, leaves: &[&'a Value]) {
        let expected: Vec<String> = leaves.iter().map(|leaf| expectation(leaf)).collect();
        let message = format!("{} {got}", called(path));
        let remedy = format!("it takes {}", expected.join(" or "));
        self.report.error(At::Value, path, message, remedy);
    }

    /// The least value that a schema accepts, in place of an unusable one.
    fn stand_in(&mut self, schema: &'a Value, path: &str) -> Value {
        self.report.spoil(path);
        self.least(schema)
    }

    fn least(&self, schema: &'a Value) -> Value {
        let leaves = self.leaves(schema);
        let Some(leaf) = leaves.first() else {
            return Value::Null;
        };
        if let Some(word) = words(leaf).first() {
            return Value::from(*word);
        }
        match leaf.get("type").and_then(Value::as_str) {
            Some("object") => {
                let property = |name: &'a str| {
                    let schema = leaf.get("properties")?.get(name)?;
                    Some((name.to_owned(), self.least(schema)))
                };
                Value::Object(required(leaf).filter_map(property).collect())
            }
            Some("array") => Value::Array(Vec::new()),
            Some("integer" | "number") => leaf.get("minimum").cloned().unwrap_or(Value::from(0)),
            Some("boolean") => Value::Bool(false),
            _ => Value::from(""),
        }
    }
}

/// Whether a leaf is null itself, and not only something that may be left out.
fn takes_null(leaf: &Value) -> bool {
    leaf.get("const").is_some_and(Value::is_null)
}

fn is(leaf: &Value, name: &str) -> bool {
    leaf.get("type").and_then(Value::as_str) == Some(name)
}

/// The words that a leaf allows; none when it allows any text, or no text.
fn words(leaf: &Value) -> Vec<&str> {
    let one = leaf.get("const").into_iter();
    let several = leaf
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    one.chain(several).filter_map(Value::as_str).collect()
}

fn required(leaf: &Value) -> impl Iterator<Item = &str> {
    let names = leaf.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

/// What a leaf takes, in words.
fn expectation(leaf: &Value) -> String {
    let words = words(leaf);
    if !words.is_empty() {
        return listed(words);
    }
    if takes_null(leaf) {
        return "null".to_owned();
    }
    match leaf.get("type").and_then(Value::as_str) {
        Some("integer") => "a whole number".to_owned(),
        Some("number") => "a number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => match listed(required(leaf)) {
            keys if keys.is_empty() => match leaf.get("properties").and_then(Value::as_object) {
                Some(keys) => format!("a mapping of {}", listed(keys.keys().map(String::as_str))),
                None => "a mapping".to_owned(),
            },
            keys => format!("a mapping with {keys}"),
        },
        _ => "a text".to_owned(),
    }
}

/// The range of a leaf in words when the number lies outside of it.
fn range_missed(number: f64, leaf: &Value) -> Option<String> {
    let bound = |name: &str| leaf.get(name).and_then(Value::as_f64);
    let (least, above, most) = (
        bound("minimum"),
        bound("exclusiveMinimum"),
        bound("maximum"),
    );
    let missed = least.is_some_and(|least| number < least)
        || above.is_some_and(|above| number <= above)
        || most.is_some_and(|most| number > most);
    let low = least
        .map(|n| format!("from {n}"))
        .or(above.map(|n| format!("above {n}")));
    let high = most.map(|n| format!("up to {n}"));
    let range: Vec<String> = low.into_iter().chain(high).collect();
    missed.then(|| range.join(" "))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A path as it stands in a sentence.
fn called(path: &str) -> String {
    if path.is_empty() {
        "the file".to_owned()
    } else {
        format!("`{path}`")
    }
}
