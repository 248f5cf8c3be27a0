//! Snapshots: published versions of the whole insights model, each described by one manifest.

mod at;
mod diff;
mod erasure;
mod manifest;
mod marks;
mod meaning;
mod retention;
mod tables;

pub use at::{At, check_tag};
pub use diff::{DeclarationChange, ParameterChange, declaration_changes, parameter_changes};
pub use erasure::{
    ERASED, Erased, Erasing, Gone, Suppressed, Suppression, SuppressionList, erased_since,
    erasures, key_of, unfinished as unfinished_erasure,
};
pub use manifest::{
    AGAINST_PARENT, Manifest, MergeSummary, ObjectRef, RunSummary, TableEntry, TableFile,
    content_hash, is_by_history, objects_in, snapshot_hash,
};
pub use marks::{
    Announcement, Cleaning, Event, Marks, MarksRecord, Pin, Refused, expired as expired_failure,
};
pub use meaning::{Meaning, Refers};
pub use retention::{Published, expiring};
pub use tables::{
    ATTRIBUTES_OWN, ColumnMeaning, DIM_CAMPAIGN, DIM_CUSTOMER, DIM_DESTINATION, FACT_CAMPAIGN,
    FACT_EMAIL_EVENT, Reference, TABLES, TableMeaning,
};
