//! From the text of `tenfold.yaml` to a resolved project: YAML, schema, defaults, checks.

use super::declared::understood;
use super::finding::{At, Finding, Report, Severity, Spot};
use super::model::{
    ALWAYS_HORIZON, CLV_MEASURE, Campaigns, Changed, Clv, ColumnType, Customer, DecileDeclaration,
    Drift, Format, Identity, Ingest, Measure, MeasureValue, Project, Quarantine, Retention, Source,
    SourceKind, Stream, TimeColumn, ValueAt, Vanished,
};
use super::near::did_you_mean;
use super::schedule::Length;
use super::{check, conform, currency, parse_responses, path, schema, tree, written, zone};
use crate::ingest::{NoShare, Share};
use crate::intake;

/// What reading a file gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Lint {
    /// The resolved project; `None` when there is an error among the findings.
    pub project: Option<Project>,
    /// Errors and warnings in the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads a project's declarations with everything there is to say about them, warnings included.
pub fn lint(text: &str) -> Lint {
    let mut report = Report::default();
    let project = read(text, &mut report).filter(|_| !report.has_errors());
    Lint {
        project,
        findings: report.into_findings(),
    }
}

/// Reads a project's declarations.
///
/// # Errors
/// All findings of the file, when at least one of them is an error. [`lint`] also gives the
/// warnings of a file that can be used.
pub fn parse(text: &str) -> Result<Project, Vec<Finding>> {
    let checked = lint(text);
    checked.project.ok_or(checked.findings)
}

fn read(text: &str, report: &mut Report) -> Option<Project> {
    let root = tree::read(text, report)?;
    if matches!(root.content, tree::Content::Null) {
        let remedy = "`tenfold init` writes a first one from a sample of the data".to_owned();
        report.add_at(
            Severity::Error,
            Spot::START,
            "",
            "the file is empty".to_owned(),
            remedy,
        );
        return None;
    }
    let json = conform::conform(&root, &schema::json_schema(), report)?;
    let mut project = resolve(understood::<written::Project>(json, report)?, report);
    check::check(&project, report);
    imply_clv_decile(&mut project);
    Some(project)
}

/// The CLV is ranked without being declared, so the resolved form says so.
fn imply_clv_decile(project: &mut Project) {
    let declared = project
        .deciles
        .iter()
        .any(|d| d.ranks_clv() && d.name == CLV_MEASURE);
    if project.clv.is_some() && !declared {
        project
            .deciles
            .insert(0, DecileDeclaration::of(CLV_MEASURE, CLV_MEASURE));
    }
}

/// Spells every default out.
fn resolve(written: written::Project, report: &mut Report) -> Project {
    let time_zone = resolve_zone(&written.time_zone, "time_zone", report);
    let mut sources = std::collections::BTreeMap::new();
    for (name, source) in written.sources {
        let at = format!("sources.{name}");
        let mut source = resolve_source(source, &at, report);
        parse_responses::imply_types(&mut source, written.customer.key_type);
        sources.insert(name, source);
    }
    let deciles = written.deciles.into_iter().enumerate();
    Project {
        project: written.project,
        customer: Customer {
            key_type: written.customer.key_type,
            namespace: written.customer.namespace,
        },
        sources,
        clv: written.clv.map(resolve_clv),
        deciles: deciles
            .map(|(index, decile)| resolve_decile(decile, index, report))
            .collect(),
        quarantine: resolve_quarantine(written.quarantine),
        retention: written
            .retention
            .map_or_else(Retention::default, |written| Retention {
                keep_last: written.keep_last,
                keep_days: written.keep_days,
            }),
        publish: written.publish,
        drift: Drift {
            psi: written.drift.psi,
        },
        campaigns: Campaigns {
            window_days: written.campaigns.window_days,
        },
        engine: written.engine,
        tables: Vec::new(),
        audiences: Vec::new(),
        time_zone,
    }
}

fn resolve_zone(name: &str, at: &str, report: &mut Report) -> String {
    zone::canonical(name).unwrap_or_else(|remedy| {
        report.error(
            At::Value,
            at,
            format!("there is no time zone `{name}`"),
            remedy,
        );
        name.to_owned()
    })
}

fn resolve_source(source: written::Source, at: &str, report: &mut Report) -> Source {
    let path = source.path.unwrap_or_default();
    let format = source
        .format
        .unwrap_or_else(|| default_format(&path, at, report));
    let ingest = source
        .ingest
        .map(|ingest| resolve_ingest(ingest, at, report));
    let (changed, vanished) = match ingest {
        Some(_) => (Changed::Restate, Vanished::Restate),
        None => (source.changed, source.vanished),
    };
    let mut types = std::collections::BTreeMap::new();
    for (column, text) in source.types {
        if let Some(column_type) = resolve_type(&text, &format!("{at}.types.{column}"), report) {
            types.insert(column, column_type);
        }
    }
    if ingest.as_ref().is_some_and(|ingest| ingest.mail.is_some()) {
        let beside = intake::BESIDE.map(|column| (column.to_owned(), ColumnType::String));
        types.extend(beside);
    }
    let mut measures = std::collections::BTreeMap::new();
    for (name, measure) in source.measures {
        let at = format!("{at}.measures.{name}");
        measures.insert(name, resolve_measure(measure, &at, report));
    }
    let (event_id, event_id_horizon) = match source.event_id {
        None => (parse_responses::by_name(source.kind, "event_id"), None),
        Some(written::EventId::Column(column)) => (Some(column), None),
        Some(written::EventId::Detailed(id)) => (Some(id.column), id.horizon_days),
    };
    let mut dimensions = source.dimensions;
    let mut attribute_types = std::collections::BTreeMap::new();
    for (name, attribute) in source.attributes {
        let (column, column_type) = match attribute {
            written::Attribute::Column(column) => (column, None),
            written::Attribute::Detailed(written) => {
                let at = format!("{at}.attributes.{name}.type");
                (
                    written.column,
                    resolve_type(&written.column_type, &at, report),
                )
            }
        };
        let column_type = column_type.filter(|declared| *declared != ColumnType::String);
        attribute_types.extend(column_type.map(|declared| (name.clone(), declared)));
        dimensions.insert(name, column);
    }
    if source.kind == SourceKind::Responses {
        dimensions = parse_responses::columns(&source.responses);
        attribute_types = parse_responses::column_types();
    }
    let customer = source
        .customer
        .or_else(|| parse_responses::by_name(source.kind, "customer"));
    let time = source.time;
    let time =
        time.or_else(|| parse_responses::by_name(source.kind, "time").map(written::Time::Column));
    let identities = source.identities.into_iter().map(|(namespace, written)| {
        let identity = Identity {
            attribute: written.attribute,
            normalize: written.normalize,
            duplicates: written.duplicates,
        };
        (namespace, identity)
    });
    Source {
        kind: source.kind,
        path,
        ingest,
        format,
        layout: source.layout,
        version: source.version,
        types,
        customer: present(customer, at, "customer", report).unwrap_or_default(),
        time: match present(time, at, "time", report) {
            Some(time) => resolve_time(time, at, report),
            None => resolve_time(written::Time::Column(String::new()), at, report),
        },
        event_id,
        event_id_horizon,
        filter: source.filter,
        measures,
        dimensions,
        attribute_types,
        identities: identities.collect(),
        response_types: source.responses.types(),
        changed,
        vanished,
    }
}

fn resolve_ingest(ingest: written::Ingest, at: &str, report: &mut Report) -> Ingest {
    let max_bad_rows = match &ingest.max_bad_rows {
        None => Share::DEFAULT,
        Some(text) => text.parse().unwrap_or_else(|error: NoShare| {
            let at = format!("{at}.ingest.max_bad_rows");
            report.error(At::Value, &at, error.to_string(), Share::REMEDY);
            Share::DEFAULT
        }),
    };
    // What senders of mail tell comes as messages.
    let implied = ingest.mail.as_ref().map(|_| written::Stream::default());
    let stream = ingest.stream.or(implied);
    Ingest {
        max_bad_rows,
        stream: stream.map(|stream| resolve_stream(stream, at, report)),
        mail: ingest.mail,
    }
}

/// What has to be written, if it is.
fn present<T>(value: Option<T>, at: &str, name: &str, report: &mut Report) -> Option<T> {
    if value.is_none() {
        let path = format!("{at}.{name}");
        let message = format!("`{name}` is missing in `{at}`");
        report.error(At::Key, &path, message, format!("add `{name}:`"));
        report.spoil(&path);
    }
    value
}

fn resolve_stream(stream: written::Stream, at: &str, report: &mut Report) -> Stream {
    let implied = Stream::default();
    let every = stream.every.map_or(Ok(implied.every), Length::try_from);
    Stream {
        every: every.unwrap_or_else(|message| {
            let at = format!("{at}.ingest.stream.every");
            report.error(At::Value, &at, message, "write it like 30s, 5m or 1h");
            implied.every
        }),
        megabytes: stream.megabytes.unwrap_or(implied.megabytes),
        rate: stream.rate.unwrap_or(implied.rate),
    }
}

fn default_format(text: &str, at: &str, report: &mut Report) -> Format {
    path::format_by_ending(text).unwrap_or_else(|ending| {
        let at = format!("{at}.path");
        let message = format!("`.{ending}` files cannot be read");
        let remedy = "bring them as Parquet, CSV or JSON lines; if they are, add `format:`";
        report.error(At::Value, &at, message, remedy);
        Format::Parquet
    })
}

fn resolve_type(text: &str, at: &str, report: &mut Report) -> Option<ColumnType> {
    let known = [
        "int64",
        "float64",
        "decimal(p,s)",
        "string",
        "date",
        "timestamp",
        "bool",
    ];
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let remedy = match text.strip_prefix("decimal") {
            Some(rest) if rest.starts_with('(') && !rest.ends_with(')') => {
                "between braces a comma separates entries: put it in quotes, \"decimal(12,2)\""
                    .to_owned()
            }
            Some(_) => {
                "write `decimal(p,s)`: p digits in all, 1 to 38, and s of them after the point"
                    .to_owned()
            }
            None => did_you_mean(text, known),
        };
        report.error(At::Value, at, format!("`{text}` is no column type"), remedy);
    }
    parsed
}

fn resolve_time(time: written::Time, at: &str, report: &mut Report) -> TimeColumn {
    match time {
        written::Time::Column(column) => TimeColumn {
            column,
            zone: None,
            unit: None,
            format: None,
        },
        written::Time::Detailed(time) => TimeColumn {
            column: time.column,
            zone: time
                .zone
                .map(|zone| resolve_zone(&zone, &format!("{at}.time.zone"), report)),
            unit: time.unit,
            format: time.format,
        },
    }
}

fn resolve_measure(measure: written::Measure, at: &str, report: &mut Report) -> Measure {
    let remedy = "give either `column:` or `expression:`";
    let value = match (measure.column, measure.expression) {
        (Some(column), None) => MeasureValue::Column(column),
        (None, Some(expression)) => MeasureValue::Expression(expression),
        (None, None) => {
            // One that could not be used has its own finding.
            if !report.is_spoiled_within(at) {
                let message = format!("`{at}` has neither a column nor an expression");
                report.error(At::Key, at, message, remedy);
            }
            MeasureValue::Column(String::new())
        }
        (Some(_), Some(expression)) => {
            let message = format!("`{at}` has both a column and an expression");
            report.error(At::Key, &format!("{at}.expression"), message, remedy);
            MeasureValue::Expression(expression)
        }
    };
    let digits = measure
        .currency
        .as_deref()
        .map_or(0, |code| currency::digits(code).unwrap_or(2));
    Measure {
        value,
        currency: measure.currency,
        scale: measure.scale.unwrap_or(digits),
    }
}

fn resolve_clv(clv: written::Clv) -> Clv {
    let mut horizons = clv.horizons;
    horizons.push(ALWAYS_HORIZON);
    horizons.sort_unstable();
    horizons.dedup();
    Clv {
        source: clv.source,
        value: clv.value,
        unit: clv.unit,
        models: clv.models,
        horizons,
        discount: clv.discount,
        month: clv.month,
        margin: clv.margin,
        refunds: clv.refunds,
        holdout: clv.holdout,
        fit_customers: clv.fit_customers,
    }
}

fn resolve_decile(decile: written::Decile, index: usize, report: &mut Report) -> DecileDeclaration {
    let mut resolved = DecileDeclaration::of(&decile.measure, &decile.measure);
    (resolved.by, resolved.by_attribute) = match decile.by {
        None => (None, false),
        Some(written::By::Dimension(dimension)) => (Some(dimension), false),
        Some(written::By::Attribute(by)) => (Some(by.attribute), true),
    };
    if let Some(by) = &resolved.by {
        resolved.name = format!("{}_by_{by}", decile.measure);
    }
    if let Some(name) = decile.name {
        resolved.name = name;
    }
    if !resolved.ranks_clv() {
        resolved.lookbacks = resolve_lookbacks(decile.lookbacks, index, report);
        resolved.window = decile.window;
        resolved.inactive = decile.inactive;
        resolved.value_at = match resolved.by_attribute {
            true => ValueAt::Latest,
            false => decile.value_at.unwrap_or_default(),
        };
    } else if decile.value_at == Some(ValueAt::Event) {
        let at = format!("deciles[{index}].value_at");
        let message = "a customer has one CLV, not one per event";
        report.error(
            At::Value,
            &at,
            message,
            "use `value_at: latest`, or take the line out",
        );
    }
    resolved.tiles = decile.tiles;
    resolved.population = decile.population;
    resolved.ties = decile.ties;
    resolved
}

fn resolve_lookbacks(
    mut lookbacks: Vec<super::Lookback>,
    index: usize,
    report: &mut Report,
) -> Vec<super::Lookback> {
    let at = format!("deciles[{index}].lookbacks");
    let complete = !report.is_spoiled_within(&at);
    for (position, lookback) in lookbacks.iter().enumerate() {
        if complete
            && lookbacks
                .iter()
                .take(position)
                .any(|earlier| earlier == lookback)
        {
            let at = format!("{at}[{position}]");
            let message = format!("look-back {} is given twice", lookback.suffix());
            report.error(At::Value, &at, message, "take one of the two out");
        }
    }
    lookbacks.sort_unstable();
    lookbacks.dedup();
    lookbacks
}

fn resolve_quarantine(written: Option<written::Quarantine>) -> Quarantine {
    match written {
        Some(written::Quarantine {
            max_share: None,
            max_rows: None,
        })
        | None => Quarantine::default(),
        Some(limits) => Quarantine {
            max_share: limits.max_share,
            max_rows: limits.max_rows,
        },
    }
}
