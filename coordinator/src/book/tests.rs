//! Writes whose answers are lost, and that land when nobody expects them any more.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tenfold_core::calendar::Day;
use tenfold_core::ledger::{Ending, Origin, RunRequest, RunState};

use super::*;
use crate::seams::System;

/// A store that answers nothing while it is away. What is written then is on its way, and lands
/// when [`Away::land`] says so.
#[derive(Debug, Default)]
struct Away {
    inner: InMemory,
    away: AtomicBool,
    on_the_way: Mutex<Vec<(Path, PutPayload, PutOptions)>>,
}

fn no_answer() -> object_store::Error {
    object_store::Error::Generic {
        store: "away",
        source: "no answer".into(),
    }
}

impl Away {
    fn is_away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }

    /// The first write that is on its way arrives; it may find its slot taken.
    async fn land(&self) {
        let (path, payload, options) = self.on_the_way.lock().unwrap().remove(0);
        let _ = self.inner.put_opts(&path, payload, options).await;
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("away")
    }
}

#[async_trait]
impl ObjectStore for Away {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        if !self.is_away() {
            return self.inner.put_opts(location, payload, options).await;
        }
        let write = (location.clone(), payload, options);
        self.on_the_way.lock().unwrap().push(write);
        Err(no_answer())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        match self.is_away() {
            true => Err(no_answer()),
            false => self.inner.get_opts(location, options).await,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

async fn book(store: &Arc<Away>) -> Book {
    let store = Store::over(store.clone());
    let mut book = Book::open(store, None, Arc::new(System), Arc::new(System))
        .await
        .unwrap();
    book.take_office("a", "", "0").await.unwrap();
    book
}

fn submitted(run: &str) -> Record {
    Record::Submitted {
        run: run.to_owned(),
        key: format!("key of {run}"),
        payload: String::new(),
        request: RunRequest::of(Day(20_000)),
        origin: Origin::Operator {
            name: "ann".to_owned(),
        },
    }
}

fn ended(run: &str, state: RunState) -> Record {
    Record::Ended {
        run: run.to_owned(),
        ending: Box::new(Ending::without(state, None)),
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_settled_before_anything_else_is_decided() {
    let store = Arc::new(Away::default());
    let mut book = book(&store).await;
    book.add(submitted("r1")).await.unwrap();
    store.away.store(true, Ordering::SeqCst);
    let unknown = book.add(ended("r1", RunState::Failed)).await;
    assert!(matches!(unknown, Err(NotAdded::Failed(_))), "{unknown:?}");
    // Nothing can be decided on top of what is unknown.
    let next = book.add(ended("r1", RunState::Succeeded)).await;
    assert!(matches!(next, Err(NotAdded::Failed(_))), "{next:?}");
    store.away.store(false, Ordering::SeqCst);
    let next = book.add(ended("r1", RunState::Succeeded)).await;
    let over = NotAdded::Refused(Refusal::Over(RunState::Failed));
    assert_eq!(next, Err(over), "the run had ended by the entry before");
    // The write that was on its way all the time changes nothing any more.
    let before = book.ledger().clone();
    store.land().await;
    book.catch_up().await.unwrap();
    assert_eq!(book.ledger(), &before);
}

#[tokio::test]
async fn a_write_that_landed_late_is_ours() {
    let store = Arc::new(Away::default());
    let mut book = book(&store).await;
    store.away.store(true, Ordering::SeqCst);
    let unknown = book.add(submitted("r1")).await;
    assert!(matches!(unknown, Err(NotAdded::Failed(_))), "{unknown:?}");
    store.land().await;
    store.away.store(false, Ordering::SeqCst);
    book.catch_up().await.unwrap();
    assert_eq!(book.ledger().queue, ["r1"]);
    book.add(submitted("r2")).await.unwrap();
    assert_eq!(book.ledger().queue, ["r1", "r2"]);
}

#[tokio::test]
async fn a_coordinator_that_was_deposed_meanwhile_finds_out() {
    let store = Arc::new(Away::default());
    let mut old = book(&store).await;
    store.away.store(true, Ordering::SeqCst);
    let unknown = old.add(submitted("r1")).await;
    assert!(matches!(unknown, Err(NotAdded::Failed(_))), "{unknown:?}");
    store.away.store(false, Ordering::SeqCst);
    let new = book(&store).await;
    let next = old.add(submitted("r2")).await;
    assert!(matches!(next, Err(NotAdded::Deposed { .. })), "{next:?}");
    store.land().await;
    assert!(new.ledger().runs.is_empty());
    old.catch_up().await.unwrap();
    assert!(old.ledger().runs.is_empty());
}
