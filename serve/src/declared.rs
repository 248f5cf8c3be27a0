//! Files of a project that are changed from here: read with what tells them from what they are later, and written by
//! whoever knows what is there.

use std::sync::Arc;

use bytes::Bytes;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::hash::sha256_hex;
use tenfold_store::object::{Created, Store, Version};
use tokio::sync::Mutex;

/// The file that makes a folder a project.
pub const PROJECT: &str = "tenfold.yaml";

/// A file as it lies there.
#[derive(Debug, Clone)]
pub struct Written {
    /// What it says.
    pub text: String,
    /// Hash of that.
    pub hash: String,
    version: Version,
}

/// Whose turn it is to write among those of this process.
#[derive(Debug, Default)]
pub struct Turns(Arc<Mutex<()>>);

impl Turns {
    /// Looks and writes alone and to the end, whether whoever asked for it stays or not: what is left half way could
    /// still come down on what the next one writes.
    ///
    /// # Errors
    /// By what the work failed by.
    pub async fn alone<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = self.0.clone().lock_owned().await;
        let done = tokio::spawn(async move {
            let _turn = turn;
            work.await
        });
        done.await
            .map_err(|error| Failure::bug(format!("a file is not written: {error}")))?
    }
}

/// Bytes that a file may have.
const MOST: u64 = 1 << 20;

/// Reads a file that may be absent; one that is too large or no text is wrong by this code.
///
/// # Errors
/// When it cannot be read.
pub async fn file(
    project: &Store,
    place: &str,
    wrong: ErrorCode,
) -> Result<Option<Written>, Failure> {
    let read = project.get_versioned(place, MOST).await;
    let read = read.map_err(|failure| match failure.class {
        FailureClass::UserConfig if failure.code.is_none() => failure.code(wrong),
        _ if failure.remedy.is_empty() => {
            failure.remedy("check that the server can read the folder of its project")
        }
        _ => failure,
    });
    let Some((bytes, version)) = read? else {
        return Ok(None);
    };
    let hash = sha256_hex(&bytes);
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| {
        Failure::config(format!("{place} is not UTF-8"))
            .code(wrong)
            .remedy("write it anew as UTF-8")
    })?;
    Ok(Some(Written {
        text,
        hash,
        version,
    }))
}

/// Writes a file where `before` is what is there. Writers of one process have to be alone; in a bucket one of any
/// number succeeds.
///
/// # Errors
/// When something else is there by now, or the project cannot be written to.
pub async fn keep(
    project: &Store,
    place: &str,
    text: &str,
    before: Option<&Written>,
) -> Result<(), Failure> {
    if project.size(PROJECT).await?.is_none() {
        let message = format!("{} has no {PROJECT}", project.location());
        return Err(unwritable(message));
    }
    let bytes = Bytes::from(text.to_owned());
    let kept = match before {
        Some(before) => project.replace(place, bytes, &before.version).await,
        None => {
            let created = project.create(place, bytes).await;
            created.map(|created| created == Created::Ours)
        }
    };
    match kept.map_err(|failure| not_written(project, failure))? {
        true => Ok(()),
        false => Err(changed(place)),
    }
}

/// Takes a file away.
///
/// # Errors
/// When the project cannot be written to.
pub async fn delete(project: &Store, place: &str) -> Result<(), Failure> {
    let deleted = project.delete(place).await;
    deleted.map_err(|failure| not_written(project, failure))
}

/// A file is not what somebody's change was made from.
pub fn changed(place: &str) -> Failure {
    Failure::config(format!("{place} is not what this was made from any more"))
        .code(ErrorCode::DeclarationChanged)
        .remedy("read it anew, look at what changed, and send yours with the new hash")
}

/// What a directory refuses is for whoever runs the server; a bucket says for itself whose turn it is.
fn not_written(project: &Store, failure: Failure) -> Failure {
    match project.directory() {
        Some(_) => unwritable(failure.message),
        None => failure,
    }
}

fn unwritable(message: String) -> Failure {
    Failure::new(FailureClass::Infra, message)
        .code(ErrorCode::ProjectNotWritten)
        .remedy("let the server write into the folder of its project, or add the file by hand")
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_goes_to_its_end_before_the_next_turn() {
        let turns = Turns::default();
        let (go, told) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let work = async move {
            told.await.unwrap();
            end.send(()).unwrap();
            Ok(())
        };
        {
            let mut asked = pin!(turns.alone(work));
            assert!(futures::poll!(asked.as_mut()).is_pending());
        }
        // Whoever asked is gone, and it is still their turn.
        let mut next = pin!(turns.alone(async { Ok(2) }));
        assert!(futures::poll!(next.as_mut()).is_pending());
        go.send(()).unwrap();
        ended.await.unwrap();
        assert_eq!(next.await.unwrap(), 2);
    }
}
