//! Snapshots that the project wants loaded into a database: what a run does when that cannot be done.

use crate::support::{Project, SHOP, csv, sales};

/// A port that nobody listens on.
const NOBODY: &str = "127.0.0.1:1";

fn shop(publish: &str) -> Project {
    let project = Project::new(&format!("{SHOP}publish: {publish}\n"));
    project.write("sales/1.csv", csv(&sales(1, 300, 59)));
    project
}

#[test]
fn a_snapshot_is_published_though_the_database_cannot_be_reached() {
    let project = shop("{postgres: {url: {file: FILE}}}");
    let file = project.path("address").display().to_string();
    project.write(
        "tenfold.yaml",
        format!("{SHOP}publish: {{postgres: {{url: {{file: \"{file}\"}}}}}}\n"),
    );
    project.write(
        "address",
        format!("postgresql://owner:hidden-word@{NOBODY}/shop\n"),
    );
    // The second time nothing is new, and the database is tried again.
    for status in ["succeeded", "nothing_new"] {
        let run = project.refresh("2024-03-01");
        let record = run.json();
        assert_eq!(record["status"], status);
        assert_eq!(record["snapshot"], 1);
        let warnings = record["warnings"].to_string();
        assert!(warnings.contains("PostgreSQL was not loaded"), "{warnings}");
        assert!(warnings.contains("shop on 127.0.0.1"), "{warnings}");
        assert!(run.stderr.contains("shop on 127.0.0.1"), "{}", run.stderr);
        for said in [&run.stderr, &run.text()] {
            assert!(!said.contains("hidden-word"), "{said}");
        }
    }
}

#[test]
fn where_a_database_is_is_nothing_that_a_snapshot_says() {
    let project = shop("{postgres: {url: {env: TENFOLD_TEST_NOWHERE}, schema: bi}}");
    let run = project.published("2024-03-01");
    let warnings = run["warnings"].to_string();
    assert!(
        warnings.contains("variable TENFOLD_TEST_NOWHERE"),
        "{warnings}"
    );
    let plain = shop("{}");
    plain.published("2024-03-01");
    assert_eq!(plain.snapshot_hash(), project.snapshot_hash());
    let manifest = project.manifest().to_string();
    assert!(!manifest.contains("NOWHERE"), "{manifest}");
}

#[test]
fn a_table_that_there_is_not_is_told_before_anything_runs() {
    let project = shop("{postgres: {url: {env: X}, tables: [customer_valu]}}");
    let named = [
        "publish.postgres names the table `customer_valu`",
        "`customer_value`",
    ];
    project.refresh("2024-03-01").refused(&named);
    project.tenfold(&["lint"]).refused(&named);
}
