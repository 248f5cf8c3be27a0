//! One failure type for everything that can stop a refresh: who has to act, what happened, and
//! what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// What happened, naming file, row, column and value where there are any.
    pub message: String,
    /// What to do about it; empty where nothing better than reading the message is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Failure {
    /// A failure of a class, without a remedy yet.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            remedy: String::new(),
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

    /// Adds what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
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
