//! Formats of times: PostgreSQL's patterns in those that DataFusion's `to_char` takes.

use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, Value as Literal};
use tenfold_core::failure::Failure;

use super::command::unsupported;
use super::literals::text_of;

/// What stands for what; longer ones before their beginnings.
const PATTERNS: &[(&str, &str)] = &[
    ("YYYY", "%Y"),
    ("IYYY", "%G"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("DDD", "%j"),
    ("FMMonth", "%B"),
    ("FMDay", "%A"),
    ("FMDD", "%-d"),
    ("FMMM", "%-m"),
    ("Mon", "%b"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("Dy", "%a"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("IW", "%V"),
    ("ID", "%u"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("TZ", "%Z"),
];

/// What begins like one of these and means something else.
const OTHERS: [&str; 2] = ["SSSS", "IDDD"];

/// Rewrites the pattern of `to_char`.
///
/// # Errors
/// When there is something in it that cannot be said otherwise, or it is no constant.
pub(super) fn to_char(arguments: &mut [FunctionArg]) -> Result<(), Failure> {
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern))) = arguments.get_mut(1) else {
        return Ok(());
    };
    let written =
        text_of(pattern).ok_or_else(|| unsupported("to_char() with a computed format"))?;
    *pattern = Expr::value(Literal::SingleQuotedString(format(&written)?));
    Ok(())
}

fn format(written: &str) -> Result<String, Failure> {
    let mut format = String::new();
    let mut rest = written;
    while let Some(next) = rest.chars().next() {
        let known = PATTERNS
            .iter()
            .find(|(pattern, _)| rest.starts_with(pattern))
            .filter(|_| !OTHERS.iter().any(|other| rest.starts_with(other)));
        if let Some((pattern, instead)) = known {
            format.push_str(instead);
            rest = &rest[pattern.len()..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            format.push_str(&text.replace('%', "%%"));
            rest = after;
        } else if next.is_alphanumeric() {
            return Err(unsupported(&format!("{rest:?} in the format of to_char()")));
        } else {
            format.push_str(if next == '%' { "%%" } else { "" });
            format.extend((next != '%').then_some(next));
            rest = &rest[next.len_utf8()..];
        }
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn patterns_of_times_are_said_otherwise_or_refused() {
        assert_eq!(
            format("YYYY-MM-DD HH24:MI:SS").unwrap(),
            "%Y-%m-%d %H:%M:%S"
        );
        assert_eq!(format("DD Mon YY, \"at\" HH").unwrap(), "%d %b %y, at %I");
        for other in ["999.99", "Q", "yyyy", "Month", "SSSS", "IDDD"] {
            assert!(format(other).is_err(), "{other}");
        }
    }
}
