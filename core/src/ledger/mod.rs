//! The ledger: everything that a coordinator acknowledged, one numbered entry after the other.
//!
//! An entry is written only where none is (create-if-absent), so the entries of all coordinators
//! that ever held office form one sequence without gaps. Who finds its slot taken reads it: an
//! [`Record::Office`] of another coordinator there means that it is deposed, and nothing that it
//! does counts any more. What the entries say together is a fold, [`Ledger::apply`], which is pure:
//! any process that reads the same entries knows the same.
//!
//! Entries hold no personal data.

mod backfill;
mod notice;
mod record;
mod run;
mod state;

#[cfg(test)]
mod tests;

pub use backfill::{Backfill, BackfillState};
pub use notice::{Notice, NoticeKind, Notices};
pub use record::{Ending, Entry, Incomplete, Origin, Record, RunRequest, entry_path};
pub use run::{Refusal, RunEvent, RunState, next};
pub use state::{Ledger, Run, Schedule};
