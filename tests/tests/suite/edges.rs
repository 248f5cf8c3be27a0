//! The edges between crates that the architecture forbids, read from `cargo tree`.

use std::collections::BTreeSet;
use std::process::Command;

/// Package and what it must not depend on, however far away.
const FORBIDDEN: [(&str, &[&str]); 6] = [
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
    // Deliveries are given rows; they query nothing and publish nothing.
    (
        "tenfold-activation",
        &["datafusion", "sled", "tenfold-query", "tenfold-coordinator"],
    ),
    // Taking files in is no run: no ledger, and nothing is published.
    ("tenfold-ingest", &["sled", "tenfold-coordinator"]),
    // Tables need no query engine to be published.
    ("tenfold-store", &["datafusion", "sled"]),
];

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    for (package, forbidden) in FORBIDDEN {
        let reached = reached_from(package);
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

/// The packages that a package depends on for its normal build, however far away.
fn reached_from(package: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--prefix", "none", "--offline"])
        .args(["--format", "{p}", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree runs");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).expect("names are UTF-8");
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}
