//! The tables of a snapshot as a star: their keys and references hold, and are told.

use crate::support::{Project, SHOP, csv, sales};

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
    assert_eq!((keys, tables), (7, 7));
    assert_eq!(references, 9);
    let bare = "SELECT COUNT(*) AS n FROM information_schema.columns WHERE description IS NULL";
    assert_eq!(project.number(bare), 0);
}
