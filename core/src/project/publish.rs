//! Where snapshots are loaded to when they are published.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Secret;
use super::check::identifier;
use super::finding::{At, Report};
use super::model::Project;
use super::near::did_you_mean;

/// Where snapshots are loaded to when they are published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// A PostgreSQL database that each snapshot is loaded into, in one transaction.
    pub postgres: Option<PublishPostgres>,
}

/// A PostgreSQL database that each snapshot is loaded into.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishPostgres {
    /// Where its address is, which holds a password: a variable of the environment, or a file.
    pub url: Secret,
    /// File of certificates that the one of the database is checked by; those of the machine when left out.
    pub ca: Option<String>,
    /// Schema that the tables are put into.
    #[serde(default = "insights")]
    pub schema: String,
    /// Tables that are loaded; all when left out.
    #[serde(default)]
    pub tables: Vec<String>,
}

fn insights() -> String {
    "insights".to_owned()
}

/// Adds what is wrong with the names of a declaration. Which tables there are is known when those that are
/// declared by SQL are.
pub(super) fn check(project: &Project, report: &mut Report) {
    let Some(postgres) = &project.publish.postgres else {
        return;
    };
    identifier(
        &postgres.schema,
        At::Value,
        "publish.postgres.schema",
        report,
    );
    for (place, table) in postgres.tables.iter().enumerate() {
        let at = format!("publish.postgres.tables[{place}]");
        identifier(table, At::Value, &at, report);
    }
}

impl Project {
    /// A table that is to be loaded and is none of the project's, and what was probably meant.
    pub fn unknown_published(&self) -> Option<(&str, String)> {
        let mut known = self.built_in_tables();
        let declared = self.tables.iter().filter(|table| table.is_table());
        known.extend(declared.map(|table| table.name.as_str()));
        let mut wanted = self.publish.postgres.iter().flat_map(|to| &to.tables);
        let unknown = wanted.find(|table| !known.contains(&table.as_str()))?;
        Some((unknown, did_you_mean(unknown, known)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{lint, parse};
    use super::*;

    const SHOP: &str = "project: shop\ncustomer: {type: int64}\nsources:\n  sales:\n    path: sales.csv\n    \
        types: {customer: int64, day: date, points: int64}\n    customer: customer\n    \
        time: day\n    measures: {points: {column: points}}\ndeciles: [{measure: points}]\n";

    fn project(publish: &str) -> Project {
        parse(&format!("{SHOP}publish: {publish}\n")).unwrap()
    }

    fn finding(publish: &str) -> String {
        let findings = lint(&format!("{SHOP}publish: {publish}\n")).findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].render("tenfold.yaml")
    }

    #[test]
    fn a_database_is_declared_by_the_place_of_its_address() {
        let declared = project("{postgres: {url: {env: SHOP_DB}, tables: [customer_value]}}");
        let postgres = declared.publish.postgres.as_ref().unwrap();
        assert_eq!(postgres.url, Secret::Env("SHOP_DB".to_owned()));
        assert_eq!(postgres.schema, "insights");
        assert_eq!(declared.unknown_published(), None);
        assert_eq!(parse(SHOP).unwrap().publish, Publish::default());
        // It says nothing about what a snapshot holds.
        let without = serde_json::to_value(parse(SHOP).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(declared).unwrap(), without);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let unknown = project("{postgres: {url: {file: f}, tables: [dim_date, customer_valu]}}");
        let (table, remedy) = unknown.unknown_published().unwrap();
        assert_eq!(table, "customer_valu");
        assert!(remedy.contains("customer_value"), "{remedy}");
        let written = "{postgres: {url: \"postgresql://a:b@c/d\"}}";
        assert!(finding(written).contains("publish.postgres.url"));
        assert!(
            !finding(written).contains("a:b"),
            "an address holds a password"
        );
        let schema = finding("{postgres: {url: {env: A}, schema: My Schema}}");
        assert!(schema.contains("`My Schema` is no identifier"), "{schema}");
        assert!(finding("{postgres: {}}").contains("`url` is missing"));
    }
}
