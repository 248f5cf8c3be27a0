//! The edges between crates that the architecture forbids, read from `cargo metadata`.

#![allow(clippy::expect_used, reason = "a test stops where its own tools fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Package and what it must not depend on, however far away.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    // Rules are pure: nothing that reads files, clocks or networks, and no columnar engine.
    (
        "tenfold-core",
        &[
            "tokio",
            "tonic",
            "sled",
            "object_store",
            "arrow",
            "arrow-array",
            "datafusion",
            "rand",
        ],
    ),
    // The coordinator never computes.
    (
        "tenfold-coordinator",
        &["datafusion", "tenfold-worker", "tenfold-query"],
    ),
    // The worker never publishes on its own account, and keeps no ledger.
    ("tenfold-worker", &["sled", "tenfold-coordinator"]),
    // Tables need no query engine to be published.
    ("tenfold-store", &["datafusion", "sled"]),
];

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    let graph = Graph::of_workspace();
    for (package, forbidden) in FORBIDDEN {
        let reached = graph.reached_from(package);
        assert!(
            reached.len() > 3,
            "{package} has no dependencies: is the graph whole?"
        );
        for name in forbidden {
            assert!(!reached.contains(*name), "{package} depends on {name}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let listed = Command::new("git")
        .args(["ls-files", "*.rs"])
        .current_dir(root)
        .output();
    let listed = listed.expect("git lists the files");
    let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    assert!(listed.lines().count() > 50, "git listed too few files");
    for file in listed.lines() {
        let Ok(text) = std::fs::read_to_string(format!("{root}/{file}")) else {
            continue;
        };
        assert!(text.starts_with("//!"), "{file} does not open with `//!`");
    }
}

/// Normal dependencies between packages, by name.
struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    fn of_workspace() -> Self {
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--locked"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo metadata runs");
        let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("it answers in JSON");
        let names = names(&metadata);
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().expect("nodes") {
            let from = &names[node["id"].as_str().expect("id")];
            let to = edges.entry(from.clone()).or_default();
            for dependency in node["deps"].as_array().expect("deps") {
                let kinds = dependency["dep_kinds"].as_array().expect("kinds");
                if kinds.iter().any(|kind| kind["kind"].is_null()) {
                    to.insert(names[dependency["pkg"].as_str().expect("pkg")].clone());
                }
            }
        }
        Self(edges)
    }

    fn reached_from(&self, package: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut next = vec![package.to_owned()];
        while let Some(package) = next.pop() {
            for dependency in self.0.get(&package).into_iter().flatten() {
                if reached.insert(dependency.clone()) {
                    next.push(dependency.clone());
                }
            }
        }
        reached
    }
}

fn names(metadata: &Value) -> BTreeMap<String, String> {
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |package: &Value| {
        let text = |field: &str| package[field].as_str().expect("text").to_owned();
        (text("id"), text("name"))
    };
    packages.iter().map(name).collect()
}
