//! An object store that fails in every way that one can.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use super::chance::{Chance, Fault};
use super::plants::Plant;

/// The objects, and how often each was created: what the clients of all processes share.
#[derive(Debug, Default)]
pub struct Disk {
    pub objects: InMemory,
    /// How often a manifest was written to its slot.
    pub landed: Mutex<BTreeMap<String, u32>>,
}

/// A client of the store.
#[derive(Debug)]
pub struct Chaos {
    pub disk: Arc<Disk>,
    pub chance: Chance,
    pub plant: Option<Plant>,
}

impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("chaos")
    }
}

fn broken(what: &'static str) -> Error {
    Error::Generic {
        store: "chaos",
        source: what.into(),
    }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists {
        path: path.to_string(),
        source: "there is one".into(),
    }
}

fn written() -> PutResult {
    PutResult {
        e_tag: None,
        version: None,
    }
}

/// The first half of a body.
fn half(payload: PutPayload) -> PutPayload {
    let bytes = Bytes::from(payload);
    bytes.slice(..bytes.len() / 2).into()
}

impl Disk {
    async fn put(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let answer = self.objects.put_opts(path, payload, options).await;
        if answer.is_ok() {
            let mut landed = self.landed.lock().unwrap();
            *landed.entry(path.to_string()).or_default() += 1;
        }
        answer
    }
}

impl Chaos {
    async fn pass(&self) {
        if !self.chance.is_elsewhere() {
            tokio::time::sleep(self.chance.delay(20)).await;
        }
    }

    fn refused(&self) -> Option<Error> {
        if self.chance.strikes(Fault::FailBefore) {
            return Some(broken("the connection was reset"));
        }
        let busy = self.chance.strikes(Fault::Unavailable503);
        busy.then(|| broken("503 Slow Down"))
    }

    async fn written(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = options.mode == PutMode::Create;
        if self.chance.strikes(Fault::LateApply) {
            let (disk, path) = (self.disk.clone(), path.clone());
            let delay = self.chance.delay(30_000);
            let chance = self.chance.clone();
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let answer = disk.put(&path, payload, options).await;
                chance.note(&format!("late put {path} {}", answer.is_ok()));
            });
            return Err(broken("timed out"));
        }
        if create && self.chance.strikes(Fault::Conflict409) {
            return Err(exists(path));
        }
        if create && self.chance.strikes(Fault::OwnRetry) {
            let _ = self.disk.put(path, payload, options).await;
            return Err(exists(path));
        }
        if self.chance.strikes(Fault::DuplicatePut) {
            let first = self.disk.put(path, payload.clone(), options.clone()).await;
            let _ = self.disk.put(path, payload, options).await;
            return first;
        }
        let answer = self.disk.put(path, payload, options).await;
        match self.chance.strikes(Fault::LostAnswer) {
            true => Err(broken("the answer was lost")),
            false => answer,
        }
    }

    /// A body on its way: cut, or with a byte that is another. Only files that are named by their
    /// content can show the latter; records rely on the checksums of the connection.
    async fn torn(&self, path: &Path, whole: GetResult) -> Result<GetResult> {
        let cut = self.chance.strikes(Fault::ShortBody);
        let by_content = !path.as_ref().ends_with(".json") || path.as_ref().contains("/index/");
        let flip = by_content && self.chance.strikes(Fault::FlippedByte);
        if !cut && !flip {
            return Ok(whole);
        }
        let (meta, range, attributes) = (
            whole.meta.clone(),
            whole.range.clone(),
            whole.attributes.clone(),
        );
        let mut bytes = whole.bytes().await?.to_vec();
        let place = self.chance.below(bytes.len() as u64) as usize;
        if flip && !bytes.is_empty() {
            bytes[place] ^= 0x10;
        }
        let mut parts = vec![Ok(Bytes::from(bytes))];
        if cut {
            parts = vec![Err(broken("the body ended early"))];
        }
        Ok(GetResult {
            payload: GetResultPayload::Stream(futures::stream::iter(parts).boxed()),
            meta,
            range,
            attributes,
        })
    }
}

#[async_trait]
impl ObjectStore for Chaos {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.pass().await;
        let bytes = payload.content_length();
        if let Some(error) = self.refused() {
            self.chance.note(&format!("put {path} refused"));
            return Err(error);
        }
        let options = match self.plant {
            Some(Plant::Overwrites) => PutOptions::from(PutMode::Overwrite),
            _ => options,
        };
        let unlucky = || self.chance.below(50) == 0;
        let payload = match self.plant {
            Some(Plant::LosesWrites) if unlucky() => return Ok(written()),
            Some(Plant::CutsWrites) if unlucky() => half(payload),
            _ => payload,
        };
        let answer = self.written(path, payload, options).await;
        // A run's record counts requests of threads of the Delta library as well, whose number depends
        // on how far they had read ahead: its length is no part of the trace.
        let bytes = match path.as_ref().starts_with("_runs/") {
            true => String::new(),
            false => format!(" {bytes}"),
        };
        self.chance
            .note(&format!("put {path}{bytes} {}", answer.is_ok()));
        match (&self.plant, answer) {
            (Some(Plant::TakenIsOurs), Err(Error::AlreadyExists { .. })) => Ok(written()),
            (_, answer) => answer,
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.disk.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.pass().await;
        if let Some(error) = self.refused() {
            return Err(error);
        }
        let head = options.head;
        let answer = self.disk.objects.get_opts(path, options).await;
        self.chance.note(&format!("get {path} {}", answer.is_ok()));
        match answer {
            Ok(whole) if !head => self.torn(path, whole).await,
            answer => answer,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (disk, chance) = (self.disk.clone(), self.chance.clone());
        let also = self.plant == Some(Plant::DeletesTooMuch);
        let gone = locations.and_then(move |path| {
            let (disk, chance) = (disk.clone(), chance.clone());
            async move {
                chance.note(&format!("delete {path}"));
                disk.objects.delete(&path).await?;
                if also {
                    let tables = Path::from("tables");
                    let files: Vec<ObjectMeta> =
                        disk.objects.list(Some(&tables)).try_collect().await?;
                    let part = files
                        .iter()
                        .find(|file| !file.location.as_ref().contains("_delta_log"));
                    if let Some(part) = part {
                        disk.objects.delete(&part.location).await?;
                    }
                }
                Ok(path)
            }
        });
        gone.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let chance = self.chance.clone();
        // Delta relies on listings that are whole; everything else takes them as hints.
        let hint = !prefix.is_some_and(|prefix| prefix.as_ref().starts_with("tables"));
        let all = self.disk.objects.list(prefix).collect::<Vec<_>>();
        let listed = async move {
            let mut found = all.await;
            if chance.strikes(Fault::FailBefore) {
                return futures::stream::iter(vec![Err(broken("the connection was reset"))]);
            }
            if hint && !found.is_empty() && chance.strikes(Fault::LaggingList) {
                let keep = chance.below(found.len() as u64);
                found.truncate(keep as usize);
            }
            if hint && chance.strikes(Fault::ShuffledList) {
                for last in (1..found.len()).rev() {
                    found.swap(last, chance.below(last as u64 + 1) as usize);
                }
            }
            chance.note(&format!("list {}", found.len()));
            futures::stream::iter(found)
        };
        futures::stream::once(listed).flatten().boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let offset = offset.clone();
        let after = move |meta: &ObjectMeta| meta.location > offset;
        self.list(prefix)
            .try_filter(move |meta| std::future::ready(after(meta)))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.disk.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.disk.objects.copy_opts(from, to, options).await
    }
}
