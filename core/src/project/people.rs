//! Whose a row of a declared table is: what its references say.

use std::collections::BTreeSet;

use super::model::Project;
use super::model_table::{Mode, UserTable};

/// What the key of a customer is called in the tables that Tenfold makes.
const CUSTOMER: &str = "customer";

impl Project {
    /// The columns of a declared table that hold keys of customers: those with a reference to the column
    /// `customer` of a table that Tenfold makes, straight or by way of other declared tables.
    pub fn customer_columns(&self, table: &UserTable) -> Vec<String> {
        if table.by_tenfold {
            let keys = table.keys.iter();
            return keys.filter(|key| *key == CUSTOMER).cloned().collect();
        }
        let references = table.references.iter();
        let pairs = references.flat_map(|to| {
            to.pairs()
                .map(move |(column, key)| (column, &to.table, key))
        });
        let theirs = pairs.filter(|(_, table, key)| self.names_customers(table, key));
        let columns: BTreeSet<&str> = theirs.map(|(column, ..)| column).collect();
        columns.into_iter().map(str::to_owned).collect()
    }

    fn names_customers(&self, table: &str, column: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![(table, column)];
        while let Some((table, column)) = open.pop() {
            if !seen.insert((table, column)) {
                continue;
            }
            let Some(declared) = self.user_table(table) else {
                if column == CUSTOMER {
                    return true;
                }
                continue;
            };
            for to in &declared.references {
                let onwards = to.pairs().filter(|(from, _)| *from == column);
                open.extend(onwards.map(|(_, key)| (to.table.as_str(), key)));
            }
        }
        false
    }

    /// The customers' columns of a declared table whose rows were merged night after night, or that Tenfold
    /// declares; none when it is no such table. `later` are declarations that say it where these do not, of the
    /// same table.
    pub fn increments_of(&self, table: &str, later: Option<&Self>) -> Option<Vec<String>> {
        let declared = self.user_table(table)?;
        if declared.mode != Mode::Incremental && !declared.by_tenfold {
            return None;
        }
        let own = self.customer_columns(declared);
        let later = later.filter(|_| own.is_empty()).and_then(|later| {
            let same = later.user_table(table)?;
            let same = Some(same).filter(|same| same.means_the_same(declared));
            same.map(|same| later.customer_columns(same))
        });
        Some(later.unwrap_or(own))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lint_table;
    use super::*;

    fn project(tables: &[(&str, &str)]) -> Project {
        let mut project = super::super::parse(
            "project: shop\ncustomer: {type: int64}\nsources:\n  sales:\n    path: sales.csv\n    \
             types: {customer: int64, day: date, points: int64}\n    customer: customer\n    \
             time: day\n    measures: {points: {column: points}}\ndeciles: [{measure: points}]\n",
        )
        .unwrap();
        for (name, references) in tables {
            let head = format!("/*\nkeys: [a]\nreferences: {{{references}}}\n*/ SELECT 1");
            let lint = lint_table(&format!("tables/{name}.sql"), &head);
            project.tables.push(lint.table.unwrap());
        }
        project
    }

    #[test]
    fn references_lead_to_customers_straight_or_by_other_tables() {
        let project = project(&[
            (
                "moves",
                "who: customer_value.customer, day: dim_date.date, friend: dim_customer.customer",
            ),
            ("later", "who: moves.who, day: moves.day"),
            ("ring", "a: circle.a"),
            ("circle", "a: ring.a"),
        ]);
        let columns = |name: &str| project.customer_columns(project.user_table(name).unwrap());
        assert_eq!(columns("moves"), ["friend", "who"]);
        assert_eq!(columns("later"), ["who"]);
        assert_eq!(columns("ring"), [""; 0]);
        assert_eq!(project.increments_of("moves", None), None);
        assert_eq!(project.increments_of("customer_value", None), None);
    }

    #[test]
    fn what_an_earlier_snapshot_does_not_say_a_later_one_may() {
        let incremental = |references: &str| {
            let mut project = project(&[("moves", references)]);
            project.tables[0].mode = Mode::Incremental;
            project
        };
        let (before, after) = (incremental(""), incremental("who: customer_value.customer"));
        let who = Some(vec!["who".to_owned()]);
        assert_eq!(before.increments_of("moves", None), Some(Vec::new()));
        assert_eq!(before.increments_of("moves", Some(&after)), who);
        assert_eq!(after.increments_of("moves", Some(&before)), who);
        let mut other = after.clone();
        other.tables[0].sql = "SELECT 2".to_owned();
        assert_eq!(
            before.increments_of("moves", Some(&other)),
            Some(Vec::new())
        );
    }
}
