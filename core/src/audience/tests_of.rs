//! What a value has to be, resolved: the right number of values, of the type of what they are compared with.

use super::columns::Kind;
use super::decimal::Decimal;
use super::model::{Comparison, Scalar, Test, ValueList, Window};
use super::resolve::Resolver;
use super::written::{self, Operator};
use crate::calendar::Day;
use crate::hash::hash63;
use crate::project::Normalize;
use crate::project::near::did_you_mean;

/// Values that a rule may have in its own text.
pub(super) const MOST_VALUES: usize = 250;
/// Values that a list in a file may have.
pub(super) const MOST_LISTED: usize = 10_000;

/// The fields of a rule that say what a value has to be.
pub(super) struct Asked {
    pub op: Option<Operator>,
    pub value: Option<written::Scalar>,
    pub values: Option<Vec<written::Scalar>>,
    pub list: Option<String>,
    pub window: Option<Window>,
}

impl Asked {
    /// Those of what has neither lists nor windows.
    pub fn plain(
        op: Option<Operator>,
        value: Option<written::Scalar>,
        values: Option<Vec<written::Scalar>>,
    ) -> Self {
        Self {
            op,
            value,
            values,
            list: None,
            window: None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.op.is_none() && self.value.is_none() && self.values.is_none()
    }
}

/// `>= 1`.
pub(super) fn at_least_one() -> Test {
    Test::Is(Comparison::Ge, Scalar::Number(Decimal::one()))
}

/// What the values are that are compared: their type where it is known, and whether they name people.
type Values = (Option<Kind>, Option<Normalize>);

/// What a value has to be; none after an error.
pub(super) fn resolve_test(
    resolver: &mut Resolver<'_>,
    asked: Asked,
    (kind, names_people): Values,
    at: &str,
) -> Option<Test> {
    let mut test = Tester {
        resolver,
        kind,
        names_people,
        at,
    };
    test.test(asked)
}

struct Tester<'a, 'b> {
    resolver: &'a mut Resolver<'b>,
    kind: Option<Kind>,
    names_people: Option<Normalize>,
    at: &'a str,
}

impl Tester<'_, '_> {
    fn error<T>(&mut self, field: &str, message: impl Into<String>, remedy: &str) -> Option<T> {
        let at = match field {
            "" => self.at.to_owned(),
            field => format!("{}.{field}", self.at),
        };
        self.resolver.error(&at, message, remedy);
        None
    }

    fn test(&mut self, asked: Asked) -> Option<Test> {
        let (value, values, list) = (asked.value, asked.values, asked.list);
        let Some(op) = asked.op else {
            return match asked.window {
                Some(window) if value.is_none() && values.is_none() && list.is_none() => {
                    self.within(window)
                }
                _ if self.resolver.report.is_spoiled_within(self.at) => None,
                _ => self.error("", "it is not said how it is compared", "give it an `op:`"),
            };
        };
        if asked.window.is_some() {
            let remedy = "leave `op:` out for days of a window, or take `window:` out";
            return self.error("window", "a window is compared with nothing else", remedy);
        }
        match (op, value, values, list) {
            (Operator::IsNull, None, None, None) => Some(Test::IsNull),
            (Operator::Exists, None, None, None) => Some(Test::Exists),
            (Operator::IsNull | Operator::Exists, ..) => {
                let remedy = "take the values out";
                self.error("op", "this is asked without a value", remedy)
            }
            (Operator::Between, None, Some(values), None) => self.between(values),
            (Operator::Between, ..) => {
                let remedy = "write `values: [low, high]`";
                self.error("op", "`between` takes two values", remedy)
            }
            (Operator::In, None, Some(values), None) => self.several(values).map(Test::In),
            (Operator::NotIn, None, Some(values), None) => self.several(values).map(Test::NotIn),
            (Operator::In, None, None, Some(file)) => self.list(file).map(Test::InList),
            (Operator::NotIn, None, None, Some(file)) => self.list(file).map(Test::NotInList),
            (Operator::In | Operator::NotIn, ..) => {
                let remedy = "give it `values: [...]`, or `list:` with a file of `lists`";
                self.error("op", "`in` and `not_in` take values", remedy)
            }
            (
                Operator::Contains | Operator::StartsWith | Operator::EndsWith,
                Some(value),
                None,
                None,
            ) => self.part(op, value),
            (op, Some(value), None, None) => self.compared(op, value),
            _ => {
                let remedy = "write `value:` with the one that is meant";
                self.error("op", "this takes one value", remedy)
            }
        }
    }

    fn within(&mut self, window: Window) -> Option<Test> {
        match self.kind {
            None | Some(Kind::Date) => Some(Test::Within(window)),
            Some(kind) => {
                let message = format!("this is {}, and a window is of days", kind.called());
                self.error("window", message, "compare it by `op:` and `value:`")
            }
        }
    }

    fn compared(&mut self, op: Operator, value: written::Scalar) -> Option<Test> {
        let comparison = match op {
            Operator::Eq => Comparison::Eq,
            Operator::Ne => Comparison::Ne,
            Operator::Lt => Comparison::Lt,
            Operator::Le => Comparison::Le,
            Operator::Gt => Comparison::Gt,
            _ => Comparison::Ge,
        };
        self.names_nobody()?;
        let value = self.scalar(value, "value")?;
        let has_order = !matches!(value, Scalar::Bool(_));
        if !has_order && !matches!(comparison, Comparison::Eq | Comparison::Ne) {
            let remedy = "use = or !=";
            return self.error("op", "true and false have no order", remedy);
        }
        Some(Test::Is(comparison, value))
    }

    fn between(&mut self, values: Vec<written::Scalar>) -> Option<Test> {
        self.names_nobody()?;
        match <[written::Scalar; 2]>::try_from(values) {
            Ok([low, high]) => {
                let low = self.scalar(low, "values[0]")?;
                let high = self.scalar(high, "values[1]")?;
                if matches!(low, Scalar::Bool(_)) {
                    let remedy = "use = or !=";
                    return self.error("op", "true and false have no order", remedy);
                }
                Some(Test::Between(low, high))
            }
            Err(_) => {
                let remedy = "write `values: [low, high]`";
                self.error("values", "`between` takes two values", remedy)
            }
        }
    }

    fn several(&mut self, values: Vec<written::Scalar>) -> Option<Vec<Scalar>> {
        self.names_nobody()?;
        if values.is_empty() || values.len() > MOST_VALUES {
            let message = format!(
                "there are {} values, and 1 to {MOST_VALUES} can be given",
                values.len()
            );
            let remedy = format!(
                "put them into a file of `lists`, one a line, and name it by `list:` (up to {MOST_LISTED})"
            );
            return self.error("values", message, &remedy);
        }
        let values = values.into_iter().enumerate();
        values
            .map(|(place, value)| self.scalar(value, &format!("values[{place}]")))
            .collect()
    }

    /// Values of some columns are people's: they stand in no record.
    fn names_nobody(&mut self) -> Option<()> {
        match self.names_people {
            None => Some(()),
            Some(_) => {
                let message =
                    "values here would name people, and rules are kept with every snapshot";
                let remedy =
                    "put them into a file of `lists`, one a line, and use `op: in` with `list:`";
                self.error("op", message, remedy)
            }
        }
    }

    fn part(&mut self, op: Operator, value: written::Scalar) -> Option<Test> {
        if !matches!(self.kind, None | Some(Kind::Text)) {
            return self.error("op", "this is asked of texts alone", "compare it otherwise");
        }
        let written::Scalar::Text(text) = value else {
            return self.error("value", "this is no text", "put it in quotes");
        };
        // The domain of an e-mail address is nobody's.
        if op != Operator::EndsWith || !text.starts_with('@') {
            self.names_nobody()?;
        }
        Some(match op {
            Operator::Contains => Test::Contains(text),
            Operator::StartsWith => Test::StartsWith(text),
            _ => Test::EndsWith(text),
        })
    }

    /// A value of the type of what it is compared with.
    fn scalar(&mut self, value: written::Scalar, field: &str) -> Option<Scalar> {
        let value = match value {
            written::Scalar::Bool(value) => Scalar::Bool(value),
            written::Scalar::Text(text) => Scalar::Text(text),
            written::Scalar::Exact(number) => Scalar::Number(number),
            written::Scalar::Whole(number) => self.digits(&number.to_string(), field)?,
            written::Scalar::Number(number) => self.digits(&number.to_string(), field)?,
        };
        let fits = match (self.kind, &value) {
            (None, _)
            | (Some(Kind::Whole | Kind::Float | Kind::Decimal(_)), Scalar::Number(_))
            | (Some(Kind::Text), Scalar::Text(_))
            | (Some(Kind::Bool), Scalar::Bool(_)) => true,
            (Some(Kind::Date), Scalar::Text(text)) => text.parse::<Day>().is_ok(),
            _ => false,
        };
        if fits {
            return Some(value);
        }
        let (message, remedy) = match self.kind {
            Some(Kind::Date) => ("it is compared with a day", "write it like 2026-01-31"),
            Some(Kind::Text) => ("it is compared with a text", "put the value in quotes"),
            Some(Kind::Bool) => ("it is compared with true or false", "write one of the two"),
            _ => ("it is compared with a number", "write one, without quotes"),
        };
        self.error(field, message, remedy)
    }

    fn digits(&mut self, text: &str, field: &str) -> Option<Scalar> {
        match text.parse() {
            Ok(number) => Some(Scalar::Number(number)),
            Err(_) => {
                let remedy = "round it: numbers have up to 18 digits";
                self.error(field, "the number has too many digits", remedy)
            }
        }
    }

    /// The values of a list, as hashes.
    fn list(&mut self, file: String) -> Option<ValueList> {
        if !matches!(self.kind, Some(Kind::Whole | Kind::Text)) {
            let message = "a list is of texts or whole numbers of a customer";
            return self.error("list", message, "give it `values:` here");
        }
        let lists = self.resolver.lists;
        let Some(text) = lists.get(&file) else {
            let known: Vec<&str> = lists.keys().map(String::as_str).collect();
            let remedy = match known.is_empty() {
                true => {
                    "put it into the folder `lists` of the project, one value a line".to_owned()
                }
                false => did_you_mean(&file, known),
            };
            return self.error("list", format!("there is no list `{file}`"), &remedy);
        };
        let mut hashes = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let value = self.names_people.unwrap_or(Normalize::Trim).apply(line);
            let Some(value) = value else { continue };
            let value = match self.kind {
                Some(Kind::Whole) => value.trim().parse::<i64>().ok().map(|n| n.to_string()),
                _ => Some(value),
            };
            match value {
                Some(value) => hashes.push(hash63(&value)),
                None => {
                    let message = format!("line {} of {file} is no whole number", place + 1);
                    return self.error("list", message, "correct that line");
                }
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.len() > MOST_LISTED {
            let message = format!(
                "{file} has {} values, and may have {MOST_LISTED}",
                hashes.len()
            );
            let remedy = "bring them as an attribute of the customers, and compare that";
            return self.error("list", message, remedy);
        }
        Some(ValueList { file, hashes })
    }
}
