//! Result records: how a finished task stays finished.
//!
//! A record lies at `_work/results/<task>/<n>.json` and is created only if absent. The first one
//! whose parts are all there counts; a bad one is superseded by the next number, never replaced. So a
//! record need not outlast a power cut, and is not synced.

use std::collections::HashSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::refresh::CODE_VERSION;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::TaskOutput;

use crate::object::{Created, Store};
use crate::part::is_content;

/// Where records lie.
pub const RESULTS: &str = "_work/results";

/// How often a task's record may turn out to be bad before something else must be wrong.
const SUPERSEDED_MAX: u32 = 16;

/// What a task answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// Version of this record's form.
    #[serde(default = "format::first")]
    pub format: u32,
    /// Identity of the task.
    pub task: String,
    /// Version of the code that answered.
    pub code_version: u32,
    /// The answer.
    pub output: TaskOutput,
}

impl ResultRecord {
    /// Version of the record's form that this program writes.
    pub const FORMAT: u32 = 1;
}

/// Where the n-th record of a task lies.
pub fn record_path(task: &str, number: u32) -> String {
    format!("{RESULTS}/{task}/{number}.json")
}

/// The tasks that have a record, by a listing: a hint of where to look, since a listing may lag.
///
/// # Errors
/// When the store does not answer.
pub async fn recorded_tasks(store: &Store) -> Result<HashSet<String>, Failure> {
    let listed = store.list(RESULTS).await?;
    let tasks = listed.iter().filter_map(|meta| {
        let relative = store.relative(&meta.location);
        let name = relative.strip_prefix(RESULTS)?.trim_start_matches('/');
        Some(name.split('/').next()?.to_owned())
    });
    Ok(tasks.collect())
}

/// The answer of a task that an earlier attempt left, if its parts are all there.
///
/// # Errors
/// When the store does not answer.
pub async fn adopt(store: &Store, task: &str) -> Result<Option<TaskOutput>, Failure> {
    Ok(newest(store, task).await?.1)
}

/// Keeps the answer of a task: unless another attempt was first, in which case its answer counts.
///
/// # Errors
/// When the store refuses, or another attempt answered differently: tasks are pure, so that means
/// that Tenfold is wrong, and nothing must be published.
pub async fn settle(store: &Store, task: &str, output: TaskOutput) -> Result<TaskOutput, Failure> {
    let record = ResultRecord {
        format: ResultRecord::FORMAT,
        task: task.to_owned(),
        code_version: CODE_VERSION,
        output: output.clone(),
    };
    let bytes = serde_json::to_vec(&record).map_err(|error| Failure::bug(error.to_string()))?;
    let bytes = Bytes::from(bytes);
    let mut next = 0;
    for _ in 0..SUPERSEDED_MAX {
        let path = record_path(task, next);
        if store.create_unsynced(&path, bytes.clone()).await? == Created::Ours {
            return Ok(output);
        }
        let (free, found) = newest(store, task).await?;
        if let Some(found) = found {
            return same(task, output, found);
        }
        next = free;
    }
    Err(
        Failure::dependency(format!("no record of task {task} stays whole"))
            .remedy("check the store: `_work` loses files while they are in use"),
    )
}

fn same(task: &str, ours: TaskOutput, theirs: TaskOutput) -> Result<TaskOutput, Failure> {
    if ours == theirs {
        return Ok(ours);
    }
    Err(Failure::bug(format!(
        "two attempts of task {task} gave different answers"
    ))
    .remedy("report this; nothing was published"))
}

/// The next free number of a task's records, and the answer of the first good one.
async fn newest(store: &Store, task: &str) -> Result<(u32, Option<TaskOutput>), Failure> {
    for number in 0.. {
        let path = record_path(task, number);
        let Some(bytes) = store.get_if_present(&path).await? else {
            return Ok((number, None));
        };
        let record: ResultRecord = match format::read(&bytes, ResultRecord::FORMAT, &path) {
            Ok(record) => record,
            Err(newer) if format::is_newer(&newer) => return Err(newer),
            Err(_) => continue,
        };
        if record.code_version == CODE_VERSION && is_whole(store, &record.output).await? {
            return Ok((number, Some(record.output)));
        }
    }
    Ok((u32::MAX, None))
}

async fn is_whole(store: &Store, output: &TaskOutput) -> Result<bool, Failure> {
    for part in output.parts() {
        if !is_intact(store, part).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a part is there with the bytes that were written.
async fn is_intact(store: &Store, part: &PartRef) -> Result<bool, Failure> {
    if store.size(&part.path).await? != Some(part.bytes) {
        return Ok(false);
    }
    let bytes = store.get_if_present(&part.path).await?;
    Ok(bytes.is_some_and(|bytes| is_content(part, &bytes)))
}

#[cfg(test)]
mod tests {
    use tenfold_core::refresh::task::GatherOutput;

    use super::*;
    use crate::part::{WORK, put_part};

    async fn answer(store: &Store, content: &[u8]) -> TaskOutput {
        let part = put_part(store, WORK, "arrow", 1, content.to_vec())
            .await
            .unwrap();
        TaskOutput::Gather(GatherOutput {
            candidates: Some(part),
        })
    }

    fn part_path(output: &TaskOutput) -> String {
        output.parts()[0].path.clone()
    }

    #[tokio::test]
    async fn a_settled_task_is_adopted() {
        let store = Store::in_memory();
        assert_eq!(adopt(&store, "t").await.unwrap(), None);
        let output = answer(&store, b"rows").await;
        assert_eq!(settle(&store, "t", output.clone()).await.unwrap(), output);
        assert_eq!(settle(&store, "t", output.clone()).await.unwrap(), output);
        assert_eq!(adopt(&store, "t").await.unwrap(), Some(output));
        assert!(recorded_tasks(&store).await.unwrap().contains("t"));
        assert_eq!(store.list(RESULTS).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_record_without_its_part_is_superseded() {
        let store = Store::in_memory();
        let lost = settle(&store, "t", answer(&store, b"lost").await)
            .await
            .unwrap();
        store.delete(&part_path(&lost)).await.unwrap();
        assert_eq!(adopt(&store, "t").await.unwrap(), None);
        let again = answer(&store, b"lost").await;
        settle(&store, "t", again.clone()).await.unwrap();
        assert_eq!(adopt(&store, "t").await.unwrap(), Some(again));
    }

    #[tokio::test]
    async fn a_record_of_a_damaged_part_is_superseded() {
        let store = Store::in_memory();
        let output = settle(&store, "t", answer(&store, b"whole").await)
            .await
            .unwrap();
        let damaged = Bytes::from_static(b"whale");
        store.put(&part_path(&output), damaged).await.unwrap();
        assert_eq!(adopt(&store, "t").await.unwrap(), None);
        let again = answer(&store, b"whole").await;
        assert_eq!(settle(&store, "t", again).await.unwrap(), output);
    }

    #[tokio::test]
    async fn a_cut_record_is_superseded() {
        let store = Store::in_memory();
        store
            .create(&record_path("t", 0), Bytes::from_static(b"{\"task\":"))
            .await
            .unwrap();
        let output = answer(&store, b"rows").await;
        settle(&store, "t", output.clone()).await.unwrap();
        assert_eq!(adopt(&store, "t").await.unwrap(), Some(output));
        assert!(store.size(&record_path("t", 1)).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_newer_record_is_refused_by_name() {
        let store = Store::in_memory();
        let path = record_path("t", 0);
        let newer = Bytes::from_static(b"{\"format\": 2}");
        store.create(&path, newer).await.unwrap();
        let refused = adopt(&store, "t").await.unwrap_err();
        assert!(format::is_newer(&refused));
        assert!(refused.message.contains(&path), "{refused}");
    }

    #[tokio::test]
    async fn different_answers_stop_everything() {
        let store = Store::in_memory();
        settle(&store, "t", answer(&store, b"one").await)
            .await
            .unwrap();
        let refused = settle(&store, "t", answer(&store, b"two").await)
            .await
            .unwrap_err();
        assert!(refused.message.contains("different answers"));
    }
}
