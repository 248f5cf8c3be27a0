//! The protocol of publication, explored state by state: two coordinators and somebody who
//! refreshes the same store alone, three snapshots, crashes, lost answers, writes that land long after
//! their writer gave up, expiry and clean-up.
//!
//! A step of the model is one request of `coordinator/src/book.rs`, `coordinator/src/cluster/runs.rs`,
//! `store/src/settle.rs`, `store/src/publish.rs` or `store/src/cleanup.rs`. What entries of the
//! ledger and marks say is not told again here: it is the folds that the program itself uses
//! ([`Ledger::apply`], [`Ledger::check`], [`Marks::after`]).
//!
//! [`Ledger::apply`]: tenfold_core::ledger::Ledger::apply
//! [`Ledger::check`]: tenfold_core::ledger::Ledger::check
//! [`Marks::after`]: tenfold_core::snapshot::Marks::after

mod check;
mod cleaning;
mod ledger;
mod state;
mod steps;

use stateright::{Checker, HasDiscoveries, Model};

use self::state::{Protocol, Variant};

/// States that the protocol has at least within the model's bounds.
const STATES: usize = 2_000_000;

#[test]
fn the_protocol_holds_in_every_state() {
    let checker = explored(Variant::Right, HasDiscoveries::All);
    let states = checker.unique_state_count();
    checker.assert_properties();
    assert!(states >= STATES, "the model has {states} states");
}

/// Variants that were the cause of lost data elsewhere, and the property that each breaks.
const BROKEN: [(Variant, &str); 12] = [
    (Variant::BlindOverwrite, "I2 order"),
    (Variant::UnknownIsFailed, "told truly"),
    (Variant::ExistsIsLost, "told truly"),
    (Variant::SlotsDeleted, "I2 order"),
    (Variant::GateLeftOut, "I6 fence"),
    (Variant::Unsettled, "told truly"),
    (Variant::OwnIsForeign, "told truly"),
    (Variant::LookUpLeftOut, "I3 complete"),
    (Variant::NobodyWaits, "I3 complete"),
    (Variant::AnnouncementsIgnored, "I3 complete"),
    (Variant::BeginsUnsaid, "I3 complete"),
    (Variant::NumberLeft, "told truly"),
];

/// A publication ends although its files were deleted, and whatever comes back late finds its number
/// taken. That a manifest may lack files then is the doing of who deleted them.
#[test]
fn files_that_are_deleted_by_hand_make_no_run_say_what_is_not_so() {
    let kept = ["I2 order", "I6 fence", "told truly"];
    let checker = explored(Variant::ByHand, HasDiscoveries::AnyOf(kept.into()));
    let found = checker.discoveries();
    assert!(kept.iter().all(|property| !found.contains_key(property)));
    assert!(checker.unique_state_count() > 100_000);
}

#[test]
fn each_broken_variant_is_caught() {
    for (variant, expected) in BROKEN {
        let checker = explored(variant, HasDiscoveries::AnyOf([expected].into()));
        let found = checker.discoveries();
        let names: Vec<_> = found.keys().collect();
        assert!(
            found.contains_key(expected),
            "{variant:?} does not break {expected}: {names:?}"
        );
    }
}

fn explored(variant: Variant, until: HasDiscoveries) -> impl Checker<Protocol> {
    let checker = Protocol { variant }.checker();
    checker.threads(2).finish_when(until).spawn_bfs().join()
}
