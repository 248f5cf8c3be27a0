//! Whether the SQL of a project's tables can be planned over the tables of its newest snapshot, before a
//! refresh runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion::datasource::MemTable;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_core::project::{Engine, Project, Publish, Retention, UserTable};
use tenfold_core::refresh::CODE_VERSION;
use tenfold_core::refresh::task::StatementInputs;
use tenfold_core::snapshot::{Manifest, TableEntry};
use tenfold_store::object::Store;

use super::since::DELETE;
use super::spread::check_order;
use super::view::register_view;
use crate::engine::UserStatement;
use crate::error;
use crate::session::{Contents, NO_EVENTS, Session, SessionOptions};

/// Plans the tables and views of a project over the tables of a snapshot, without computing a row. Gives what
/// is wrong with them; none where the next snapshot's own tables may have other columns.
///
/// # Errors
/// When the store does not answer.
pub async fn check_columns(
    project: &Project,
    head: &Manifest,
    store: &Store,
    options: SessionOptions,
) -> Result<Option<Vec<Failure>>, Failure> {
    if head.code_version != CODE_VERSION || of_its_own(project) != of_its_own(&head.declarations) {
        return Ok(None);
    }
    let built_in = project.built_in_tables();
    let made = |name: &str| {
        let declared = project.tables.iter().find(|table| table.name == name);
        built_in.contains(&name) || declared.is_some_and(|table| table.by_tenfold)
    };
    let tables = head.tables.iter();
    let tables: BTreeMap<String, TableEntry> = tables
        .filter(|(name, _)| made(name))
        .map(|(name, entry)| (name.clone(), entry.clone()))
        .collect();
    let contents = Contents {
        tables: &tables,
        declared: &[],
        as_of: Some(head.as_of),
        events: &NO_EVENTS,
        arrived: None,
    };
    let mut check = Check {
        session: Session::open_contents(store, contents, options).await?,
        inputs: StatementInputs {
            declared: project.tables.clone(),
            tables,
            as_of: head.as_of,
            events: BTreeMap::new(),
        },
        store,
        unknown: BTreeSet::new(),
    };
    let mut wrong = Vec::new();
    for table in &project.tables {
        match check.table(table).await {
            Ok(()) => {}
            Err(failure) if failure.class == FailureClass::UserConfig => {
                check.unknown.insert(table.name.clone());
                wrong.push(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Some(wrong))
}

/// What decides about the tables that Tenfold makes.
fn of_its_own(project: &Project) -> Project {
    Project {
        tables: Vec::new(),
        retention: Retention::default(),
        publish: Publish::default(),
        engine: Engine::default(),
        ..project.clone()
    }
}

struct Check<'a> {
    session: Session,
    inputs: StatementInputs,
    store: &'a Store,
    /// Tables and views whose columns are not known.
    unknown: BTreeSet<String>,
}

impl Check<'_> {
    /// Plans a table or view, and lets those after it read it.
    async fn table(&mut self, table: &UserTable) -> Result<(), Failure> {
        let known = |name: &String| self.inputs.tables.contains_key(name);
        // Those of Tenfold's own are as the snapshot has them, if it has them.
        if table.by_tenfold && known(&table.name) {
            return Ok(());
        }
        if table.by_tenfold
            || table.reads.iter().any(|read| self.unknown.contains(read))
            || !table.changes.iter().all(known)
        {
            self.unknown.insert(table.name.clone());
            return Ok(());
        }
        let context = self.session.context();
        if !table.is_table() {
            return register_view(context, table).await.map(|_| ());
        }
        let frame = self
            .session
            .columns(UserStatement {
                table,
                inputs: &self.inputs,
                since: None,
                store: self.store,
            })
            .await?;
        if table.engine == Engine::Ballista {
            check_order(&frame, table)?;
        }
        let fields = frame.schema().fields().iter();
        let fields: Vec<FieldRef> = fields.filter(|f| f.name() != DELETE).cloned().collect();
        let fail = |error| error::failure(&error, &[]);
        let empty = MemTable::try_new(Arc::new(Schema::new(fields)), vec![Vec::new()]);
        let registered =
            context.register_table(table.name.as_str(), Arc::new(empty.map_err(fail)?));
        registered.map(|_| ()).map_err(fail)
    }
}
