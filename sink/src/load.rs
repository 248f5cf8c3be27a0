//! Loading a snapshot.

use std::time::Duration;

use futures::SinkExt;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_json;
use tenfold_core::snapshot::{Manifest, Meaning, TableEntry};
use tenfold_query::{Session, SessionOptions};
use tenfold_store::object::Store;
use tokio::time::sleep;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use crate::connect::Target;
use crate::tables::{Table, lines, name};

/// The schema in which it is written down what was loaded.
const RECORDS: &str = "tenfold";
/// The column that says where a row lies in the store; it means nothing elsewhere.
const SHARD: &str = "shard";
/// How often the tables are asked for, when queries over them do not end.
const TRIES: u32 = 120;
/// How long to wait for all tables each time: shorter than PostgreSQL waits before it ends somebody's
/// query because two wait for each other.
const LOCK_WAIT: &str = "500ms";
/// What the schema has at its end in which the tables are made.
const STAGING: &str = "_loading";
/// Bytes of a name in PostgreSQL: it cuts off what is longer.
const NAME: usize = 63;
/// Pause between two tries, for readers to get on.
const PAUSE: Duration = Duration::from_millis(500);

/// What is loaded, and how.
#[derive(Debug, Clone)]
pub struct Load {
    /// The schema that the tables are in.
    pub schema: String,
    /// Which tables; all when it is empty.
    pub tables: Vec<String>,
    /// Whether an older snapshot may take the place of a newer one.
    pub older: bool,
    /// What reading may use.
    pub options: SessionOptions,
}

/// What a load did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The snapshot is there now.
    Loaded {
        /// Tables that were loaded.
        tables: usize,
        /// Their rows.
        rows: u64,
    },
    /// It was there already.
    Unchanged,
}

/// Loads a snapshot into a database.
///
/// # Errors
/// When the database has a newer one, a table is unknown, or the database or the store fails. Then the
/// database is as it was.
pub async fn load(
    store: &Store,
    manifest: &Manifest,
    target: &Target,
    load: &Load,
) -> Result<Outcome, Failure> {
    if load.schema.len() + STAGING.len() > NAME {
        return Err(
            Failure::config(format!("the schema name {} is too long", load.schema)).remedy(
                format!("give one of {} bytes at most", NAME - STAGING.len()),
            ),
        );
    }
    let identity = identity(manifest, load)?;
    let session = Session::of(store, manifest, load.options).await?;
    let tables = tables(&session, manifest, load)?;
    let mut client = target.connect().await?;
    let loading = Loading {
        target,
        load,
        manifest,
    };
    loading.prepare(&client).await?;
    let transaction = client.transaction().await.map_err(loading.wrong("begin"))?;
    if loading.is_there(&transaction, &identity).await? {
        return Ok(Outcome::Unchanged);
    }
    let rows = loading.stage(&transaction, &session, &tables).await?;
    loading.swap(&transaction, &tables).await?;
    loading.record(&transaction, &identity, &tables).await?;
    transaction
        .commit()
        .await
        .map_err(loading.wrong("commit"))?;
    Ok(Outcome::Loaded {
        tables: tables.len(),
        rows,
    })
}

/// What makes a load the same as another: the content of the snapshot's tables, and which of them.
fn identity(manifest: &Manifest, load: &Load) -> Result<String, Failure> {
    let files = |table: &TableEntry| (table.content_hash.clone(), table.root.clone());
    let tables: Vec<_> = manifest
        .tables
        .iter()
        .map(|(name, table)| (name, files(table)))
        .collect();
    sha256_json(&(tables, &load.tables))
        .map_err(|error| Failure::bug(format!("cannot hash a manifest: {error}")))
}

fn tables<'a>(
    session: &Session,
    manifest: &'a Manifest,
    load: &Load,
) -> Result<Vec<Table<'a>>, Failure> {
    let unknown = load
        .tables
        .iter()
        .find(|name| !manifest.tables.contains_key(*name));
    if let Some(unknown) = unknown {
        let all: Vec<&str> = manifest.tables.keys().map(String::as_str).collect();
        return Err(Failure::config(format!(
            "snapshot {} has no table {unknown}",
            manifest.number
        ))
        .code(ErrorCode::UnknownName)
        .remedy(format!("its tables are {}", all.join(", "))));
    }
    let chosen = manifest
        .tables
        .keys()
        .filter(|name| load.tables.is_empty() || load.tables.contains(name));
    let table = |name: &String| {
        let schema = session.schema(name)?;
        let fields = schema.fields().iter().filter(|field| field.name() != SHARD);
        let fields: Vec<_> = fields.cloned().collect();
        Some(Table {
            name: name.clone(),
            schema: std::sync::Arc::new(arrow::datatypes::Schema::new(fields)),
            meaning: Meaning::of(name, &manifest.declarations.tables),
        })
    };
    Ok(chosen.filter_map(table).collect())
}

struct Loading<'a> {
    target: &'a Target,
    load: &'a Load,
    manifest: &'a Manifest,
}

impl Loading<'_> {
    fn wrong(&self, doing: &'static str) -> impl Fn(tokio_postgres::Error) -> Failure + '_ {
        move |error| self.target.failure(doing, &error)
    }

    /// The schema in which the tables are made.
    fn staging(&self) -> String {
        format!("{}{STAGING}", self.load.schema)
    }

    /// Makes the place for records, once. Two that do so at the same time may get into each other's
    /// way, and the second try finds it made.
    async fn prepare(&self, client: &Client) -> Result<(), Failure> {
        let make = format!(
            "CREATE SCHEMA IF NOT EXISTS {RECORDS}; \
             CREATE TABLE IF NOT EXISTS {RECORDS}.published (\
             schema text PRIMARY KEY, snapshot bigint NOT NULL, identity text NOT NULL, \
             tables text[] NOT NULL, as_of date NOT NULL, published_at timestamptz NOT NULL, \
             loaded_at timestamptz NOT NULL DEFAULT now())"
        );
        if client.batch_execute(&make).await.is_ok() {
            return Ok(());
        }
        let made = client.batch_execute(&make).await;
        made.map_err(self.wrong("make the table tenfold.published"))
    }

    /// Whether the snapshot is there. Until the end of the transaction nobody else loads into this
    /// schema.
    async fn is_there(
        &self,
        transaction: &Transaction<'_>,
        identity: &str,
    ) -> Result<bool, Failure> {
        let key = format!("tenfold {}", self.load.schema);
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let locked = transaction.execute(lock, &[&key]).await;
        locked.map_err(self.wrong("wait for another load"))?;
        let known = "SELECT snapshot, identity FROM tenfold.published WHERE schema = $1";
        let row = transaction.query_opt(known, &[&self.load.schema]).await;
        let Some(row) = row.map_err(self.wrong("read what was loaded"))? else {
            return Ok(false);
        };
        let (snapshot, known): (i64, String) = (row.get(0), row.get(1));
        let number = self.number()?;
        if snapshot > number && !self.load.older {
            return Err(Failure::config(format!(
                "{} has snapshot {snapshot} in {}, which is newer than {number}",
                self.target.place(),
                self.load.schema
            ))
            .code(ErrorCode::NewerLoaded)
            .remedy("leave it, or load the older one with --older"));
        }
        Ok(snapshot == number && known == identity)
    }

    fn number(&self) -> Result<i64, Failure> {
        i64::try_from(self.manifest.number)
            .map_err(|_| Failure::bug("the number of a snapshot does not fit"))
    }

    /// Makes the tables with their rows, keys and comments where nobody looks.
    async fn stage(
        &self,
        transaction: &Transaction<'_>,
        session: &Session,
        tables: &[Table<'_>],
    ) -> Result<u64, Failure> {
        let staging = self.staging();
        let quoted = name(&staging);
        // A load that ended half way left none: one that is there is somebody else's.
        let make = format!("CREATE SCHEMA {quoted}");
        let made = transaction.batch_execute(&make).await;
        made.map_err(self.wrong("make a schema"))?;
        let version: String = transaction
            .query_one("SHOW server_version_num", &[])
            .await
            .map_err(self.wrong("ask for its version"))?
            .get(0);
        let distinct = version.parse().unwrap_or(0) >= 150_000;
        let mut rows = 0;
        for table in tables {
            let made = transaction.batch_execute(&table.create(&staging)).await;
            made.map_err(self.wrong("make a table"))?;
            rows += self.copy(transaction, session, table).await?;
            for statement in table.finish(&staging, distinct) {
                let done = transaction.batch_execute(&statement).await;
                done.map_err(self.wrong("add keys and comments"))?;
            }
        }
        for table in tables {
            for statement in table.references(&staging, tables) {
                let done = transaction.batch_execute(&statement).await;
                done.map_err(self.wrong("add references"))?;
            }
        }
        Ok(rows)
    }

    async fn copy(
        &self,
        transaction: &Transaction<'_>,
        session: &Session,
        table: &Table<'_>,
    ) -> Result<u64, Failure> {
        let sink = transaction
            .copy_in(table.copy(&self.staging()).as_str())
            .await;
        let sink = sink.map_err(self.wrong("copy rows"))?;
        let mut sink = std::pin::pin!(sink);
        let mut answer = session.sql(&table.query()).await?;
        while let Some(batch) = answer.next().await? {
            let sent = sink.send(lines(&batch)?).await;
            sent.map_err(self.wrong("copy rows"))?;
        }
        sink.finish().await.map_err(self.wrong("copy rows"))
    }

    /// Puts the tables in the place of those that were there. Whoever reads one of those is waited
    /// for, so that no query and no transaction sees tables of two snapshots.
    async fn swap(
        &self,
        transaction: &Transaction<'_>,
        tables: &[Table<'_>],
    ) -> Result<(), Failure> {
        let (schema, staging) = (name(&self.load.schema), name(&self.staging()));
        let make = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
        let made = transaction.batch_execute(&make).await;
        made.map_err(self.wrong("make a schema"))?;
        let before = self.before(transaction, tables).await?;
        let rights = self.rights(transaction, tables).await?;
        if !before.is_empty() {
            let old: Vec<String> = before
                .iter()
                .map(|old| format!("{schema}.{}", name(old)))
                .collect();
            let old = old.join(", ");
            self.lock(transaction, &old).await?;
            let drop = format!("DROP TABLE {old}");
            let dropped = transaction.batch_execute(&drop).await;
            dropped.map_err(self.wrong("replace the tables from before"))?;
        }
        for table in tables {
            let one = name(&table.name);
            let put = format!("ALTER TABLE {staging}.{one} SET SCHEMA {schema}");
            let done = transaction.batch_execute(&put).await;
            done.map_err(self.wrong("put a table in its place"))?;
        }
        for right in rights {
            let done = transaction.batch_execute(&right).await;
            done.map_err(self.wrong("give others the rights that they had"))?;
        }
        let drop = format!("DROP SCHEMA {staging}");
        let done = transaction.batch_execute(&drop).await;
        done.map_err(self.wrong("remove a schema"))
    }

    /// Tables that an earlier load made: they are replaced, or the snapshot has them no more. One of the
    /// same name that somebody else made is left alone, and said to be in the way.
    async fn before(
        &self,
        transaction: &Transaction<'_>,
        tables: &[Table<'_>],
    ) -> Result<Vec<String>, Failure> {
        let asked = "SELECT tablename::text, tablename = ANY (COALESCE((SELECT tables \
                     FROM tenfold.published WHERE schema = $1), '{}')) \
                     FROM pg_tables WHERE schemaname = $1 ORDER BY 1";
        let there = transaction.query(asked, &[&self.load.schema]).await;
        let there = there.map_err(self.wrong("list its tables"))?;
        let mut before = Vec::new();
        for row in &there {
            let (one, ours): (String, bool) = (row.get(0), row.get(1));
            let wanted = tables.iter().any(|table| table.name == one);
            if wanted && !ours {
                return Err(Failure::config(format!(
                    "{} has a table {one} in {} that was not made by a load",
                    self.target.place(),
                    self.load.schema
                ))
                .code(ErrorCode::Database)
                .remedy("give another --schema, or rename that table"));
            }
            before.extend(ours.then_some(one));
        }
        Ok(before)
    }

    /// Statements that give others what they may do with these tables now. What they may do with one
    /// that is loaded no more goes with it.
    async fn rights(
        &self,
        transaction: &Transaction<'_>,
        tables: &[Table<'_>],
    ) -> Result<Vec<String>, Failure> {
        let asked = "SELECT format('GRANT %s ON %I.%I TO %s', privilege_type, table_schema, \
                     table_name, CASE grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(grantee) \
                     END), table_name::text FROM information_schema.table_privileges \
                     WHERE table_schema = $1 AND grantee <> current_user";
        let rows = transaction.query(asked, &[&self.load.schema]).await;
        let rows = rows.map_err(self.wrong("read who may do what"))?;
        let kept = rows.iter().filter(|row| {
            let of: String = row.get(1);
            tables.iter().any(|table| table.name == of)
        });
        Ok(kept.map(|row| row.get(0)).collect())
    }

    async fn lock(&self, transaction: &Transaction<'_>, tables: &str) -> Result<(), Failure> {
        // The time of the statement, since that of a lock begins anew with each table.
        let lock = format!(
            "SET LOCAL statement_timeout = '{LOCK_WAIT}'; \
             LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE; SET LOCAL statement_timeout = 0",
        );
        for _ in 1..TRIES {
            let mark = transaction.batch_execute("SAVEPOINT locking").await;
            mark.map_err(self.wrong("set a mark"))?;
            match transaction.batch_execute(&lock).await {
                Ok(()) => return Ok(()),
                Err(error) if is_busy(&error) => {
                    let back = transaction
                        .batch_execute("ROLLBACK TO SAVEPOINT locking")
                        .await;
                    back.map_err(self.wrong("go back to a mark"))?;
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(self.target.failure("lock its tables", &error)),
            }
        }
        let locked = transaction.batch_execute(&lock).await;
        locked.map_err(self.wrong("replace tables that others go on reading"))
    }

    async fn record(
        &self,
        transaction: &Transaction<'_>,
        identity: &str,
        tables: &[Table<'_>],
    ) -> Result<(), Failure> {
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let (number, as_of) = (self.number()?, self.manifest.as_of.to_string());
        let write = "INSERT INTO tenfold.published (schema, snapshot, identity, tables, as_of, \
                     published_at) VALUES ($1, $2, $3, $4, $5::text::date, $6::text::timestamptz) \
                     ON CONFLICT (schema) DO UPDATE SET snapshot = excluded.snapshot, \
                     identity = excluded.identity, tables = excluded.tables, as_of = excluded.as_of, \
                     published_at = excluded.published_at, loaded_at = now()";
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] = [
            &self.load.schema,
            &number,
            &identity,
            &names,
            &as_of,
            &self.manifest.published_at,
        ];
        let written = transaction.execute(write, &values).await;
        written
            .map(|_| ())
            .map_err(self.wrong("write down what was loaded"))
    }
}

/// Whether somebody reads what is to be replaced.
fn is_busy(error: &tokio_postgres::Error) -> bool {
    [
        Some(&SqlState::QUERY_CANCELED),
        Some(&SqlState::LOCK_NOT_AVAILABLE),
        Some(&SqlState::T_R_DEADLOCK_DETECTED),
    ]
    .contains(&error.code())
}
