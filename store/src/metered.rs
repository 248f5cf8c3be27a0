//! Counts the requests to a store, and those that failed.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// What is asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reading an object, a part of it, or its length.
    Get,
    /// Writing an object.
    Put,
    /// Listing objects.
    List,
    /// Removing an object.
    Delete,
    /// Copying an object.
    Copy,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 5] = [Self::Get, Self::Put, Self::List, Self::Delete, Self::Copy];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Copy => "copy",
        }
    }
}

/// Requests to a store since it was opened.
#[derive(Debug, Default)]
pub struct Requests {
    counts: [(AtomicU64, AtomicU64); Operation::ALL.len()],
}

impl Requests {
    /// Requests for an operation, and those that failed. An object that is absent, or there already
    /// when it was to be created, is an answer and no failure.
    pub fn of(&self, operation: Operation) -> (u64, u64) {
        let (all, failed) = &self.counts[operation as usize];
        (all.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
    }

    fn count<T>(&self, operation: Operation, answer: &Result<T>) {
        self.counts[operation as usize]
            .0
            .fetch_add(1, Ordering::Relaxed);
        let answered = matches!(
            answer,
            Ok(_)
                | Err(Error::NotFound { .. }
                    | Error::AlreadyExists { .. }
                    | Error::Precondition { .. }
                    | Error::NotModified { .. })
        );
        if !answered {
            self.failed(operation);
        }
    }

    fn failed(&self, operation: Operation) {
        self.counts[operation as usize]
            .1
            .fetch_add(1, Ordering::Relaxed);
    }
}

/// Requests up to a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted([u64; Operation::ALL.len()]);

impl Counted {
    /// Requests for an operation.
    pub fn of(&self, operation: Operation) -> u64 {
        self.0[operation as usize]
    }

    /// Adds those to a store.
    pub fn add(&mut self, requests: &Requests) {
        for operation in Operation::ALL {
            self.0[operation as usize] += requests.of(operation).0;
        }
    }
}

/// A store whose requests are counted.
#[derive(Debug)]
pub(crate) struct Metered {
    inner: Arc<dyn ObjectStore>,
    requests: Arc<Requests>,
}

impl Metered {
    pub fn new(inner: Arc<dyn ObjectStore>, requests: Arc<Requests>) -> Self {
        Self { inner, requests }
    }

    fn counted<T: Send + 'static>(
        &self,
        operation: Operation,
        stream: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let requests = self.requests.clone();
        // A listing is one request, however many objects it gives.
        let listing = operation == Operation::List;
        if listing {
            requests.count(operation, &Ok(()));
        }
        stream
            .inspect(move |item| match (listing, item) {
                (false, item) => requests.count(operation, item),
                (true, Err(_)) => requests.failed(operation),
                (true, Ok(_)) => {}
            })
            .boxed()
    }
}

impl fmt::Display for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Metered {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let answer = self.inner.put_opts(location, payload, options).await;
        self.requests.count(Operation::Put, &answer);
        answer
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let answer = self.inner.put_multipart_opts(location, options).await;
        self.requests.count(Operation::Put, &answer);
        answer
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let answer = self.inner.get_opts(location, options).await;
        self.requests.count(Operation::Get, &answer);
        answer
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let answer = self.inner.get_ranges(location, ranges).await;
        self.requests.count(Operation::Get, &answer);
        answer
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.counted(Operation::Delete, self.inner.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.counted(Operation::List, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.counted(Operation::List, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let answer = self.inner.list_with_delimiter(prefix).await;
        self.requests.count(Operation::List, &answer);
        answer
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let answer = self.inner.copy_opts(from, to, options).await;
        self.requests.count(Operation::Copy, &answer);
        answer
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let answer = self.inner.rename_opts(from, to, options).await;
        self.requests.count(Operation::Copy, &answer);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Store;

    #[tokio::test]
    async fn requests_are_counted_and_answers_are_no_failures() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().to_str().unwrap()).unwrap();
        let body = Bytes::from_static(b"x");
        store.create("a", body.clone()).await.unwrap();
        store.create("a", body.clone()).await.unwrap();
        store.get("a").await.unwrap();
        assert_eq!(store.get_if_present("b").await.unwrap(), None);
        store.list("").await.unwrap();
        store.delete("a").await.unwrap();
        let counts = Operation::ALL.map(|operation| store.requests().of(operation));
        assert_eq!(counts, [(2, 0), (2, 0), (1, 0), (1, 0), (0, 0)]);
        // A directory where an object should be.
        store.put("c/d", body).await.unwrap();
        assert!(store.put("c", Bytes::from_static(b"y")).await.is_err());
        assert_eq!(store.requests().of(Operation::Put), (4, 1));
    }
}
