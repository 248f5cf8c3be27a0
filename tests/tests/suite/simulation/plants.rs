//! Mistakes that are planted on purpose: each has to be found.

/// A mistake, made at a seam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The store replaces what is there where it was to create.
    Overwrites,
    /// The store says that a slot is ours which another writer took.
    TakenIsOurs,
    /// The store says that something was written which was not.
    LosesWrites,
    /// The store keeps a part of what was written, and says that all is well.
    CutsWrites,
    /// Deleting deletes a file of a table too.
    DeletesTooMuch,
    /// A worker gives answers that differ from the reference.
    WrongAnswers,
    /// A worker says that it wrote what it did not.
    UnwrittenParts,
    /// Heartbeats and answers of workers do not arrive once the faults have ended.
    Silence,
    /// Submissions lose their idempotency keys on the way.
    KeysForgotten,
    /// Somebody is told that a run stops, and nobody stops it.
    CancelUnheard,
    /// The copies of the ledger nearby are those of another history.
    CopyLies,
}

impl Plant {
    pub const ALL: [Self; 11] = [
        Self::Overwrites,
        Self::TakenIsOurs,
        Self::LosesWrites,
        Self::CutsWrites,
        Self::DeletesTooMuch,
        Self::WrongAnswers,
        Self::UnwrittenParts,
        Self::Silence,
        Self::KeysForgotten,
        Self::CancelUnheard,
        Self::CopyLies,
    ];
}
