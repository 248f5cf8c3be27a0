//! A reader: it reads the newest snapshot from its first to its last object, while others publish.

use std::time::Duration;

use tenfold_core::failure::Failure;
use tenfold_core::hash::sha256_hex;
use tenfold_store::cleanup::objects_of;
use tenfold_store::object::Store;
use tenfold_store::publish::head;
use tokio::time::sleep;

use super::process::Complaints;

/// Reads for ever. I7: a snapshot that was found is there whole, whatever happens meanwhile.
pub async fn reader(store: Store, complaints: Complaints) {
    let mut newest = 0;
    loop {
        sleep(Duration::from_secs(1)).await;
        match look(&store).await {
            Ok(Some(number)) if number < newest => {
                let text = format!("I7 isolation: after snapshot {newest} came {number}");
                complaints.lock().unwrap().push(text);
            }
            Ok(number) => newest = number.unwrap_or(newest),
            Err(failure) => {
                let text = format!("I7 isolation: {failure}");
                complaints.lock().unwrap().push(text);
            }
        }
    }
}

/// The number of the newest snapshot, when all of it is there.
async fn look(store: &Store) -> Result<Option<u64>, Failure> {
    let Some(manifest) = head(store).await? else {
        return Ok(None);
    };
    for object in objects_of(store, manifest.number).await? {
        sleep(Duration::from_millis(50)).await;
        let bytes = store.get(&object.path).await?;
        if bytes.len() as u64 != object.bytes || sha256_hex(&bytes) != object.sha256 {
            let text = format!("{} of snapshot {}", object.path, manifest.number);
            return Err(Failure::dependency(text));
        }
    }
    Ok(Some(manifest.number))
}
