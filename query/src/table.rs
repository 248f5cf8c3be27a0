//! A table of a snapshot as DataFusion sees it: a fixed list of Parquet files.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use tenfold_core::audience::EventsRun;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::snapshot::{TableEntry, TableFile};
use tenfold_store::delta::read_files_at;
use tenfold_store::object::Store;

use crate::error::failure;

/// The column that says a row's shard. It is in the manifest, not in the files.
pub(crate) const SHARD: &str = "shard";

/// The files of one table, with what the manifest says about them.
pub(crate) struct SnapshotTable {
    format: ParquetFormat,
    objects: ObjectStoreUrl,
    schema: TableSchema,
    files: Vec<PartitionedFile>,
    /// Whether all rows of the files are its own, so that it is known how many there are.
    is_whole: bool,
}

/// Makes the provider of a table. The schema comes from the footer of its first file, since all
/// files of a table have the same, and from the Delta log when there is no file.
pub(crate) async fn open(
    session: &dyn Session,
    store: &Store,
    objects: &ObjectStoreUrl,
    name: &str,
    entry: &TableEntry,
) -> Result<Arc<dyn TableProvider>, Failure> {
    let Some(first) = entry.files.first() else {
        return open_empty(store, name, entry).await;
    };
    let sharded = first.shard.is_some();
    if entry
        .files
        .iter()
        .any(|file| file.shard.is_some() != sharded)
    {
        return Err(Failure::bug(format!(
            "table {name}: only some of its files have a shard"
        )));
    }
    // Text stays plain text, as the files have it, so that every client sees one type.
    let format = ParquetFormat::new().with_force_view_types(false);
    let place = place(store, entry, first);
    let in_file = format
        .infer_schema(
            session,
            store.objects(),
            std::slice::from_ref(&place.object_meta),
        )
        .await
        .map_err(|error| failure(&error, &[]).within(format!("table {name}")))?;
    let shard = sharded.then(|| Arc::new(Field::new(SHARD, DataType::Int32, false)));
    let files = entry
        .files
        .iter()
        .map(|file| scanned(store, entry, file, &in_file))
        .collect();
    Ok(Arc::new(SnapshotTable {
        format,
        objects: objects.clone(),
        schema: TableSchema::builder(in_file)
            .with_table_partition_cols(shard.into_iter().collect::<Vec<_>>())
            .build(),
        files,
        is_whole: true,
    }))
}

/// A part that is read like a file of a table, and which of its row groups.
pub(crate) struct PartOf {
    path: String,
    bytes: u64,
    rows: Option<u64>,
    wanted: Option<ParquetAccessPlan>,
}

impl From<&PartRef> for PartOf {
    fn from(part: &PartRef) -> Self {
        Self {
            path: part.path.clone(),
            bytes: part.bytes,
            rows: Some(part.rows),
            wanted: None,
        }
    }
}

impl From<&EventsRun> for PartOf {
    fn from(run: &EventsRun) -> Self {
        let groups = run.row_groups as usize;
        let mut wanted = ParquetAccessPlan::new_none(groups);
        for (first, count) in &run.wanted {
            let first = *first as usize;
            (first..first + *count as usize)
                .filter(|group| *group < groups)
                .for_each(|group| wanted.scan(group));
        }
        Self {
            rows: None,
            wanted: Some(wanted),
            ..Self::from(&run.part)
        }
    }
}

/// Where parts are opened: for which queries, and from which store by which address.
pub(crate) type Opening<'a> = (&'a SessionContext, &'a Store, &'a ObjectStoreUrl);

/// Makes a provider of parts that have the same columns; there is one at least.
pub(crate) async fn open_parts<P>(
    (context, store, objects): Opening<'_>,
    parts: &[P],
) -> Result<Arc<dyn TableProvider>, Failure>
where
    for<'a> PartOf: From<&'a P>,
{
    let parts: Vec<PartOf> = parts.iter().map(PartOf::from).collect();
    let state = context.state();
    let file = |part: &PartOf| {
        let mut file = PartitionedFile::new("", part.bytes);
        file.object_meta.location = store.path(&part.path);
        file
    };
    let format = ParquetFormat::new().with_force_view_types(false);
    let first: Vec<_> = parts
        .iter()
        .take(1)
        .map(|part| file(part).object_meta)
        .collect();
    let schema = format.infer_schema(&state, store.objects(), &first).await;
    let schema = schema.map_err(|error| failure(&error, &[]).within("a part of the state"))?;
    let files = parts.iter().map(|part| {
        let known = match part.rows {
            Some(rows) => row_count(&schema, rows as usize),
            None => Statistics::new_unknown(&schema),
        };
        let file = file(part).with_statistics(Arc::new(known));
        match &part.wanted {
            Some(wanted) => file.with_extension(wanted.clone()),
            None => file,
        }
    });
    Ok(Arc::new(SnapshotTable {
        format,
        objects: objects.clone(),
        files: files.collect(),
        schema: TableSchema::builder(schema).build(),
        is_whole: parts.iter().all(|part| part.rows.is_some()),
    }))
}

async fn open_empty(
    store: &Store,
    name: &str,
    entry: &TableEntry,
) -> Result<Arc<dyn TableProvider>, Failure> {
    let root = store.path(&entry.root);
    let listing = read_files_at(store.objects().clone(), &root, Some(entry.delta_version))
        .await
        .map_err(|error| Failure::dependency(format!("table {name} has no files: {error}")))?;
    Ok(Arc::new(EmptyTable::new(Arc::new(listing.schema))))
}

fn place(store: &Store, entry: &TableEntry, file: &TableFile) -> PartitionedFile {
    let mut place = PartitionedFile::new("", file.bytes);
    // Set here, because the constructor would escape the path a second time.
    place.object_meta.location = store.path(&format!("{}/{}", entry.root, file.path));
    place
}

fn scanned(
    store: &Store,
    entry: &TableEntry,
    file: &TableFile,
    in_file: &SchemaRef,
) -> PartitionedFile {
    // A shard is below 2^31: the count of shards is a power of two that fits 32 bits.
    let shard = file
        .shard
        .map(|shard| ScalarValue::Int32(Some(shard as i32)));
    place(store, entry, file)
        .with_partition_values(shard.into_iter().collect())
        .with_statistics(Arc::new(row_count(in_file, file.rows as usize)))
}

fn row_count(schema: &SchemaRef, rows: usize) -> Statistics {
    Statistics {
        num_rows: Precision::Exact(rows),
        ..Statistics::new_unknown(schema)
    }
}

fn rows_of(files: &[PartitionedFile]) -> usize {
    let rows = |file: &PartitionedFile| file.statistics.as_ref()?.num_rows.get_value().copied();
    files.iter().filter_map(rows).sum()
}

impl SnapshotTable {
    /// The files that may hold rows for which all filters are true, going by their shards.
    fn files_for(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> DataFusionResult<Vec<PartitionedFile>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(self.files.clone());
        };
        let schema = self.schema.table_schema();
        let filter = state.create_physical_expr(filter, &schema.as_ref().clone().try_into()?)?;
        let known = self
            .files
            .iter()
            .filter_map(|file| file.statistics.clone())
            .collect();
        let kept = PruningPredicateBuilder::new()
            .with_file_schema(schema.clone())
            .try_build(filter)?
            .prune(&PrunableStatistics::new(known, schema.clone()))?;
        let kept = self.files.iter().zip(kept).filter(|(_, kept)| *kept);
        Ok(kept.map(|(file, _)| file.clone()).collect())
    }
}

impl fmt::Debug for SnapshotTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotTable")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters prune files by shard, row groups by their statistics, and are evaluated while
    /// rows are decoded; DataFusion repeats what the files could not decide.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows = || row_count(self.schema.table_schema(), rows_of(&self.files));
        self.is_whole.then(rows)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let files = self.files_for(state, filters)?;
        if files.is_empty() {
            let schema = project_schema(self.schema.table_schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let rows = match self.is_whole {
            true => row_count(self.schema.table_schema(), rows_of(&files)),
            false => Statistics::new_unknown(self.schema.table_schema()),
        };
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let source = self.format.file_source(self.schema.clone());
        let scan = FileScanConfigBuilder::new(self.objects.clone(), source)
            .with_file_groups(groups)
            .with_statistics(rows)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        self.format.create_physical_plan(state, scan).await
    }
}
