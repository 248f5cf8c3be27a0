//! Checks of deciles: what they rank, by what, and under which column names.

use std::collections::BTreeMap;

use super::check::{expression, identifier};
use super::finding::{At, Report};
use super::model::{
    ALWAYS_HORIZON, CLV_MEASURE, Clv, DecileDeclaration, Project, REVENUE_LIFETIME, fixed_columns,
};
use super::name;
use super::near::did_you_mean;

pub(super) fn check(project: &Project, report: &mut Report) {
    for (index, decile) in project.deciles.iter().enumerate() {
        let at = format!("deciles[{index}]");
        measure(project, decile, &at, report);
        dimension(project, decile, &at, report);
        without_effect(decile, &at, report);
        expression(
            decile.population.as_deref(),
            &format!("{at}.population"),
            report,
        );
    }
    names(project, report);
    columns(project, report);
}

fn measure(project: &Project, decile: &DecileDeclaration, at: &str, report: &mut Report) {
    let at = format!("{at}.measure");
    if decile.ranks_clv() {
        if project.clv.is_none() && !report.is_spoiled("clv") {
            let message = format!("`{CLV_MEASURE}` is ranked, but no CLV is declared");
            report.error(At::Value, &at, message, "add `clv:`");
        }
        return;
    }
    if project.measure(&decile.measure).is_none() && all_measures_known(project, report) {
        let measures = project
            .sources
            .values()
            .flat_map(|source| source.measures.keys());
        let names: Vec<&str> = measures.map(String::as_str).chain([CLV_MEASURE]).collect();
        let message = format!("there is no measure `{}`", decile.measure);
        report.error(
            At::Value,
            &at,
            message,
            did_you_mean(&decile.measure, names),
        );
    }
}

/// Whether every source's measures could be read, at least by name.
fn all_measures_known(project: &Project, report: &Report) -> bool {
    let unread = |name: &String| report.is_spoiled(&format!("sources.{name}.measures"));
    !report.is_spoiled("sources") && !project.sources.keys().any(unread)
}

fn dimension(project: &Project, decile: &DecileDeclaration, at: &str, report: &mut Report) {
    if let Some(by) = decile.attribute() {
        return attribute(project, by, &format!("{at}.by.attribute"), report);
    }
    let Some(by) = decile.dimension() else {
        return;
    };
    let Some((source_name, source)) = project.decile_source(decile) else {
        return;
    };
    let at_source = format!("sources.{source_name}");
    if source.dimensions.contains_key(by)
        || report.is_spoiled(&format!("{at_source}.dimensions"))
        || report.is_spoiled(&format!("{at}.measure"))
    {
        return;
    }
    let message = format!("the source `{source_name}` has no dimension `{by}`");
    let remedy = if source.dimensions.is_empty() {
        format!("declare it under `{at_source}.dimensions`")
    } else {
        did_you_mean(by, source.dimensions.keys().map(String::as_str))
    };
    report.error(At::Value, &format!("{at}.by"), message, remedy);
}

/// An attribute has to be one of the project's source of them.
fn attribute(project: &Project, by: &str, at: &str, report: &mut Report) {
    let Some((name, source)) = project.attributes() else {
        if !report.is_spoiled("sources") {
            let message =
                format!("there is no attribute `{by}`: no source has attributes of customers");
            let remedy = "declare a source of `kind: attributes`, or a dimension of the events";
            report.error(At::Value, at, message, remedy);
        }
        return;
    };
    if source.dimensions.contains_key(by)
        || report.is_spoiled_within(&format!("sources.{name}.attributes"))
    {
        return;
    }
    let message = format!("the source `{name}` has no attribute `{by}`");
    let remedy = did_you_mean(by, source.dimensions.keys().map(String::as_str));
    report.error(At::Value, at, message, remedy);
}

/// Settings that are written although nothing reads them.
fn without_effect(decile: &DecileDeclaration, at: &str, report: &mut Report) {
    let mut warn = |key: &str, reason: &str| {
        let path = format!("{at}.{key}");
        if report.is_written(&path) {
            let message = format!("`{key}` has no effect {reason}");
            report.warn(At::Key, &path, message, "take the line out");
        }
    };
    if decile.ranks_clv() {
        for key in ["lookbacks", "window", "inactive"] {
            warn(key, "on the CLV, which looks ahead");
        }
    }
    if decile.by.is_none() {
        warn("value_at", "without `by`");
    }
    if decile.by_attribute {
        warn("value_at", "on an attribute, which is as it was last");
    }
}

fn names(project: &Project, report: &mut Report) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, decile) in project.deciles.iter().enumerate() {
        let at = name_path(index, report);
        identifier(&decile.name, At::Value, &at, report);
        if let Some(earlier) = seen.insert(&decile.name, index) {
            let message = format!(
                "two deciles are called `{}` (deciles[{earlier}] too)",
                decile.name
            );
            report.error(At::Value, &at, message, "give one of them another `name:`");
        }
        if decile.name == CLV_MEASURE && !decile.ranks_clv() {
            let message = format!("`{CLV_MEASURE}` is the name of the CLV's own ranking");
            report.error(At::Value, &at, message, "use another `name:`");
        }
    }
}

/// What stands in the file for a decile's name.
fn name_path(index: usize, report: &Report) -> String {
    let written = format!("deciles[{index}].name");
    if report.is_written(&written) {
        written
    } else {
        format!("deciles[{index}].measure")
    }
}

/// Every output column has one meaning.
fn columns(project: &Project, report: &mut Report) {
    let horizons = project
        .clv
        .as_ref()
        .map_or(&[ALWAYS_HORIZON][..], |clv| &clv.horizons);
    let fixed = fixed_columns(horizons).into_iter();
    let ranked = horizons
        .iter()
        .map(|months| format!("decile_clv_{months}m"));
    let of_all = "a column that every project has".to_owned();
    let mut taken: BTreeMap<String, String> = fixed
        .chain(ranked)
        .map(|column| (column, of_all.clone()))
        .collect();
    for (index, decile) in project.deciles.iter().enumerate() {
        let at = name_path(index, report);
        let earlier_of_same_name = project
            .deciles
            .iter()
            .take(index)
            .any(|d| d.name == decile.name);
        if earlier_of_same_name || report.is_spoiled(&at) || decile.name == CLV_MEASURE {
            continue;
        }
        let own = decile.columns();
        let clashes = |column: &&String| {
            taken.contains_key(*column) && !is_clv_revenue(column, decile, project.clv.as_ref())
        };
        if let Some((column, owner)) = own
            .iter()
            .find(clashes)
            .and_then(|c| taken.get_key_value(c))
        {
            let message = format!("`{}` would be written to `{column}`, {owner}", decile.name);
            report.error(At::Value, &at, message, "use another `name:`");
        }
        too_long(&own, &at, report);
        let owner = format!("a column of deciles[{index}]");
        taken.extend(own.into_iter().map(|column| (column, owner.clone())));
    }
}

/// A decile of the CLV's own value measure that is called `revenue` has its lifetime sum in
/// `revenue_lifetime`, which is the same number under the same name: no clash.
fn is_clv_revenue(column: &str, decile: &DecileDeclaration, clv: Option<&Clv>) -> bool {
    let same = clv.is_none_or(|clv| clv.value == decile.measure);
    column == REVENUE_LIFETIME && same && decile.by.is_none()
}

fn too_long(columns: &[String], at: &str, report: &mut Report) {
    if let Some(column) = columns.iter().find(|column| column.len() > name::MAX_BYTES) {
        let message = format!(
            "the column `{column}` is longer than {} characters",
            name::MAX_BYTES
        );
        report.error(At::Value, at, message, "use a shorter `name:`");
    }
}
