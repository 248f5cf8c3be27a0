//! Questions that are asked again and again: queries with named parameters, each a file with a small
//! head in YAML between lines of `---`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::near::did_you_mean;

use crate::parameters::{Parameter, Parameters};

macro_rules! files {
    ($($name:literal)*) => {
        /// Names and texts of the templates.
        const FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../templates/", $name, ".sql"))),)*
        ];
    };
}

files! {
    "at_risk_top_decile"
    "cohort_value"
    "customer_count"
    "customers_by_group"
    "decile_migration"
    "decile_size"
    "decile_size_trend"
    "forecast_against_actual"
    "group_overlap"
    "group_overlap_of_decile"
    "groups_of_decile"
    "one_time_buyers"
    "opens_by_audience"
    "opens_by_campaign"
    "opens_by_day"
    "opens_by_decile"
    "single_group_customers"
    "value_by_decile"
}

/// A query with named parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// What it answers.
    pub about: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, Declared>,
    /// The query.
    pub sql: String,
}

/// A parameter of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// What it has to be.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it is when it is left out; without this it has to be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it says.
    pub about: String,
}

/// What a parameter has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A day, such as 2026-03-01.
    Date,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Date => "a day such as 2026-03-01",
        }
    }

    /// The value that a text or a JSON value stands for.
    fn read(self, given: &Value) -> Option<Parameter> {
        let text = match given {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        match self {
            Self::Text => given.is_string().then_some(Parameter::Text(text)),
            Self::Integer => {
                let number: i64 = text.parse().ok()?;
                Some(Parameter::Number(number.to_string()))
            }
            Self::Number => {
                let number: f64 = text.parse().ok()?;
                let finite = number.is_finite();
                finite.then(|| Parameter::Number(format!("{number:?}")))
            }
            Self::Date => {
                let day: Day = text.parse().ok()?;
                Some(Parameter::Text(day.to_string()))
            }
        }
    }
}

/// The head of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    about: String,
    parameters: BTreeMap<String, Declared>,
}

impl Template {
    /// All templates, by name.
    ///
    /// # Errors
    /// Never for those that are there.
    pub fn all() -> Result<Vec<Self>, Failure> {
        let parse = |(name, text): &(&str, &str)| Self::parse(name, text);
        FILES.iter().map(parse).collect()
    }

    /// The template of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, Failure> {
        match FILES.iter().find(|(other, _)| *other == name) {
            Some((name, text)) => Self::parse(name, text),
            None => {
                let names = FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>();
                Err(Failure::config(format!("there is no template {name}"))
                    .code(ErrorCode::UnknownTemplate)
                    .remedy(did_you_mean(name, names)))
            }
        }
    }

    /// Reads a file.
    fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        let parts = text.strip_prefix("---\n");
        let parts = parts.and_then(|rest| rest.split_once("\n---\n"));
        let wrong = |what: &str| Failure::bug(format!("template {name}: {what}"));
        let (head, sql) = parts.ok_or_else(|| wrong("it has no head"))?;
        let head: Head = serde_saphyr::from_str(head).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            about: head.about,
            parameters: head.parameters,
            sql: sql.trim_end().to_owned(),
        })
    }

    /// The values for the query: those that are given, and the defaults of the others.
    ///
    /// # Errors
    /// When one is missing, has another type, or is none of the template's.
    pub fn bind(&self, given: &BTreeMap<String, Value>) -> Result<Parameters, Failure> {
        if let Some(name) = given
            .keys()
            .find(|name| !self.parameters.contains_key(*name))
        {
            let names: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
            let failure = Failure::config(format!("{} has no parameter {name}", self.name));
            return Err(match names.is_empty() {
                true => failure.remedy("leave it out: the template has none"),
                false => failure.remedy(did_you_mean(name, names)),
            });
        }
        let value = |(name, declared): (&String, &Declared)| {
            let value = given.get(name).or(declared.default.as_ref());
            let value = value.ok_or_else(|| {
                Failure::config(format!("{} needs {name}", self.name))
                    .remedy(format!("give {name}: {}", declared.about))
            })?;
            let read = declared.kind.read(value).ok_or_else(|| {
                Failure::config(format!("{name} of {} is not what it has to be", self.name)).remedy(
                    format!("give {}: {}", declared.kind.words(), declared.about),
                )
            })?;
            Ok((name.clone(), read))
        };
        let values: Result<Vec<_>, Failure> = self.parameters.iter().map(value).collect();
        Ok(Parameters::named(values?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[(&str, Value)]) -> BTreeMap<String, Value> {
        let value = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
        values.iter().map(value).collect()
    }

    /// The page about all templates, as Markdown.
    fn page() -> String {
        let mut page = String::from(
            "# Templates\n\nQueries with parameters that are asked again and again: \
             `tenfold sql --template NAME -P key=value`, or `POST /v1/templates/{name}` of \
             [the SQL server](../serving.md).\n",
        );
        for template in Template::all().unwrap() {
            page += &format!("\n## `{}`\n\n{}.\n", template.name, template.about);
            if !template.parameters.is_empty() {
                page += "\n| parameter | type | default | meaning |\n|---|---|---|---|\n";
            }
            for (name, declared) in &template.parameters {
                let kind = serde_json::to_value(declared.kind).unwrap();
                let default = declared.default.as_ref().map(Value::to_string);
                page += &format!(
                    "| `{name}` | {} | {} | {} |\n",
                    kind.as_str().unwrap(),
                    default.map_or("none".to_owned(), |text| format!("`{text}`")),
                    declared.about
                );
            }
            page += &format!("\n```sql\n{}\n```\n", template.sql);
        }
        page
    }

    #[test]
    fn the_page_is_that_of_the_templates() {
        let place = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../docs/reference/templates.md"
        );
        if std::env::var_os("TENFOLD_BLESS").is_some() {
            std::fs::write(place, page()).unwrap();
        }
        let written = std::fs::read_to_string(place).unwrap();
        assert_eq!(written, page(), "TENFOLD_BLESS=1 writes it anew");
    }

    #[test]
    fn every_file_is_a_template_that_asks_for_its_parameters() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let files = std::fs::read_dir(folder).unwrap().count();
        let all = Template::all().unwrap();
        assert_eq!(all.len(), files);
        for template in &all {
            for (name, declared) in &template.parameters {
                assert!(
                    template.sql.contains(&format!("${name}")),
                    "{}",
                    template.name
                );
                let kind = declared.kind;
                let fits = declared.default.as_ref().map(|default| kind.read(default));
                assert_ne!(fits, Some(None), "{}: {name}", template.name);
            }
        }
        let names: Vec<_> = all.iter().map(|template| &template.name).collect();
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn values_are_checked_before_they_are_used() {
        let template = Template::named("decile_size_trend").unwrap();
        let bound = template.bind(&given(&[
            ("decile", Value::from("3")),
            ("since", Value::from("2024-02-29")),
        ]));
        let expected = [
            ("decile", Parameter::Number("3".to_owned())),
            ("lookback", Parameter::Text("12m".to_owned())),
            ("measure", Parameter::Text("clv_12m".to_owned())),
            ("since", Parameter::Text("2024-02-29".to_owned())),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(bound, Ok(Parameters::named(expected)));
        for (name, value, word) in [
            ("decile", Value::from("3; DROP"), "whole number"),
            ("decile", Value::from(1.5), "whole number"),
            ("decile", Value::Null, "whole number"),
            ("since", Value::from("2024-02-30"), "a day"),
            ("measure", Value::from(1), "a text"),
            ("mesure", Value::from("x"), "measure"),
        ] {
            let failure = template.bind(&given(&[(name, value)])).unwrap_err();
            assert!(failure.remedy.contains(word), "{name}: {failure}");
        }
        let lacking = Template::named("customers_by_group").unwrap();
        let failure = lacking.bind(&BTreeMap::new()).unwrap_err();
        assert!(failure.message.contains("needs measure"), "{failure}");
        let failure = Template::named("customer_counts").unwrap_err();
        assert!(failure.remedy.contains("customer_count"), "{failure}");
    }
}
