//! For tests: a store that stops answering, as it looks to a process that is killed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

/// A store that dies: after so many operations every further one fails. Half-way, the operation at
/// which it dies takes effect all the same, and only its answer is lost.
#[derive(Debug)]
pub struct Dying {
    pub inner: Arc<dyn ObjectStore>,
    /// Operations that are left.
    pub left: Arc<AtomicI64>,
    pub half_way: bool,
}

enum Fate {
    Lives,
    DiesHalfWay,
    IsDead,
}

fn dead() -> object_store::Error {
    object_store::Error::Generic {
        store: "dying",
        source: "it is dead".into(),
    }
}

impl Dying {
    fn fate(&self) -> Fate {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            1.. => Fate::Lives,
            0 if self.half_way => Fate::DiesHalfWay,
            _ => Fate::IsDead,
        }
    }

    fn is_dead(&self) -> bool {
        !matches!(self.fate(), Fate::Lives)
    }
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dying")
    }
}

#[async_trait]
impl ObjectStore for Dying {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        match self.fate() {
            Fate::Lives => self.inner.put_opts(location, payload, options).await,
            Fate::DiesHalfWay => {
                self.inner.put_opts(location, payload, options).await?;
                Err(dead())
            }
            Fate::IsDead => Err(dead()),
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(object_store::Error::NotImplemented {
            operation: "put_multipart".to_owned(),
            implementer: "dying".to_owned(),
        })
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        match self.is_dead() {
            true => Err(dead()),
            false => self.inner.get_opts(location, options).await,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        match self.fate() {
            Fate::Lives => self.inner.delete_stream(locations),
            Fate::DiesHalfWay => self
                .inner
                .delete_stream(locations)
                .map(|deleted| deleted.and(Err(dead())))
                .boxed(),
            Fate::IsDead => locations.map(|_| Err(dead())).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        match self.is_dead() {
            true => futures::stream::iter([Err(dead())]).boxed(),
            false => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        match self.is_dead() {
            true => Err(dead()),
            false => self.inner.list_with_delimiter(prefix).await,
        }
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        match self.is_dead() {
            true => Err(dead()),
            false => self.inner.copy_opts(from, to, options).await,
        }
    }
}
