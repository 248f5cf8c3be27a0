//! The tables of a snapshot as a star: their keys and references hold, and are told.

use crate::support::{Project, SHOP, Sale, csv, sales};

#[test]
fn keys_and_references_of_what_is_published_hold() {
    let project = Project::new(&SHOP.replace("holdout: none", "holdout: {months: 1}"));
    project.write("sales/1.csv", csv(&sales(1, 400, 150)));
    project.published("2024-05-01");
    project.published("2024-06-01");
    let constraints = project.sql(
        "SELECT c.table_name, c.constraint_name, c.constraint_type, \
                array_to_string(array_agg(k.column_name ORDER BY k.ordinal_position), ', ') AS columns, \
                max(u.table_name) AS refers, max(p.column_name) AS other \
         FROM information_schema.table_constraints c \
         JOIN information_schema.key_column_usage k ON k.constraint_name = c.constraint_name \
         LEFT JOIN information_schema.referential_constraints r \
           ON r.constraint_name = c.constraint_name \
         LEFT JOIN information_schema.table_constraints u \
           ON u.constraint_name = r.unique_constraint_name \
         LEFT JOIN information_schema.key_column_usage p \
           ON p.constraint_name = r.unique_constraint_name \
         GROUP BY 1, 2, 3 ORDER BY 1, 2",
    );
    let (mut keys, mut references) = (0, 0);
    for constraint in &constraints {
        let word = |name: &str| constraint[name].as_str().unwrap().to_owned();
        let (table, columns) = (word("table_name"), word("columns"));
        match word("constraint_type").as_str() {
            "FOREIGN KEY" => {
                let (refers, other) = (word("refers"), word("other"));
                let lost = project.number(&format!(
                    "SELECT COUNT(*) AS n FROM {table} f LEFT JOIN {refers} d \
                     ON d.{other} = f.{columns} WHERE f.{columns} IS NOT NULL AND d.{other} IS NULL"
                ));
                assert_eq!(lost, 0, "{table}.{columns}");
                references += 1;
            }
            kind => {
                let again = project.number(&format!(
                    "SELECT COUNT(*) AS n FROM \
                     (SELECT 1 FROM {table} GROUP BY {columns} HAVING COUNT(*) > 1)"
                ));
                assert_eq!(again, 0, "{table} ({columns})");
                let nulls = columns
                    .split(", ")
                    .map(|column| format!("{column} IS NULL"));
                let nulls = nulls.collect::<Vec<_>>().join(" OR ");
                if kind == "PRIMARY KEY" {
                    let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE {nulls}");
                    assert_eq!(project.number(&sql), 0, "{table} ({columns})");
                }
                keys += 1;
            }
        }
    }
    let tables = project.manifest()["tables"].as_object().unwrap().len();
    assert_eq!((keys, tables), (12, 12));
    assert_eq!(references, 15);
    let bare = "SELECT COUNT(*) AS n FROM information_schema.columns WHERE description IS NULL";
    assert_eq!(project.number(bare), 0);
}

/// A shop whose customers began over some months, one of them on the last day of January.
fn grown() -> Project {
    let project = Project::new(SHOP);
    let mut rows = sales(3, 900, 100);
    for sale in &mut rows {
        sale.day += 20 * (sale.customer % 4) as u32;
    }
    for (id, day) in [("first", 30), ("last", 59)] {
        rows.push(Sale {
            id: id.to_owned(),
            customer: 9001,
            day,
            cents: 750,
            region: "",
        });
    }
    project.write("sales/1.csv", csv(&rows));
    project.published("2024-06-30");
    project
}

#[test]
fn cohorts_say_what_their_customers_say() {
    let project = grown();
    let cohorts = "SELECT cohort, customers, repeat_customers, purchase_days, revenue, \
                          round(p_alive, 9) AS p_alive, round(clv_12m, 6) AS clv_12m \
                   FROM fact_cohort ORDER BY cohort";
    let by_customers = "SELECT CAST(date_trunc('month', first_purchase) AS DATE) AS cohort, count(*) AS customers, \
                               count(*) FILTER (WHERE purchase_days > 1) AS repeat_customers, \
                               sum(purchase_days) AS purchase_days, sum(revenue_lifetime) AS revenue, \
                               round(avg(p_alive), 9) AS p_alive, round(sum(clv_12m), 6) AS clv_12m \
                        FROM customer_value WHERE first_purchase IS NOT NULL GROUP BY 1 ORDER BY 1";
    assert_eq!(project.sql(cohorts), project.sql(by_customers));
    assert!(project.number("SELECT count(*) AS n FROM fact_cohort") > 2);
}

#[test]
fn retention_counts_whole_months_as_sql_does() {
    let project = grown();
    let differs = "SELECT count(*) AS n FROM fact_cohort_retention r JOIN ( \
                     SELECT r.cohort, r.months, \
                       count(*) FILTER (WHERE v.first_purchase + make_ym_interval(0, r.months) <= DATE '2024-06-29') AS customers, \
                       count(*) FILTER (WHERE v.first_purchase + make_ym_interval(0, r.months) <= v.last_purchase) AS retained \
                     FROM fact_cohort_retention r JOIN customer_value v \
                       ON CAST(date_trunc('month', v.first_purchase) AS DATE) = r.cohort \
                     GROUP BY 1, 2) e ON e.cohort = r.cohort AND e.months = r.months \
                   WHERE e.customers <> r.customers OR e.retained <> r.retained";
    assert_eq!(project.number(differs), 0);
    // As many months as somebody of the cohort was observed for, the first of them too.
    let rows = "SELECT count(*) AS n FROM fact_cohort_retention";
    let expected = "SELECT sum(longest) AS n FROM ( \
                      SELECT max(m.value) AS longest FROM customer_value v JOIN generate_series(1, 60) m \
                        ON v.first_purchase + make_ym_interval(0, m.value) <= DATE '2024-06-29' \
                      GROUP BY date_trunc('month', v.first_purchase))";
    assert_eq!(project.number(rows), project.number(expected));
}

#[test]
fn customers_by_day_add_up_to_all_buyers() {
    let project = grown();
    let days =
        "SELECT date, new_customers, customers, last_seen FROM fact_customers_by_day ORDER BY date";
    let expected = "SELECT d.date, f.n AS new_customers, sum(f.n) OVER (ORDER BY d.date) AS customers, l.n AS last_seen \
                    FROM dim_date d \
                    CROSS JOIN LATERAL (SELECT count(*) AS n FROM customer_value v WHERE v.first_purchase = d.date) f \
                    CROSS JOIN LATERAL (SELECT count(*) AS n FROM customer_value v WHERE v.last_purchase = d.date) l \
                    WHERE f.n + l.n > 0 ORDER BY d.date";
    assert_eq!(project.sql(days), project.sql(expected));
}

#[test]
fn parameters_are_those_that_were_fitted() {
    let project = grown();
    let said = project.tenfold(&["params", "get", "-o", "json"]).json();
    let alpha = &said["transactions"][0]["parameters"]["alpha"];
    let told = project.sql("SELECT estimate FROM dim_model_parameter WHERE scores AND model <> 'spend' AND parameter = 'alpha'");
    assert_eq!(&told[0]["estimate"], alpha);
    assert_eq!(told.len(), 1);
}
