//! Whether a store does what Tenfold relies on, found out by doing it.
//!
//! Everything happens below a prefix of its own, which is empty again in the end.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tenfold_core::failure::Failure;

use crate::object::{Created, Store};

/// Writers that race for one name.
const WRITERS: u8 = 8;
/// How often they race, with bodies of so many bytes.
const RACES: [(usize, usize); 3] = [(50, 0), (50, 5_000), (5, 1_000_000)];
/// Clocks that differ by more are worth a warning; object stores refuse requests at 15 minutes.
const SKEW_MAX: Duration = Duration::from_secs(60);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it has to be.
    Ok,
    /// Worth a look.
    Warning,
    /// Tenfold cannot work like this.
    Failed,
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty when there is nothing to do.
    pub remedy: String,
}

impl Check {
    /// A check as it ended: with what was found, or with what is wrong.
    pub fn of(check: &'static str, found: Result<String, Failure>) -> Self {
        match found {
            Ok(detail) => Self {
                check,
                verdict: Verdict::Ok,
                detail,
                remedy: String::new(),
            },
            Err(failure) => Self {
                check,
                verdict: Verdict::Failed,
                detail: failure.message,
                remedy: failure.remedy,
            },
        }
    }

    /// Something that is worth a look.
    pub fn warning(check: &'static str, detail: String, remedy: &str) -> Self {
        Self {
            check,
            verdict: Verdict::Warning,
            detail,
            remedy: remedy.to_owned(),
        }
    }
}

/// Tries out a store. `id` is unlike that of any other examination; `now_ms` tells the time of this
/// machine.
pub async fn examine(store: &Store, id: &str, now_ms: impl Fn() -> i64) -> Vec<Check> {
    let prefix = format!("_doctor/{id}");
    let mut checks = vec![
        Check::of("write and read", written(store, &prefix).await),
        Check::of("list", listed(store, &prefix).await),
        clock(store, &prefix, now_ms).await,
    ];
    for (rounds, length) in RACES {
        let raced = races(store, &prefix, rounds, length).await;
        checks.push(Check::of("create if absent", raced));
    }
    checks.push(Check::of("delete", cleaned(store, &prefix).await));
    checks
}

/// What was written can be read at once, whole and in part.
async fn written(store: &Store, prefix: &str) -> Result<String, Failure> {
    let path = format!("{prefix}/object");
    for body in ["first", "second"] {
        store.put(&path, Bytes::from(body)).await?;
        let read = store.get(&path).await?;
        if read != body {
            return Err(unlike(store, &path, "does not have the bytes just written"));
        }
    }
    if store.get_range(&path, 1, 3).await? != "eco" {
        return Err(unlike(store, &path, "gives other bytes for a range"));
    }
    match store.size(&path).await? {
        Some(6) => Ok("an object, its replacement and a range of it".to_owned()),
        size => Err(unlike(store, &path, &format!("has the length {size:?}"))),
    }
}

fn unlike(store: &Store, path: &str, how: &str) -> Failure {
    Failure::dependency(format!("{} {how}", store.locate(path)))
        .remedy("use a store whose reads see the writes before them, without a cache in between")
}

async fn listed(store: &Store, prefix: &str) -> Result<String, Failure> {
    let listed = store.list(prefix).await?;
    let path = format!("{prefix}/object");
    let there = listed
        .iter()
        .any(|meta| store.relative(&meta.location) == path);
    match there {
        true => Ok("shows what was written".to_owned()),
        false => Err(unlike(store, &path, "is not listed")),
    }
}

/// Compares this machine's clock with the time that the store gives an object.
async fn clock(store: &Store, prefix: &str, now_ms: impl Fn() -> i64) -> Check {
    const NAME: &str = "clock";
    let path = format!("{prefix}/clock");
    let before = now_ms();
    let written = match store.put(&path, Bytes::from_static(b"tick")).await {
        Ok(()) => store.list(&path).await,
        Err(failure) => Err(failure),
    };
    let after = now_ms();
    // Some stores list an object only below its own name.
    let listed = match written {
        Ok(listed) if listed.is_empty() => store.list(prefix).await,
        other => other,
    };
    let stamped = listed.map(|listed| {
        let of = |meta: &&object_store::ObjectMeta| store.relative(&meta.location) == path;
        let found = listed.iter().find(of);
        found.map(|meta| meta.last_modified.timestamp_millis())
    });
    let at = match stamped {
        Err(failure) => return Check::of(NAME, Err(failure)),
        Ok(None) => return Check::of(NAME, Err(unlike(store, &path, "is not listed"))),
        Ok(Some(at)) => at,
    };
    // The store's times may have whole seconds only.
    let skew = (before - 1000 - at).max(at - after).max(0);
    let detail = format!("differs from the store's by {:.1} s", skew as f64 / 1000.0);
    match u128::from(skew.unsigned_abs()) > SKEW_MAX.as_millis() {
        true => Check::warning(
            NAME,
            detail,
            "set the clock of this machine by NTP: stores refuse requests that are far off",
        ),
        false => Check::of(NAME, Ok(detail)),
    }
}

/// Several writers race for one name, again and again: one of them wins, and its bytes are there.
async fn races(
    store: &Store,
    prefix: &str,
    rounds: usize,
    length: usize,
) -> Result<String, Failure> {
    for round in 0..rounds {
        let path = format!("{prefix}/race-{length}-{round}");
        let writers = (0..WRITERS).map(|writer| {
            let (store, path) = (store.clone(), path.clone());
            tokio::spawn(async move { store.create(&path, body(writer, length)).await })
        });
        let mut winners = Vec::new();
        for (writer, raced) in (0..).zip(futures::future::join_all(writers).await) {
            let raced = raced.map_err(|error| Failure::bug(error.to_string()))?;
            if raced? == Created::Ours {
                winners.push(writer);
            }
        }
        let there = store.get(&path).await?;
        // Nobody wins when the answer to the winner was lost and its client asked again.
        let right = match winners[..] {
            [] => (0..WRITERS).any(|writer| body(writer, length) == there),
            [winner] => body(winner, length) == there,
            _ => false,
        };
        if !right {
            return Err(overwritten(store, &path, winners.len()));
        }
        store.delete(&path).await?;
    }
    Ok(format!(
        "{WRITERS} writers, {rounds} times, {length} bytes: one each time"
    ))
}

fn body(writer: u8, length: usize) -> Bytes {
    Bytes::from(vec![b'a' + writer; length])
}

fn overwritten(store: &Store, path: &str, winners: usize) -> Failure {
    Failure::config(format!(
        "of {WRITERS} writers that created {} at once, {winners} were told that they had, or the \
         bytes are another's",
        store.locate(path)
    ))
    .remedy(
        "keep no Tenfold store here: two runs could publish the same snapshot. Use a store that \
         honours conditional writes (If-None-Match), or its newer version",
    )
}

/// Removes everything, which shows that it can.
async fn cleaned(store: &Store, prefix: &str) -> Result<String, Failure> {
    let listed = store.list(prefix).await?;
    for meta in &listed {
        store.delete(&store.relative(&meta.location)).await?;
    }
    match store.list(prefix).await?.is_empty() {
        true => Ok("everything is removed again".to_owned()),
        false => Err(unlike(store, prefix, "is listed after it was deleted")),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;

    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
        PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };

    use super::*;

    fn now_ms() -> i64 {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        i64::try_from(since.as_millis()).unwrap()
    }

    fn verdicts(checks: &[Check]) -> Vec<(&'static str, Verdict)> {
        checks.iter().map(|c| (c.check, c.verdict)).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn good_stores_pass_and_are_left_empty() {
        let directory = tempfile::tempdir().unwrap();
        let local = Store::open(directory.path().to_str().unwrap()).unwrap();
        for store in [Store::in_memory(), local] {
            let checks = examine(&store, "x", now_ms).await;
            let bad = |check: &&Check| check.verdict != Verdict::Ok;
            assert_eq!(checks.iter().find(bad), None);
            assert_eq!(checks.len(), 7);
            assert!(store.list("").await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_off_is_a_warning() {
        let store = Store::in_memory();
        let checks = examine(&store, "x", || now_ms() - 120_000).await;
        let warned = checks.iter().find(|check| check.check == "clock").unwrap();
        assert_eq!(warned.verdict, Verdict::Warning);
        assert!(warned.detail.contains("120."), "{warned:?}");
        assert!(warned.remedy.contains("NTP"));
    }

    /// A store that takes create-if-absent for a plain write, as some servers do.
    #[derive(Debug)]
    struct Blind(InMemory);

    impl fmt::Display for Blind {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Blind")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Blind {
        async fn put_opts(
            &self,
            location: &Path,
            payload: PutPayload,
            options: PutOptions,
        ) -> Result<PutResult> {
            let options = PutOptions {
                mode: PutMode::Overwrite,
                ..options
            };
            self.0.put_opts(location, payload, options).await
        }
        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.0.put_multipart_opts(location, options).await
        }
        async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
            self.0.get_opts(location, options).await
        }
        fn delete_stream(
            &self,
            locations: BoxStream<'static, Result<Path>>,
        ) -> BoxStream<'static, Result<Path>> {
            self.0.delete_stream(locations)
        }
        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.0.list(prefix)
        }
        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.0.list_with_delimiter(prefix).await
        }
        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.0.copy_opts(from, to, options).await
        }
    }

    #[tokio::test]
    async fn a_store_that_ignores_create_if_absent_fails_by_name() {
        let store = Store::over(Arc::new(Blind(InMemory::new())));
        let checks = examine(&store, "x", now_ms).await;
        let failed: Vec<_> = verdicts(&checks)
            .into_iter()
            .filter(|(_, verdict)| *verdict == Verdict::Failed)
            .collect();
        assert_eq!(failed, [("create if absent", Verdict::Failed); 3]);
        let check = checks
            .iter()
            .find(|c| c.verdict == Verdict::Failed)
            .unwrap();
        assert!(check.detail.contains("_doctor/x/race-0-0"), "{check:?}");
        assert!(check.remedy.contains("If-None-Match"));
        assert!(store.list("").await.unwrap().is_empty(), "it cleans up");
    }
}
