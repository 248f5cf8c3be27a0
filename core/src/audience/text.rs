//! A rule as one line of text, and back. `parse(text(rule))` is the rule again.

use std::fmt::{self, Write};

use super::model::{
    Aggregate, EventsRule, MovedRule, RelationRule, Rule, Scalar, SequenceRule, Step, Test, Window,
};

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(rules) => call(f, "all", rules),
            Self::Any(rules) => call(f, "any", rules),
            Self::None(rules) => call(f, "none", rules),
            Self::Steps(steps) => call(f, "steps", steps),
            Self::Column(rule) => {
                column(f, &rule.column, rule.key.as_deref())?;
                write!(f, " {}", rule.test)
            }
            Self::Events(rule) => write!(f, "{rule}"),
            Self::Sequence(rule) => write!(f, "{rule}"),
            Self::Relation(rule) => write!(f, "{rule}"),
            Self::Audience(name) => write!(f, "audience {name}"),
            Self::Moved(rule) => write!(f, "{rule}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Include(rule) => write!(f, "include {rule}"),
            Self::Exclude(rule) => write!(f, "exclude {rule}"),
        }
    }
}

fn call(f: &mut fmt::Formatter<'_>, word: &str, items: &[impl fmt::Display]) -> fmt::Result {
    write!(f, "{word}(")?;
    separated(f, items)?;
    f.write_char(')')
}

fn separated(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

fn column(f: &mut fmt::Formatter<'_>, name: &str, key: Option<&str>) -> fmt::Result {
    f.write_str(name)?;
    match key {
        Some(key) => write!(f, "[{}]", quoted(key)),
        None => Ok(()),
    }
}

// The text form writes texts as SQL does.
pub(super) use crate::project::literal as quoted;

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&quoted(text)),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(comparison, value) => write!(f, "{} {value}", comparison.sign()),
            Self::Between(low, high) => write!(f, "between {low} and {high}"),
            Self::In(values) => call(f, "in ", values),
            Self::NotIn(values) => call(f, "not_in ", values),
            Self::InList(list) => write!(f, "in list {}", quoted(&list.file)),
            Self::NotInList(list) => write!(f, "not_in list {}", quoted(&list.file)),
            Self::Contains(text) => write!(f, "contains {}", quoted(text)),
            Self::StartsWith(text) => write!(f, "starts_with {}", quoted(text)),
            Self::EndsWith(text) => write!(f, "ends_with {}", quoted(text)),
            Self::IsNull => f.write_str("is_null"),
            Self::Exists => f.write_str("exists"),
            Self::Within(window) => write!(f, "within{window}"),
        }
    }
}

impl fmt::Display for Window {
    /// With a blank before it; nothing for all days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ever => Ok(()),
            Self::LastDays(days) => write!(f, " last {days} days"),
            Self::LastMonths(months) => write!(f, " last {months} months"),
            Self::Between(from, to) => write!(f, " from {from} to {to}"),
        }
    }
}

fn filter(f: &mut fmt::Formatter<'_>, rule: Option<&Rule>) -> fmt::Result {
    match rule {
        Some(rule) => write!(f, " where {rule}"),
        None => Ok(()),
    }
}

/// The beginning of what adds something up: `sum(events sales.revenue`.
fn added_up(
    f: &mut fmt::Formatter<'_>,
    aggregate: &Aggregate,
    (word, name): (&str, &str),
) -> fmt::Result {
    write!(f, "{}({word} {name}", aggregate.word())?;
    match aggregate.of() {
        Some(of) => write!(f, ".{of}"),
        None => Ok(()),
    }
}

impl fmt::Display for EventsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        added_up(f, &self.aggregate, ("events", &self.source))?;
        filter(f, self.filter.as_deref())?;
        write!(f, "{}) {}", self.window, self.test)
    }
}

impl fmt::Display for RelationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        added_up(f, &self.aggregate, ("relation", &self.table))?;
        filter(f, self.filter.as_deref())?;
        write!(f, ") {}", self.test)
    }
}

impl fmt::Display for SequenceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sequence(")?;
        for (place, step) in self.steps.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            f.write_str(&step.source)?;
            filter(f, step.filter.as_deref())?;
            if step.after_days > 0 {
                write!(f, " after {}", step.after_days)?;
            }
            if let Some(days) = step.within_days {
                write!(f, " within {days}")?;
            }
        }
        write!(f, "{})", self.window)
    }
}

impl fmt::Display for MovedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("moved(")?;
        column(f, &self.column, self.key.as_deref())?;
        write!(f, " from {} to {})", self.from, self.to)
    }
}
