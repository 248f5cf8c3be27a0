//! Changes between two versions of a table, from their files alone.

use datafusion::execution::object_store::ObjectStoreUrl;

use super::*;
use crate::changes::{Step, Subject, changes};
use tenfold_core::snapshot::Meaning;

/// Region by customer, in one file.
fn regions_of(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let schema = schema_of(vec![
        Field::new("customer", DataType::Int64, false),
        Field::new("region", DataType::Utf8, true),
    ]);
    let customers = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let regions: StringArray = rows.iter().map(|row| row.1).collect();
    RecordBatch::try_new(schema, vec![Arc::new(customers), Arc::new(regions)]).unwrap()
}

/// Deciles by channel of each customer.
fn deciles_of(rows: &[(i64, &[(&str, i32)])]) -> RecordBatch {
    let rows: Vec<Row<'_>> = rows.iter().map(|row| (row.0, None, row.1)).collect();
    let batch = customers(&rows);
    let mut fields: Vec<Field> = Vec::new();
    for field in batch.schema().fields() {
        let name = field.name().replace("customer_id", "customer");
        fields.push(field.as_ref().clone().with_name(name));
    }
    RecordBatch::try_new(schema_of(fields), batch.columns().to_vec()).unwrap()
}

/// The changes of a table over its versions, which are snapshots 1, 2 and so on.
async fn changed(name: &str, versions: &[RecordBatch], columns: &str) -> String {
    let store = Store::in_memory();
    let root = format!("tables/{name}");
    let mut steps: Vec<Step> = Vec::new();
    for (number, version) in (1..).zip(versions) {
        let after = table(&store, &root, &[(None, version.clone())]).await;
        let before = steps.last().and_then(|step| step.after.clone());
        steps.push(Step {
            number,
            before,
            after: Some(after),
        });
    }
    let session = Session::open(&store, &BTreeMap::new(), OPTIONS)
        .await
        .unwrap();
    let objects = ObjectStoreUrl::parse("tenfold://snapshot/").unwrap();
    let key = Meaning::of(name, &[]).map_or_else(Vec::new, |table| table.key());
    let subject = Subject { name, key };
    let view = changes(&subject, &steps[1..], &store, session.context(), &objects)
        .await
        .unwrap();
    session.context().register_table("changed", view).unwrap();
    let sql = format!("SELECT {columns}, _change_type, _snapshot FROM changed ORDER BY 4, 1, 2, 3");
    show(&session, &sql).await
}

#[tokio::test]
async fn a_table_without_a_key_is_a_bag_of_rows() {
    let first = regions_of(&[(1, Some("north")), (1, Some("north")), (2, None), (3, None)]);
    let second = regions_of(&[(1, Some("north")), (2, None), (2, None), (3, Some("south"))]);
    let shown = changed(
        "dim_region",
        &[first, second.clone(), second],
        "customer, region",
    )
    .await;
    let expected = "\
+----------+--------+--------------+-----------+
| customer | region | _change_type | _snapshot |
+----------+--------+--------------+-----------+
| 1        | north  | delete       | 2         |
| 2        |        | insert       | 2         |
| 3        | south  | insert       | 2         |
| 3        |        | delete       | 2         |
+----------+--------+--------------+-----------+";
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn maps_are_compared() {
    let first = deciles_of(&[
        (1, &[("web", 1)]),
        (2, &[("web", 2), ("shop", 1)]),
        (3, &[]),
    ]);
    let second = deciles_of(&[
        (1, &[("web", 1)]),
        (2, &[("web", 2), ("shop", 4)]),
        (4, &[]),
    ]);
    let shown = changed(
        "customer_value",
        &[first, second],
        "customer, deciles['shop'] AS shop",
    )
    .await;
    let expected = "\
+----------+------+------------------+-----------+
| customer | shop | _change_type     | _snapshot |
+----------+------+------------------+-----------+
| 2        | 1    | update_preimage  | 2         |
| 2        | 4    | update_postimage | 2         |
| 3        |      | delete           | 2         |
| 4        |      | insert           | 2         |
+----------+------+------------------+-----------+";
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_column_that_was_not_there_was_null() {
    let first = regions_of(&[(1, Some("north")), (2, None)]);
    let before = first.project(&[0]).unwrap();
    let after = first;
    let shown = changed("customer_value", &[before, after], "customer, region").await;
    let expected = "\
+----------+--------+------------------+-----------+
| customer | region | _change_type     | _snapshot |
+----------+--------+------------------+-----------+
| 1        | north  | update_postimage | 2         |
| 1        |        | update_preimage  | 2         |
+----------+--------+------------------+-----------+";
    assert_eq!(shown, expected);
}
