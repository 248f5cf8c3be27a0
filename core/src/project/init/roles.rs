//! What a column's name says about its role. Scores only order candidates; zero is no candidate.

use super::{ColumnKind, SampleColumn};
use crate::project::currency;
use crate::project::name::words;

const WHO: &[&str] = &[
    "customer",
    "cust",
    "client",
    "member",
    "membership",
    "user",
    "buyer",
    "shopper",
    "subscriber",
    "donor",
    "household",
    "guest",
    "passenger",
    "visitor",
    "account",
    "consumer",
    "contact",
    "person",
];
const KEY: &[&str] = &[
    "id", "ids", "no", "nr", "num", "number", "key", "code", "uuid", "guid", "ref",
];
const EVENT: &[&str] = &[
    "event",
    "order",
    "invoice",
    "transaction",
    "trans",
    "txn",
    "tx",
    "purchase",
    "receipt",
    "booking",
    "payment",
    "sale",
    "line",
    "row",
    "ticket",
    "flight",
];
const AMOUNT: &[&str] = &[
    "amount", "amt", "revenue", "sales", "spend", "spent", "paid", "total", "subtotal", "value",
    "turnover", "gmv", "gross", "net", "dollars", "dollar", "euros", "euro", "pounds", "cents",
    "pence", "proceeds", "donation",
];
const PRICE: &[&str] = &["price", "cost", "fare", "fee"];
const QUANTITY: &[&str] = &[
    "quantity", "qty", "units", "pieces", "count", "items", "cds",
];
const CREDIT: &[&str] = &[
    "miles", "mileage", "points", "credits", "stars", "km", "nights", "minutes",
];
/// Words that make a number something else than an amount or a count.
const NO_MEASURE: &[&str] = &[
    "id", "key", "code", "tax", "vat", "discount", "balance", "age", "year", "month", "day",
    "rate", "pct", "percent", "zip", "rank", "score", "shipping", "number", "no",
];

/// A column with the words of its name.
#[derive(Clone, Debug)]
pub(super) struct Named<'a> {
    pub column: &'a SampleColumn,
    words: Vec<String>,
}

impl<'a> Named<'a> {
    pub(super) fn new(column: &'a SampleColumn) -> Self {
        let words = words(&column.name)
            .into_iter()
            .flat_map(|word| parted(&word))
            .collect();
        Self { column, words }
    }

    pub(super) fn name(&self) -> &'a str {
        &self.column.name
    }

    /// Whether one of the words is in the list.
    pub(super) fn has(&self, list: &[&str]) -> bool {
        self.words.iter().any(|word| list.contains(&word.as_str()))
    }

    fn has_only(&self, lists: &[&[&str]]) -> bool {
        self.words
            .iter()
            .all(|word| lists.iter().any(|list| list.contains(&word.as_str())))
    }

    /// The currency that the name gives away.
    pub(super) fn currency(&self) -> Option<String> {
        let code = |word: &String| {
            let code = match word.as_str() {
                "dollar" | "dollars" => "USD".to_owned(),
                "euro" | "euros" => "EUR".to_owned(),
                "pounds" => "GBP".to_owned(),
                "all" | "top" | "try" | "mad" | "cup" | "pen" | "sos" | "bam" | "ron" => {
                    return None;
                }
                word => word.to_uppercase(),
            };
            currency::digits(&code).map(|_| code)
        };
        // An amount in cents is not in dollars, whatever else its name says.
        if self.has(&["cents", "pence"]) {
            None
        } else {
            self.words.iter().find_map(code)
        }
    }
}

/// `customerid` and `custno` as two words: the customer and the key.
fn parted(word: &str) -> Vec<String> {
    let part = |lead: &&&str| {
        let rest = word.strip_prefix(**lead)?;
        KEY.contains(&rest)
            .then(|| vec![(**lead).to_owned(), rest.to_owned()])
    };
    let leads = WHO.iter().chain(EVENT);
    leads
        .into_iter()
        .find_map(|lead| part(&lead))
        .unwrap_or_else(|| vec![word.to_owned()])
}

/// The column with the highest score, the first one among equals.
pub(super) fn best<'c, 'a>(
    columns: &'c [Named<'a>],
    score: impl Fn(&Named<'_>) -> u32,
) -> Option<&'c Named<'a>> {
    let mut best: Option<(u32, &Named<'a>)> = None;
    for column in columns {
        let score = score(column);
        if score > best.map_or(0, |(best, _)| best) {
            best = Some((score, column));
        }
    }
    best.map(|(_, column)| column)
}

/// How much a column looks like the customer key.
pub(super) fn customer(column: &Named<'_>) -> u32 {
    if !(column.column.kind.is_number() || column.column.kind == ColumnKind::String) {
        return 0;
    }
    match (
        column.has(WHO),
        column.has(KEY),
        column.has_only(&[WHO, KEY]),
    ) {
        (true, true, true) => 100,
        (true, true, false) => 80,
        (true, false, true) => 70,
        _ if column.has(&["email"]) && column.column.kind == ColumnKind::String => 30,
        _ => 0,
    }
}

/// Whether a column is named like the key of an event.
pub(super) fn event_id(column: &Named<'_>) -> bool {
    let named = (column.has(EVENT) && column.has(KEY)) || column.has_only(&[KEY]);
    named && matches!(column.column.kind, ColumnKind::Int | ColumnKind::String)
}

/// How much a column looks like an amount of money.
pub(super) fn amount(column: &Named<'_>) -> u32 {
    let other = column.has(NO_MEASURE) || column.has(QUANTITY) || column.has(CREDIT);
    let of_one = column.has(PRICE) && !column.has(&["total", "amount"]);
    if !column.has(AMOUNT) || other || of_one {
        return 0;
    }
    let fraction = u32::from(column.column.kind != ColumnKind::Int);
    let plain = u32::from(column.has(&["amount", "revenue", "total", "sales", "dollars"]));
    10 + 2 * plain + fraction
}

/// How much a column looks like a price.
pub(super) fn price(column: &Named<'_>) -> u32 {
    if !column.has(PRICE) || column.has(NO_MEASURE) {
        0
    } else {
        10 + u32::from(column.has(&["unit"]))
    }
}

/// How much a column looks like a number of things.
pub(super) fn quantity(column: &Named<'_>) -> u32 {
    if column.has(QUANTITY) && !column.has(NO_MEASURE) {
        10
    } else {
        0
    }
}

/// How much a column looks like loyalty credit.
pub(super) fn credit(column: &Named<'_>) -> u32 {
    if column.has(CREDIT) && !column.has(NO_MEASURE) {
        10
    } else {
        0
    }
}
