//! Attributes of customers: their history is that of going through the rows one by one, whatever files
//! and nights these came in, and they change nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use crate::erasure::{Keys, files_with};
use crate::support::{Draw, Project, csv, date, sales, without_ids};

const AS_OF: &str = "2024-06-01";

const CRM: &str = r#"  crm:
    kind: attributes
    path: crm/
    format: csv
    types: {customer: int64, since: timestamp}
    customer: customer
    time: {column: since, zone: UTC}
    changed: restate
    vanished: restate
    attributes:
      country: land
      segment: segment
      born: {column: born, type: date}
      email: mail
    identities: {email: {attribute: email}}
"#;

pub fn shop() -> String {
    without_ids().replace("clv:", &format!("{CRM}clv:"))
}

/// A row of a file: who, when (day of 2024, hour), and the attributes as they are kept, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub customer: i64,
    day: u32,
    hour: u32,
    pub attributes: [Option<String>; 4],
}

const NAMES: [&str; 4] = ["born", "country", "email", "segment"];

pub fn rows(seed: u64, count: usize) -> Vec<Row> {
    let mut draw = Draw(seed);
    let mut pick = |from: &[&str]| {
        let text = from[draw.below(from.len() as u64) as usize];
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    let values: Vec<[Option<String>; 4]> = (0..count)
        .map(|_| {
            [
                pick(&["1970-02-28", "1999-12-31", ""]),
                pick(&["DE", "FR"]),
                pick(&["a@x.org", "b@x.org", "ü@x.org", ""]),
                pick(&["gold", "silver", ""]),
            ]
        })
        .collect();
    let row = |attributes| Row {
        customer: draw.below(40) as i64,
        day: draw.below(160) as u32,
        hour: draw.below(3) as u32,
        attributes,
    };
    values.into_iter().map(row).collect()
}

/// The rows as a file; addresses with blanks around them and large letters.
pub fn file(rows: &[Row]) -> String {
    let mut text = String::from("customer,since,land,segment,born,mail,more\n");
    for row in rows {
        let [born, country, email, segment] = row.attributes.each_ref().map(Option::as_deref);
        let email = email.map(|email| format!(" {} ", email.to_uppercase()));
        writeln!(
            text,
            "{},{}T{:02}:30:00,{},{},{},{},x",
            row.customer,
            date(row.day),
            row.hour,
            country.unwrap_or_default(),
            segment.unwrap_or_default(),
            born.unwrap_or_default(),
            email.unwrap_or_default(),
        )
        .unwrap();
    }
    text
}

/// The hour of a row, and what it tells.
type Told = (u32, [Option<String>; 4]);

/// The history, by going through the rows.
fn expected(rows: &[Row], as_of: &str) -> Vec<Value> {
    let mut latest: BTreeMap<(i64, String), Told> = BTreeMap::new();
    for row in rows.iter().filter(|row| date(row.day).as_str() < as_of) {
        let version = (row.hour, row.attributes.clone());
        let known = latest
            .entry((row.customer, date(row.day)))
            .or_insert(version.clone());
        *known = known.clone().max(version);
    }
    let mut history: Vec<(i64, String, [Option<String>; 4])> = Vec::new();
    for ((customer, day), (_, attributes)) in latest {
        let same = |(other, _, before): &(i64, String, [Option<String>; 4])| {
            *other == customer && *before == attributes
        };
        if !history.last().is_some_and(same) {
            history.push((customer, day, attributes));
        }
    }
    let next = |place: usize| {
        let next = history.get(place + 1);
        let next = next.filter(|next| next.0 == history[place].0);
        next.map(|next| next.1.clone())
    };
    let row =
        |(place, (customer, day, attributes)): (usize, &(i64, String, [Option<String>; 4]))| {
            let mut row = json!({"customer": customer, "valid_from": day, "valid_to": next(place),
            "is_current": next(place).is_none()});
            for (name, value) in NAMES.iter().zip(attributes) {
                row[*name] = json!(value);
            }
            row
        };
    history.iter().enumerate().map(row).collect()
}

fn history(project: &Project) -> Vec<Value> {
    let rows = "SELECT customer, valid_from, valid_to, is_current, born, country, email, segment \
                FROM dim_customer ORDER BY customer, valid_from";
    project.sql(rows)
}

pub fn with_sales(declarations: &str) -> Project {
    let project = Project::new(declarations);
    project.write("sales/1.csv", csv(&sales(1, 400, 150)));
    project
}

#[test]
fn the_history_is_that_of_going_through_the_rows_and_nothing_else_changes() {
    let rows = rows(3, 600);
    let project = with_sales(&shop());
    project.write("crm/1.csv", file(&rows));
    let run = project.published(AS_OF);
    assert_eq!(history(&project), expected(&rows, AS_OF));
    // Rows of days that do not count yet are pending.
    let pending = rows
        .iter()
        .filter(|row| date(row.day).as_str() >= AS_OF)
        .count();
    let counts = &run["summary"]["rows"]["crm"];
    assert!(pending > 0);
    assert_eq!(counts["pending"], pending, "{counts}");
    assert_eq!(counts["counted"], rows.len() - pending, "{counts}");
    let without = with_sales(&without_ids());
    without.published(AS_OF);
    let mut contents = project.contents();
    assert!(contents.remove("dim_customer").is_some());
    assert_eq!(contents, without.contents());
    assert_eq!(project.tenfold(&["snapshot", "verify"]).code, Some(0));
}

#[test]
fn tables_of_the_project_read_them() {
    let rows = rows(9, 200);
    let project = with_sales(&shop());
    project.write("crm/1.csv", file(&rows));
    let by_country = "/* keys: [country] */\n\
        SELECT country, COUNT(*) AS customers FROM dim_customer WHERE is_current GROUP BY country";
    project.write("tables/by_country.sql", by_country);
    project.published(AS_OF);
    let current = expected(&rows, AS_OF);
    let current = current.iter().filter(|row| row["is_current"] == true);
    let customers = project.number("SELECT SUM(customers) AS n FROM by_country");
    assert_eq!(customers, current.count() as i64);
}

#[test]
fn files_nights_and_shards_change_no_byte() {
    let mut rows = rows(4, 500);
    let whole = with_sales(&shop());
    whole.write("crm/1.csv", file(&rows));
    whole.published(AS_OF);
    let expected = (whole.contents(), whole.snapshot_hash());
    Draw(5).shuffle(&mut rows);
    let nights = with_sales(&shop());
    for (night, part) in rows.chunks(170).enumerate() {
        let (one, other) = part.split_at(part.len() / 3);
        nights.write(&format!("crm/{night}-b.csv"), file(one));
        nights.write(&format!("crm/{night}-a.csv"), file(other));
        nights.published(["2024-04-01", "2024-05-01", AS_OF][night]);
    }
    assert_eq!((nights.contents(), nights.snapshot_hash()), expected);
    // Earlier days are seen as they were known.
    let before = nights.sql("SELECT MAX(valid_from) AS day FROM snapshot('dim_customer', 1)");
    assert!(before[0]["day"].as_str().unwrap() < "2024-04-01");
    // Growing the number of shards, and back to the same with all files anew.
    let grown = ["refresh", "--as-of", "2024-06-02", "--shards", "4"];
    assert_eq!(nights.tenfold(&grown).code, Some(0));
    let fresh = with_sales(&shop());
    fresh.write("crm/1.csv", file(&rows));
    assert_eq!(fresh.tenfold(&grown).code, Some(0));
    assert_eq!(nights.contents(), fresh.contents());
}

#[test]
fn what_changed_or_vanished_is_as_if_it_had_always_been_so() {
    let rows = rows(6, 300);
    let project = with_sales(&shop());
    for (name, part) in ["1", "2", "3"].iter().zip(rows.chunks(100)) {
        project.write(&format!("crm/{name}.csv"), file(part));
    }
    project.published("2024-05-01");
    project.remove("crm/2.csv");
    project.write("crm/3.csv", file(&rows[220..]));
    project.published(AS_OF);
    let left: Vec<Row> = rows[..100].iter().chain(&rows[220..]).cloned().collect();
    assert_eq!(history(&project), expected(&left, AS_OF));
}

#[test]
fn rows_that_do_not_fit_are_refused_and_counted() {
    let project = with_sales(&format!("{}quarantine: {{max_share: 0.5}}\n", shop()));
    let head = "customer,since,land,segment,born,mail\n";
    project.write(
        "crm/1.csv",
        format!(
            "{head}1,2024-01-02T00:00:00,DE,gold,1970-01-01,a@x.org\n\
             2,2024-01-02T00:00:00,DE,gold,yesterday,b@x.org\n\
             3,never,DE,gold,,c@x.org\n\
             ,2024-01-02T00:00:00,DE,gold,,d@x.org\n"
        ),
    );
    let run = project.published(AS_OF);
    let counts = &run["summary"]["rows"]["crm"];
    assert_eq!(
        (&counts["read"], &counts["counted"]),
        (&json!(4), &json!(1))
    );
    let refused: Vec<(Value, Value)> = project
        .quarantine()
        .into_iter()
        .map(|row| (row["row"].clone(), row["column"].clone()))
        .collect();
    let at = |row: u64, column: &str| (json!(row), json!(column));
    assert_eq!(refused, [at(2, "born"), at(3, "since"), at(4, "customer")]);
    assert_eq!(project.number("SELECT COUNT(*) AS n FROM dim_customer"), 1);
}

#[test]
fn nothing_is_left_of_the_attributes_of_who_is_erased() {
    let address = format!("{}@x.org", Keys::Text.erased());
    let rows = rows(8, 300);
    let theirs = |row: &Row| row.customer == 6;
    let mut marked = rows.clone();
    for row in marked.iter_mut().filter(|row| theirs(row)) {
        row.attributes[2] = Some(address.clone());
    }
    let project = with_sales(&shop());
    project.write("crm/1.csv", file(&marked[..150]));
    project.published("2024-05-01");
    project.write("crm/2.csv", file(&marked[150..]));
    project.published(AS_OF);
    let holds = |project: &Project| files_with(project, Keys::Text);
    assert!(holds(&project).len() > 3);
    let erase = ["erase", "--customer", "6", "--yes", "--now"];
    assert_eq!(project.tenfold(&erase).code, Some(0));
    assert_eq!(holds(&project), Vec::<String>::new());
    let others: Vec<Row> = rows.into_iter().filter(|row| !theirs(row)).collect();
    assert_eq!(history(&project), expected(&others, AS_OF));
    // A later delivery brings nothing of them back.
    project.write("crm/3.csv", file(&marked[100..200]));
    project.published("2024-06-02");
    assert_eq!(holds(&project), Vec::<String>::new());
    assert_eq!(history(&project), expected(&others, "2024-06-02"));
}

#[test]
fn days_of_attributes_are_no_days_of_events_after_an_erasure_either() {
    let night = |project: &Project, as_of: &str| {
        let refresh = ["refresh", "--as-of", as_of, "--shards", "1"];
        assert_eq!(project.tenfold(&refresh).code, Some(0));
        project.sql("SELECT MIN(date) AS first, COUNT(*) AS days FROM dim_date")
    };
    let project = Project::new(&shop());
    // So many months that the next night does not read them all.
    project.write("sales/1.csv", csv(&sales(1, 2000, 366)));
    let crm = "customer,since,land,segment,born,mail,more\n7,2019-03-01T08:00:00,DE,,,,x\n";
    project.write("crm/1.csv", format!("{crm}6,2024-01-05T08:00:00,FR,,,,x\n"));
    let before = night(&project, "2025-01-15");
    let erase = ["erase", "--customer", "6", "--yes", "--now"];
    assert_eq!(project.tenfold(&erase).code, Some(0));
    assert_eq!(night(&project, "2025-01-16"), before);
}

#[test]
fn customers_are_found_by_their_address() {
    let project = with_sales(&shop());
    let address = |customer, day, email: &str| Row {
        customer,
        day,
        hour: 0,
        attributes: [None, Some("DE".to_owned()), Some(email.to_owned()), None],
    };
    let rows = [
        address(3, 10, "ann@x.org"),
        address(4, 11, "both@x.org"),
        address(5, 12, "both@x.org"),
        address(6, 10, "ann@x.org"),
        address(6, 20, "now@x.org"),
    ];
    project.write("crm/1.csv", file(&rows));
    let run = project.published(AS_OF);
    assert!(
        run["warnings"]
            .to_string()
            .contains("identity email: 1 value is that of several"),
        "{run}"
    );
    let get = |arguments: &[&str]| {
        let verb = ["customer", "get", "-o", "json"];
        project.tenfold(&[&verb, arguments].concat())
    };
    let found = get(&["--email", "Ann@X.org "]).json();
    assert_eq!(found["customer"], 3);
    assert_eq!(found["attribute_email"], "ann@x.org");
    assert_eq!(
        get(&["--identity", "email=now@x.org"]).json()["customer"],
        6
    );
    get(&["--email", "both@x.org"]).refused(&["2 customers have this email"]);
    let nobody = get(&["--email", "nobody@x.org"]);
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    get(&["--identity", "phone=1"]).refused(&["phone is no identity", "email"]);
    let newest = shop().replace(
        "{attribute: email}",
        "{attribute: email, duplicates: newest}",
    );
    project.write("tenfold.yaml", newest);
    project.published("2024-06-02");
    assert_eq!(get(&["--email", "both@x.org"]).json()["customer"], 5);
    // All of them, those without an event too; the run tells how many share one, and not whose it is.
    let keep = shop().replace("{attribute: email}", "{attribute: email, duplicates: keep}");
    project.write("tenfold.yaml", keep);
    project.write("crm/2.csv", file(&[address(999_999, 9, "both@x.org")]));
    let run = project.published("2024-06-03");
    let warnings = run["warnings"].to_string();
    let told =
        "identity email: 1 value is that of several customers; a lookup by them finds all of these";
    assert!(warnings.contains(told), "{warnings}");
    assert!(!warnings.contains("both@x.org"), "{warnings}");
    let all = get(&["--email", "both@x.org"]).json();
    let keys: Vec<i64> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["customer"].as_i64().unwrap())
        .collect();
    assert_eq!(keys, [5, 4, 999_999]);
    assert_eq!(all[0]["attribute_email"], "both@x.org");
    assert_eq!(get(&["--email", "ann@x.org"]).json()["customer"], 3);
    let text = project
        .tenfold(&["customer", "get", "--email", "both@x.org"])
        .text();
    assert!(
        text.lines()
            .any(|line| line.starts_with("customer") && line.contains("999999")),
        "{text}"
    );
}

#[test]
fn what_attributes_cannot_declare_is_said_by_line() {
    let lint = |declarations: String| {
        let project = Project::new(&declarations);
        let answer = project.tenfold(&["lint"]);
        assert_eq!(answer.code, Some(1), "{answer:?}");
        answer.text() + &answer.stderr
    };
    let told: BTreeSet<(String, &str)> = BTreeSet::from([
        (
            shop().replace("kind: attributes", "kind: events"),
            "events have no attributes",
        ),
        (
            shop().replace("      segment: segment\n", "      valid_to: segment\n"),
            "`valid_to` is a column that dim_customer has anyway",
        ),
        (
            shop().replace("{attribute: email}", "{attribute: mail}"),
            "there is no attribute `mail`",
        ),
        (
            shop().replace("{attribute: email}", "{attribute: born}"),
            "`born` is no text",
        ),
        (
            shop().replace("type: date}", "type: timestamp}"),
            "an attribute is no timestamp",
        ),
        (
            shop().replace("    identities:", "    event_id: id\n    identities:"),
            "attributes have no event_id",
        ),
        (
            shop().replace("clv:", &format!("{}clv:", CRM.replace("crm:", "other:"))),
            "`crm` is a source of attributes too",
        ),
    ]);
    for (declarations, part) in told {
        let said = lint(declarations);
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_first_mapping_is_proposed_from_a_sample() {
    let folder = Project::new("");
    folder.remove("tenfold.yaml");
    folder.write(
        "data/sales.csv",
        csv(&sales(1, 400, 150)).replace("day", "date"),
    );
    let customers = "customer_id,valid_from,Country,zip,member,email\n\
        1,2024-01-02,DE,01234,true,Ann@x.org\n2,2024-01-03,FR,75001,,bo@x.org\n";
    folder.write("data/crm.csv", customers.replace("customer_id", "customer"));
    let place = |name: &str| folder.path(name).display().to_string();
    let init = |folder: &Project, shop: &str, crm: &str| {
        let (sales, crm) = (place("data/sales.csv"), place(crm));
        let mut command = crate::support::binary();
        command.args(["init", &folder.path(shop).display().to_string()]);
        command.args(["--from", &sales, "--attributes", &crm]);
        crate::support::Answer::of(command.output().unwrap())
    };
    assert_eq!(init(&folder, "shop", "data/crm.csv").code, Some(0));
    let written = std::fs::read_to_string(folder.path("shop/tenfold.yaml")).unwrap();
    for line in [
        "    kind: attributes",
        "    time: valid_from",
        "      zip: zip",
        "      member: {column: member, type: bool}",
        "    identities: {email: {attribute: email}}",
    ] {
        assert!(
            written.lines().any(|other| other == line),
            "{line}: {written}"
        );
    }
    let shop = folder.path("shop").display().to_string();
    let refreshed = crate::support::binary()
        .args(["refresh", "-p", &shop, "--as-of", AS_OF])
        .output()
        .unwrap();
    let refreshed = crate::support::Answer::of(refreshed);
    assert_eq!(refreshed.code, Some(0), "{}", refreshed.stderr);
    let found = crate::support::binary()
        .args([
            "customer",
            "get",
            "--email",
            "ann@X.org",
            "-p",
            &shop,
            "-o",
            "json",
        ])
        .output()
        .unwrap();
    let found = crate::support::Answer::of(found).json();
    assert_eq!(found["attribute_zip"], "01234");
    assert_eq!(found["attribute_member"], "true");
    // Without a day in the rows deliveries have one in their path.
    folder.write("data/bare.csv", "customer,country\n1,DE\n");
    assert_eq!(init(&folder, "bare", "data/bare.csv").code, Some(0));
    let written = std::fs::read_to_string(folder.path("bare/tenfold.yaml")).unwrap();
    assert!(
        written.contains("layout: hive\n    customer: customer\n"),
        "{written}"
    );
    assert!(written.contains("    time: dt\n"), "{written}");
}
