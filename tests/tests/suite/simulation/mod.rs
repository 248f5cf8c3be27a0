//! The real coordinator and the real worker on one thread, with a paused clock, a store and a
//! network that fail in every way, crashes and pauses, and several coordinators at once.
//!
//! Real are the ledger, leases, the operator's calls, the worker's link, records, adoption, commits
//! and publication. What a task answers is computed once by the real code and written by the
//! simulated workers (see `reference`). A seed draws which faults come and how often; after some
//! time they end, and everything that was accepted has to end too.
//!
//! `TENFOLD_SIM_SEEDS=from..to` simulates other seeds than those of every build.
//!
//! | invariant | where it is checked |
//! |---|---|
//! | I1 content, I4 conservation, I5 once, I13 order-free | `i1_content`: hash and rows equal those of a run without faults |
//! | I2 order | `i2_order`, and in every state of the protocol's model |
//! | I3 complete | `i3_complete`, and the model |
//! | I6 fence | `i6_fence`, and the model; fencing of answers in the tests of `core/src/lease` |
//! | I7 isolation | `reader`: every snapshot that is found is whole, and none comes after a newer one |
//! | I8 durable | `i8_durable`: submissions, cancels, retries |
//! | I9 idempotent submit | `i9_idempotent` |
//! | I10 tick | `i10_tick`; calendars in the tests of `core/src/schedule` |
//! | I11 progress | `i11_progress` |
//! | I12 bounded | `i12_bounded`: the ledger; memory in the tests of processes |
//!
//! Besides, no process panics (`complaints`).

mod alone;
mod chance;
mod chaos;
mod invariants;
mod net;
mod people;
mod plants;
mod process;
mod reader;
mod reference;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;

use self::chance::{Chance, Fault};
use self::plants::Plant;
use self::world::Wishes;

/// Seeds of every build.
const SEEDS: Range<u64> = 0..2_000;
/// Seeds within which a planted mistake has to be found.
const BUDGET: u64 = 300;
/// What people want; in every third seed somebody has a schedule too.
fn wishes(seed: u64) -> Wishes {
    Wishes {
        days: &["2026-01-01", "2026-01-01", "2026-01-02"],
        schedule: seed.is_multiple_of(3),
    }
}

/// A runtime on this thread alone, whose clock moves when everybody waits.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// What came of a seed.
struct Outcome {
    broken: Vec<String>,
    trace: Vec<String>,
    fired: BTreeMap<Fault, u64>,
}

fn live(seed: u64, plant: Option<Plant>) -> Outcome {
    runtime().block_on(async {
        let chance = Chance::new(seed);
        let left = world::simulate(chance.clone(), plant, wishes(seed)).await;
        Outcome {
            broken: invariants::broken(&left).await,
            trace: chance.trace(),
            fired: chance.counts(),
        }
    })
}

/// The seeds to simulate: those of every build, or those that the environment names.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("TENFOLD_SIM_SEEDS") else {
        return SEEDS;
    };
    let (from, to) = text.split_once("..").expect("TENFOLD_SIM_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

/// Simulates seeds on two threads, each with runtimes of its own.
fn live_all(seeds: Range<u64>) -> BTreeMap<Fault, u64> {
    let every_second = |first: u64| {
        let mut fired: BTreeMap<Fault, u64> = BTreeMap::new();
        for seed in seeds.clone().skip(first as usize).step_by(2) {
            let outcome = live(seed, None);
            assert!(
                outcome.broken.is_empty(),
                "seed {seed} broke {:#?}\n{}\nagain with\n  TENFOLD_SIM_SEEDS={seed}..{} cargo test \
                 --workspace --test suite every_seed_holds",
                outcome.broken,
                outcome.trace[outcome.trace.len().saturating_sub(60)..].join("\n"),
                seed + 1
            );
            for (fault, count) in outcome.fired {
                *fired.entry(fault).or_default() += count;
            }
        }
        fired
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| every_second(1));
        let mut fired = every_second(0);
        for (fault, count) in other
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        {
            *fired.entry(fault).or_default() += count;
        }
        fired
    })
}

#[test]
fn every_seed_holds_and_every_fault_comes() {
    let seeds = seeds();
    let fired = live_all(seeds.clone());
    if seeds == SEEDS {
        for fault in Fault::ALL {
            assert!(fired.contains_key(&fault), "{fault:?} never came");
        }
    }
}

#[test]
fn the_same_seed_twice_leaves_the_same_trace() {
    for seed in 0..20 {
        let (first, second) = (live(seed, None).trace, live(seed, None).trace);
        assert!(first.len() > 50, "seed {seed} saw {} events", first.len());
        let differs = first.iter().zip(&second).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}

#[test]
fn each_planted_mistake_is_found() {
    for plant in Plant::ALL {
        let found = (0..BUDGET).find(|seed| !live(*seed, Some(plant)).broken.is_empty());
        assert!(
            found.is_some(),
            "{plant:?} was not found within {BUDGET} seeds"
        );
    }
}
