//! User tables of snapshots that people are taken out of.

use std::collections::BTreeMap;

use tenfold_store::object::Store;

use crate::erasure::{Keys, files_with, night_of, whole};
use crate::support::{Project, SHOP};

/// People under a name that no column of customers has.
const LABELS: &str = "/* keys: [label] */\n\
    SELECT 'customer ' || customer AS label, revenue_lifetime AS revenue FROM customer_value\n";

/// Figures that name nobody, and were made of everybody.
const TOTALS: &str = "/* keys: [regions] */\n\
    SELECT count(*) AS regions, sum(revenue) AS revenue, count(DISTINCT label) AS people FROM shown\n";

const SHOWN: &str = "/* kind: view */ SELECT label, revenue FROM labels";

fn shop() -> Project {
    let project = Project::new(&Keys::Text.shop(SHOP));
    project.write("tables/labels.sql", LABELS);
    project.write("tables/totals.sql", TOTALS);
    project.write("tables/shown.sql", SHOWN);
    for night in 0..3 {
        night_of(&project, Keys::Text, night, true);
    }
    project
}

fn rows(project: &Project, query: &str, at: &str) -> serde_json::Value {
    project
        .tenfold(&["sql", query, "--at", at, "-o", "json"])
        .json()
}

#[test]
fn they_are_in_no_byte_and_the_tables_are_those_of_the_others() {
    let project = shop();
    let before = files_with(&project, Keys::Text);
    assert!(
        before.iter().any(|file| file.starts_with("tables/labels/")),
        "{before:?}"
    );
    let people: BTreeMap<&str, serde_json::Value> = ["1", "2", "3"]
        .map(|at| {
            (
                at,
                rows(&project, "SELECT people FROM totals", at)[0]["people"].clone(),
            )
        })
        .into();
    let erase = [
        "erase",
        "--customer",
        &Keys::Text.erased(),
        "--yes",
        "--now",
    ];
    let erased = project.tenfold(&erase);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(files_with(&project, Keys::Text), Vec::<String>::new());
    for (at, people) in people {
        let labels = "SELECT label, revenue FROM labels ORDER BY 1";
        let anew = "SELECT 'customer ' || customer AS label, revenue_lifetime AS revenue \
                    FROM customer_value ORDER BY 1";
        assert_eq!(rows(&project, labels, at), rows(&project, anew, at));
        let left = rows(&project, "SELECT people FROM totals", at)[0]["people"].as_i64();
        assert_eq!(
            left,
            people.as_i64().map(|people| people - 1),
            "snapshot {at}"
        );
    }
    // Every object is whole, and other programs read every version of every table.
    let store = Store::open(&project.path("store").display().to_string()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(whole(&store)).len(), 3);
    assert_eq!(project.tenfold(&["scrub", "--all"]).code, Some(0));
    // The next night goes on from there.
    night_of(&project, Keys::Text, 3, true);
    assert_eq!(files_with(&project, Keys::Text), ["sales"; 0]);
}

/// The customers' deciles as they were, and a text that holds the key.
const MOVES: &str = "/*\nkeys: [who, seen]\nmode: incremental\n\
    references: {who: customer_value.customer, seen: dim_date.date}\n*/\n\
    SELECT customer AS who, as_of() AS seen, 'customer ' || customer AS label, decile_clv_12m AS decile\n\
    FROM changes('customer_value') WHERE _change_type IN ('insert', 'update_postimage')\n";

const PEOPLE: &str = "/*\nkind: view\nkeys: [customer]\nreferences: {customer: customer_value.customer}\n*/\n\
    SELECT customer FROM customer_value\n";

/// Whose these are is known by the view.
const FIRST: &str = "/*\nkeys: [customer]\nmode: incremental\nreferences: {customer: people.customer}\n*/\n\
    SELECT who AS customer, min(seen) AS first_seen FROM changes('moves')\n\
    WHERE _change_type = 'insert' AND who NOT IN (SELECT customer FROM customer_value WHERE events < 2)\n\
    GROUP BY who\n";

/// Of everybody in the tables above.
const SEEN: &str = "/* keys: [day] */\n\
    SELECT seen AS day, count(*) AS people FROM moves GROUP BY seen\n";

#[test]
fn rows_of_increments_go_by_what_is_declared_of_their_columns() {
    let keys = [Keys::Text, Keys::Number];
    for keys in keys {
        let project = Project::new(&keys.shop(&crate::support::without_ids()));
        project.write(
            "tables/moves.sql",
            MOVES.replace("|| customer", "|| CAST(customer AS VARCHAR)"),
        );
        project.write("tables/people.sql", PEOPLE);
        project.write("tables/first.sql", FIRST);
        project.write("tables/seen.sql", SEEN);
        for night in 0..3 {
            night_of(&project, keys, night, true);
        }
        let id = keys.erased();
        let others = |at: &str| {
            let of = |table: &str, who: &str| {
                let all = format!(
                    "SELECT * FROM {table} WHERE CAST({who} AS VARCHAR) <> '{id}' ORDER BY 1, 2"
                );
                rows(&project, &all, at)
            };
            [of("moves", "who"), of("first", "customer")]
        };
        let before = ["1", "2", "3"].map(others);
        let theirs = format!("SELECT count(*) AS n FROM moves WHERE CAST(who AS VARCHAR) = '{id}'");
        assert!(rows(&project, &theirs, "3")[0]["n"].as_i64() > Some(1));

        let dry = project
            .tenfold(&["erase", "--customer", &id, "--dry-run", "-o", "json"])
            .json();
        let erased = project.tenfold(&["erase", "--customer", &id, "--yes", "--now", "-o", "json"]);
        let erased = erased.json();
        assert_eq!(files_with(&project, keys), Vec::<String>::new());
        let took = |of: &serde_json::Value| of["snapshots"][2]["erased"]["table_rows"].clone();
        assert_eq!(took(&dry), took(&erased));
        assert_eq!(["1", "2", "3"].map(others), before);
        for at in ["1", "2", "3"] {
            let seen = "SELECT day, people FROM seen ORDER BY 1";
            let anew = "SELECT seen AS day, count(*) AS people FROM moves GROUP BY 1 ORDER BY 1";
            assert_eq!(rows(&project, seen, at), rows(&project, anew, at));
        }
        let store = Store::open(&project.path("store").display().to_string()).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_eq!(runtime.block_on(whole(&store)).len(), 3);
        // The next night merges into what is left, and says nothing of them.
        night_of(&project, keys, 3, true);
        assert_eq!(files_with(&project, keys), ["sales"; 0]);
        let then = |at: &str| {
            let old = "SELECT * FROM moves WHERE seen < DATE '2024-06-01' ORDER BY who, seen";
            rows(&project, old, at)
        };
        assert_eq!(then("4"), then("3"));
        assert_eq!(rows(&project, &theirs, "4")[0]["n"], 0);
    }
}

/// Customers of a decile, in files by the decile.
const TILES: &str = "/*\nkeys: [tile, customer]\npartition_by: [tile]\n\
    references: {customer: customer_value.customer}\n*/\n\
    SELECT decile_clv_12m AS tile, customer FROM customer_value WHERE decile_clv_12m IS NOT NULL\n";

#[test]
fn divided_tables_stay_divided() {
    let project = Project::new(&Keys::Text.shop(SHOP));
    let by_night = "keys: [seen, who]\npartition_by: [seen]";
    project.write(
        "tables/moves.sql",
        MOVES.replace("keys: [who, seen]", by_night),
    );
    project.write("tables/tiles.sql", TILES);
    for night in 0..3 {
        night_of(&project, Keys::Text, night, true);
    }
    let divided = || {
        let manifest = project.manifest();
        for (table, by) in [("moves", "seen"), ("tiles", "tile")] {
            let files = manifest["tables"][table]["files"].as_array().unwrap();
            let of_files: serde_json::Value = files
                .iter()
                .map(|file| serde_json::json!({"n": file["rows"]}))
                .collect();
            let query = format!("SELECT count(*) AS n FROM {table} GROUP BY {by} ORDER BY {by}");
            assert_eq!(of_files, rows(&project, &query, "3"), "{table}");
        }
        let asked = "EXPLAIN ANALYZE SELECT count(who) FROM moves WHERE seen = DATE '2024-04-01'";
        let plan = project.tenfold(&["sql", asked, "-o", "json"]).stdout;
        let plan = String::from_utf8(plan).unwrap();
        let passed = "row_groups_pruned_statistics=3 total \u{2192} 1 matched";
        assert!(plan.contains(passed), "{plan}");
        let verified = project.tenfold(&["snapshot", "verify", "3"]);
        assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    };
    divided();
    let id = Keys::Text.erased();
    let erased = project.tenfold(&["erase", "--customer", &id, "--yes", "--now"]);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(files_with(&project, Keys::Text), Vec::<String>::new());
    divided();
}

#[test]
fn what_is_nobodys_and_cannot_be_computed_again_is_refused_before_anything_begins() {
    let project = shop();
    let moves = "/*\nkeys: [label]\nmode: incremental\n*/\n\
                 SELECT 'customer ' || customer AS label FROM changes('customer_value')\n\
                 WHERE _change_type = 'insert'\n";
    project.write("tables/moves.sql", moves);
    night_of(&project, Keys::Text, 3, true);
    let erase = ["erase", "--customer", &Keys::Text.erased(), "--yes"];
    project
        .tenfold(&erase)
        .refused(&["snapshot 4 has the incremental table moves"]);
    let begun = crate::killed::files_below(&project.path("store/_erasures"));
    assert_eq!(begun.len(), 0, "nothing has begun");
    // Of a table by other SQL it says nothing.
    let said = moves
        .replace("mode:", "references: {who: customer_value.customer}\nmode:")
        .replace(
            "'customer ' || customer AS label",
            "'customer ' || customer AS label, customer AS who",
        );
    project.write("tables/moves.sql", &said);
    project.published("2024-06-02");
    project
        .tenfold(&erase)
        .refused(&["snapshot 4 has the incremental table moves"]);
    // Said once, it counts for the snapshots before.
    let plain = moves.replace("'customer ' || customer AS label", "customer AS label");
    let project = shop();
    project.write("tables/moves.sql", &plain);
    night_of(&project, Keys::Text, 3, true);
    project
        .tenfold(&erase)
        .refused(&["snapshot 4 has the incremental table moves"]);
    let said = plain.replace(
        "mode:",
        "references: {label: customer_value.customer}\nmode:",
    );
    project.write("tables/moves.sql", &said);
    project.published("2024-06-02");
    let now = [&erase[..], &["--now"]].concat();
    assert_eq!(project.tenfold(&now).code, Some(0));
    assert_eq!(files_with(&project, Keys::Text), Vec::<String>::new());
}
