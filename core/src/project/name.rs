//! Identifiers: the names that users give and that become names of columns.

/// The longest identifier, in bytes: PostgreSQL cuts longer names.
pub(super) const MAX_BYTES: usize = 63;

/// Whether the text is an identifier: a lower-case letter, then letters, digits and `_`.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && text.len() <= MAX_BYTES
}

/// The identifier that a name of any style comes nearest to: `loyaltyStatus`, `Loyalty Status` and
/// `LOYALTY-STATUS` all give `loyalty_status`.
pub(super) fn to_identifier(text: &str) -> String {
    let joined = words(text).join("_");
    let lettered = if joined.starts_with(|c: char| c.is_ascii_lowercase()) {
        joined
    } else {
        format!("x_{joined}")
    };
    lettered
        .chars()
        .take(MAX_BYTES)
        .collect::<String>()
        .trim_end_matches('_')
        .to_owned()
}

/// The words of a name in lower case, cut at every sign that is no letter or digit and where small
/// letters turn to capitals: `CustomerID` gives `customer`, `id`.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && after_small) {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for good in ["a", "cdnow", "clv_12m", "x1"] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "1a", "_a", "A", "a-b", "a b", "é", &"a".repeat(64)] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }

    #[test]
    fn every_text_has_an_identifier() {
        for (text, identifier) in [
            ("loyaltyStatus", "loyalty_status"),
            ("LOYALTY-STATUS", "loyalty_status"),
            ("CustomerID", "customer_id"),
            ("2nd Try", "x_2nd_try"),
            ("", "x"),
            ("Größe", "gr_e"),
        ] {
            assert_eq!(to_identifier(text), identifier);
            assert!(is_identifier(&to_identifier(text)), "{text}");
        }
        assert!(is_identifier(&to_identifier(&"ab ".repeat(100))));
    }
}
