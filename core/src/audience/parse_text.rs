//! From the text form of a rule to its written form.

use super::decimal::Decimal;
use super::model::Comparison;
use super::written::{
    AggregateWord, Compared, Days, Moved, Operator, Rule, Scalar, SequenceStep, Step, Window,
};

/// Bytes that a text may have.
const LONGEST: usize = 64 << 10;
/// How deep rules may stand within each other.
pub(super) const DEEPEST: usize = 24;
/// Days and months that windows and steps may reach over, as in the written form.
const MOST_DAYS: u32 = 36_500;
const MOST_MONTHS: u32 = 1_200;

/// Words that stand after a name when that is compared. An audience called so could not be told from a
/// comparison.
pub(super) const WORDS: [&str; 9] = [
    "between",
    "contains",
    "ends_with",
    "exists",
    "in",
    "is_null",
    "not_in",
    "starts_with",
    "within",
];

/// Why a text is no rule, and where that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    /// Characters before the place, from 0.
    pub before: usize,
    /// What is wrong.
    pub message: String,
}

type Parsed<T> = Result<T, Slip>;

/// Reads a rule.
pub(super) fn parse(text: &str) -> Parsed<Rule> {
    if text.len() > LONGEST {
        let message = format!("the text has more than {LONGEST} bytes");
        return Err(Slip { before: 0, message });
    }
    let mut reader = Reader {
        tokens: tokens(text)?,
        place: 0,
        depth: 0,
    };
    let rule = reader.rule()?;
    match reader.peek() {
        Token::End => Ok(rule),
        _ => Err(reader.slip("the end")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or keyword; names may have points within.
    Word(String),
    Text(String),
    Number(Decimal),
    /// A comparison, parenthesis, bracket or comma.
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 12] = [
    "<=", ">=", "!=", "=", "<", ">", "(", ")", "[", "]", ",", ";",
];

fn tokens(text: &str) -> Parsed<Vec<(usize, Token)>> {
    let mut found = Vec::new();
    let (mut rest, mut before) = (text, 0);
    loop {
        let begins = rest.trim_start();
        before += rest[..rest.len() - begins.len()].chars().count();
        rest = begins;
        let Some(first) = rest.chars().next() else {
            found.push((before, Token::End));
            return Ok(found);
        };
        let slip = |message: &str| Slip {
            before,
            message: message.to_owned(),
        };
        let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
        let (token, length) = if let Some(sign) = sign {
            (Token::Sign(sign), sign.len())
        } else if first == '\'' {
            quoted(rest).ok_or_else(|| slip("a text that does not end"))?
        } else if first == '-' || first.is_ascii_digit() {
            number(rest).ok_or_else(|| slip("no number that fits"))?
        } else {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            match rest.find(|c| !is_word(c)).unwrap_or(rest.len()) {
                0 => return Err(slip("a character that has no meaning here")),
                length => (Token::Word(rest[..length].to_owned()), length),
            }
        };
        found.push((before, token));
        before += rest[..length].chars().count();
        rest = &rest[length..];
    }
}

fn quoted(rest: &str) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((place, c)) = chars.next() {
        match c {
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
                text.push('\'');
            }
            '\'' => return Some((Token::Text(text), place + 1)),
            c => text.push(c),
        }
    }
    None
}

/// A number, or a day, which begins like one.
fn number(rest: &str) -> Option<(Token, usize)> {
    let fits = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let length = rest.find(|c| !fits(c)).unwrap_or(rest.len());
    let text = &rest[..length];
    match text.parse() {
        Ok(number) => Some((Token::Number(number), length)),
        Err(_) if text.matches('-').count() == 2 => Some((Token::Word(text.to_owned()), length)),
        Err(_) => None,
    }
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    place: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> &Token {
        self.tokens
            .get(self.place)
            .map_or(&Token::End, |(_, token)| token)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.place += 1;
        token
    }

    /// That something else was meant to stand here.
    fn slip(&self, expected: &str) -> Slip {
        let last = self.tokens.last();
        let (before, token) = self.tokens.get(self.place).or(last).map_or_else(
            || (0, Token::End),
            |(before, token)| (*before, token.clone()),
        );
        let found = match token {
            Token::Word(word) => format!("`{word}`"),
            Token::Text(_) => "a text".to_owned(),
            Token::Number(number) => format!("`{number}`"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        Slip {
            before,
            message: format!("{expected} was expected, and there is {found}"),
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found == word)
    }

    fn is_sign(&self, sign: &str) -> bool {
        *self.peek() == Token::Sign(sign_of(sign))
    }

    /// Goes on when a word stands here.
    fn takes(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.place += usize::from(found);
        found
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.place += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> Parsed<()> {
        match self.takes_sign(sign) {
            true => Ok(()),
            false => Err(self.slip(&format!("`{sign}`"))),
        }
    }

    fn word(&mut self, expected: &str) -> Parsed<String> {
        match self.peek() {
            Token::Word(word) => {
                let word = word.clone();
                self.place += 1;
                Ok(word)
            }
            _ => Err(self.slip(expected)),
        }
    }

    fn text(&mut self) -> Parsed<String> {
        match self.peek() {
            Token::Text(text) => {
                let text = text.clone();
                self.place += 1;
                Ok(text)
            }
            _ => Err(self.slip("a text in single quotes")),
        }
    }

    /// A number of days or months.
    fn whole(&mut self, least: u32, most: u32) -> Parsed<u32> {
        let number: Option<u32> = match self.peek() {
            Token::Number(number) => number.to_string().parse().ok(),
            _ => None,
        };
        let fits = number.filter(|number| (least..=most).contains(number));
        let expected = format!("a whole number from {least} to {most}");
        let number = fits.ok_or_else(|| self.slip(&expected))?;
        self.place += 1;
        Ok(number)
    }

    fn days_after(&mut self, word: &str) -> Parsed<Option<u32>> {
        match self.takes(word) {
            true => self.whole(0, MOST_DAYS).map(Some),
            false => Ok(None),
        }
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.sign("(")?;
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if !self.takes_sign(",") {
                self.sign(")")?;
                return Ok(items);
            }
        }
    }

    fn rule(&mut self) -> Parsed<Rule> {
        if self.depth == DEEPEST {
            let (before, _) = self
                .tokens
                .get(self.place)
                .cloned()
                .unwrap_or((0, Token::End));
            let message = format!("rules stand within each other more than {DEEPEST} deep");
            return Err(Slip { before, message });
        }
        self.depth += 1;
        let rule = self.one_rule();
        self.depth -= 1;
        rule
    }

    fn one_rule(&mut self) -> Parsed<Rule> {
        let word = self.word("a rule")?;
        let call = self.is_sign("(");
        let mut rule = Rule::default();
        match word.as_str() {
            "all" if call => rule.all = Some(self.list(Self::rule)?),
            "any" if call => rule.any = Some(self.list(Self::rule)?),
            "none" if call => rule.none = Some(self.list(Self::rule)?),
            "steps" if call => rule.steps = Some(self.list(Self::step)?),
            "sequence" if call => self.sequence(&mut rule)?,
            "moved" if call => rule.decile_moved = Some(self.moved()?),
            "count" if call => self.added_up(AggregateWord::Count, &mut rule)?,
            "sum" if call => self.added_up(AggregateWord::Sum, &mut rule)?,
            "avg" if call => self.added_up(AggregateWord::Avg, &mut rule)?,
            "min" if call => self.added_up(AggregateWord::Min, &mut rule)?,
            "max" if call => self.added_up(AggregateWord::Max, &mut rule)?,
            "audience" if matches!(self.peek(), Token::Word(_)) && !self.is_test() => {
                rule.audience = Some(self.word("an audience")?);
            }
            _ => {
                rule.column = Some(word);
                rule.key = self.key()?;
                self.test(&mut rule)?;
            }
        }
        Ok(rule)
    }

    fn key(&mut self) -> Parsed<Option<String>> {
        if !self.takes_sign("[") {
            return Ok(None);
        }
        let key = self.text()?;
        self.sign("]")?;
        Ok(Some(key))
    }

    fn step(&mut self) -> Parsed<Step> {
        match self.next() {
            Token::Word(word) if word == "include" => Ok(Step::Include(self.rule()?)),
            Token::Word(word) if word == "exclude" => Ok(Step::Exclude(self.rule()?)),
            _ => {
                self.place -= 1;
                Err(self.slip("include or exclude"))
            }
        }
    }

    /// `(events sales.revenue where … last 3 months) >= 5`.
    fn added_up(&mut self, aggregate: AggregateWord, rule: &mut Rule) -> Parsed<()> {
        self.sign("(")?;
        let of_events = self.takes("events");
        if !of_events && !self.takes("relation") {
            return Err(self.slip("events or relation"));
        }
        let word = self.word("a name")?;
        let (name, measure) = match word.split_once('.') {
            Some((name, measure)) => (name.to_owned(), Some(measure.to_owned())),
            None => (word, None),
        };
        (rule.aggregate, rule.measure) = (Some(aggregate), measure);
        rule.filter = self.filter()?.map(Box::new);
        if of_events {
            rule.events = Some(name);
            rule.window = self.window()?;
        } else {
            rule.relation = Some(name);
        }
        self.sign(")")?;
        self.test(rule)
    }

    fn filter(&mut self) -> Parsed<Option<Rule>> {
        match self.takes("where") {
            true => self.rule().map(Some),
            false => Ok(None),
        }
    }

    fn sequence(&mut self, rule: &mut Rule) -> Parsed<()> {
        self.sign("(")?;
        let mut steps = Vec::new();
        loop {
            let events = self.word("a source")?;
            let filter = self.filter()?;
            let after_days = self.days_after("after")?;
            let within_days = self.days_after("within")?;
            steps.push(SequenceStep {
                events,
                filter,
                after_days,
                within_days,
            });
            if !self.takes_sign(",") {
                break;
            }
        }
        rule.sequence = Some(steps);
        rule.window = self.window()?;
        self.sign(")")
    }

    fn window(&mut self) -> Parsed<Option<Window>> {
        if self.takes("last") {
            let place = self.place;
            let count = self.whole(1, MOST_DAYS)?;
            if self.takes("days") {
                return Ok(Some(Window::LastDays(count)));
            }
            if !self.takes("months") {
                return Err(self.slip("days or months"));
            }
            self.place = place;
            let count = self.whole(1, MOST_MONTHS)?;
            self.place += 1;
            return Ok(Some(Window::LastMonths(count)));
        }
        if self.takes("from") {
            let from = self.word("a day")?;
            if !self.takes("to") {
                return Err(self.slip("`to`"));
            }
            let to = self.word("a day")?;
            return Ok(Some(Window::Between(Days { from, to })));
        }
        Ok(None)
    }

    fn moved(&mut self) -> Parsed<Moved> {
        self.sign("(")?;
        let column = self.word("a column")?;
        let key = self.key()?;
        let mut ends = Vec::new();
        for word in ["from", "to"] {
            if !self.takes(word) {
                return Err(self.slip(word));
            }
            let mut rule = Rule::default();
            self.test(&mut rule)?;
            let op = rule.op.ok_or_else(|| self.slip("a comparison"))?;
            ends.push(Compared {
                op,
                value: rule.value,
                values: rule.values,
            });
        }
        self.sign(")")?;
        match (ends.pop(), ends.pop()) {
            (Some(to), Some(from)) => Ok(Moved {
                column,
                key,
                from,
                to,
            }),
            _ => Err(self.slip("from and to")),
        }
    }

    fn is_test(&self) -> bool {
        WORDS.iter().any(|word| self.is_word(word))
    }

    /// What a value has to be, into the fields of a rule.
    fn test(&mut self, rule: &mut Rule) -> Parsed<()> {
        let signs = Comparison::ALL.into_iter();
        if let Some(comparison) = signs.into_iter().find(|one| self.is_sign(one.sign())) {
            self.place += 1;
            rule.op = Some(operator(comparison));
            rule.value = Some(self.scalar()?);
            return Ok(());
        }
        if !self.is_test() {
            return Err(self.slip("a comparison"));
        }
        let word = self.word("a comparison")?;
        match word.as_str() {
            "between" => {
                let low = self.scalar()?;
                if !self.takes("and") {
                    return Err(self.slip("`and`"));
                }
                let high = self.scalar()?;
                (rule.op, rule.values) = (Some(Operator::Between), Some(vec![low, high]));
            }
            "in" | "not_in" => {
                let op = match word.as_str() {
                    "in" => Operator::In,
                    _ => Operator::NotIn,
                };
                rule.op = Some(op);
                match self.takes("list") {
                    true => rule.list = Some(self.text()?),
                    false => rule.values = Some(self.list(Self::scalar)?),
                }
            }
            "contains" | "starts_with" | "ends_with" => {
                let op = match word.as_str() {
                    "contains" => Operator::Contains,
                    "starts_with" => Operator::StartsWith,
                    _ => Operator::EndsWith,
                };
                (rule.op, rule.value) = (Some(op), Some(Scalar::Text(self.text()?)));
            }
            "is_null" => rule.op = Some(Operator::IsNull),
            "exists" => rule.op = Some(Operator::Exists),
            _ => {
                let window = self.window()?;
                rule.window = Some(window.ok_or_else(|| self.slip("last or from"))?);
            }
        }
        Ok(())
    }

    fn scalar(&mut self) -> Parsed<Scalar> {
        let scalar = match self.peek().clone() {
            Token::Text(text) => Scalar::Text(text),
            Token::Number(number) => Scalar::Exact(number),
            Token::Word(word) if word == "true" => Scalar::Bool(true),
            Token::Word(word) if word == "false" => Scalar::Bool(false),
            _ => return Err(self.slip("a number, true, false, or a text in single quotes")),
        };
        self.place += 1;
        Ok(scalar)
    }
}

fn sign_of(sign: &str) -> &'static str {
    let known = SIGNS.into_iter().find(|known| *known == sign);
    known.unwrap_or_default()
}

fn operator(comparison: Comparison) -> Operator {
    match comparison {
        Comparison::Eq => Operator::Eq,
        Comparison::Ne => Operator::Ne,
        Comparison::Lt => Operator::Lt,
        Comparison::Le => Operator::Le,
        Comparison::Gt => Operator::Gt,
        Comparison::Ge => Operator::Ge,
    }
}
