//! Tests of the proposals: three well-known shapes, what cannot be found, and hostile names.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use proptest::prelude::*;

use super::*;
use crate::project::model::{EpochUnit, Project, TimeColumn};
use crate::project::{lint, parse};

fn column(name: &str, kind: ColumnKind, distinct: u64, examples: &[&str]) -> SampleColumn {
    SampleColumn {
        name: name.to_owned(),
        kind,
        examples: examples.iter().map(|&example| example.to_owned()).collect(),
        distinct,
        nulls: 0,
        negative_share: 0.0,
    }
}

fn table(
    project: &str,
    path: &str,
    format: Format,
    rows: u64,
    columns: Vec<SampleColumn>,
) -> SampleTable {
    SampleTable {
        project: project.to_owned(),
        path: path.to_owned(),
        format,
        layout: Layout::Files,
        rows,
        columns,
    }
}

/// CDNOW master file, 69,659 rows of 23,570 customers (brucehardie.com, note 026).
fn cdnow() -> SampleTable {
    let columns = vec![
        column("customer_id", ColumnKind::Int, 23_570, &["1", "2"]),
        column(
            "date",
            ColumnKind::String,
            546,
            &["1997-01-01", "1997-01-12"],
        ),
        column("cds", ColumnKind::Int, 40, &["1", "5"]),
        column("dollars", ColumnKind::Float, 5_000, &["11.77", "77.00"]),
    ];
    table("CDNOW", "data/cdnow.csv", Format::Csv, 69_659, columns)
}

/// UCI Online Retail, 541,909 rows, 135,080 of them without a customer, 10,624 below zero.
fn online_retail() -> SampleTable {
    let naive = ColumnKind::Timestamp { has_zone: false };
    let mut columns = vec![
        column(
            "InvoiceNo",
            ColumnKind::String,
            25_900,
            &["536365", "C536379"],
        ),
        column("StockCode", ColumnKind::String, 4_070, &["85123A"]),
        column(
            "Description",
            ColumnKind::String,
            4_223,
            &["WHITE METAL LANTERN"],
        ),
        column("Quantity", ColumnKind::Int, 722, &["6", "-1"]),
        column("InvoiceDate", naive, 23_260, &["2010-12-01T08:26:00"]),
        column("UnitPrice", ColumnKind::Float, 1_630, &["2.55"]),
        column("CustomerID", ColumnKind::Float, 4_372, &["17850.0"]),
        column(
            "Country",
            ColumnKind::String,
            38,
            &["United Kingdom", "France"],
        ),
    ];
    columns[3].negative_share = 10_624.0 / 541_909.0;
    columns[6].nulls = 135_080;
    table(
        "Online Retail",
        "s3://shop/retail/",
        Format::Parquet,
        541_909,
        columns,
    )
}

/// An airline's loyalty ledger: miles are credited twice, as status and as award miles.
fn airline() -> SampleTable {
    let mut columns = vec![
        column(
            "membershipNumber",
            ColumnKind::String,
            3,
            &["C435678623", "B789279247"],
        ),
        column(
            "transactionDate",
            ColumnKind::Date,
            4,
            &["2022-01-01", "2022-02-01"],
        ),
        column(
            "transactionType",
            ColumnKind::String,
            2,
            &["STATUS_MILES", "AWARD_MILES"],
        ),
        column("transactionDetails", ColumnKind::String, 5, &["New member"]),
        column("mileage", ColumnKind::Int, 3, &["5000", "7500"]),
        column("loyaltyStatus", ColumnKind::String, 2, &["FLYER", "SILVER"]),
    ];
    columns[4].negative_share = 0.1;
    table("airline", "flights/", Format::Parquet, 5, columns)
}

fn proposed(sample: &SampleTable) -> (Project, String) {
    let text = template(&propose(sample).unwrap());
    let findings = lint(&text).findings;
    assert_eq!(findings, [], "{text}");
    (parse(&text).unwrap(), text)
}

#[test]
fn cdnow_has_its_roles_found() {
    let (project, text) = proposed(&cdnow());
    assert_eq!(project.project, "cdnow");
    let source = &project.sources["purchases"];
    assert_eq!(
        (source.customer.as_str(), source.time.column.as_str()),
        ("customer_id", "date")
    );
    assert_eq!(project.customer.key_type, CustomerType::Int64);
    assert_eq!(
        source.measures["revenue"].value,
        MeasureValue::Column("dollars".into())
    );
    assert_eq!(project.currency(), Some("USD"));
    assert_eq!(project.clv.unwrap().value, "revenue");
    assert!(
        text.contains("# text in ISO 8601 such as 1997-01-01"),
        "{text}"
    );
    assert!(text.contains("# no column tells every row apart"), "{text}");
}

#[test]
fn online_retail_is_priced_by_quantity_and_filtered() {
    let (project, text) = proposed(&online_retail());
    let source = &project.sources["purchases"];
    assert_eq!(source.customer, "CustomerID");
    assert_eq!(source.time.column, "InvoiceDate");
    assert_eq!(source.filter.as_deref(), Some("\"CustomerID\" IS NOT NULL"));
    assert_eq!(
        source.measures["revenue"].value,
        MeasureValue::Expression("\"Quantity\" * \"UnitPrice\"".into())
    );
    assert_eq!(source.event_id, None);
    assert_eq!(source.dimensions.keys().collect::<Vec<_>>(), ["country"]);
    for comment in [
        "# 135,080 of 541,909 rows have no customer; without this they would be quarantined",
        "# InvoiceNo repeats (25,900 values in 541,909 rows), so it does not tell rows apart",
        "1.96 % of the rows are below zero and count as refunds",
        "# currency: USD  # the data does not say which",
        "38 different values, such as United Kingdom, France",
        "carry no zone",
    ] {
        assert!(text.contains(comment), "{comment}\n{text}");
    }
}

#[test]
fn an_airlines_miles_are_ranked_and_have_no_clv() {
    let (project, text) = proposed(&airline());
    assert!(project.clv.is_none());
    let source = &project.sources["events"];
    assert_eq!(source.customer, "membershipNumber");
    assert_eq!(source.time.column, "transactionDate");
    assert_eq!(project.customer.key_type, CustomerType::String);
    assert_eq!(
        source.measures["mileage"].value,
        MeasureValue::Column("mileage".into())
    );
    assert_eq!(project.deciles[0].measure, "mileage");
    assert_eq!(source.dimensions["loyalty_status"], "loyaltyStatus");
    assert!(
        text.contains("# filter: \"\\\"transactionType\\\" = 'STATUS_MILES'\""),
        "{text}"
    );
    assert!(text.contains("# No measure is money"), "{text}");
}

#[test]
fn commented_lines_can_be_taken_in() {
    let (_, text) = proposed(&airline());
    let text = text
        .replace("# filter:", "filter:")
        .replace("# by: loyalty_status", "by: loyalty_status");
    assert_eq!(lint(&text).findings, [], "{text}");
    let (_, text) = proposed(&online_retail());
    let text = text
        .replace("# currency: USD", "currency: USD")
        .replace("scale: 2", "# scale: 2");
    assert_eq!(lint(&text).findings, [], "{text}");
}

#[test]
fn what_is_essential_and_not_found_is_an_error_that_lists_the_columns() {
    let mut sample = cdnow();
    sample.columns.remove(0);
    let error = propose(&sample).unwrap_err().to_string();
    assert!(
        error.starts_with("no column of data/cdnow.csv looks like a customer key"),
        "{error}"
    );
    assert!(
        error.contains("seen: `date` (text), `cds` (integer), `dollars` (float)"),
        "{error}"
    );
    sample.columns.clear();
    let error = propose(&sample).unwrap_err();
    assert_eq!(error.missing.len(), 2);
}

#[test]
fn without_an_amount_events_are_counted() {
    let mut sample = cdnow();
    sample.columns.truncate(2);
    let (project, _) = proposed(&sample);
    let measure = &project.sources["events"].measures["events"];
    assert_eq!(measure.value, MeasureValue::Expression("1".into()));
}

#[test]
fn a_unique_key_becomes_the_event_id() {
    let mut sample = cdnow();
    sample
        .columns
        .push(column("order_id", ColumnKind::Int, 69_659, &["1"]));
    let (project, _) = proposed(&sample);
    assert_eq!(
        project.sources["purchases"].event_id.as_deref(),
        Some("order_id")
    );
}

#[test]
fn times_are_read_from_text_and_integers() {
    let time = |kind, format, examples: &[&str]| -> Option<TimeColumn> {
        let columns = vec![
            column("customerid", ColumnKind::Int, 10, &["1"]),
            column("ts", kind, 90, examples),
            column("amount", ColumnKind::Decimal, 90, &["1.00"]),
        ];
        let sample = table("p", "data/", format, 100, columns);
        propose(&sample).ok()?;
        Some(proposed(&sample).0.sources["purchases"].time.clone())
    };
    let text =
        |examples: &[&str]| time(ColumnKind::String, Format::Csv, examples).map(|t| t.format);
    let format = |format: &str| Some(Some(format.to_owned()));
    assert_eq!(text(&["31/12/2010 8:26"]), format("%d/%m/%Y %H:%M"));
    assert_eq!(
        text(&["12/1/2010 8:26", "12/31/2010 8:26"]),
        format("%m/%d/%Y %H:%M")
    );
    assert_eq!(text(&["20240131"]), format("%Y%m%d"));
    assert_eq!(text(&["2024-01-31T00:00:00Z", "2024-01-31"]), Some(None));
    assert_eq!(text(&["soon"]), None);
    assert_eq!(text(&[]), None);
    let unit = |example: &str| time(ColumnKind::Int, Format::Parquet, &[example]).map(|t| t.unit);
    assert_eq!(unit("1700000000"), Some(Some(EpochUnit::Seconds)));
    assert_eq!(unit("1700000000000"), Some(Some(EpochUnit::Milliseconds)));
    assert_eq!(
        unit("1700000000000000"),
        Some(Some(EpochUnit::Microseconds))
    );
    assert_eq!(
        unit("1700000000000000000"),
        Some(Some(EpochUnit::Nanoseconds))
    );
    assert_eq!(unit("17"), None);
    assert_eq!(
        unit("20240131"),
        None,
        "an integer of Parquet cannot be declared as text"
    );
    let days = time(ColumnKind::Int, Format::Csv, &["20240131"]).map(|t| t.format);
    assert_eq!(days, format("%Y%m%d"));
}

#[test]
fn totals_are_preferred_and_other_numbers_are_no_measures() {
    let amount = |names: &[&str]| {
        let mut sample = cdnow();
        sample.columns.truncate(2);
        let number = |name: &&str| column(name, ColumnKind::Decimal, 900, &["1.00"]);
        sample.columns.extend(names.iter().map(number));
        let measures = propose(&sample).unwrap().measures;
        measures
            .into_iter()
            .map(|measure| measure.value)
            .collect::<Vec<_>>()
    };
    let column = |name: &str| vec![MeasureValue::Column(name.to_owned())];
    assert_eq!(
        amount(&["tax_amount", "total_items", "net_price", "total"]),
        column("total")
    );
    assert_eq!(amount(&["price", "tax_amount"]), column("price"));
    assert_eq!(amount(&["total_points"]), column("total_points"));
    assert_eq!(
        amount(&["qty", "price", "discount"]),
        [MeasureValue::Expression("qty * price".to_owned())]
    );
    assert_eq!(
        amount(&["age", "customer_rank"]),
        [MeasureValue::Expression("1".to_owned())]
    );
}

#[test]
fn counts_are_grouped() {
    for (count, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (541_909, "541,909"),
    ] {
        assert_eq!(grouped(count), text);
    }
}

fn any_kind() -> impl Strategy<Value = ColumnKind> {
    prop_oneof![
        Just(ColumnKind::Int),
        Just(ColumnKind::Float),
        Just(ColumnKind::Decimal),
        Just(ColumnKind::String),
        Just(ColumnKind::Date),
        Just(ColumnKind::Timestamp { has_zone: true }),
        Just(ColumnKind::Bool),
    ]
}

prop_compose! {
    fn any_column()(
        name in "(customer|order|total|clv|qty|price|miles|date|type)?[ _-]?(id|no|at|usd|12m)?|\\PC{0,8}|.{0,70}",
        kind in any_kind(),
        distinct in 0_u64..100,
        nulls in 0_u64..100,
        examples in prop::collection::vec("[0-9]{8,12}|.{0,20}|it's cancelled\n", 0..3),
    ) -> SampleColumn {
        SampleColumn { name, kind, examples, distinct, nulls, negative_share: 0.0 }
    }
}

proptest! {
    /// Whatever the columns are called and hold, the file that comes out has no finding.
    #[test]
    fn every_proposal_lints_clean(
        others in prop::collection::vec(any_column(), 0..12),
        rows in 0_u64..100,
        key in ".{0,9}",
    ) {
        let mut columns = vec![
            column(&format!("customer id {key}"), ColumnKind::String, 9, &[]),
            column(&format!("{key} time"), ColumnKind::Timestamp { has_zone: true }, 9, &[]),
        ];
        columns.extend(others);
        let sample = table(&key, "data/", Format::Jsonl, rows, columns);
        if let Ok(proposal) = propose(&sample) {
            let text = template(&proposal);
            prop_assert_eq!(lint(&text).findings, vec![], "{}", text);
        }
    }
}
