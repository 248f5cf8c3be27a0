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

#[test]
fn what_cannot_be_computed_again_is_refused_before_anything_begins() {
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
}
