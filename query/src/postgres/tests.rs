//! Queries as clients of PostgreSQL ask them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::sync::Arc;

use super::*;
use tenfold_core::failure::Failure;

use crate::tests::information::session;
use crate::{Session, rows};

fn query(text: &str) -> Query {
    match commands(text).unwrap().pop() {
        Some(Command::Query(query)) => Arc::unwrap_or_clone(query),
        other => panic!("{text}: {other:?}"),
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        user: "jane".to_owned(),
        version: "PostgreSQL 16.6".to_owned(),
        process: 7,
        settings: [("timezone".to_owned(), "UTC".to_owned())].into(),
    }
}

/// The rows of an answer, with `|` between their values.
async fn ask(session: &Session, text: &str) -> Result<Vec<String>, Failure> {
    ask_with(session, text, &[]).await
}

/// The same with values, each by the number of its type and its text.
async fn ask_with(
    session: &Session,
    text: &str,
    values: &[(u32, &str)],
) -> Result<Vec<String>, Failure> {
    let value = |(oid, text): &(u32, &str)| Value {
        oid: *oid,
        text: Some((*text).to_owned()),
    };
    let values: Vec<Value> = values.iter().map(value).collect();
    let prepared = session
        .prepare_query(&query(text), &values, &surroundings())
        .await?;
    let batches = prepared.run().await?.collect().await?;
    let mut written = Vec::new();
    rows::each_row(&batches, |row| {
        let texts: Vec<String> = row.iter().map(rows::precise).collect();
        written.push(texts.join("|"));
        Ok(())
    })
    .unwrap();
    Ok(written)
}

#[tokio::test]
async fn the_catalog_tells_tables_columns_keys_and_comments() {
    let session = session().await;
    let all = "SELECT relname FROM pg_class WHERE relkind = 'r' ORDER BY 1";
    assert_eq!(
        ask(&session, all).await.unwrap(),
        ["customer_value", "dim_date", "mine"]
    );
    let columns = "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull \
                   FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'customer_value'::regclass \
                   AND a.attnum > 0 ORDER BY a.attnum LIMIT 2";
    let columns = ask(&session, columns).await.unwrap();
    assert_eq!(columns[0], "customer|bigint|true");
    let keys = "SELECT conrelid::regclass, conname, contype, pg_get_constraintdef(oid) \
                FROM pg_constraint ORDER BY conname";
    let keys = ask(&session, keys).await.unwrap();
    assert!(
        keys.contains(&"customer_value|customer_value_pkey|p|PRIMARY KEY (customer)".to_owned()),
        "{keys:?}"
    );
    assert!(
        keys.iter()
            .any(|key| key.ends_with("REFERENCES insights.dim_date(date)")),
        "{keys:?}"
    );
    let about = "SELECT obj_description('customer_value'::regclass, 'pg_class')";
    assert!(ask(&session, about).await.unwrap()[0].starts_with("What is known"));
}

#[tokio::test]
async fn what_clients_ask_of_the_catalog_is_answered() {
    let session = session().await;
    for (text, answer) in [
        (
            "SELECT current_database(), current_schema(), current_user",
            "tenfold|insights|jane",
        ),
        ("SELECT version()", "PostgreSQL 16.6"),
        (
            "SELECT pg_typeof(1), pg_typeof('a'), pg_typeof(ARRAY[1])",
            "bigint|text|bigint[]",
        ),
        ("SELECT quote_ident('a b'), quote_ident('a')", "\"a b\"|a"),
        (
            "SELECT 'r' = ANY (ARRAY['r', 'v']), 3 = ANY ('{1,2}'), 3 <> ALL ('{1,2}')",
            "true|false|true",
        ),
        (
            "SELECT 'r' = ANY ('{r,v}'::text[]), 3 = ANY (CAST('{1,2}' AS int[])), 'x' <> ALL ('{}'::text[])",
            "true|false|true",
        ),
        // As a list that is a parameter is asked about before it has a value.
        (
            "SELECT 0 = ANY (NULL::numeric(38, 10)[]) IS NULL, 'x' <> ALL (NULL::text[]) IS NULL",
            "true|true",
        ),
        (
            "SELECT array_to_string('{a,\"b,c\"}'::text[], ';'), array_upper('{4,5}'::int[], 1)",
            "a;b,c|2",
        ),
        (
            "SELECT 'a_b' LIKE 'a/_%' ESCAPE '/', 'axb' LIKE 'a/_b' ESCAPE '/'",
            "true|false",
        ),
        (
            "SELECT 'abc' OPERATOR(pg_catalog.~) '^(abc)$' COLLATE pg_catalog.default",
            "true",
        ),
        (
            "SELECT (SELECT adbin FROM pg_attrdef WHERE oid = 1), EXISTS (SELECT 1 FROM pg_trigger)",
            "-|false",
        ),
        (
            "SELECT count(*) FROM pg_type t WHERE (SELECT c.relkind = 'c' FROM pg_class c WHERE c.oid = t.typrelid)",
            "0",
        ),
        (
            "SELECT to_char(TIMESTAMP '2026-03-01 14:05:00', 'YYYY-MM HH24:MI')",
            "2026-03 14:05",
        ),
        (
            "SELECT pg_typeof(now()), array_upper(ARRAY[4, 5], 1), array_to_string(ARRAY (SELECT 1), ',')",
            "timestamp with time zone|2|1",
        ),
        ("SELECT 1::int2, '5'::int4 + 1, 'x'::name", "1|6|x"),
        (
            "SELECT 'pg_toast' LIKE 'pg/_'::text || '%' ESCAPE '/', 'pgatoast' LIKE 'pg/_'::text || '%' ESCAPE '/'",
            "true|false",
        ),
    ] {
        let found = ask(&session, text)
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(found, [answer], "{text}");
    }
    let places = "SELECT unnest(indkey), generate_subscripts(indkey, 1) FROM pg_index \
                  WHERE indrelid = 'customer_value'::regclass";
    assert_eq!(ask(&session, places).await.unwrap(), ["1|0"]);
}

#[tokio::test]
async fn values_have_types_by_what_stands_around_them() {
    let session = session().await;
    let asked = query("SELECT $1::text, customer + $2 FROM customer_value WHERE customer = $3");
    let shape = session
        .shape(&asked, &[0, oid::INT4], &surroundings())
        .await
        .unwrap();
    assert_eq!(shape.values, [oid::TEXT, oid::INT4, oid::INT8]);
    assert_eq!(type_of(shape.schema.field(1).data_type()).0, oid::INT8);
    let cast = query("SELECT $1::bigint, $2::int[], CAST($3 AS numeric(10, 2))");
    let shape = session.shape(&cast, &[], &surroundings()).await.unwrap();
    assert_eq!(shape.values, [oid::INT8, 1007, oid::NUMERIC]);
}

#[tokio::test]
async fn texts_are_compared_with_lists_as_texts() {
    let session = session().await;
    let keys = "SELECT k FROM (VALUES ('42'), ('042'), ('0042'), ('C17')) t(k) WHERE k = ANY";
    for (list, key) in [
        (r#"'{"0042","0043"}'"#, "0042"),
        ("'{0042,0043}'", "0042"),
        ("'{042}'::text[]", "042"),
        ("ARRAY[42]::text[]", "42"),
        ("ARRAY[42]::character varying[]", "42"),
    ] {
        let found = ask(&session, &format!("{keys} ({list})")).await;
        assert_eq!(found.unwrap(), [key], "{list}");
    }
    let asked = format!("{keys} ($1)");
    for (oid, list) in [(oid::TEXT, "{0042,42000}"), (1009, r#"{"0042"}"#)] {
        let found = ask_with(&session, &asked, &[(oid, list)]).await;
        assert_eq!(found.unwrap(), ["0042"], "{list}");
    }
    let numbers = "SELECT customer FROM customer_value WHERE customer = ANY ($1)";
    for (oid, list) in [(oid::TEXT, "{1,2}"), (1007, "{1,2}"), (1016, "{1}")] {
        let found = ask_with(&session, numbers, &[(oid, list)]).await;
        assert_eq!(found.unwrap(), ["1"], "{list}");
    }
}

#[tokio::test]
async fn decimals_keep_all_the_digits_that_clients_write() {
    let session = session().await;
    let numbers = [(oid::NUMERIC, "1E-7"), (oid::NUMERIC, "-1.5E+3")];
    let found = ask_with(&session, "SELECT $1, $2", &numbers).await;
    assert_eq!(found.unwrap(), ["0.0000001|-1500"]);
    let lists = [(oid::NUMERIC, "1E-12"), (1231, "{1E-12,2}")];
    let found = ask_with(&session, "SELECT $1 = ANY ($2), 0 = ANY ($2)", &lists).await;
    assert_eq!(found.unwrap(), ["true|false"]);
}

#[tokio::test]
async fn rows_are_ordered_by_the_names_of_columns() {
    let session = session().await;
    for (text, expected) in [
        (
            "SELECT a, count(*) FROM (VALUES ('x'), ('y'), ('y')) t(a) GROUP BY 1 ORDER BY count DESC",
            ["y|2", "x|1"],
        ),
        // Everywhere else the name is that of a column that is read.
        (
            "SELECT max(b) FROM (VALUES (1, 5), (2, 4), (3, 3)) t(max, b) GROUP BY max HAVING max > 1 ORDER BY max",
            ["3", "4"],
        ),
        (
            "SELECT n::text FROM (VALUES (9), (10)) t(n) ORDER BY n",
            ["10", "9"],
        ),
        (
            "SELECT abs(n), abs(-n), n FROM (VALUES (2), (1)) t(n) ORDER BY n",
            ["1|1|1", "2|2|2"],
        ),
    ] {
        let found = ask(&session, text).await;
        assert_eq!(found.unwrap(), expected, "{text}");
    }
}

#[tokio::test]
async fn columns_are_named_as_postgresql_names_them() {
    let query = query("SELECT 1, count(*), Customer, a.x AS \"X y\", 1::int8, 1 FROM a");
    let schema = arrow::datatypes::Schema::new(
        ["a", "b", "c", "d", "e", "f"]
            .map(|name| arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Utf8, true))
            .to_vec(),
    );
    let names = query.names(&Arc::new(schema));
    assert_eq!(
        names,
        ["?column?", "count", "customer", "X y", "int8", "?column?"]
    );
}

#[tokio::test]
async fn errors_have_the_codes_that_clients_know() {
    let session = session().await;
    for (text, state) in [
        ("SELECT nothing FROM customer_value", "42703"),
        ("SELECT * FROM nothing", "42P01"),
        ("SELECT nothing(1)", "42883"),
        ("SELECT 1 / 0", "22012"),
        ("SELECT 'a'::int", "22P02"),
        ("SELECT 1::nothing", "42704"),
        ("SELECT current_setting('nothing')", "42704"),
        ("SELECT customer, count(*) FROM customer_value", "42803"),
        ("SELECT to_char(now(), 'Q')", "0A000"),
        ("SELECT 'nothing'::regclass", "42P01"),
    ] {
        let failure = ask(&session, text).await.unwrap_err();
        assert_eq!(sqlstate(&failure), state, "{text}: {failure}");
    }
    // An operator of PostgreSQL that begins a name elsewhere hides no words.
    let long = format!("SELECT 1 %` 1{} %` 1", " + 1".repeat(2000));
    let failure = commands(&long).unwrap_err();
    assert_eq!(sqlstate(&failure), "54000", "{failure}");
    for (text, state) in [
        ("SELEC 1", "42601"),
        ("SELECT 'open", "42601"),
        ("DELETE FROM customer_value", "25006"),
        ("CREATE TABLE a (b INT)", "25006"),
        ("COPY customer_value FROM STDIN", "25006"),
        ("COPY customer_value TO '/tmp/x'", "25006"),
        ("FETCH BACKWARD 1 FROM c", "0A000"),
        ("COPY customer_value TO STDOUT (FORMAT binary)", "0A000"),
        ("COPY customer_value TO STDOUT CSV DELIMITER ';'", "0A000"),
        (
            "COPY customer_value TO STDOUT (FORMAT csv, HEADER false)",
            "0A000",
        ),
        ("SELECT $65536", "54000"),
        ("SELECT $18446744073709551616", "54000"),
        ("SET x", "42601"),
    ] {
        let failure = commands(text).unwrap_err();
        assert_eq!(sqlstate(&failure), state, "{text}: {failure}");
    }
}

#[test]
fn statements_are_told_apart() {
    let kinds = |text: &str| {
        let all = commands(text).unwrap();
        all.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>()
    };
    assert_eq!(kinds(" ; -- nothing\n;"), Vec::<String>::new());
    assert_eq!(
        kinds("BEGIN; COMMIT;\nROLLBACK TO SAVEPOINT a"),
        ["Begin", "Commit", "RollbackTo"]
    );
    let set = r#"Set { name: "tenfold.snapshot", value: Some("3") }"#;
    assert_eq!(kinds("SET SESSION tenfold.snapshot TO '3'"), [set]);
    let zone = r#"Set { name: "timezone", value: None }"#;
    assert_eq!(kinds("SET TIME ZONE DEFAULT"), [zone]);
    assert_eq!(kinds("RESET timezone"), [zone]);
    assert_eq!(
        kinds("SHOW TRANSACTION ISOLATION LEVEL"),
        [r#"Show("transaction_isolation")"#]
    );
    assert_eq!(
        kinds("FETCH FORWARD 10 FROM \"C\"; FETCH ALL IN c; FETCH c"),
        [
            r#"Fetch { name: "C", rows: Some(10) }"#,
            r#"Fetch { name: "c", rows: None }"#,
            r#"Fetch { name: "c", rows: Some(1) }"#,
        ]
    );
    let two = commands("SELECT ';' AS \"ä;\" ; SELECT 2").unwrap();
    assert_eq!(two.len(), 2);
    for copy in [
        "COPY (SELECT 1) TO STDOUT WITH (FORMAT csv, HEADER)",
        "COPY customer_value TO STDOUT CSV HEADER",
    ] {
        let one = commands(copy).unwrap();
        assert!(
            matches!(
                one[..],
                [Command::CopyOut {
                    csv: true,
                    header: true,
                    ..
                }]
            ),
            "{copy}"
        );
    }
}

#[tokio::test]
async fn what_psql_describes_in_full_is_told() {
    let session = session().await;
    let options = "SELECT c.relname, pg_catalog.array_to_string(c.reloptions || array(select 'toast.' || x \
                   from pg_catalog.unnest(tc.reloptions) x), ', ') FROM pg_catalog.pg_class c \
                   LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid) WHERE c.relname = 'dim_date'";
    let options = ask(&session, options).await.unwrap();
    assert!(options[0].starts_with("dim_date|"), "{options:?}");
    let index = "SELECT c.relname, i.indisprimary, (NOT i.indimmediate) AND EXISTS (SELECT 1 FROM \
                 pg_catalog.pg_constraint WHERE conrelid = i.indrelid AND conindid = i.indexrelid AND \
                 contype IN ('p','u','x') AND condeferrable) AS condeferrable, pg_catalog.pg_size_pretty(\
                 pg_catalog.pg_table_size(c.oid)) FROM pg_catalog.pg_index i, pg_catalog.pg_class c \
                 WHERE i.indexrelid = c.oid AND c.relname = 'dim_date_pkey'";
    let index = ask(&session, index).await.unwrap();
    assert!(
        index[0].starts_with("dim_date_pkey|true|false|"),
        "{index:?}"
    );
    for nothing in [
        "SELECT conname FROM pg_conversion c WHERE pg_conversion_is_visible(c.oid)",
        "SELECT l.lanname FROM pg_language l LEFT JOIN pg_description d ON d.classoid = l.tableoid",
        "SELECT extname FROM pg_extension WHERE oid = 'pg_catalog.pg_extension'::pg_catalog.regclass",
        "SELECT o.amopopr::pg_catalog.regoperator FROM pg_catalog.pg_amop o",
        "SELECT collname FROM pg_collation WHERE collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))",
    ] {
        assert_eq!(ask(&session, nothing).await.unwrap(), [""; 0], "{nothing}");
    }
    let setting =
        "SELECT current_setting(name) FROM (VALUES ('timezone'), ('none')) AS asked(name)";
    let setting = ask(&session, setting).await.unwrap();
    assert_eq!(setting[0], "UTC");
}
