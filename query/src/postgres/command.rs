//! What a client of PostgreSQL asks for: queries, and what is about its session alone.

use std::sync::Arc;

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use tenfold_core::failure::{ErrorCode, Failure};

use super::query::Query;

/// Words that may stand after `COPY … TO STDOUT`.
const COPY_OPTIONS: [&str; 10] = [
    "WITH", "(", ")", ",", "FORMAT", "TEXT", "CSV", "HEADER", "TRUE", "ON",
];

/// One statement of a client.
#[derive(Debug, Clone)]
pub enum Command {
    /// A query.
    Query(Arc<Query>),
    /// Gives a setting a value; none means what it was at the beginning.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// Gives all settings the values that they had at the beginning.
    ResetAll,
    /// Tells the value of a setting.
    Show(String),
    /// Begins a transaction.
    Begin,
    /// Ends a transaction.
    Commit,
    /// Ends a transaction that is not to count.
    Rollback,
    /// Sets a mark within a transaction.
    Savepoint,
    /// Forgets a mark.
    Release,
    /// Goes back to a mark.
    RollbackTo,
    /// Forgets everything about the session.
    DiscardAll,
    /// Forgets a statement, or all.
    Deallocate(Option<String>),
    /// Opens a cursor.
    Declare {
        /// Its name.
        name: String,
        /// Whether it outlives its transaction.
        hold: bool,
        /// What it goes over.
        query: Arc<Query>,
    },
    /// Takes rows from a cursor: so many, or all.
    Fetch {
        /// The cursor.
        name: String,
        /// How many rows.
        rows: Option<u64>,
    },
    /// Closes a cursor, or all.
    Close(Option<String>),
    /// Sends the rows of a query as text.
    CopyOut {
        /// The query.
        query: Arc<Query>,
        /// Whether as CSV.
        csv: bool,
        /// Whether with the names of the columns before them.
        header: bool,
    },
    /// Changes nothing here, and says that it is done.
    Nothing(&'static str),
}

/// Reads the statements of a text.
///
/// # Errors
/// With what is wrong about the first that cannot be read, or that is not allowed.
pub fn commands(text: &str) -> Result<Vec<Command>, Failure> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| wrong(format!("the query cannot be read: {error}")))?;
    let mut places = Places::new(text);
    let mut statements = Vec::new();
    let mut statement = Vec::new();
    for token in tokens {
        match token.token {
            Token::SemiColon => statements.push(std::mem::take(&mut statement)),
            Token::Whitespace(_) | Token::EOF => {}
            other => {
                let start = places.offset(token.span.start);
                let end = places.offset(token.span.end);
                statement.push(Word {
                    token: other,
                    start,
                    end,
                });
            }
        }
    }
    statements.push(statement);
    statements.retain(|statement| !statement.is_empty());
    statements
        .iter()
        .map(|words| Words { text, words }.command())
        .collect()
}

/// Bytes of a text at places that come in order.
struct Places<'a> {
    rest: std::str::CharIndices<'a>,
    at: Location,
    end: usize,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.char_indices(),
            at: Location { line: 1, column: 1 },
            end: text.len(),
        }
    }

    fn offset(&mut self, place: Location) -> usize {
        while (self.at.line, self.at.column) < (place.line, place.column) {
            match self.rest.next() {
                Some((_, '\n')) => {
                    self.at = Location {
                        line: self.at.line + 1,
                        column: 1,
                    };
                }
                Some(_) => self.at.column += 1,
                None => break,
            }
        }
        let next = self.rest.clone().next();
        next.map_or(self.end, |(offset, _)| offset)
    }
}

struct Word {
    token: Token,
    start: usize,
    end: usize,
}

/// The words of one statement.
#[derive(Clone, Copy)]
struct Words<'a> {
    text: &'a str,
    words: &'a [Word],
}

impl<'a> Words<'a> {
    /// The word at a place in capitals; empty where there is none.
    fn word(&self, place: usize) -> String {
        match self.words.get(place).map(|word| &word.token) {
            Some(Token::Word(word)) if word.quote_style.is_none() => {
                word.value.to_ascii_uppercase()
            }
            Some(token) => token.to_string(),
            None => String::new(),
        }
    }

    fn is(&self, place: usize, word: &str) -> bool {
        self.word(place) == word
    }

    fn from(&self, place: usize) -> Self {
        let words = self.words.get(place..).unwrap_or_default();
        Self { words, ..*self }
    }

    fn to(&self, place: usize) -> Self {
        let words = self.words.get(..place).unwrap_or_default();
        Self { words, ..*self }
    }

    /// The text of these words, as it was written.
    fn written(&self) -> &'a str {
        let bounds = self.words.first().zip(self.words.last());
        let written = bounds.and_then(|(first, last)| self.text.get(first.start..last.end));
        written.unwrap_or_default()
    }

    /// A name: in lower case, unless it is in quotes.
    fn name(&self, place: usize) -> Result<String, Failure> {
        match self.words.get(place).map(|word| &word.token) {
            Some(Token::Word(word)) if word.quote_style.is_some() => Ok(word.value.clone()),
            Some(Token::Word(word)) => Ok(word.value.to_ascii_lowercase()),
            _ => Err(self.wrong("a name is missing")),
        }
    }

    fn position(&self, word: &str) -> Option<usize> {
        (0..self.words.len()).find(|place| self.is(*place, word))
    }

    fn wrong(&self, what: &str) -> Failure {
        let begin: String = self.written().chars().take(60).collect();
        wrong(format!("{what} in {begin:?}"))
    }

    fn query(&self) -> Result<Arc<Query>, Failure> {
        Query::parse(self.written()).map(Arc::new)
    }

    fn command(&self) -> Result<Command, Failure> {
        Ok(match self.word(0).as_str() {
            "SET" => self.from(1).set()?,
            "RESET" if self.is(1, "ALL") => Command::ResetAll,
            "RESET" => Command::Set {
                name: self.from(1).setting()?.0,
                value: None,
            },
            "SHOW" if self.is(1, "TABLES") || self.is(1, "COLUMNS") || self.is(1, "FUNCTIONS") => {
                Command::Query(self.query()?)
            }
            "SHOW" => Command::Show(self.from(1).shown()?),
            "BEGIN" | "START" => Command::Begin,
            "COMMIT" | "END" => Command::Commit,
            "ABORT" => Command::Rollback,
            "ROLLBACK" => match self.position("TO") {
                Some(_) => Command::RollbackTo,
                None => Command::Rollback,
            },
            "SAVEPOINT" => Command::Savepoint,
            "RELEASE" => Command::Release,
            "DISCARD" if self.is(1, "ALL") => Command::DiscardAll,
            "DISCARD" => Command::Nothing("DISCARD"),
            "DEALLOCATE" => {
                let place = 1 + usize::from(self.is(1, "PREPARE"));
                match self.is(place, "ALL") {
                    true => Command::Deallocate(None),
                    false => Command::Deallocate(Some(self.name(place)?)),
                }
            }
            "DECLARE" => self.declare()?,
            "FETCH" => self.from(1).fetch()?,
            "CLOSE" if self.is(1, "ALL") => Command::Close(None),
            "CLOSE" => Command::Close(Some(self.name(1)?)),
            "COPY" => self.copy()?,
            "UNLISTEN" => Command::Nothing("UNLISTEN"),
            _ => Command::Query(self.query()?),
        })
    }

    /// The name of a setting, and the place after it.
    fn setting(&self) -> Result<(String, usize), Failure> {
        let first = self.name(0)?;
        match self.is(1, ".") {
            true => Ok((format!("{first}.{}", self.name(2)?), 3)),
            false => Ok((first, 1)),
        }
    }

    fn shown(&self) -> Result<String, Failure> {
        Ok(match self.word(0).as_str() {
            "TIME" if self.is(1, "ZONE") => "timezone".to_owned(),
            "TRANSACTION" => "transaction_isolation".to_owned(),
            _ => self.setting()?.0,
        })
    }

    /// What stands after `SET`.
    fn set(&self) -> Result<Command, Failure> {
        let scoped = self.is(0, "SESSION") || self.is(0, "LOCAL");
        let rest = self.from(usize::from(scoped));
        let set = |name: &str, value: Option<String>| Command::Set {
            name: name.to_owned(),
            value,
        };
        match rest.word(0).as_str() {
            // Every transaction reads one snapshot and changes nothing, whatever it is called.
            "TRANSACTION" | "CHARACTERISTICS" => return Ok(Command::Nothing("SET")),
            "TIME" if rest.is(1, "ZONE") => return Ok(set("timezone", rest.from(2).value()?)),
            "NAMES" => return Ok(set("client_encoding", rest.from(1).value()?)),
            _ => {}
        }
        let (name, place) = rest.setting()?;
        if !rest.is(place, "TO") && !rest.is(place, "=") {
            return Err(self.wrong("TO or = is missing"));
        }
        Ok(set(&name, rest.from(place + 1).value()?))
    }

    /// A value as it is told: texts without their quotes, several with commas between.
    fn value(&self) -> Result<Option<String>, Failure> {
        if self.words.is_empty() {
            return Err(self.wrong("a value is missing"));
        }
        if self.words.len() == 1 && (self.is(0, "DEFAULT") || self.is(0, "LOCAL")) {
            return Ok(None);
        }
        let mut value = String::new();
        for word in self.words {
            match &word.token {
                Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => {
                    value.push_str(text);
                }
                Token::Word(word) => value.push_str(&word.value),
                Token::Comma => value.push_str(", "),
                other => value.push_str(&other.to_string()),
            }
        }
        Ok(Some(value))
    }

    fn declare(&self) -> Result<Command, Failure> {
        let place = self
            .position("FOR")
            .ok_or_else(|| self.wrong("FOR is missing"))?;
        let options = self.to(place);
        if options.position("BINARY").is_some() {
            return Err(unsupported("a binary cursor"));
        }
        let hold = options.position("WITH").is_some();
        Ok(Command::Declare {
            name: self.name(1)?,
            hold,
            query: self.from(place + 1).query()?,
        })
    }

    /// What stands after `FETCH`.
    fn fetch(&self) -> Result<Command, Failure> {
        let place = usize::from(self.is(0, "FORWARD"));
        let rows = match self.word(place).as_str() {
            "ALL" => None,
            "NEXT" | "FROM" | "IN" => Some(1),
            "BACKWARD" | "PRIOR" | "FIRST" | "LAST" | "ABSOLUTE" | "RELATIVE" => {
                return Err(unsupported("a cursor that goes anywhere but forward"));
            }
            count => match count.parse() {
                Ok(count) => Some(count),
                Err(_) if self.words.len() == place + 1 => {
                    return Ok(Command::Fetch {
                        name: self.name(place)?,
                        rows: Some(1),
                    });
                }
                Err(_) => return Err(self.wrong("a number of rows is missing")),
            },
        };
        let last = self.words.len().saturating_sub(1);
        Ok(Command::Fetch {
            name: self.name(last)?,
            rows,
        })
    }

    fn copy(&self) -> Result<Command, Failure> {
        let to = (0..self.words.len())
            .rev()
            .find(|place| self.is(*place, "TO") && self.is(place + 1, "STDOUT"));
        let Some(to) = to else {
            return Err(super::super::statement::refused("COPY"));
        };
        let source = self.from(1).to(to - 1);
        let query = match source.is(0, "(") {
            true => {
                let inner = source.from(1);
                inner.to(inner.words.len().saturating_sub(1)).query()?
            }
            false => Query::parse(&format!("SELECT * FROM {}", source.written())).map(Arc::new)?,
        };
        let options = self.from(to + 2);
        let other = (0..options.words.len())
            .map(|place| options.word(place))
            .find(|word| !COPY_OPTIONS.contains(&word.as_str()));
        if let Some(other) = other {
            return Err(unsupported(&format!("COPY with {other}")));
        }
        Ok(Command::CopyOut {
            query,
            csv: options.position("CSV").is_some(),
            header: options.position("HEADER").is_some(),
        })
    }
}

fn wrong(message: String) -> Failure {
    Failure::config(message)
        .code(ErrorCode::WrongQuery)
        .remedy("check the statement near the place that the message names")
}

/// What this protocol has, and this server has not.
pub(super) fn unsupported(what: &str) -> Failure {
    Failure::config(format!("{what} is not supported"))
        .code(ErrorCode::WrongQuery)
        .remedy("docs/serving.md lists what clients of PostgreSQL can ask for")
}
