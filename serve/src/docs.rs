//! The description of what can be asked: for programs (OpenAPI 3.1) and for people, both made from
//! the table of routes.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::audiences::{MOST, SAMPLE};
use crate::calls::Call;
use crate::dashboards;
use crate::deliveries;
use crate::encode::Format;
use crate::ingest::Verb;
use crate::routes::{Endpoint, ROUTES, Route, SQL_MAX};
use crate::schemas;

/// The description for programs.
pub fn open_api() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths
            .entry(route.path)
            .or_insert_with(|| Value::Object(Map::new()));
        path[route.method.to_lowercase()] = operation(route);
    }
    let mut schemas = schemas::schemas();
    schemas.insert("SqlRequest".to_owned(), sql_request());
    schemas.insert("TemplateRequest".to_owned(), template_request());
    schemas.insert("Message".to_owned(), message());
    schemas.insert("Messages".to_owned(), messages());
    schemas.insert("CountRequest".to_owned(), count_request());
    schemas.insert("AudienceRequest".to_owned(), audience_request());
    schemas.insert("DashboardRequest".to_owned(), dashboard_request());
    schemas.insert("DeliveryPlanRequest".to_owned(), delivery_plan_request());
    // That of an answer; the protocol has one of its own within runs.
    schemas.insert("Refusal".to_owned(), refusal());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tenfold",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "SQL over published snapshots, read only; runs, schedules, backfills \
                            and workers of a coordinator, where the server knows one; files \
                            that are sent to sources of its project; dashboards of the project.",
        },
        "paths": paths,
        "security": [{"token": []}, {}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "summary": route.what,
        "parameters": parameters(route),
        "responses": {
            status(route.endpoint): {"description": "The answer", "content": content(route.endpoint)},
            "default": {
                "description": "What went wrong, and what to do",
                "content": {"application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Refusal"},
                }},
            },
        },
    });
    let body = match route.endpoint {
        Endpoint::Sql => Some("SqlRequest"),
        Endpoint::Template => Some("TemplateRequest"),
        Endpoint::CountAudience => Some("CountRequest"),
        Endpoint::PutAudience => Some("AudienceRequest"),
        Endpoint::Call(call, _) if route.takes_body() => Some(call.messages().0),
        Endpoint::Dashboard(dashboards::Verb::Put) => Some("DashboardRequest"),
        Endpoint::Delivery(deliveries::Verb::Plan) => Some("DeliveryPlanRequest"),
        Endpoint::Messages { many: false } => Some("Message"),
        Endpoint::Messages { many: true } => Some("Messages"),
        _ => None,
    };
    if let Some(body) = body {
        operation["requestBody"] = json!({
            "required": !matches!(route.endpoint, Endpoint::Call(..) | Endpoint::Delivery(_)),
            "content": {"application/json": {
                "schema": {"$ref": format!("#/components/schemas/{body}")},
            }},
        });
    }
    if let Endpoint::Ingest(verb) = route.endpoint
        && let Some(kind) = verb.takes()
    {
        operation["requestBody"] = json!({
            "required": verb != Verb::Open,
            "content": {kind: {"schema": ingested(verb)}},
        });
    }
    operation
}

/// What a request about a batch holds.
fn ingested(verb: Verb) -> Value {
    match verb {
        Verb::Open => json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "batch": {"type": "string", "description": "Name of the batch; a new one when left out"},
                "replaces": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Batches whose rows go when the new ones come",
                },
            },
        }),
        _ => json!({"type": "string", "format": "binary"}),
    }
}

/// The status of an answer that is none of a failure.
fn status(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Messages { many: false } => "202",
        Endpoint::Messages { many: true } => "207",
        _ => "200",
    }
}

fn parameters(route: &Route) -> Vec<Value> {
    let text = |name: &str, place: &str| {
        json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "schema": {"type": "string"},
        })
    };
    let in_path = route.path.split('{').skip(1);
    let in_path = in_path.filter_map(|rest| rest.split('}').next());
    let in_path = in_path.map(|name| text(name, "path"));
    let in_query = route.query.iter().map(|name| text(name, "query"));
    in_path.chain(in_query).collect()
}

fn content(endpoint: Endpoint) -> Value {
    let kinds: Vec<&str> = match endpoint {
        Endpoint::Sql | Endpoint::Template => Format::ALL.map(Format::media_type).to_vec(),
        Endpoint::Health | Endpoint::Metrics | Endpoint::MailAddress(_) => vec!["text/plain"],
        Endpoint::Error => vec!["text/markdown"],
        Endpoint::Docs => vec!["text/html"],
        Endpoint::Ingest(Verb::Errors) => vec!["application/jsonl"],
        Endpoint::Call(call, _) => return answered(call),
        _ => vec!["application/json"],
    };
    let kind = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default();
        (kind.to_owned(), json!({}))
    };
    Value::Object(kinds.into_iter().map(kind).collect())
}

fn answered(call: Call) -> Value {
    let message = json!({"$ref": format!("#/components/schemas/{}", call.messages().1)});
    let schema = match call {
        Call::RunEvents => json!({
            "type": "object",
            "properties": {"events": {"type": "array", "items": message}},
        }),
        _ => message,
    };
    json!({"application/json": {"schema": schema}})
}

fn sql_request() -> Value {
    json!({
        "type": "object",
        "required": ["sql"],
        "additionalProperties": false,
        "properties": {
            "sql": {
                "type": "string",
                "maxLength": SQL_MAX,
                "description": "One query: SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE",
            },
            "parameters": {
                "type": ["array", "object", "null"],
                "description": "Values for $1, $2, … as a list, or for $name as an object",
                "items": {"type": ["string", "number", "boolean", "null"]},
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
            "at": at(),
            "format": format(),
        },
    })
}

fn template_request() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "parameters": {
                "type": "object",
                "description": "Values for the parameters that `GET /v1/templates` lists",
                "additionalProperties": {"type": ["string", "number"]},
            },
            "at": at(),
            "format": format(),
        },
    })
}

fn message() -> Value {
    json!({
        "type": "object",
        "description": "An event: the columns of the source that it has",
    })
}

fn messages() -> Value {
    json!({
        "type": "object",
        "required": ["messages"],
        "additionalProperties": false,
        "properties": {"messages": {"type": "array", "items": message()}},
    })
}

fn count_request() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "rule": {
                "type": "object",
                "description": "The rule, as `tenfold schema audience` describes it",
            },
            "text": {
                "type": "string",
                "description": "The rule on one line instead, such as `p_alive < 0.5`",
            },
            "at": at(),
            "sample": {
                "type": "integer",
                "minimum": 0,
                "maximum": MOST,
                "description": format!("How many of the chosen are shown; {SAMPLE} when left out"),
            },
            "explain": {
                "type": "boolean",
                "description": "Whether the answer has the SQL that the rule is compiled to",
            },
        },
    })
}

fn audience_request() -> Value {
    json!({
        "type": "object",
        "required": ["yaml"],
        "additionalProperties": false,
        "properties": {
            "yaml": {
                "type": "string",
                "description": "The text of the file, as `tenfold schema audience` describes it",
            },
            "base": {
                "type": ["string", "null"],
                "description": "Hash of the file that it was made from; null for a new one",
            },
        },
    })
}

fn delivery_plan_request() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {"at": at()},
    })
}

fn dashboard_request() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "document": {
                "type": "object",
                "description": "The dashboard, as `tenfold schema dashboard` describes it",
            },
            "yaml": {
                "type": "string",
                "description": "The text of its file instead",
            },
            "draft": {
                "type": "boolean",
                "description": "Whether it is a draft, which operators alone see; for everybody when left out",
            },
            "base": {
                "type": ["string", "null"],
                "description": "Hash of what it was made from, as GET with draft=true gave it; null for a new one",
            },
        },
    })
}

fn at() -> Value {
    json!({
        "type": ["integer", "string", "null"],
        "description": "Snapshot: number, tag, instant of publication, as-of:DATE or latest",
    })
}

fn format() -> Value {
    json!({
        "enum": Format::ALL.map(Format::name),
        "description": "Form of the answer; what `Accept` says when left out",
    })
}

fn refusal() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": {"type": "string", "description": "Address of the page about the code"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What happened"},
            "code": {"type": "string", "description": "Stable code, such as E2315"},
            "remedy": {"type": "string", "description": "What to do"},
        },
    })
}

/// The description for people: a page that asks for nothing else.
pub fn page() -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Tenfold</title>\n\
         <h1>Tenfold: SQL over snapshots, runs and schedules</h1>\n<p>\
         <a href=\"/v1/openapi.json\">For programs</a>.</p>\n<table>\n\
         <tr><th align=\"left\">request</th><th align=\"left\">what it does</th></tr>\n",
    );
    for route in ROUTES {
        let query: Vec<String> = route.query.iter().map(|name| format!("{name}=…")).collect();
        let query = match query.is_empty() {
            true => String::new(),
            false => format!("?{}", query.join("&amp;")),
        };
        // Writing to a text does not fail.
        let _ = writeln!(
            page,
            "<tr><td><code>{} {}{query}</code></td><td>{}</td></tr>",
            route.method, route.path, route.what
        );
    }
    page.push_str(
        "</table>\n<h2>A query</h2>\n<pre>POST /v1/sql\nContent-Type: application/json\n\n",
    );
    page.push_str(
        "{\"sql\": \"SELECT customer, clv_12m FROM customer_value WHERE decile_clv_12m = $1 \
         LIMIT 10\",\n \"parameters\": [1], \"at\": \"latest\", \"format\": \"json\"}</pre>\n",
    );
    page.push_str(
        "<table>\n<tr><th align=\"left\">field</th><th align=\"left\">meaning</th></tr>\n",
    );
    if let Some(fields) = sql_request()["properties"].as_object() {
        for (name, field) in fields {
            let _ = writeln!(
                page,
                "<tr><td><code>{name}</code></td><td>{}</td></tr>",
                field["description"].as_str().unwrap_or_default()
            );
        }
    }
    page.push_str("</table>\n</html>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_can_be_asked_is_described() {
        let described = open_api();
        let page = page();
        for route in ROUTES {
            let operation = &described["paths"][route.path][route.method.to_lowercase()];
            assert_eq!(operation["summary"], route.what, "{}", route.path);
            assert!(page.contains(route.path), "{}", route.path);
        }
        let id = &described["paths"]["/v1/queries/{id}"]["get"]["parameters"][0];
        assert_eq!((&id["name"], &id["in"]), (&json!("id"), &json!("path")));
    }

    #[test]
    fn the_page_asks_for_nothing_else() {
        let page = page();
        for part in ["http:", "https:", "<script", "<link", "src=", "<img"] {
            assert!(!page.contains(part), "{part}");
        }
    }
}
