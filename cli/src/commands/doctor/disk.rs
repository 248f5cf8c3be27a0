//! Whether there is room on the disks of this machine that Tenfold writes to.

use std::path::Path;

use tenfold_core::failure::{Failure, FailureClass};
use tenfold_store::doctor::Check;

use crate::machine::shown_bytes;

const NAME: &str = "disk";
/// Less room than this is worth a warning, however small the disk.
const FEW_BYTES: u64 = 1 << 30;
/// So is less than this part of the disk.
const FEW_PERCENT: u64 = 5;

/// How much room there is where a folder lies, or is to lie; nothing where the system does not tell.
pub fn disk(what: &str, folder: &Path) -> Option<Check> {
    // What is not there yet will be made on the disk of the nearest folder that is.
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.unwrap_or(Path::new("."));
    let place = format!("{what} {}", folder.display());
    Some(match room(there)? {
        Ok((free, whole)) => judged(&place, free, whole),
        Err(error) => {
            let failure = Failure::new(FailureClass::Infra, format!("{place}: {error}"));
            Check::of(NAME, Err(failure.remedy("check that the disk is mounted")))
        }
    })
}

/// Bytes that are free for this user, and all that there are.
#[cfg(unix)]
fn room(folder: &Path) -> Option<std::io::Result<(u64, u64)>> {
    let told = rustix::fs::statvfs(folder).map_err(std::io::Error::from);
    Some(told.map(|told| {
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        (bytes(told.f_bavail), bytes(told.f_blocks))
    }))
}

#[cfg(not(unix))]
fn room(_: &Path) -> Option<std::io::Result<(u64, u64)>> {
    None
}

fn judged(place: &str, free: u64, whole: u64) -> Check {
    let detail = format!(
        "{place}: {} of {} are free",
        shown_bytes(free),
        shown_bytes(whole)
    );
    match free < FEW_BYTES.max(whole / 100 * FEW_PERCENT) {
        true => Check::warning(
            NAME,
            detail,
            "make room: let snapshots expire with `tenfold snapshot expire`, or move to a larger disk",
        ),
        false => Check::of(NAME, Ok(detail)),
    }
}

#[cfg(test)]
mod tests {
    use tenfold_store::doctor::Verdict;

    use super::*;

    #[test]
    fn little_room_is_worth_a_warning() {
        let gib = 1 << 30;
        for (free, whole, verdict) in [
            (gib - 1, 10 * gib, Verdict::Warning),
            (gib, 10 * gib, Verdict::Ok),
            (4 * gib, 100 * gib, Verdict::Warning),
            (6 * gib, 100 * gib, Verdict::Ok),
        ] {
            assert_eq!(judged("store", free, whole).verdict, verdict, "{free}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("not/yet");
        let Some(check) = disk("state", &below) else {
            return;
        };
        assert_ne!(check.verdict, Verdict::Failed, "{check:?}");
        assert!(check.detail.contains(" are free"), "{check:?}");
    }
}
