//! Audiences over several nights: their members are those of going through the events one by one; who came
//! and went; groups; people who are erased; the same with workers; and the commands.

mod live;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tenfold_core::calendar::Day;

use crate::http::Program;
use crate::processes::{Cluster, Process};
use crate::support::{Project, SHOP, Sale, csv, date, sales, without_ids};

const AUDIENCES: [(&str, &str); 4] = [
    (
        "recent",
        "description: Who bought three times lately.\npriority: 10\n\
         rule: {events: sales, op: \">=\", value: 3, window: {last_days: 20}}\n",
    ),
    (
        "spenders",
        "rule:\n  all:\n    - {events: sales, aggregate: sum, measure: revenue, op: \">\", value: 50.5,\n       \
         window: {last_months: 2}, where: {column: region, op: in, values: [north, south]}}\n    \
         - {column: events, op: \">\", value: 1}\n",
    ),
    (
        "back",
        "rule:\n  sequence:\n    - {events: sales, where: {column: region, op: \"=\", value: north}}\n    \
         - {events: sales, where: {column: region, op: \"=\", value: south}, after_days: 1, within_days: 10}\n  \
         window: {last_days: 60}\n",
    ),
    (
        "quiet",
        "rule:\n  steps:\n    - include: {audience: spenders}\n    - exclude: {audience: recent}\n",
    ),
];

fn with_audiences(declarations: &str, audiences: &[(&str, &str)]) -> Project {
    let project = Project::new(declarations);
    for (name, text) in audiences {
        project.write(&format!("audiences/{name}.yaml"), text);
    }
    project
}

fn day(of_2024: u32) -> Day {
    Day(Day::from_ymd(2024, 1, 1).unwrap().0 + of_2024 as i32)
}

type Members = BTreeMap<String, BTreeSet<i64>>;

/// Of events with one id the earliest counts.
fn counted(sales: &[Sale]) -> Vec<Sale> {
    let mut first: BTreeMap<&str, &Sale> = BTreeMap::new();
    for sale in sales {
        let known = first.entry(&sale.id).or_insert(sale);
        if sale.day < known.day {
            *known = sale;
        }
    }
    first.into_values().cloned().collect()
}

/// The members at a day, by going through the sales of each customer.
fn expected(sales: &[Sale], as_of: u32) -> Members {
    let now = day(as_of);
    let before: Vec<&Sale> = sales.iter().filter(|sale| sale.day < as_of).collect();
    let since = |sale: &Sale, first: Day| day(sale.day) >= first;
    let mut members: Members = AUDIENCES
        .iter()
        .map(|(name, _)| ((*name).to_owned(), BTreeSet::new()))
        .collect();
    let customers: BTreeSet<i64> = before.iter().map(|sale| sale.customer).collect();
    for customer in customers {
        let theirs: Vec<&Sale> = before
            .iter()
            .filter(|sale| sale.customer == customer)
            .copied()
            .collect();
        let lately = theirs.iter().filter(|sale| since(sale, Day(now.0 - 20)));
        let recent = lately.count() >= 3;
        let spent: i64 = theirs
            .iter()
            .filter(|sale| since(sale, now.add_months(-2)))
            .filter(|sale| ["north", "south"].contains(&sale.region))
            .map(|sale| sale.cents)
            .sum();
        let spender = spent > 5_050 && theirs.len() > 1;
        let of = |region: &'static str| {
            let sales = theirs.iter().filter(move |sale| sale.region == region);
            sales.filter(|sale| since(sale, Day(now.0 - 60)))
        };
        let back = of("north").any(|north| {
            of("south").any(|south| (north.day + 1..=north.day + 10).contains(&south.day))
        });
        for (name, is_in) in [
            ("recent", recent),
            ("spenders", spender),
            ("back", back),
            ("quiet", spender && !recent),
        ] {
            if is_in {
                members.get_mut(name).unwrap().insert(customer);
            }
        }
    }
    members
}

fn members(project: &Project) -> Members {
    let mut members: Members = AUDIENCES
        .iter()
        .map(|(name, _)| ((*name).to_owned(), BTreeSet::new()))
        .collect();
    for row in project.sql("SELECT audience, customer FROM audience_member") {
        let audience = row["audience"].as_str().unwrap().to_owned();
        let of = members.entry(audience).or_default();
        assert!(of.insert(row["customer"].as_i64().unwrap()));
    }
    members
}

/// What of the numbers of audiences a snapshot says: by audience members, entered, exited.
fn numbers(project: &Project) -> BTreeMap<String, [i64; 3]> {
    let rows = project.sql(
        "SELECT audience, members, entered, exited FROM fact_audience WHERE snapshot_date = as_of()",
    );
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
    rows.iter()
        .map(|row| {
            let name = row["audience"].as_str().unwrap().to_owned();
            (
                name,
                ["members", "entered", "exited"].map(|column| number(row, column)),
            )
        })
        .collect()
}

/// Refreshes, and compares everything that a snapshot says of its audiences with the sales.
fn night(project: &Project, sales: &[Sale], as_of: u32, before: &Members) -> Members {
    project.published(&date(as_of));
    let now = expected(sales, as_of);
    assert_eq!(members(project), now, "as of {}", date(as_of));
    let none = BTreeSet::new();
    let numbers = numbers(project);
    assert_eq!(numbers.len(), AUDIENCES.len());
    for (name, of) in &now {
        let then = before.get(name).unwrap_or(&none);
        let entered = of.difference(then).count() as i64;
        let exited = then.difference(of).count() as i64;
        assert_eq!(numbers[name], [of.len() as i64, entered, exited], "{name}");
        // Of those who changed it is known when.
        let changed = |status: &str| {
            project.number(&format!(
                "SELECT count(*) FROM audience_change WHERE audience = '{name}' AND status = '{status}' \
                 AND since = as_of()"
            ))
        };
        assert_eq!(
            [changed("realized"), changed("exited")],
            [entered, exited],
            "{name}"
        );
    }
    now
}

#[test]
fn members_are_those_of_the_events_night_by_night() {
    let project = with_audiences(SHOP, &AUDIENCES);
    let mut all = sales(1, 900, 121);
    project.write("sales/1.csv", csv(&all));
    let first = night(&project, &all, 121, &Members::new());
    assert!(first.values().all(|of| of.len() > 2), "{first:?}");
    // Nothing is new but the day.
    let second = night(&project, &all, 142, &first);
    let left = first["recent"].difference(&second["recent"]).count();
    assert!(left > 0 && second["recent"].is_empty(), "{second:?}");
    // Copies: of the same event, of an earlier day of the month, and under the name of somebody else.
    let mut more = sales(2, 300, 150);
    for sale in &mut more {
        sale.id = format!("t{}", sale.id);
    }
    more.extend(all[..20].to_vec());
    let is_late = |sale: &&Sale| sale.day >= 60 && !date(sale.day).ends_with("-01");
    let earlier: Vec<Sale> = all.iter().filter(is_late).take(30).cloned().collect();
    more.extend(earlier.into_iter().map(|sale| Sale {
        day: sale.day - 1,
        ..sale
    }));
    more.extend(all[200..220].iter().map(|sale| Sale {
        customer: sale.customer + 1,
        day: sale.day + 1,
        ..sale.clone()
    }));
    project.write("sales/2.csv", csv(&more));
    all.extend(more);
    let third = night(&project, &counted(&all), 150, &second);
    assert_ne!(third, second);
    let history = project.sql("SELECT audience FROM fact_audience WHERE audience = 'recent'");
    assert_eq!(history.len(), 3);
    assert_eq!(project.refresh(&date(150)).json()["status"], "nothing_new");
    assert_eq!(project.tenfold(&["snapshot", "verify", "3"]).code, Some(0));
}

#[test]
fn sums_of_days_give_the_same_members() {
    let project = with_audiences(&without_ids(), &AUDIENCES);
    let all = sales(5, 900, 121);
    project.write("sales/1.csv", csv(&all[..500]));
    project.published(&date(100));
    project.write("sales/2.csv", csv(&all[500..]));
    project.published(&date(121));
    assert_eq!(members(&project), expected(&all, 121));
}

#[test]
fn coordinator_and_worker_make_the_same() {
    let all = csv(&sales(1, 900, 121));
    let alone = with_audiences(SHOP, &AUDIENCES);
    alone.write("sales/1.csv", &all);
    alone.published(&date(121));
    let project = with_audiences(SHOP, &AUDIENCES);
    project.write("sales/1.csv", &all);
    let cluster = Cluster::new(project);
    let _worker = cluster.worker("one");
    let run = cluster.submit(&date(121));
    cluster.succeeded(&run);
    for table in [
        "audience_member",
        "audience_change",
        "dim_audience",
        "fact_audience",
    ] {
        let rows = format!("SELECT * FROM {table} ORDER BY 1, 2");
        assert_eq!(cluster.project.sql(&rows), alone.sql(&rows), "{table}");
    }
}

/// A statement has the same memory however many audiences there are.
#[test]
fn many_audiences_find_room_one_after_the_other() {
    let of = |place: u32| {
        let rules: Vec<String> = [20, 40, 60]
            .map(|days| {
                format!(
                    "{{events: sales, op: \">=\", value: 1, window: {{last_days: {}}}}}",
                    days + place
                )
            })
            .to_vec();
        (
            format!("a{place}"),
            format!("rule: {{all: [{}]}}\n", rules.join(", ")),
        )
    };
    let audiences: Vec<(String, String)> = (0..30).map(of).collect();
    let audiences: Vec<(&str, &str)> = audiences
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let project = with_audiences(SHOP, &audiences);
    let all = sales(1, 900, 121);
    project.write("sales/1.csv", csv(&all));
    project.published(&date(121));
    let members = members(&project);
    for place in 0..30 {
        let lately = all.iter().filter(|sale| sale.day >= 121 - 20 - place);
        let expected: BTreeSet<i64> = lately.map(|sale| sale.customer).collect();
        assert_eq!(members[&format!("a{place}")], expected, "a{place}");
    }
    let rules: Vec<String> = (1..=15)
        .map(|days| format!("count(events sales last {days} days) < 99"))
        .collect();
    let rule = format!("all({})", rules.join(", "));
    let counted = project.tenfold(&[
        "audience", "count", "--rule", &rule, "--memory", "256MiB", "-o", "json",
    ]);
    let counted = counted.json();
    assert_eq!(counted["members"], counted["customers"]);
}

/// Groups by customer of an audience.
fn groups(project: &Project, audience: &str) -> BTreeMap<i64, String> {
    let rows = project.sql(&format!(
        "SELECT customer, holdout FROM audience_member WHERE audience = '{audience}'"
    ));
    rows.iter()
        .map(|row| {
            let group = row["holdout"].as_str().unwrap().to_owned();
            (row["customer"].as_i64().unwrap(), group)
        })
        .collect()
}

const GROUPS: [(&str, &str); 2] = [
    (
        "exact",
        "rule: {column: events, op: \">\", value: 0}\n\
         holdout: {fraction: 0.3, seed: s, stratify_by: decile_revenue_lifetime}\n",
    ),
    (
        "fixed",
        "rule: {column: events, op: \">\", value: 0}\nholdout: {fraction: 0.3, seed: s}\n",
    ),
];

#[test]
fn groups_have_their_share_in_every_tile_or_stay_for_ever() {
    let project = with_audiences(SHOP, &GROUPS);
    let all = sales(1, 400, 100);
    project.write("sales/1.csv", csv(&all));
    project.published(&date(20));
    let before = groups(&project, "fixed");
    project.published(&date(100));
    let tiles = project.sql(
        "SELECT decile_revenue_lifetime AS tile, count(*) AS members, \
         count(*) FILTER (WHERE holdout = 'control') AS control \
         FROM audience_member JOIN customer_value USING (customer) WHERE audience = 'exact' GROUP BY 1",
    );
    assert!(tiles.len() > 3);
    for tile in &tiles {
        let [members, control] = ["members", "control"].map(|name| tile[name].as_i64().unwrap());
        // Halves are rounded up.
        assert_eq!(control, (members * 3 + 5) / 10, "{tile}");
    }
    // A share of the customers that nothing but seed and key decide.
    let after = groups(&project, "fixed");
    assert!(after.len() > before.len());
    for (customer, group) in &before {
        assert_eq!(after[customer], *group);
    }
    let held = after.values().filter(|group| *group == "control").count();
    assert!(
        (1..after.len() / 2).contains(&held),
        "{held} of {}",
        after.len()
    );
}

#[test]
fn who_is_erased_is_in_no_audience_and_everybody_else_stays() {
    let audiences = [AUDIENCES[0], GROUPS[0]];
    let project = with_audiences(SHOP, &audiences);
    project.write("sales/1.csv", csv(&sales(1, 900, 121)));
    project.published(&date(121));
    project.published(&date(124));
    let rows = |table: &str| {
        project.sql(&format!(
            "SELECT * FROM {table} WHERE customer <> 12 ORDER BY audience, customer"
        ))
    };
    let tables = ["audience_member", "audience_change"];
    let before = tables.map(rows);
    let of_them =
        |table: &str| project.number(&format!("SELECT count(*) FROM {table} WHERE customer = 12"));
    assert!(tables.map(of_them).iter().all(|count| *count > 0));
    let erased = project.tenfold(&["erase", "--customer", "12", "--yes", "--now"]);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(tables.map(of_them), [0, 0]);
    assert_eq!(tables.map(rows), before);
    for at in ["1", "2"] {
        let query = "SELECT count(*) AS n FROM audience_member WHERE customer = 12";
        let answer = project
            .tenfold(&["sql", query, "--at", at, "-o", "json"])
            .json();
        assert_eq!(answer[0]["n"], 0);
    }
    assert_eq!(project.tenfold(&["scrub", "--all"]).code, Some(0));
    // The next night goes on from there, and nobody is said to have left.
    project.published(&date(127));
    assert_eq!(tables.map(of_them), [0, 0]);
}

const CRM: &str = "  crm:
    kind: attributes
    path: crm.csv
    types: {customer: int64, since: date, agreed: bool}
    customer: customer
    time: {column: since, zone: UTC}
    attributes:
      agreed: {column: agreed, type: bool}
      email: email
    identities: {email: {attribute: email}}
";

#[test]
fn attributes_choose_people_without_events_too() {
    let declarations = SHOP.replace("clv:", &format!("{CRM}clv:"));
    let project = with_audiences(
        &declarations,
        &[
            (
                "agreed",
                "rule: {column: customer, op: exists}\nconsent: {attribute: agreed}\n",
            ),
            (
                "listed",
                "rule: {column: email, op: in, list: lists/mail.txt}\nsuppress: [{list: lists/no.txt}]\n",
            ),
            ("silent", "rule: {column: events, op: is_null}\n"),
        ],
    );
    project.write("sales/1.csv", csv(&sales(1, 300, 100)));
    // 900 and 901 never bought; 12 did.
    project.write(
        "crm.csv",
        "customer,since,agreed,email\n12,2024-01-01,true,Ann@X.org\n12,2024-02-01,false,ann@x.org\n\
         900,2024-01-05,true,bob@x.org\n901,2024-01-05,,eve@x.org\n",
    );
    project.write("lists/mail.txt", "ANN@x.org\n\n bob@x.org\n");
    project.write("lists/no.txt", "900\n");
    project.published(&date(100));
    let of = |audience: &str| -> Vec<i64> { groups(&project, audience).into_keys().collect() };
    assert_eq!(of("agreed"), [900]);
    assert_eq!(of("listed"), [12]);
    assert_eq!(of("silent"), [900, 901]);
    // Nobody of a list is named in what is kept of it.
    let manifest = project.manifest()["declarations"].to_string();
    assert!(
        manifest.contains("lists/mail.txt") && !manifest.contains("x.org"),
        "{manifest}"
    );
    // A list is a part of the declarations: another one makes another snapshot.
    assert_eq!(project.refresh(&date(100)).json()["status"], "nothing_new");
    project.write("lists/no.txt", "12\n");
    project.published(&date(100));
    let listed: Vec<i64> = groups(&project, "listed").into_keys().collect();
    assert_eq!(listed, [900]);
}

#[test]
fn moves_are_those_since_the_snapshot_before() {
    let climbed = "rule:\n  decile_moved:\n    column: decile_revenue_1m\n    \
                   from: {op: \">=\", value: 4}\n    to: {op: \"<=\", value: 3}\n";
    let project = with_audiences(SHOP, &[("climbed", climbed)]);
    project.write("sales/1.csv", csv(&sales(1, 900, 150)));
    project.published(&date(100));
    assert_eq!(project.number("SELECT count(*) FROM audience_member"), 0);
    project.published(&date(140));
    let moved = project.number(
        "SELECT count(*) FROM customer_value AS v JOIN snapshot('customer_value', 1) AS b \
         USING (customer) WHERE b.decile_revenue_1m >= 4 AND v.decile_revenue_1m <= 3",
    );
    assert!(moved > 0);
    assert_eq!(
        project.number("SELECT count(*) FROM audience_member"),
        moved
    );
    // Asked again over the older snapshot it is what it was then.
    let count = |at: &str| {
        project
            .tenfold(&["audience", "count", "climbed", "--at", at, "-o", "json"])
            .json()["members"]
            .clone()
    };
    assert_eq!((count("1"), count("2")), (json!(0), json!(moved)));
    // Without the snapshot before nobody can be asked whether they moved, and everything else can.
    let expired = project.tenfold(&["snapshot", "expire", "--keep-last", "1"]);
    assert_eq!(expired.code, Some(0), "{expired:?}");
    let asked = project.tenfold(&["audience", "count", "climbed"]);
    assert_ne!(asked.code, Some(0), "{asked:?}");
    assert!(asked.stderr.contains("has expired"), "{asked:?}");
    let counted = project.tenfold(&["audience", "count", "--rule", "events > 3", "-o", "json"]);
    let many = project.number("SELECT count(*) FROM customer_value WHERE events > 3");
    assert_eq!(counted.json()["members"], many);
}

#[test]
fn commands_count_show_and_explain() {
    let project = with_audiences(SHOP, &AUDIENCES);
    let all = sales(1, 900, 121);
    project.write("sales/1.csv", csv(&all));
    project.published(&date(121));
    let expected = expected(&all, 121);
    let ask = |arguments: &[&str]| {
        let mut arguments = arguments.to_vec();
        arguments.splice(0..0, ["audience"]);
        arguments.extend(["-o", "json"]);
        project.tenfold(&arguments).json()
    };
    let listed = ask(&["ls"]);
    assert_eq!(listed.as_array().unwrap().len(), 4);
    assert_eq!(listed[0]["audience"], "recent");
    assert_eq!(listed[0]["members"], expected["recent"].len());
    let got = ask(&["get", "spenders"]);
    assert_eq!(got["members"], expected["spenders"].len());
    let mix: u64 = got["mix"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["members"].as_u64().unwrap())
        .sum();
    assert_eq!(mix as usize, expected["spenders"].len());
    // A rule that nobody has declared, in both forms.
    let rule = "all(audience spenders, none(audience recent))";
    let counted = ask(&["count", "--rule", rule]);
    assert_eq!(counted["members"], expected["quiet"].len());
    let yaml = "{all: [{audience: spenders}, {none: [{audience: recent}]}]}";
    assert_eq!(ask(&["count", "--rule", yaml]), counted);
    let sample = ask(&["sample", "recent", "-n", "2"]);
    assert_eq!(sample.as_array().unwrap().len(), 2);
    assert_eq!(ask(&["sample", "recent", "-n", "2"]), sample);
    let keys = |answer: Value| -> BTreeSet<i64> {
        let rows = answer.as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["customer"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(keys(ask(&["members", "back"])), expected["back"]);
    assert_eq!(keys(ask(&["evaluate", "back"])), expected["back"]);
    let exported = ask(&["export", "back", "--with", "p_alive"]);
    assert!(exported[0]["p_alive"].is_number());
    assert_eq!(keys(exported), expected["back"]);
    let common = ask(&["overlap", "spenders", "recent"]);
    let both = expected["spenders"]
        .intersection(&expected["recent"])
        .count();
    assert_eq!(common[0]["both"], both);
    let explained = project.tenfold(&["audience", "explain", "quiet"]);
    assert!(
        explained.text().contains("FROM _events_sales"),
        "{explained:?}"
    );
    assert_eq!(project.tenfold(&["audience", "lint"]).code, Some(0));
    let absent = project.tenfold(&["audience", "get", "recnt"]);
    assert_eq!(absent.code, Some(3));
    assert!(
        absent.stderr.contains("E2219") && absent.stderr.contains("`recent`"),
        "{absent:?}"
    );
    let wrong = project.tenfold(&["audience", "count", "--rule", "p_alve < 0.5"]);
    wrong.refused(&["E2122", "`p_alve`", "`p_alive`"]);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let says = |text: &str, file: &str| {
        let project = with_audiences(SHOP, &[("a", text)]);
        let answer = project.tenfold(&["lint"]);
        assert_eq!(answer.code, Some(1), "{text}");
        assert!(answer.stderr.contains(file), "{}\n{file}", answer.stderr);
    };
    says(
        "rule: {colum: events, op: exists}",
        "a.yaml:1:8: error: unknown key `colum`",
    );
    says(
        "rule: {column: evnts, op: exists}",
        "did you mean `events`?",
    );
    says(
        "rule: {column: events, op: \"=\", value: x}",
        "a.yaml:1:40: error: it is compared with a number",
    );
    says("rule: {audience: b}", "there is no audience `b`");
    says("rule: {audience: a}", "wait for each other: a names a");
    says("rule: {relation: nothing}", "there is no table `nothing`");
    says(
        "rule: {column: customer, op: \"=\", value: 5}",
        "would name people",
    );
    let many = vec!["1"; 251].join(", ");
    says(
        &format!("rule: {{column: events, op: in, values: [{many}]}}"),
        "there are 251 values",
    );
    let steps = ["{events: sales}"; 7].join(", ");
    says(
        &format!("rule: {{sequence: [{steps}]}}"),
        "the sequence has 7 steps",
    );
    says(
        "rule: {all: [{column: events, op: exists}, {column: p_alive}]}",
        "it is not said how it is compared",
    );
}

#[test]
fn programs_ask_over_http() {
    let project = with_audiences(SHOP, &AUDIENCES);
    let all = sales(1, 900, 121);
    project.write("sales/1.csv", csv(&all));
    project.published(&date(121));
    let expected = expected(&all, 121);
    let many = project.number("SELECT count(*) FROM customer_value WHERE events > 15");
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let asking = Program::new(&mut server, "");
    let listed = asking.fine("GET", "/v1/audiences", &Value::Null);
    assert_eq!(listed["audiences"].as_array().unwrap().len(), 4);
    let got = asking.fine("GET", "/v1/audiences/back", &Value::Null);
    assert_eq!(got["members"], expected["back"].len());
    let body =
        json!({"rule": {"all": [{"audience": "spenders"}, {"none": [{"audience": "recent"}]}]}});
    let counted = asking.fine("POST", "/v1/audiences:count", &body);
    assert_eq!(counted["members"], expected["quiet"].len());
    assert!(!counted["sample"].as_array().unwrap().is_empty());
    let text = json!({"text": "count(events sales last 20 days) >= 3"});
    let counted = asking.fine("POST", "/v1/audiences:count", &text);
    assert_eq!(counted["members"], expected["recent"].len());
    let text = json!({"text": "events > 15"});
    let counted = asking.fine("POST", "/v1/audiences:count", &text);
    assert_eq!(counted["members"], many);
    let (status, problem) = asking.ask("POST", "/v1/audiences:count", &json!({"text": "nothing"}));
    assert_eq!(
        (status, problem["code"].as_str()),
        (400, Some("E2122")),
        "{problem}"
    );
    let (status, _) = asking.ask("GET", "/v1/audiences/absent", &Value::Null);
    assert_eq!(status, 404);
    server.signal("-TERM");
    assert_eq!(server.ends(), Some(0));
}
