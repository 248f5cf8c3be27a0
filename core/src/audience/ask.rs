//! Questions about who a rule chooses, as SQL over one snapshot.

use super::columns::{Columns, Kind};
use super::sql::{Compiled, everybody};
use super::text::quoted;
use crate::project::{CLV_MEASURE, Project};

/// The column of tiles by which people see whom a rule chooses: the decile of the CLV, or else the first one.
pub fn shown_tiles(project: &Project) -> Option<String> {
    let plain = project.deciles.iter().filter(|decile| decile.by.is_none());
    let ranked = plain.clone().find(|decile| decile.measure == CLV_MEASURE);
    let decile = ranked.or_else(|| plain.clone().next())?;
    Some(decile.tile_column(match decile.ranks_clv() {
        true => None,
        false => decile.lookbacks.first().copied(),
    }))
}

/// By tile: customers, and how many of them are chosen.
pub fn count_sql(project: &Project, chosen: &Compiled) -> String {
    let tile = tile(project);
    format!(
        "SELECT {tile} AS tile, count(*) AS customers, count(*) FILTER (WHERE {}) AS members\n\
         FROM {}\nGROUP BY 1 ORDER BY 1",
        chosen.condition, chosen.from
    )
}

fn tile(project: &Project) -> String {
    match shown_tiles(project) {
        Some(tiles) => format!("v.{tiles}"),
        None => "CAST(NULL AS INT)".to_owned(),
    }
}

/// Some of the chosen, the same ones each time: in the order of their hashes.
pub fn sample_sql(project: &Project, chosen: &Compiled, rows: u32) -> String {
    let (tile, tiles) = (tile(project), shown_tiles(project));
    let more = tiles.iter().map(|name| (tile.as_str(), name.as_str()));
    let chosen = chosen.select(&more.collect::<Vec<_>>());
    format!(
        "SELECT * FROM ({chosen}) AS c ORDER BY hash63(CAST(customer AS VARCHAR)), customer LIMIT {rows}"
    )
}

/// By tile: the members that an audience has in a snapshot.
pub fn mix_sql(project: &Project, audience: &str) -> String {
    let customer = super::columns::customer(project);
    format!(
        "SELECT {} AS tile, count(*) AS customers, count(m.customer) AS members\nFROM {}\n\
         LEFT JOIN (SELECT customer FROM audience_member WHERE audience = {}) AS m ON m.customer = {customer}\n\
         GROUP BY 1 ORDER BY 1",
        tile(project),
        everybody(project),
        quoted(audience)
    )
}

/// Whom two audiences of a snapshot have in common.
pub fn overlap_sql(one: &str, other: &str) -> String {
    let (one, other) = (quoted(one), quoted(other));
    format!(
        "SELECT count(*) FILTER (WHERE a AND b) AS both, count(*) FILTER (WHERE a AND NOT b) AS only_first, \
         count(*) FILTER (WHERE b AND NOT a) AS only_second FROM (SELECT customer, \
         bool_or(audience = {one}) AS a, bool_or(audience = {other}) AS b FROM audience_member \
         WHERE audience IN ({one}, {other}) GROUP BY customer) AS o"
    )
}

/// The audiences of a snapshot with their numbers.
pub const LIST_SQL: &str = "SELECT d.audience, f.members, f.control, f.share, f.entered, f.exited, d.priority, \
     d.description FROM dim_audience AS d LEFT JOIN fact_audience AS f ON f.audience = d.audience \
     AND f.snapshot_date = as_of() ORDER BY d.priority, d.audience";

/// The members that an audience has in a snapshot, with further columns of customers.
///
/// # Errors
/// With the name of the first column that customers do not have.
pub fn members_sql(
    project: &Project,
    audience: &str,
    columns: &[String],
    rows: Option<u32>,
) -> Result<String, String> {
    let known = Columns::of(project);
    let mut more = String::new();
    for name in columns {
        let column = known.get(name).filter(|column| column.kind != Kind::Tiles);
        let column = column.ok_or_else(|| name.clone())?;
        let plain = name.rsplit('.').next().unwrap_or(name);
        more += &format!(", {} AS {plain}", column.sql);
    }
    let from = match columns.is_empty() {
        true => "audience_member AS m".to_owned(),
        false => format!(
            "{} JOIN audience_member AS m ON m.customer = {}",
            everybody(project),
            super::columns::customer(project)
        ),
    };
    let limit = rows.map(|rows| format!(" LIMIT {rows}"));
    Ok(format!(
        "SELECT m.customer, m.holdout, m.priority{more} FROM {from} WHERE m.audience = {} ORDER BY m.customer{}",
        quoted(audience),
        limit.unwrap_or_default()
    ))
}

/// The names of the columns that members can be shown with.
pub fn column_names(project: &Project) -> Vec<String> {
    let columns = Columns::of(project);
    columns.names().map(str::to_owned).collect()
}
