//! The parameters that a query names: `$name` outside of quotes and comments.

use std::collections::BTreeSet;

/// The names behind `$` in a query, and those in a name of SQL, such as `"$name"`, which stands for a column.
pub(super) fn named(sql: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '"', '-', '/', '$']) {
        let found = rest.get(at..).unwrap_or_default();
        let after = found.get(1..).unwrap_or_default();
        rest = match found.as_bytes() {
            [b'\'', ..] => behind(after, "'").1,
            [b'"', ..] => {
                let (quoted, rest) = behind(after, "\"");
                let name = quoted.strip_prefix('$').filter(|name| word(name) == *name);
                names.extend(name.filter(|name| !name.is_empty()));
                rest
            }
            [b'-', b'-', ..] => behind(after, "\n").1,
            [b'/', b'*', ..] => behind(after, "*/").1,
            [b'$', ..] => {
                let name = word(after);
                names.extend((!name.is_empty()).then_some(name));
                after.get(name.len()..).unwrap_or_default()
            }
            _ => after,
        };
    }
    names
}

/// The letters, digits and underscores that a text begins with.
fn word(text: &str) -> &str {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// What stands in a quote or comment, and what follows. A doubled quote reads as two pieces, which comes to the same.
fn behind<'a>(text: &'a str, end: &str) -> (&'a str, &'a str) {
    text.split_once(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_outside_of_quotes_and_comments() {
        let sql = "SELECT '$a', \"$b\", \"x$y\" -- $c\n, $d / $e - $d /* $f */ WHERE x = 'it''s $g' AND y > $from_1";
        let names: Vec<&str> = named(sql).into_iter().collect();
        assert_eq!(names, ["b", "d", "e", "from_1"]);
        assert!(named("SELECT 'a $b").is_empty());
        assert!(named("$").is_empty() && named("").is_empty());
        assert_eq!(named("$ä $x").into_iter().collect::<Vec<_>>(), ["x"]);
    }
}
