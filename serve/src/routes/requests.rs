//! The requests for answers to queries: what their bodies hold, and what that means.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::At;
use tenfold_query::{Parameter, Parameters, Template};

use crate::answer::Asked;
use crate::encode::Format;

/// Bytes of a query.
pub const SQL_MAX: usize = 256 << 10;

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
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], instead: &str) -> Result<T, Failure> {
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
pub(crate) fn at(named: Option<&Value>) -> Result<At, Failure> {
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
