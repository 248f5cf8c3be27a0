//! One failure type for everything that can stop a refresh: who has to act, what happened, and
//! what to do about it.

mod code;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use code::ErrorCode;

/// Who or what has to change before the same work can succeed.
///
/// Only `Dependency`, `RateLimit` and `Infra` may pass by themselves and are worth a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The input files are not what the project declares.
    UserData,
    /// The declarations or the command line ask for something that cannot be done.
    UserConfig,
    /// A store or service that Tenfold relies on answered with an error.
    Dependency,
    /// A store or service asked to slow down.
    RateLimit,
    /// This machine failed: disk, memory, threads.
    Infra,
    /// Tenfold itself is wrong.
    Bug,
}

/// Why a piece of work did not succeed, in words for the person who has to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Who has to act.
    pub class: FailureClass,
    /// What happened, naming file, row and column where there are any, and no value of a row: it is
    /// kept in records and told to others.
    pub message: String,
    /// What to do about it; empty where nothing better than reading the message is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// What kind of failure it is, where more is known than its class.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "code::known"
    )]
    pub code: Option<ErrorCode>,
    /// What was seen in a file, which may be personal: for whoever reads the file. It goes into no
    /// record, no log and no message to others.
    #[serde(skip)]
    pub seen: String,
}

impl Failure {
    /// A failure of a class, without a remedy yet.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            remedy: String::new(),
            code: None,
            seen: String::new(),
        }
    }

    /// The input files are wrong.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(FailureClass::UserData, message)
    }

    /// The declarations or arguments are wrong.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(FailureClass::UserConfig, message)
    }

    /// A store or service failed.
    pub fn dependency(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Dependency, message)
    }

    /// Tenfold broke one of its own promises.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Bug, message)
    }

    /// Says what kind of failure it is.
    pub fn code(mut self, code: ErrorCode) -> Self {
        self.code = Some(code);
        self
    }

    /// The stable code: its own, or the general one of its class.
    pub fn number(&self) -> &'static str {
        self.kind().number()
    }

    /// What its code stands for.
    pub fn title(&self) -> &'static str {
        self.kind().title()
    }

    fn kind(&self) -> ErrorCode {
        self.code.unwrap_or_else(|| ErrorCode::general(self.class))
    }

    /// Adds what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Adds what was seen in a file.
    pub fn seen(mut self, seen: impl Into<String>) -> Self {
        self.seen = seen.into();
        self
    }

    /// What was seen is nothing personal: it becomes part of the remedy.
    pub fn told(mut self) -> Self {
        let seen = std::mem::take(&mut self.seen);
        if !seen.is_empty() {
            self.remedy = format!("{}; {seen}", self.remedy);
        }
        self
    }

    /// Puts the operation and its subject in front of the message.
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.remedy.is_empty() {
            return Ok(());
        }
        write!(f, "\n  remedy: {}", self.remedy)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_code_of_its_kind_or_of_its_class() {
        assert_eq!(Failure::data("").number(), "E1000");
        let lacking = Failure::data("").code(ErrorCode::MissingColumn);
        assert_eq!(lacking.number(), "E1101");
    }

    #[test]
    fn what_was_seen_is_kept_nowhere_unless_it_is_told() {
        let lacking = Failure::data("no column day").remedy("map another");
        let lacking = lacking.seen("the columns are: jane@example.com");
        let record = serde_json::to_string(&lacking).unwrap();
        assert!(!record.contains("jane"), "{record}");
        assert!(!lacking.to_string().contains("jane"), "{lacking}");
        assert_eq!(
            lacking.told().remedy,
            "map another; the columns are: jane@example.com"
        );
        assert_eq!(Failure::data("m").remedy("r").told().remedy, "r");
    }

    #[test]
    fn failures_without_a_code_and_with_an_unknown_one_are_read() {
        let old = r#"{"class":"user_data","message":"m"}"#;
        assert_eq!(
            serde_json::from_str::<Failure>(old).unwrap(),
            Failure::data("m")
        );
        let newer = r#"{"class":"user_data","message":"m","code":"E1999"}"#;
        assert_eq!(
            serde_json::from_str::<Failure>(newer).unwrap(),
            Failure::data("m")
        );
        let coded = Failure::data("m").code(ErrorCode::NoFiles);
        let text = serde_json::to_string(&coded).unwrap();
        assert!(text.contains(r#""code":"E1107""#), "{text}");
        assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), coded);
    }
}
