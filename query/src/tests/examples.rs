//! The worked examples of `docs/examples.md`, beside going through the rows one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The query of an example, below its headline.
fn example(headline: &str) -> String {
    let page = include_str!("../../../docs/examples.md");
    let section = page.split("\n## ").find(|part| part.starts_with(headline));
    let query = section.unwrap().split("```sql\n").nth(1).unwrap();
    query.split("```").next().unwrap().to_owned()
}

/// Rows as texts, of a query over tables that are given as `name(columns) AS (VALUES ...)`.
async fn rows(headline: &str, tables: &[String], name: &str, value: Parameter) -> Vec<Vec<String>> {
    let sql = example(headline);
    let sql = sql.strip_prefix("WITH ").unwrap();
    let sql = format!("WITH {}, {sql}", tables.join(", "));
    let parameters = Parameters::named([(name.to_owned(), value)]);
    let session = session().await;
    let answer = session.prepare(&sql, &parameters).await.unwrap();
    let batches = answer.run().await.unwrap().collect().await.unwrap();
    cells(&pretty_format_batches(&batches).unwrap().to_string())
}

/// The cells of a table that is shown.
fn cells(shown: &str) -> Vec<Vec<String>> {
    let lines = shown.lines().skip(3).filter(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    lines.map(cells).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A table of some columns, each with its values as they are written; `t` has seconds since 1970.
fn table(name: &str, columns: &[(&str, Vec<String>)]) -> String {
    let unnested = columns
        .iter()
        .map(|(column, values)| format!("unnest([{}]) AS {column}", values.join(", ")));
    let shown = columns.iter().map(|(column, _)| match *column {
        "t" => "to_timestamp_seconds(t) AS t".to_owned(),
        "day" => "CAST(day AS DATE) AS day".to_owned(),
        column => column.to_owned(),
    });
    let (unnested, shown) = (unnested.collect::<Vec<_>>(), shown.collect::<Vec<_>>());
    let (unnested, shown) = (unnested.join(", "), shown.join(", "));
    format!("{name} AS (SELECT {shown} FROM (SELECT {unnested}))")
}

/// 2024-03-05, in seconds since 1970.
const TODAY: i64 = 1_709_596_800;

/// Numbers that are as good as random, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

const PRICES: [(&str, i64); 4] = [("s1", 10), ("s2", 25), ("s3", 25), ("s4", 40)];

#[tokio::test]
async fn whoever_looked_and_did_not_buy_is_shown_with_the_dearest_thing() {
    // (visitor, hour before or after the midnight that today begins with, page, product)
    type Click = (Option<&'static str>, i64, &'static str, &'static str);
    let mut clicks: Vec<Click> = vec![
        (Some("buyer"), -5, "/p", "s4"),
        (Some("buyer"), -4, "/orderconfirmation/7", ""),
        (Some("two"), -30, "/p", "s1"),
        (Some("two"), -20, "/p", "s3"),
        (Some("two"), -10, "/p", "s2"),
        (Some("edge"), -96, "/p", "s1"),
        (Some("late"), -97, "/p", "s1"),
        (Some("today"), 0, "/p", "s1"),
        (Some("other"), -3, "/p", "unknown"),
        (None, -3, "/p", "s1"),
        // Whoever bought before these days is no buyer of them.
        (Some("again"), -120, "/orderconfirmation/1", ""),
        (Some("again"), -2, "/p", "s1"),
    ];
    let mut dice = Dice(3);
    for _ in 0..300 {
        let who = ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8"][dice.below(8) as usize];
        let sku = ["s1", "s2", "s3", "s4", "unknown"][dice.below(5) as usize];
        let page = if dice.below(40) == 0 {
            "/orderconfirmation"
        } else {
            "/p"
        };
        clicks.push((Some(who), -(dice.below(150) as i64), page, sku));
    }
    let mut best: BTreeMap<&str, (i64, i64, &str)> = BTreeMap::new();
    let recent = |hour: i64| (-96..0).contains(&hour);
    let bought: BTreeSet<&str> = clicks
        .iter()
        .filter(|(_, hour, page, _)| recent(*hour) && page.contains("orderconfirmation"))
        .filter_map(|click| click.0)
        .collect();
    for (who, hour, _, sku) in &clicks {
        let price = PRICES.iter().find(|(known, _)| known == sku);
        let (Some(who), Some((_, price)), true) = (who, price, recent(*hour)) else {
            continue;
        };
        if bought.contains(who) {
            continue;
        }
        let this = (*price, *hour, *sku);
        let other = best.entry(who).or_insert(this);
        let better = (this.0, this.1, std::cmp::Reverse(this.2));
        if better > (other.0, other.1, std::cmp::Reverse(other.2)) {
            *other = this;
        }
    }
    let who = |who: Option<&str>| who.map_or("NULL".to_owned(), quoted);
    let column = |of: &dyn Fn(&Click) -> String| clicks.iter().map(of).collect();
    let tables = [
        table(
            "clicks",
            &[
                ("visitor", column(&|click| who(click.0))),
                ("t", column(&|click| (TODAY + click.1 * 3600).to_string())),
                ("url", column(&|click| quoted(click.2))),
                ("sku", column(&|click| quoted(click.3))),
            ],
        ),
        table(
            "products",
            &[
                ("sku", PRICES.map(|(sku, _)| quoted(sku)).to_vec()),
                ("price", PRICES.map(|(_, price)| price.to_string()).to_vec()),
            ],
        ),
    ];
    let today = Parameter::Text("2024-03-05".to_owned());
    let found = rows("Abandoned browse", &tables, "today", today).await;
    let found: Vec<_> = found.into_iter().map(|row| row[..3].to_vec()).collect();
    let expected: Vec<Vec<String>> = best
        .iter()
        .map(|(who, (price, _, sku))| [*who, sku, &price.to_string()].map(str::to_owned).to_vec())
        .collect();
    assert_eq!(found, expected);
    let of = |who: &str| {
        found
            .iter()
            .find(|row| row[0] == who)
            .map(|row| row[1].as_str())
    };
    assert_eq!(
        (of("two"), of("edge"), of("again")),
        (Some("s2"), Some("s1"), Some("s1"))
    );
    for nobody in ["buyer", "late", "today", "other"] {
        assert_eq!(of(nobody), None, "{nobody}");
    }
}

#[tokio::test]
async fn purchases_of_programs_are_left_out_and_those_of_nobody_are_not() {
    let mut clicks: Vec<(Option<String>, i64)> = Vec::new();
    let mut burst = |who: Option<&str>, from: i64, count: i64| {
        let click = |second| (who.map(str::to_owned), from + second);
        clicks.extend((0..count).map(click));
    };
    burst(Some("fifty"), 0, 50);
    burst(Some("more"), 0, 51);
    burst(Some("across"), 30, 60);
    burst(None, 0, 59);
    let mut dice = Dice(9);
    for number in 0..12 {
        let (count, length) = (40 + dice.below(80), 60 + dice.below(120));
        let who = format!("v{number:02}");
        let click = |_| (Some(who.clone()), dice.below(length) as i64);
        clicks.extend((0..count).map(click));
    }
    let is_bot = |who: &str| {
        let of = clicks
            .iter()
            .filter(|click| click.0.as_deref() == Some(who));
        let times: Vec<i64> = of.map(|click| click.1).collect();
        let from = |from: &i64| {
            times
                .iter()
                .filter(|t| (*from..from + 60).contains(t))
                .count()
        };
        times.iter().map(from).max().unwrap_or(0) > 50
    };
    let mut names: BTreeSet<String> = clicks.iter().filter_map(|click| click.0.clone()).collect();
    names.insert("never seen".to_owned());
    let sql = |who: &Option<String>| who.as_deref().map_or("NULL".to_owned(), quoted);
    let buyers: Vec<String> = names
        .iter()
        .cloned()
        .map(Some)
        .chain([None])
        .map(|who| sql(&who))
        .collect();
    let bought = buyers.len();
    let tables = [
        table(
            "clicks",
            &[
                (
                    "visitor",
                    clicks.iter().map(|click| sql(&click.0)).collect(),
                ),
                (
                    "t",
                    clicks
                        .iter()
                        .map(|click| (TODAY + click.1).to_string())
                        .collect(),
                ),
            ],
        ),
        table(
            "purchases",
            &[
                ("visitor", buyers),
                ("day", vec![quoted("2024-03-05"); bought]),
                ("amount", vec!["10".to_owned(); bought]),
            ],
        ),
    ];
    let most = Parameter::Number("50".to_owned());
    let found = rows("Bots before", &tables, "most", most).await;
    let found: Vec<&str> = found.iter().map(|row| row[0].as_str()).collect();
    let mut expected: Vec<&str> = names.iter().map(String::as_str).collect();
    expected.retain(|who| !is_bot(who));
    // NULL sorts last.
    expected.push("");
    assert_eq!(found, expected);
    assert!(found.contains(&"fifty") && !found.contains(&"more") && !found.contains(&"across"));
    assert!(
        found.len() > 5 && found.len() < names.len() - 3,
        "{found:?}"
    );
}

#[tokio::test]
async fn customers_of_two_lists_are_those_of_trying_every_pair() {
    let luma = [
        "Anna O'Brien",
        "ANNA O'BRIEN",
        "Jon Smith",
        "Zoë Müller",
        "Xu",
    ];
    let acme = [
        "Ann O'Brian",
        "anna obrien",
        "John Smith",
        "Zoe Muller",
        "Peter Parker",
    ];
    let list = |name: &str, names: &[&str]| {
        let ids = (0..names.len()).map(|id| id.to_string()).collect();
        let names = names.iter().map(|name| quoted(name)).collect();
        table(name, &[("id", ids), ("name", names)])
    };
    let tables = [list("luma", &luma), list("acme", &acme)];
    let least = Parameter::Number("70".to_owned());
    let found = rows("The customers of two lists", &tables, "least", least).await;
    let every = format!(
        "WITH {}, every AS (SELECT l.id AS luma, a.id AS acme,
             partial_ratio(LOWER(l.name), LOWER(a.name)) AS ratio FROM luma l CROSS JOIN acme a)
         SELECT * FROM every WHERE ratio >= 70 ORDER BY 1, 3 DESC, 2",
        tables.join(", ")
    );
    assert_eq!(found, cells(&show(&session().await, &every).await));
    assert!(found.len() >= 5, "{found:?}");
}
