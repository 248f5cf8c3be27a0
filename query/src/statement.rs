//! From a text to one statement that asks and changes nothing.

use std::collections::VecDeque;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as Sql;
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use tenfold_core::failure::{ErrorCode, Failure};

use crate::error;

/// Keywords and operators that a statement may have. Its parsed form and its plan are as deep as it
/// has of them at worst, and are gone through by recursion.
const WORDS: usize = 2000;

/// How deep a statement that Tenfold makes of rules may be: these are 500 at most, each within another at worst.
const DEEPEST: usize = 4_000;

/// Stack of a thread on which that many words are planned and computed; memory is taken as it is
/// used.
pub const STACK: usize = 64 << 20;

/// Reads the one statement of a text. `tables` are the names that it could use.
///
/// # Errors
/// When it cannot be read, is more than one or none, is too long, or is no query.
pub(crate) fn parsed(text: &str, tables: &[String]) -> Result<Statement, Failure> {
    check_length(text, &GenericDialect {})?;
    parsed_to(text, tables, None)
}

/// As [`parsed`], of a text that is known not to be deep.
///
/// # Errors
/// As [`parsed`], whatever its length.
pub(crate) fn parsed_of_any_length(text: &str, tables: &[String]) -> Result<Statement, Failure> {
    parsed_to(text, tables, Some(DEEPEST))
}

fn parsed_to(text: &str, tables: &[String], deepest: Option<usize>) -> Result<Statement, Failure> {
    let fail = |error: DataFusionError| error::failure(&error, tables);
    let parser = DFParserBuilder::new(text);
    let parser = match deepest {
        Some(deepest) => parser.with_recursion_limit(deepest).build(),
        None => parser.build(),
    };
    let statements = parser.and_then(|mut parser| parser.parse_statements());
    let statement = the_statement(statements.map_err(fail)?)?;
    only_queries(&statement)?;
    Ok(statement)
}

/// Refuses a statement with more words than a stack is there for, and counts its tokens. `dialect` is the
/// one that it is parsed by: another one sees other words.
pub(crate) fn check_length(text: &str, dialect: &dyn Dialect) -> Result<usize, Failure> {
    let tokens = Tokenizer::new(dialect, text).tokenize();
    // What is no text of SQL is refused by the parser, which says where.
    let words = tokens
        .iter()
        .flatten()
        .filter(|token| counts(token))
        .count();
    match words <= WORDS {
        true => Ok(tokens.map_or(0, |tokens| tokens.len())),
        false => Err(Failure::config(format!(
            "the query has {words} keywords and operators, and may have {WORDS}"
        ))
        .remedy("ask in several queries; a list of values may be of any length")),
    }
}

/// Whether a token can make a statement deeper.
fn counts(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::EOF
        | Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::Whitespace(_)
        | Token::Placeholder(_) => false,
        _ => true,
    }
}

/// What stands in quotes in a text, in its order. A statement as it is written again does not tell
/// `'a''b'` and `'a''''b'` apart.
pub(crate) fn quoted(text: &str) -> Vec<String> {
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize();
    let tokens = tokens.iter().flatten();
    tokens.filter_map(in_quotes).map(str::to_owned).collect()
}

fn in_quotes(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => word.quote_style.map(|_| word.value.as_str()),
        Token::DollarQuotedString(quoted) => Some(quoted.value.as_str()),
        Token::QuoteDelimitedStringLiteral(quoted)
        | Token::NationalQuoteDelimitedStringLiteral(quoted) => Some(quoted.value.as_str()),
        Token::SingleQuotedString(text)
        | Token::DoubleQuotedString(text)
        | Token::TripleSingleQuotedString(text)
        | Token::TripleDoubleQuotedString(text)
        | Token::SingleQuotedByteStringLiteral(text)
        | Token::DoubleQuotedByteStringLiteral(text)
        | Token::TripleSingleQuotedByteStringLiteral(text)
        | Token::TripleDoubleQuotedByteStringLiteral(text)
        | Token::SingleQuotedRawStringLiteral(text)
        | Token::DoubleQuotedRawStringLiteral(text)
        | Token::TripleSingleQuotedRawStringLiteral(text)
        | Token::TripleDoubleQuotedRawStringLiteral(text)
        | Token::NationalStringLiteral(text)
        | Token::EscapedStringLiteral(text)
        | Token::UnicodeStringLiteral(text)
        | Token::HexStringLiteral(text) => Some(text.as_str()),
        _ => None,
    }
}

pub(crate) fn the_statement(mut statements: VecDeque<Statement>) -> Result<Statement, Failure> {
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (Some(_), false) => Err(Failure::config("there is more than one statement")
            .code(ErrorCode::WrongQuery)
            .remedy("ask one query at a time")),
        (None, _) => Err(Failure::config("there is no query")
            .code(ErrorCode::WrongQuery)
            .remedy("ask something like SELECT count(*) FROM customer_value")),
    }
}

pub(crate) fn only_queries(statement: &Statement) -> Result<(), Failure> {
    let asks = match statement {
        Statement::Explain(explain) => return only_queries(&explain.statement),
        Statement::Statement(sql) => matches!(
            sql.as_ref(),
            Sql::Query(_)
                | Sql::ExplainTable { .. }
                | Sql::ShowTables { .. }
                | Sql::ShowColumns { .. }
                | Sql::ShowFunctions { .. }
                | Sql::ShowVariable { .. }
        ),
        _ => false,
    };
    if asks {
        return Ok(());
    }
    let text = statement.to_string();
    Err(refused(text.split_whitespace().next().unwrap_or_default()))
}

/// Why something is no query.
pub(crate) fn refused(what: &str) -> Failure {
    Failure::config(format!(
        "{what} is not a query: a snapshot cannot be changed"
    ))
    .code(ErrorCode::WrongQuery)
    .remedy("use SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES or DESCRIBE")
}
