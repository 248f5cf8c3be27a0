//! Which numbers are measures: amounts of money, loyalty credit, or else a count.

use super::roles::{self, Named};
use super::{ColumnKind, ProposedMeasure, SampleTable, shown};
use crate::project::model::MeasureValue;
use crate::project::name::to_identifier;
use crate::project::sql::quoted;

/// The measures of a table, money first; at least one.
pub(super) fn propose(
    sample: &SampleTable,
    columns: &[Named<'_>],
    used: &[&str],
) -> Vec<ProposedMeasure> {
    let free: Vec<Named<'_>> = columns
        .iter()
        .filter(|column| column.column.kind.is_number() && !used.contains(&column.name()))
        .cloned()
        .collect();
    let price = roles::best(&free, roles::price);
    let quantity = roles::best(&free, roles::quantity);
    let mut found = Vec::new();
    match (roles::best(&free, roles::amount), quantity, price) {
        (Some(amount), _, _) => found.push(money(amount)),
        (None, Some(quantity), Some(price)) => found.push(product(quantity, price)),
        (None, None, Some(price)) => found.push(money(price)),
        (None, _, None) => {}
    }
    found.extend(roles::best(&free, roles::credit).map(plain));
    if found.is_empty() {
        found.extend(quantity.map(plain));
    }
    if found.is_empty() {
        found.push(event_count(sample));
    }
    found
}

fn money(column: &Named<'_>) -> ProposedMeasure {
    let mut why = format!("{} is a number named like an amount", shown(column.name()));
    why += &refunds(column.column.negative_share);
    ProposedMeasure {
        name: "revenue".to_owned(),
        value: MeasureValue::Column(column.name().to_owned()),
        is_money: true,
        currency: column.currency(),
        scale: if column.column.kind == ColumnKind::Int {
            0
        } else {
            2
        },
        why,
    }
}

fn product(quantity: &Named<'_>, price: &Named<'_>) -> ProposedMeasure {
    let mut why = "no column holds the amount, so quantity times price".to_owned();
    why += &refunds(
        quantity
            .column
            .negative_share
            .max(price.column.negative_share),
    );
    let expression = format!("{} * {}", quoted(quantity.name()), quoted(price.name()));
    ProposedMeasure {
        name: "revenue".to_owned(),
        value: MeasureValue::Expression(expression),
        is_money: true,
        currency: price.currency(),
        scale: 2,
        why,
    }
}

fn plain(column: &Named<'_>) -> ProposedMeasure {
    let whole = column.column.kind == ColumnKind::Int;
    ProposedMeasure {
        name: measure_name(column.name()),
        value: MeasureValue::Column(column.name().to_owned()),
        is_money: false,
        currency: None,
        scale: if whole { 0 } else { 2 },
        why: format!(
            "{} is a number named like something counted",
            shown(column.name())
        ),
    }
}

fn event_count(sample: &SampleTable) -> ProposedMeasure {
    ProposedMeasure {
        name: "events".to_owned(),
        value: MeasureValue::Expression("1".to_owned()),
        is_money: false,
        currency: None,
        scale: 0,
        why: format!(
            "none of the {} columns looks like an amount: events are counted",
            sample.columns.len()
        ),
    }
}

/// An identifier whose output columns are neither too long nor taken by the CLV.
fn measure_name(column: &str) -> String {
    let mut name = to_identifier(column);
    name.truncate(40);
    let name = name.trim_end_matches('_').to_owned();
    let taken = ["clv", "total_value", "expected_purchases", "revenue"].contains(&name.as_str());
    if taken || name.starts_with("clv_") {
        format!("sum_of_{name}")
    } else {
        name
    }
}

fn refunds(negative_share: f64) -> String {
    if negative_share <= 0.0 {
        return String::new();
    }
    format!(
        "; {:.2} % of the rows are below zero and count as refunds",
        negative_share * 100.0
    )
}
