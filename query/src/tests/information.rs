//! What `information_schema` says.

use super::*;

/// A session over tables with the names and keys of real ones.
pub(crate) async fn session() -> Session {
    let store = Store::in_memory();
    let dates = {
        let schema = schema_of(vec![Field::new("date", DataType::Date32, true)]);
        let days = arrow::array::Date32Array::from(vec![19_000, 19_001]);
        RecordBatch::try_new(schema, vec![Arc::new(days)]).unwrap()
    };
    let value = {
        let schema = schema_of(vec![
            Field::new("customer", DataType::Int64, false),
            Field::new("first_purchase", DataType::Date32, true),
            Field::new("clv_12m", DataType::Float64, true),
            Field::new("revenue_lifetime", DataType::Decimal128(38, 2), true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1])),
            Arc::new(arrow::array::Date32Array::from(vec![19_000])),
            Arc::new(arrow::array::Float64Array::from(vec![1.5])),
            Arc::new(
                Decimal128Array::from(vec![100])
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
        ];
        RecordBatch::try_new(schema, columns).unwrap()
    };
    let value = [(Some(0), value)];
    let tables = BTreeMap::from([
        (
            "customer_value".to_owned(),
            table(&store, "tables/customer_value", &value).await,
        ),
        (
            "dim_date".to_owned(),
            table(&store, "tables/dim_date", &[(None, dates)]).await,
        ),
        (
            "mine".to_owned(),
            table(&store, "tables/mine", &[(None, regions())]).await,
        ),
    ]);
    Session::open(&store, &tables, OPTIONS).await.unwrap()
}

#[tokio::test]
async fn columns_have_the_types_that_tools_know() {
    let session = session().await;
    let sql = "SELECT column_name, ordinal_position, is_nullable, data_type, udt_name, \
               numeric_scale, arrow_type FROM information_schema.columns \
               WHERE table_name = 'customer_value' ORDER BY 2";
    let expected = "\
+------------------+------------------+-------------+------------------+----------+---------------+-------------------+
| column_name      | ordinal_position | is_nullable | data_type        | udt_name | numeric_scale | arrow_type        |
+------------------+------------------+-------------+------------------+----------+---------------+-------------------+
| customer         | 1                | NO          | bigint           | int8     |               | Int64             |
| first_purchase   | 2                | YES         | date             | date     |               | Date32            |
| clv_12m          | 3                | YES         | double precision | float8   |               | Float64           |
| revenue_lifetime | 4                | YES         | numeric          | numeric  | 2             | Decimal128(38, 2) |
| shard            | 5                | NO          | integer          | int4     |               | Int32             |
+------------------+------------------+-------------+------------------+----------+---------------+-------------------+";
    assert_eq!(show(&session, sql).await, expected);
    let about = "SELECT description FROM information_schema.columns \
                 WHERE column_name = 'clv_12m'";
    assert!(
        show(&session, about)
            .await
            .contains("value expected within")
    );
}

#[tokio::test]
async fn keys_and_references_can_be_joined_as_tools_do() {
    let session = session().await;
    let sql = "SELECT c.table_name, c.constraint_type, k.column_name, u.table_name AS refers \
               FROM information_schema.table_constraints c \
               JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name) \
               LEFT JOIN information_schema.referential_constraints r \
                 ON r.constraint_name = c.constraint_name \
               LEFT JOIN information_schema.table_constraints u \
                 ON u.constraint_name = r.unique_constraint_name \
               ORDER BY 1, 2 DESC, 3";
    let expected = "\
+----------------+-----------------+----------------+----------+
| table_name     | constraint_type | column_name    | refers   |
+----------------+-----------------+----------------+----------+
| customer_value | PRIMARY KEY     | customer       |          |
| customer_value | FOREIGN KEY     | first_purchase | dim_date |
| dim_date       | PRIMARY KEY     | date           |          |
+----------------+-----------------+----------------+----------+";
    assert_eq!(show(&session, sql).await, expected);
}

#[tokio::test]
async fn everything_else_that_it_has_is_still_there() {
    let session = session().await;
    for (sql, part) in [
        ("SHOW TABLES", "| mine "),
        ("SHOW TABLES", "| key_column_usage "),
        ("SHOW COLUMNS FROM customer_value", "double precision"),
        ("SHOW datafusion.execution.batch_size", "8192"),
        ("SHOW FUNCTIONS LIKE 'abs'", "abs"),
        (
            "SELECT schema_name FROM information_schema.schemata",
            "insights",
        ),
    ] {
        let shown = show(&session, sql).await;
        assert!(shown.contains(part), "{sql}:\n{shown}");
    }
    let absent = session
        .sql("SELECT * FROM information_schema.nothing")
        .await;
    assert!(absent.is_err());
}
