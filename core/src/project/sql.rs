//! What can be said about a SQL expression without planning it: slips that would otherwise show up
//! only when a refresh starts.

/// A slip in an expression and its remedy; `None` when none is seen.
pub(super) fn slip(text: &str) -> Option<(String, String)> {
    let slip = |message: &str, remedy: &str| Some((message.to_owned(), remedy.to_owned()));
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.is_empty() {
        return slip("is blank", "write a SQL expression, or take the line out");
    }
    if ["where", "select", "having"].contains(&first.to_lowercase().as_str()) {
        return Some((
            format!("starts with {first}"),
            format!("leave {first} out: only the expression is wanted"),
        ));
    }
    scan(text)
        .err()
        .map(|(message, remedy)| (message.to_owned(), remedy.to_owned()))
}

type Slip = (&'static str, &'static str);

/// Walks over quotes and parentheses; `''` and `""` inside their quotes read as two quoted pieces,
/// which comes to the same.
fn scan(text: &str) -> Result<(), Slip> {
    let mut depth = 0_usize;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth = depth
                    .checked_sub(1)
                    .ok_or(("closes a `)` that is not open", "take it out"))?;
            }
            (None, ';') => return Err(("holds a `;`", "write one expression, without `;`")),
            (None, _) => {}
        }
    }
    match (quote, depth) {
        (Some(_), _) => Err((
            "has a quote that does not close",
            "close it, or double a quote that is meant",
        )),
        (None, 0) => Ok(()),
        (None, _) => Err(("has a `(` that does not close", "close it")),
    }
}

/// Words that SQL takes for something else where a name may stand.
const RESERVED: [&str; 98] = [
    "all",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "both",
    "by",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "delete",
    "desc",
    "distinct",
    "do",
    "drop",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "extract",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "in",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "primary",
    "qualify",
    "references",
    "right",
    "row",
    "rows",
    "select",
    "session_user",
    "set",
    "similar",
    "some",
    "table",
    "then",
    "to",
    "top",
    "trailing",
    "true",
    "union",
    "unique",
    "unnest",
    "update",
    "user",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
    "within",
];

/// A name as SQL takes it: in double quotes unless it is plain lower case and no word of SQL.
pub fn quoted(column: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_plain = column.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts_plain && column.chars().all(plain) && !RESERVED.contains(&column) {
        column.to_owned()
    } else {
        format!("\"{}\"", column.replace('"', "\"\""))
    }
}

/// A text as a SQL literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips() {
        for good in [
            "a > 0",
            "status <> 'it''s; (off'",
            "f(g(\"a)\"))",
            "whereabouts = 1",
        ] {
            assert_eq!(slip(good), None, "{good}");
        }
        for (bad, message) in [
            ("  ", "is blank"),
            ("WHERE a > 0", "starts with WHERE"),
            ("a > 0;", "holds a `;`"),
            ("(a", "has a `(` that does not close"),
            ("a)", "closes a `)` that is not open"),
            ("a = 'b", "has a quote that does not close"),
        ] {
            assert_eq!(
                slip(bad).map(|(message, _)| message).as_deref(),
                Some(message),
                "{bad}"
            );
        }
    }

    #[test]
    fn columns_are_quoted_when_sql_would_fold_them() {
        assert_eq!(quoted("unit_price"), "unit_price");
        assert_eq!(quoted("UnitPrice"), "\"UnitPrice\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("order"), "\"order\"");
        assert_eq!(quoted("ordered"), "ordered");
        assert_eq!(literal("it's"), "'it''s'");
    }
}
