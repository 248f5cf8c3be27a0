//! What a schema cannot say of a dashboard: names, places, what fits to what.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{
    Aggregate, Column, Condition, Control, Document, Drill, Filter, Operator, Query, SnapshotName,
    Widget,
};
use super::parameters::named;
use crate::failure::Failure;
use crate::project::near::did_you_mean;
use crate::project::{At, Finding, Report, Severity, Spot, declared};
use crate::snapshot;

/// Bytes that a dashboard may have.
pub const MOST_BYTES: usize = 512 << 10;
/// The longest name of a dashboard.
pub const LONGEST: usize = 64;
/// Columns of the grid.
const COLUMNS: u32 = 12;

/// What a dashboard is to be called.
const NAMES: &str = "use lower-case letters, digits and `_`, up to 64 of them";

/// A dashboard as it was read, and what is wrong or odd with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    /// What it says; nothing when there is an error among the findings.
    pub document: Option<Document>,
    /// Errors and warnings in the order of the file.
    pub findings: Vec<Finding>,
}

/// Whether a text is the name of a dashboard, or of a widget.
pub fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits)
}

/// Reads a dashboard.
pub fn lint_dashboard(text: &str) -> Dashboard {
    let mut report = Report::default();
    if text.len() > MOST_BYTES {
        let message = format!("it has {} bytes, and may have {MOST_BYTES}", text.len());
        let remedy = "make several dashboards of it".to_owned();
        report.add_at(Severity::Error, Spot::START, "", message, remedy);
        return Dashboard {
            document: None,
            findings: report.into_findings(),
        };
    }
    let document = declared::<Document>(text, &mut report);
    if let Some(document) = &document {
        check(document, &mut report);
    }
    Dashboard {
        document: document.filter(|_| !report.has_errors()),
        findings: report.into_findings(),
    }
}

/// What is wrong between dashboards: where clicks lead. Every file is given with its dashboard's name.
pub fn between(all: &[(String, String, Document)]) -> Vec<(String, Finding)> {
    let by_name: BTreeMap<&str, &Document> = all
        .iter()
        .map(|(name, _, document)| (name.as_str(), document))
        .collect();
    let mut findings = Vec::new();
    for (_, file, document) in all {
        for widget in &document.widgets {
            let Some(drill) = &widget.drill else { continue };
            let mut error = |message: String, remedy: String| {
                let finding = Finding {
                    severity: Severity::Error,
                    line: Spot::START.line,
                    column: Spot::START.column,
                    path: String::new(),
                    message: format!("widget `{}`: {message}", widget.name),
                    remedy,
                };
                findings.push((file.clone(), finding));
            };
            let Some(name) = &drill.dashboard else {
                continue;
            };
            let Some(target) = by_name.get(name.as_str()) else {
                let names = by_name.keys().copied();
                let message = format!("there is no dashboard `{name}`");
                error(message, did_you_mean(name, names));
                continue;
            };
            for filter in drill.pass.keys() {
                if !gives(&target.filters, filter) {
                    let known = target.filters.iter().map(|known| known.name.as_str());
                    let message = format!("dashboard `{name}` has no filter `{filter}`");
                    error(message, did_you_mean(filter, known));
                }
            }
        }
    }
    findings
}

fn check(document: &Document, report: &mut Report) {
    snapshot_named(document.snapshot.as_ref(), "snapshot", report);
    let mut names = BTreeSet::new();
    for (place, filter) in document.filters.iter().enumerate() {
        let at = format!("filters[{place}]");
        unique(&filter.name, &mut names, &at, report);
        chosen(filter, &at, report);
    }
    let mut names = BTreeSet::new();
    for (place, widget) in document.widgets.iter().enumerate() {
        let at = format!("widgets[{place}]");
        unique(&widget.name, &mut names, &at, report);
        check_widget(widget, document, &at, report);
        let over = document.widgets.iter().take(place);
        if let Some(other) = over.into_iter().find(|other| overlap(other, widget)) {
            let message = format!("`{}` stands on `{}`", widget.name, other.name);
            report.warn(At::Value, &format!("{at}.at"), message, "move one of them");
        }
    }
}

fn unique<'a>(name: &'a str, names: &mut BTreeSet<&'a str>, at: &str, report: &mut Report) {
    let at = format!("{at}.name");
    if !is_name(name) {
        report.error(At::Value, &at, format!("`{name}` is no name"), NAMES);
    } else if !names.insert(name) {
        let message = format!("the name `{name}` is there twice");
        report.error(At::Value, &at, message, "give one of the two another name");
    }
}

fn snapshot_named(name: Option<&SnapshotName>, at: &str, report: &mut Report) {
    if let Some(SnapshotName::Text(text)) = name
        && let Err(failure) = text.parse::<snapshot::At>()
    {
        report.error(At::Value, at, failure.message, failure.remedy);
    }
}

fn chosen(filter: &Filter, at: &str, report: &mut Report) {
    let name = &filter.name;
    let lists = matches!(filter.control, Control::Select | Control::Multiselect);
    let Some(values) = &filter.values else {
        if lists {
            let message = format!("filter `{name}` has nothing to choose from");
            let remedy = "add `values: {column: TABLE.COLUMN}` or `values: {sql: …}`";
            report.error(At::Value, &format!("{at}.control"), message, remedy);
        }
        return;
    };
    let at = format!("{at}.values");
    if !lists {
        let message = format!("filter `{name}` is not chosen from a list");
        let remedy = "take `values` out, or make it a select or multiselect";
        report.error(At::Key, &at, message, remedy);
    }
    let given = [&values.sql, &values.column, &values.columns];
    if given.iter().filter(|given| given.is_some()).count() != 1 {
        let message = format!("filter `{name}` is chosen from one list");
        let remedy = "give exactly one of `sql`, `column` and `columns`";
        report.error(At::Value, &at, message, remedy);
    }
    if values.like.is_some() && values.columns.is_none() {
        let message = "`like` is about names of columns";
        report.error(
            At::Key,
            &format!("{at}.like"),
            message,
            "name a table under `columns:`",
        );
    }
    if let Some(column) = &values.column
        && column.split('.').count() != 2
    {
        let message = format!("`{column}` is no column of a table");
        let remedy = "write the table before it, such as dim_customer.country";
        report.error(At::Value, &format!("{at}.column"), message, remedy);
    }
}

fn overlap(one: &Widget, other: &Widget) -> bool {
    let apart = |a: u32, a_size: u32, b: u32, b_size: u32| a + a_size <= b || b + b_size <= a;
    !apart(one.at.x, one.at.w, other.at.x, other.at.w)
        && !apart(one.at.y, one.at.h, other.at.y, other.at.h)
}

fn check_widget(widget: &Widget, document: &Document, at: &str, report: &mut Report) {
    if widget.at.x + widget.at.w > COLUMNS {
        let message = format!(
            "`{}` reaches to column {} of {COLUMNS}",
            widget.name,
            widget.at.x + widget.at.w
        );
        let remedy = format!("let x and w come to {COLUMNS} at most");
        report.error(At::Value, &format!("{at}.at"), message, remedy);
    }
    snapshot_named(widget.snapshot.as_ref(), &format!("{at}.snapshot"), report);
    if widget.describe.trim().is_empty() {
        let message = format!("`{}` is not described", widget.name);
        let remedy = "say what is to be seen, for those who do not see it";
        report.error(At::Value, &format!("{at}.describe"), message, remedy);
    }
    match (&widget.query, &widget.sql) {
        (Some(query), None) => {
            check_query(query, document, &format!("{at}.query"), report);
            let known: BTreeSet<String> = query.columns.iter().map(answered).collect();
            named_columns(widget, &known, at, report);
            if !widget.parameters.is_empty() {
                let message = "`parameters` are for `sql`";
                let remedy = "write the values into `where`";
                report.error(At::Key, &format!("{at}.parameters"), message, remedy);
            }
        }
        (None, Some(sql)) => check_sql(sql, widget, document, at, report),
        (both, _) => {
            let said = if both.is_some() { "both" } else { "neither" };
            let message = format!("`{}` has {said} of `query` and `sql`", widget.name);
            report.error(At::Key, at, message, "give exactly one of the two");
        }
    }
    for filter in widget.cross_filter.keys() {
        let at = format!("{at}.cross_filter.{filter}");
        known_filter(filter, &document.filters, &at, report);
    }
    if let Some(drill) = &widget.drill {
        leads(drill, &format!("{at}.drill"), report);
    }
}

fn leads(drill: &Drill, at: &str, report: &mut Report) {
    if drill.dashboard.is_some() == drill.customer.is_some() {
        let message = "a click leads to one place";
        report.error(
            At::Value,
            at,
            message,
            "give either `dashboard` or `customer`",
        );
    }
    if drill.dashboard.is_none() && !drill.pass.is_empty() {
        let message = "`pass` is about filters of a dashboard";
        report.error(At::Key, &format!("{at}.pass"), message, "take it out");
    }
    if let Some(name) = &drill.dashboard
        && !is_name(name)
    {
        let message = format!("`{name}` is no name of a dashboard");
        report.error(At::Value, &format!("{at}.dashboard"), message, NAMES);
    }
}

/// What a column is called in an answer.
pub(super) fn answered(column: &Column) -> String {
    match (&column.called, &column.column, column.aggregate) {
        (Some(called), _, _) => called.clone(),
        (None, None, _) => "rows".to_owned(),
        (None, Some(name), Some(aggregate)) => format!("{}_{name}", aggregate.word()),
        (None, Some(name), None) => name.clone(),
    }
}

/// Holds every column that a widget names against those of its answer.
fn named_columns(widget: &Widget, known: &BTreeSet<String>, at: &str, report: &mut Report) {
    let encode = &widget.encode;
    let one = [
        ("encode.x", &encode.x),
        ("encode.color", &encode.color),
        ("encode.size", &encode.size),
        ("encode.value", &encode.value),
    ];
    let one = one
        .into_iter()
        .filter_map(|(key, name)| Some((key.to_owned(), name.as_ref()?)));
    let several = [("encode.y", &encode.y), ("encode.line", &encode.line)];
    let several = several.into_iter().flat_map(|(key, names)| {
        let names = names.iter().flat_map(|names| names.all());
        names.map(move |name| (key.to_owned(), name))
    });
    let format = widget.format.keys();
    let format = format.map(|name| (format!("format.{name}"), name));
    let sort = widget.options.sort.iter();
    let sort = sort.map(|sort| ("options.sort.column".to_owned(), &sort.column));
    let pass = widget.drill.iter().flat_map(|drill| &drill.pass);
    let pass = pass.map(|(filter, name)| (format!("drill.pass.{filter}"), name));
    let cross = widget.cross_filter.iter();
    let cross = cross.map(|(filter, name)| (format!("cross_filter.{filter}"), name));
    let customer = widget
        .drill
        .iter()
        .filter_map(|drill| drill.customer.as_ref());
    let customer = customer.map(|name| ("drill.customer".to_owned(), name));
    let all = one
        .chain(several)
        .chain(format)
        .chain(sort)
        .chain(pass)
        .chain(customer)
        .chain(cross);
    for (key, name) in all {
        if !known.contains(name) {
            let message = format!("the answer of `{}` has no column `{name}`", widget.name);
            let remedy = did_you_mean(name, known.iter().map(String::as_str));
            report.error(At::Value, &format!("{at}.{key}"), message, remedy);
        }
    }
}

fn known_filter(name: &str, filters: &[Filter], at: &str, report: &mut Report) {
    if !gives(filters, name) {
        let known = filters.iter().map(|filter| filter.name.as_str());
        let message = format!("there is no filter `{name}`");
        report.error(At::Value, at, message, did_you_mean(name, known));
    }
}

/// Whether one of the filters is called so, or gives a parameter that is.
fn gives(filters: &[Filter], name: &str) -> bool {
    let called = |filter: &Filter| filter.name == name;
    filters.iter().any(called)
        || filters
            .iter()
            .flat_map(parameters_of)
            .any(|one| one == name)
}

fn check_query(query: &Query, document: &Document, at: &str, report: &mut Report) {
    if query.columns.is_empty() {
        let message = "a query has at least one column";
        report.error(At::Value, &format!("{at}.columns"), message, "name one");
    }
    let mut names = BTreeSet::new();
    for (place, column) in query.columns.iter().enumerate() {
        let at = format!("{at}.columns[{place}]");
        let name = answered(column);
        if column.column.is_none() && column.aggregate != Some(Aggregate::Count) {
            let message = "a column is named, unless rows are counted";
            let remedy = "add `column:`, or `aggregate: count`";
            report.error(At::Value, &at, message, remedy);
        }
        if names.contains(&name) {
            let message = format!("two columns of the answer are called `{name}`");
            report.error(At::Value, &at, message, "add `as:` to one of them");
        }
        names.insert(name);
    }
    for (place, join) in query.joins.iter().enumerate() {
        if join.on.is_empty() {
            let at = format!("{at}.joins[{place}]");
            let message = format!(
                "nothing says which rows of `{}` belong to a row",
                join.table
            );
            report.error(At::Value, &at, message, "name equal columns under `on:`");
        }
    }
    for (place, condition) in query.conditions.iter().enumerate() {
        let at = format!("{at}.where[{place}]");
        if let Err((message, remedy)) = compared(condition) {
            report.error(At::Value, &at, message, remedy);
        }
        if let Some(name) = &condition.parameter {
            let at = format!("{at}.parameter");
            known_filter(name, &document.filters, &at, report);
        }
    }
}

/// Whether a condition has what its operator compares with.
fn compared(condition: &Condition) -> Result<(), (String, &'static str)> {
    let given = [
        condition.value.is_some(),
        condition.values.is_some(),
        condition.parameter.is_some(),
    ];
    let given = given.into_iter().filter(|given| *given).count();
    let many = condition.values.as_ref().map(Vec::len);
    let column = &condition.column;
    let wrong = |message: &str, remedy| Err((format!("`{column}` {message}"), remedy));
    match condition.op {
        Operator::IsNull | Operator::IsNotNull | Operator::Newest if given > 0 => {
            wrong("is compared with nothing here", "take the value out")
        }
        Operator::IsNull | Operator::IsNotNull | Operator::Newest => Ok(()),
        _ if given != 1 => wrong(
            "is compared with one thing",
            "give one of `value`, `values` and `parameter`",
        ),
        _ if many == Some(0) => wrong("is compared with an empty list", "name at least one value"),
        Operator::Between if condition.parameter.is_none() && many != Some(2) => {
            wrong("lies between two values", "give `values: [FROM, TO]`")
        }
        Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge | Operator::Contains
            if many.is_some() =>
        {
            wrong("is compared with one value", "give `value:`")
        }
        _ => Ok(()),
    }
}

/// Holds the parameters of a query against what there is for them.
fn check_sql(sql: &str, widget: &Widget, document: &Document, at: &str, report: &mut Report) {
    let chosen = document.filters.iter().flat_map(parameters_of);
    let fixed = widget.parameters.keys().cloned();
    let known: BTreeSet<String> = chosen.chain(fixed).collect();
    for name in named(sql) {
        if !known.contains(name) {
            let message = format!("`{}` asks for ${name}, which nothing gives", widget.name);
            let remedy = match known.is_empty() {
                true => "add a filter of that name, or a value under `parameters:`".to_owned(),
                false => did_you_mean(name, known.iter().map(String::as_str)),
            };
            report.error(At::Value, &format!("{at}.sql"), message, remedy);
        }
    }
}

/// The parameters that queries have a filter as.
fn parameters_of(filter: &Filter) -> Vec<String> {
    let name = &filter.name;
    match filter.control {
        Control::DateRange => vec![format!("{name}_from"), format!("{name}_to")],
        _ => vec![name.clone()],
    }
}

impl Document {
    /// The document as the text of a file.
    ///
    /// # Errors
    /// Never for one that lints clean.
    pub fn to_yaml(&self) -> Result<String, Failure> {
        serde_saphyr::to_string(self)
            .map_err(|error| Failure::bug(format!("a dashboard cannot be written: {error}")))
    }
}
