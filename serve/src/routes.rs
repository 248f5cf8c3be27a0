//! What may be asked, by method and path: the one table that requests are dispatched by, and that
//! the documentation is made from.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::At;
use tenfold_query::{Parameter, Parameters, Template};

use crate::answer::Asked;
use crate::calls::Call;
use crate::encode::Format;

/// Bytes of a query.
pub const SQL_MAX: usize = 256 << 10;

/// Something that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Whether the process answers.
    Health,
    /// An answer to a query.
    Sql,
    /// The templates.
    Templates,
    /// An answer to a template.
    Template,
    /// The queries.
    Queries,
    /// One query.
    Query,
    /// To stop a query.
    Stop,
    /// The snapshots.
    Snapshots,
    /// The tables of a snapshot.
    Tables,
    /// What runs left in the store.
    Records,
    /// A call of a coordinator. The variable part of the path is this field of its message.
    Call(Call, &'static str),
    /// The page of an error code.
    Error,
    /// The description of all this for programs.
    OpenApi,
    /// The same for people.
    Docs,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path; `{…}` stands for one part.
    pub path: &'static str,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// The same for people.
    pub what: &'static str,
    /// Names in the part of an address behind `?`.
    pub query: &'static [&'static str],
}

impl Route {
    /// Whether a request has a body, which is JSON.
    pub fn takes_body(&self) -> bool {
        self.method == "POST"
    }
}

const fn call(
    method: &'static str,
    path: &'static str,
    call: Call,
    part: &'static str,
    what: &'static str,
) -> Route {
    Route {
        method,
        path,
        endpoint: Endpoint::Call(call, part),
        what,
        query: &[],
    }
}

const fn get(path: &'static str, endpoint: Endpoint, what: &'static str) -> Route {
    Route {
        method: "GET",
        path,
        endpoint,
        what,
        query: &[],
    }
}

/// All that can be asked.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/sql",
        endpoint: Endpoint::Sql,
        what: "Answers one query over one snapshot",
        query: &[],
    },
    get(
        "/v1/templates",
        Endpoint::Templates,
        "Lists the templates with their parameters",
    ),
    Route {
        method: "POST",
        path: "/v1/templates/{name}",
        endpoint: Endpoint::Template,
        what: "Answers a template over one snapshot",
        query: &[],
    },
    get(
        "/v1/queries",
        Endpoint::Queries,
        "Lists the queries that run, wait or have ended lately: a viewer's own, an operator's all",
    ),
    get("/v1/queries/{id}", Endpoint::Query, "Shows a query"),
    Route {
        method: "DELETE",
        path: "/v1/queries/{id}",
        endpoint: Endpoint::Stop,
        what: "Stops a query; one that has ended stays as it ended",
        query: &[],
    },
    get(
        "/v1/snapshots",
        Endpoint::Snapshots,
        "Lists the snapshots that can be read, the newest first",
    ),
    Route {
        query: &["at"],
        ..get(
            "/v1/tables",
            Endpoint::Tables,
            "Lists the tables of a snapshot with their columns",
        )
    },
    get(
        "/v1/run-records",
        Endpoint::Records,
        "Lists the latest runs that have ended, as the store keeps them, the newest first",
    ),
    call(
        "POST",
        "/v1/runs",
        Call::SubmitRun,
        "",
        "Asks for a refresh",
    ),
    Route {
        query: &["states", "schedule", "limit", "since"],
        ..call(
            "GET",
            "/v1/runs",
            Call::ListRuns,
            "",
            "Lists runs, the newest first",
        )
    },
    call(
        "POST",
        "/v1/plan",
        Call::Plan,
        "",
        "Says what a refresh would read, reuse and write",
    ),
    call(
        "GET",
        "/v1/runs/{run}",
        Call::GetRun,
        "run",
        "Shows a run; @latest is the newest",
    ),
    call(
        "GET",
        "/v1/runs/{run}/events",
        Call::RunEvents,
        "run",
        "Lists what happened to a run so far",
    ),
    Route {
        query: &["failed_only"],
        ..call(
            "GET",
            "/v1/runs/{run}/tasks",
            Call::ListTasks,
            "run",
            "Lists the tasks of a run with their attempts",
        )
    },
    call(
        "POST",
        "/v1/runs/{run}/cancel",
        Call::CancelRun,
        "run",
        "Cancels a run",
    ),
    call(
        "POST",
        "/v1/runs/{run}/retry",
        Call::RetryRun,
        "run",
        "Tries a failed run again in place",
    ),
    call(
        "POST",
        "/v1/schedules",
        Call::ApplySchedule,
        "",
        "Makes a schedule or changes it",
    ),
    call(
        "GET",
        "/v1/schedules",
        Call::ListSchedules,
        "",
        "Lists the schedules",
    ),
    call(
        "POST",
        "/v1/schedule-previews",
        Call::PreviewSchedule,
        "",
        "Says when a schedule will fire, applied or not",
    ),
    call(
        "GET",
        "/v1/schedules/{schedule}",
        Call::GetSchedule,
        "schedule",
        "Shows a schedule",
    ),
    call(
        "DELETE",
        "/v1/schedules/{schedule}",
        Call::DeleteSchedule,
        "schedule",
        "Deletes a schedule; its runs stay",
    ),
    Route {
        query: &["limit"],
        ..call(
            "GET",
            "/v1/schedules/{schedule}/runs",
            Call::ScheduleHistory,
            "schedule",
            "Lists the runs of a schedule, the newest first",
        )
    },
    call(
        "POST",
        "/v1/schedules/{schedule}/pause",
        Call::PauseSchedule,
        "schedule",
        "Pauses a schedule",
    ),
    call(
        "POST",
        "/v1/schedules/{schedule}/resume",
        Call::ResumeSchedule,
        "schedule",
        "Lets a schedule go on",
    ),
    call(
        "POST",
        "/v1/schedules/{schedule}/trigger",
        Call::TriggerSchedule,
        "schedule",
        "Asks for a run of a schedule now",
    ),
    call(
        "POST",
        "/v1/backfill-plans",
        Call::PlanBackfill,
        "",
        "Says which days a backfill would make",
    ),
    call(
        "POST",
        "/v1/backfills",
        Call::CreateBackfill,
        "",
        "Makes snapshots of earlier days",
    ),
    call(
        "GET",
        "/v1/backfills",
        Call::ListBackfills,
        "",
        "Lists the backfills, the newest first",
    ),
    call(
        "GET",
        "/v1/backfills/{backfill}",
        Call::GetBackfill,
        "backfill",
        "Shows a backfill",
    ),
    call(
        "POST",
        "/v1/backfills/{backfill}/cancel",
        Call::CancelBackfill,
        "backfill",
        "Makes no further days",
    ),
    call(
        "GET",
        "/v1/workers",
        Call::ListWorkers,
        "",
        "Lists the workers",
    ),
    call(
        "POST",
        "/v1/workers/{worker}/drain",
        Call::DrainWorker,
        "worker",
        "Gives a worker no new tasks",
    ),
    call(
        "POST",
        "/v1/workers/{worker}/uncordon",
        Call::UncordonWorker,
        "worker",
        "Gives a worker tasks again",
    ),
    call(
        "GET",
        "/v1/cluster",
        Call::ClusterStatus,
        "",
        "Shows the coordinator in office and what it has to do",
    ),
    get(
        "/v1/errors/{code}",
        Endpoint::Error,
        "Explains an error code, as Markdown",
    ),
    get("/v1/openapi.json", Endpoint::OpenApi, "Describes all this"),
    get("/v1/docs", Endpoint::Docs, "Describes all this for people"),
    get(
        "/healthz",
        Endpoint::Health,
        "Says that the process answers; needs no token",
    ),
];

/// The row for a request, and the part of its path that `{…}` stands for.
///
/// # Errors
/// When there is none.
pub fn find<'a>(method: &str, path: &'a str) -> Result<(&'static Route, &'a str), Failure> {
    let found = ROUTES.iter().find_map(|route| {
        let part = part(route.path, path)?;
        (route.method == method).then_some((route, part))
    });
    found.ok_or_else(|| {
        let others = ROUTES
            .iter()
            .filter(|route| part(route.path, path).is_some());
        let methods: Vec<_> = others.map(|route| route.method).collect();
        let failure = Failure::config(format!("there is no {method} {path}"));
        let failure = failure.code(ErrorCode::UnknownAddress);
        match methods.is_empty() {
            true => failure.remedy("GET /v1/docs lists what there is"),
            false => failure.remedy(format!("there is {} {path}", methods.join(" and "))),
        }
    })
}

/// What `{…}` stands for in a path that fits; nothing where there is none.
fn part<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    match pattern.split_once('{') {
        None => (pattern == path).then_some(""),
        Some((before, rest)) => {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            let part = path.strip_prefix(before)?.strip_suffix(after)?;
            (!part.is_empty() && !part.contains('/')).then_some(part)
        }
    }
}

/// The body of `POST /v1/templates/{name}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateRequest {
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    at: Option<Value>,
    #[serde(default)]
    format: Option<String>,
}

impl TemplateRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is no such request.
    pub fn read(body: &[u8]) -> Result<Self, Failure> {
        read(
            body,
            "send an object with parameters, at and format, or an empty one, as JSON",
        )
    }

    /// What it asks for, of the template of a name.
    ///
    /// # Errors
    /// When there is no such template, or a part of the request cannot be understood.
    pub fn asked(self, name: &str, accept: Option<&str>) -> Result<Asked, Failure> {
        let template = Template::named(name)?;
        Ok(Asked {
            at: at(self.at.as_ref())?,
            parameters: template.bind(&self.parameters)?,
            sql: template.sql,
            format: format(self.format.as_deref(), accept)?,
        })
    }
}

/// The body of `POST /v1/sql`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    sql: String,
    #[serde(default)]
    parameters: Value,
    #[serde(default)]
    at: Option<Value>,
    #[serde(default)]
    format: Option<String>,
}

impl SqlRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is no such request.
    pub fn read(body: &[u8]) -> Result<Self, Failure> {
        read(
            body,
            "send an object with sql, and perhaps parameters, at and format, as JSON",
        )
    }

    /// What it asks for; `accept` is the header in which a client says what it likes.
    ///
    /// # Errors
    /// When a part of it cannot be understood.
    pub fn asked(self, accept: Option<&str>) -> Result<Asked, Failure> {
        if self.sql.len() > SQL_MAX {
            return Err(Failure::config(format!(
                "the query has {} bytes, and may have {SQL_MAX}",
                self.sql.len()
            ))
            .remedy("ask in several queries"));
        }
        Ok(Asked {
            at: at(self.at.as_ref())?,
            parameters: parameters(self.parameters)?,
            sql: self.sql,
            format: format(self.format.as_deref(), accept)?,
        })
    }
}

/// Reads a body, or says what to send instead.
fn read<T: DeserializeOwned>(body: &[u8], instead: &str) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::config(format!("the request cannot be understood: {error}")).remedy(instead)
    })
}

fn format(named: Option<&str>, accept: Option<&str>) -> Result<Format, Failure> {
    match (named, accept) {
        (Some(name), _) => Format::named(name),
        (None, Some(accept)) => Format::accepted(accept),
        (None, None) => Ok(Format::Json),
    }
}

/// Which snapshot a request means: a number, or text as on the command line.
fn at(named: Option<&Value>) -> Result<At, Failure> {
    match named {
        None | Some(Value::Null) => Ok(At::Latest),
        Some(Value::String(text)) => text.parse(),
        Some(Value::Number(number)) => number.to_string().parse(),
        Some(_) => Err(Failure::config("at names no snapshot")
            .remedy("give a number, a tag, an instant, as-of:DATE or latest")),
    }
}

fn parameters(values: Value) -> Result<Parameters, Failure> {
    let read = |(name, value): (String, Value)| {
        let value = parameter(&name, &value)?;
        Ok((name, value))
    };
    match values {
        Value::Null => Ok(Parameters::default()),
        Value::Array(values) => {
            let places = (1..).map(|place: usize| place.to_string());
            let values: Result<Vec<_>, Failure> = places.zip(values).map(read).collect();
            Ok(Parameters::named(values?))
        }
        Value::Object(values) => {
            let values: Result<Vec<_>, Failure> = values.into_iter().map(read).collect();
            Ok(Parameters::named(values?))
        }
        _ => Err(
            Failure::config("parameters is neither a list nor an object")
                .remedy("give a list for $1, $2, …, or an object with names"),
        ),
    }
}

fn parameter(name: &str, value: &Value) -> Result<Parameter, Failure> {
    Parameter::of(value).ok_or_else(|| {
        Failure::config(format!("${name} is a list or an object"))
            .remedy("give a text, a number, true, false or null")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Result<Asked, Failure> {
        SqlRequest::read(body.as_bytes())?.asked(None)
    }

    #[test]
    fn requests_are_found_by_method_and_path() {
        let found = |method, path| find(method, path).map(|(route, part)| (route.endpoint, part));
        assert_eq!(found("POST", "/v1/sql"), Ok((Endpoint::Sql, "")));
        assert_eq!(
            found("GET", "/v1/queries/a-1"),
            Ok((Endpoint::Query, "a-1"))
        );
        assert_eq!(found("DELETE", "/v1/queries/a"), Ok((Endpoint::Stop, "a")));
        assert_eq!(
            found("POST", "/v1/runs/@latest/cancel"),
            Ok((Endpoint::Call(Call::CancelRun, "run"), "@latest"))
        );
        let other = found("GET", "/v1/sql").unwrap_err();
        assert!(other.remedy.contains("POST /v1/sql"), "{other}");
        for path in [
            "/",
            "/v1/queries/",
            "/v1/queries/a/b",
            "/v1/sql/",
            "/v2/sql",
        ] {
            assert_eq!(found("GET", path).unwrap_err().number(), "E2215", "{path}");
        }
    }

    #[test]
    fn a_body_is_read_with_its_values() {
        let read = asked(r#"{"sql": "SELECT $1", "parameters": [1.0], "at": 3, "format": "csv"}"#);
        let read = read.unwrap();
        assert_eq!(read.at, At::Number(3));
        assert_eq!(read.format, Format::Csv);
        let one = Parameters::placed([Parameter::Number("1.0".to_owned())]);
        assert_eq!(read.parameters, one);
        let named = asked(r#"{"sql": "", "parameters": {"a": -5, "b": null}, "at": "tag"}"#);
        let named = named.unwrap();
        let expected = [
            ("a".to_owned(), Parameter::Number("-5".to_owned())),
            ("b".to_owned(), Parameter::Null),
        ];
        assert_eq!(named.parameters, Parameters::named(expected));
        assert_eq!(named.at, At::Tag("tag".to_owned()));
    }

    #[test]
    fn what_is_no_request_is_refused_with_a_remedy() {
        let long = format!(r#"{{"sql": "{}"}}"#, "x".repeat(SQL_MAX + 1));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"sql": 1}"#,
            r#"{"sql": "", "other": 1}"#,
            r#"{"sql": "", "parameters": 1}"#,
            r#"{"sql": "", "parameters": [[1]]}"#,
            r#"{"sql": "", "at": true}"#,
            r#"{"sql": "", "at": -1}"#,
            r#"{"sql": "", "at": 1.5}"#,
            r#"{"sql": "", "format": "xml"}"#,
            &long,
        ] {
            let refused = asked(body).unwrap_err();
            assert!(!refused.remedy.is_empty(), "{body}: {refused}");
        }
    }
}
