//! The members of a delivery: what a snapshot has of whom it chooses.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tenfold_core::activation::{DeliverySpec, Identify, Members, needed};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::literal;
use tenfold_core::project::near::did_you_mean;
use tenfold_core::snapshot::{DIM_CUSTOMER, Manifest};

use crate::session::Session;

/// Where members, values and attributes of customers are.
const AUDIENCES: &str = "audience_member";
const VALUES: &str = "customer_value";

/// The members of a delivery as of a snapshot, with the columns that it needs.
///
/// # Errors
/// When the snapshot has no such audience or column, or cannot be read.
pub async fn delivery_members(
    session: &Session,
    manifest: &Manifest,
    spec: &DeliverySpec,
    identify: &Identify,
) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
    let wrong = |failure: Failure| failure.within(format!("delivery {}", spec.delivery));
    let source = source(spec, manifest)?;
    let mut relations = vec![("s", columns_of(session, &source).await.map_err(wrong)?)];
    for (short, table) in [("v", VALUES), ("d", DIM_CUSTOMER)] {
        let columns = session.schema(table);
        relations.push((
            short,
            columns.map_or_else(Vec::new, |schema| names(&schema)),
        ));
    }
    let query = select(spec, identify, &source, &relations)?;
    let answer = session.sql(&query).await.map_err(wrong)?;
    Ok((answer.schema(), answer.collect().await.map_err(wrong)?))
}

async fn columns_of(session: &Session, relation: &str) -> Result<Vec<String>, Failure> {
    let query = format!("SELECT * FROM {relation} LIMIT 0");
    Ok(names(&session.sql(&query).await?.schema()))
}

fn names(columns: &SchemaRef) -> Vec<String> {
    let fields = columns.fields().iter();
    fields.map(|field| field.name().clone()).collect()
}

/// Where the members come from, as a relation of SQL.
fn source(spec: &DeliverySpec, manifest: &Manifest) -> Result<String, Failure> {
    match &spec.from {
        Members::Audience(name) => {
            let known = manifest.declarations.audiences.iter();
            let known: Vec<&str> = known.map(|audience| audience.name.as_str()).collect();
            if known.contains(&name.as_str()) {
                let name = literal(name);
                return Ok(format!(
                    "(SELECT * FROM {AUDIENCES} WHERE audience = {name})"
                ));
            }
            let remedy = match known.is_empty() {
                true => "declare the audience and refresh".to_owned(),
                false => format!("refresh when it is new; {}", did_you_mean(name, known)),
            };
            Err(Failure::config(format!(
                "delivery {}: snapshot {} has no audience {name}",
                spec.delivery, manifest.number
            ))
            .code(ErrorCode::WrongDelivery)
            .remedy(remedy))
        }
        Members::Table(name) => Ok(identifier(name)),
        // A line of its own: the query may end with a comment.
        Members::Sql(query) => Ok(format!("({query}\n)")),
    }
}

/// The query for the columns that a delivery needs. A column is that of the members where they have
/// it, or else of the customer's value, or of what the customer is like now.
fn select(
    spec: &DeliverySpec,
    identify: &Identify,
    source: &str,
    relations: &[(&str, Vec<String>)],
) -> Result<String, Failure> {
    let has = |relation: &(&str, Vec<String>), name: &str| relation.1.iter().any(|c| c == name);
    let place = |name: &str| relations.iter().find(|relation| has(relation, name));
    let wanted = needed(spec, identify);
    let mut columns = Vec::new();
    for name in &wanted {
        let Some((short, _)) = place(name) else {
            let known = relations.iter().flat_map(|(_, columns)| columns);
            let known: Vec<&str> = known.map(String::as_str).collect();
            return Err(Failure::config(format!(
                "delivery {}: its members have no column {name}",
                spec.delivery
            ))
            .code(ErrorCode::WrongDelivery)
            .remedy(did_you_mean(name, known)));
        };
        columns.push(format!("{short}.{}", identifier(name)));
    }
    let named = |name: &str| wanted.iter().any(|column| column == name);
    let members = relations.first();
    if members.is_some_and(|members| has(members, "holdout")) && !named("holdout") {
        columns.push("s.holdout".to_owned());
    }
    let decile = relations
        .iter()
        .find(|relation| has(relation, "decile_clv_12m"));
    if let Some((short, _)) = decile.filter(|_| !named("decile")) {
        columns.push(format!("{short}.decile_clv_12m AS decile"));
    }
    let mut query = format!("SELECT {} FROM {source} AS s", columns.join(", "));
    for (short, columns) in relations.iter().skip(1).filter(|(_, has)| !has.is_empty()) {
        let table = match *short {
            "v" => VALUES.to_owned(),
            _ => format!("(SELECT * FROM {DIM_CUSTOMER} WHERE is_current)"),
        };
        debug_assert!(columns.iter().any(|column| column == "customer"));
        query += &format!(" LEFT JOIN {table} AS {short} ON {short}.customer = s.customer");
    }
    Ok(query)
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
