//! Checks of sources: layout, types, times, measures and dimensions.

use std::collections::BTreeMap;

use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::check::{expression, identifier};
use super::currency;
use super::finding::{At, Report};
use super::model::{
    CLV_MEASURE, ColumnType, CustomerType, Format, Layout, Measure, MeasureValue, Project, Source,
    SourceKind, TimeColumn,
};
use super::near::{listed, nearest};
use super::path;
use super::{check_attributes, check_ingest, check_stream};

pub(super) fn check(project: &Project, report: &mut Report) {
    for (name, source) in &project.sources {
        let at = format!("sources.{name}");
        identifier(name, At::Key, &at, report);
        layout(source, &at, report);
        types(project, source, &at, report);
        time(&source.time, &at, report);
        expression(source.filter.as_deref(), &format!("{at}.filter"), report);
        for (name, measure) in &source.measures {
            self::measure(name, measure, &format!("{at}.measures.{name}"), report);
        }
        dimensions(source, &at, report);
    }
    check_attributes::check(project, report);
    check_ingest::check(project, report);
    check_stream::check(project, report);
    unique_measures(project, report);
    one_currency(project, report);
}

fn layout(source: &Source, at: &str, report: &mut Report) {
    let path_at = format!("{at}.path");
    if source.ingest.is_none()
        && let Some((message, remedy)) = path::slip(&source.path)
    {
        report.error(At::Value, &path_at, message, remedy);
    }
    if source.layout != Layout::Delta {
        if source.version.is_some() {
            let remedy = "add `layout: delta`, or take the version out";
            report.error(
                At::Key,
                &format!("{at}.version"),
                "only a Delta table has versions",
                remedy,
            );
        }
        return;
    }
    if source.format != Format::Parquet {
        let written = format!("{at}.format");
        let blamed = if report.is_written(&written) {
            written
        } else {
            path_at
        };
        report.error(
            At::Value,
            &blamed,
            "a Delta table is kept in Parquet",
            "use `format: parquet`",
        );
    } else if source.path.contains('*') {
        let remedy = "give the folder that holds `_delta_log`";
        report.error(
            At::Value,
            &path_at,
            "a Delta table's path cannot hold `*`",
            remedy,
        );
    }
}

fn types(project: &Project, source: &Source, at: &str, report: &mut Report) {
    let at = format!("{at}.types");
    let typed = source.layout == Layout::Hive || source.ingest.is_some();
    if source.format == Format::Parquet && !typed && report.is_written(&at) {
        let message = "Parquet files carry their own types";
        report.error(
            At::Key,
            &at,
            message,
            "take `types` out, or convert in an `expression`",
        );
        return;
    }
    let mut refuse = |column: &str, used: &str, allowed: &[&str]| {
        let path = format!("{at}.{column}");
        let message = format!("`{column}` is {used} and cannot have this type");
        report.error(
            At::Value,
            &path,
            message,
            format!("use one of {}", listed(allowed.iter().copied())),
        );
    };
    let declared = |column: &str| source.types.get(column).copied();
    match (project.customer.key_type, declared(&source.customer)) {
        (_, None)
        | (CustomerType::Int64, Some(ColumnType::Int64))
        | (CustomerType::String, Some(ColumnType::String)) => {}
        (CustomerType::Int64, _) => refuse(&source.customer, "an int64 customer key", &["int64"]),
        (CustomerType::String, _) => refuse(&source.customer, "a string customer key", &["string"]),
    }
    if let Some(column_type) = declared(&source.time.column) {
        let allowed = time_types(&source.time);
        if !allowed.contains(&column_type.to_string().as_str()) {
            refuse(&source.time.column, "the time read this way", allowed);
        }
    }
    for measure in source.measures.values() {
        if let MeasureValue::Column(column) = &measure.value
            && let Some(column_type) = declared(column)
            && !is_number(column_type)
        {
            refuse(column, "a measure", &["int64", "float64", "decimal(p,s)"]);
        }
    }
}

fn time_types(time: &TimeColumn) -> &'static [&'static str] {
    match (time.unit, &time.format) {
        (Some(_), _) => &["int64"],
        (None, Some(_)) => &["string"],
        (None, None) => &["date", "timestamp", "string"],
    }
}

fn is_number(column_type: ColumnType) -> bool {
    matches!(
        column_type,
        ColumnType::Int64 | ColumnType::Float64 | ColumnType::Decimal { .. }
    )
}

fn time(time: &TimeColumn, at: &str, report: &mut Report) {
    let at = format!("{at}.time");
    if time.unit.is_some() && time.format.is_some() {
        let message = "a time is an integer with a unit or a text with a format, not both";
        report.error(
            At::Key,
            &format!("{at}.format"),
            message,
            "take one of the two out",
        );
    }
    let zone = format!("{at}.zone");
    if time.unit.is_some() && report.is_written(&zone) {
        let message = "an integer time counts from 1970-01-01T00:00:00Z and needs no zone";
        report.error(At::Key, &zone, message, "take the zone out");
    }
    if let Some(fault) = time.format.as_deref().and_then(format_fault) {
        let remedy = "use strptime signs that give year, month and day, such as `%d/%m/%Y %H:%M`";
        report.error(At::Value, &format!("{at}.format"), fault, remedy);
    }
}

/// Why a `strptime` format cannot tell a day: it is tried on a day written in it.
fn format_fault(format: &str) -> Option<String> {
    let sample = jiff::civil::date(2001, 12, 31).at(13, 45, 59, 0);
    let sample = sample.to_zoned(TimeZone::UTC).ok()?;
    let parsed = strtime::format(format, &sample).and_then(|text| strtime::parse(format, text));
    match parsed {
        Err(error) => Some(format!("`{format}` cannot be read: {error}")),
        Ok(time) => match time.to_date() {
            Ok(date) if date == sample.date() => None,
            _ => Some(format!("`{format}` gives no full date")),
        },
    }
}

fn measure(name: &str, measure: &Measure, at: &str, report: &mut Report) {
    identifier(name, At::Key, at, report);
    let horizon = name
        .strip_prefix("clv_")
        .and_then(|rest| rest.strip_suffix('m'));
    if horizon.is_some_and(|months| months.parse::<u32>().is_ok()) {
        let message = format!("`{name}` is the name of a CLV, as `{CLV_MEASURE}` is");
        report.error(At::Key, at, message, "give the measure another name");
    }
    if let MeasureValue::Expression(text) = &measure.value {
        expression(Some(text), &format!("{at}.expression"), report);
    }
    if let Some(code) = &measure.currency {
        currency_code(code, &format!("{at}.currency"), report);
    }
}

fn currency_code(code: &str, at: &str, report: &mut Report) {
    if currency::digits(code).is_some() {
        return;
    }
    let suggestion = nearest(code, currency::codes());
    let remedy = match suggestion {
        Some(near) => format!("did you mean `{near}`?"),
        None => "use an ISO 4217 code such as `USD`".to_owned(),
    };
    if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
        let message =
            format!("`{code}` is no ISO 4217 code in use; it is taken to have two decimal digits");
        report.warn(At::Value, at, message, remedy);
    } else {
        report.error(
            At::Value,
            at,
            format!("`{code}` is no currency code"),
            remedy,
        );
    }
}

fn dimensions(source: &Source, at: &str, report: &mut Report) {
    let written = match source.kind {
        SourceKind::Events => "dimensions",
        SourceKind::Attributes => "attributes",
        SourceKind::Responses => "responses",
    };
    for name in source.dimensions.keys() {
        let path = format!("{at}.{written}.{name}");
        identifier(name, At::Key, &path, report);
        if source.measures.contains_key(name) {
            let message = format!("`{name}` is a measure of this source too");
            report.error(At::Key, &path, message, "give one of the two another name");
        }
    }
}

/// A decile names its measure alone, so no two sources may share a measure's name.
fn unique_measures(project: &Project, report: &mut Report) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, source, name, _) in in_file_order(project, report) {
        if let Some(owner) = owners.insert(name, source) {
            let message = format!("the source `{owner}` has a measure `{name}` too");
            let remedy = "measure names are unique over all sources: give one of them another name";
            report.error(At::Key, &path, message, remedy);
        }
    }
}

fn one_currency(project: &Project, report: &mut Report) {
    let mut first: Option<&str> = None;
    for (path, _, _, measure) in in_file_order(project, report) {
        let Some(code) = measure.currency.as_deref() else {
            continue;
        };
        let first = *first.get_or_insert(code);
        if first != code {
            let message = format!("a second currency: {code} beside {first}");
            let remedy = format!(
                "convert it in an `expression` and declare {first}, or move the source to a project of its own"
            );
            report.error(At::Value, &format!("{path}.currency"), message, remedy);
        }
    }
}

/// All measures as (path, source, name, measure), the first one in the file first: of two that
/// clash the later is to blame.
fn in_file_order<'a>(
    project: &'a Project,
    report: &Report,
) -> Vec<(String, &'a str, &'a str, &'a Measure)> {
    let mut all = Vec::new();
    for (source_name, source) in &project.sources {
        for (name, measure) in &source.measures {
            let path = format!("sources.{source_name}.measures.{name}");
            all.push((path, source_name.as_str(), name.as_str(), measure));
        }
    }
    all.sort_by_key(|(path, ..)| {
        let spot = report.spot(At::Key, path);
        (spot.line, spot.column)
    });
    all
}
