//! Everything that is drawn, the time, and the trace of what happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use tenfold_coordinator::seams::{Ids, WallClock};
use tokio::time::Instant;

/// Midnight of 2026-01-01 UTC, milliseconds since 1970: when every simulation begins.
pub const BEGIN_MS: i64 = 1_767_225_600_000;

/// A fault that a seed can bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    FailBefore,
    LostAnswer,
    LateApply,
    OwnRetry,
    DuplicatePut,
    Conflict409,
    Unavailable503,
    ShortBody,
    FlippedByte,
    LaggingList,
    ShuffledList,
    CallDropped,
    CallAnswerLost,
    CallTwice,
    CallLate,
    WorkerPaused,
    WorkerCrashed,
    CoordinatorPaused,
    CoordinatorCrashed,
    CopyKept,
    CopyLost,
    TwoCoordinators,
}

impl Fault {
    pub const ALL: [Self; 22] = [
        Self::FailBefore,
        Self::LostAnswer,
        Self::LateApply,
        Self::OwnRetry,
        Self::DuplicatePut,
        Self::Conflict409,
        Self::Unavailable503,
        Self::ShortBody,
        Self::FlippedByte,
        Self::LaggingList,
        Self::ShuffledList,
        Self::CallDropped,
        Self::CallAnswerLost,
        Self::CallTwice,
        Self::CallLate,
        Self::WorkerPaused,
        Self::WorkerCrashed,
        Self::CoordinatorPaused,
        Self::CoordinatorCrashed,
        Self::CopyKept,
        Self::CopyLost,
        Self::TwoCoordinators,
    ];
}

struct Inner {
    state: u64,
    /// The same for threads that are not the simulation's.
    elsewhere: u64,
    /// In a thousand, by fault; none once the faults are off.
    rates: BTreeMap<Fault, u64>,
    fired: BTreeMap<Fault, u64>,
    made: u64,
    calm: bool,
    log: Vec<String>,
}

/// The chance of one seed. Copies share it.
#[derive(Clone)]
pub struct Chance {
    inner: Arc<Mutex<Inner>>,
    begun: Instant,
    home: ThreadId,
}

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance")
    }
}

impl Chance {
    /// The chance of a seed: which faults come, and how often, is drawn too.
    pub fn new(seed: u64) -> Self {
        let chance = Self::quiet(seed);
        let rates = Fault::ALL.into_iter().filter_map(|fault| {
            let rate = match chance.below(10) {
                0..=4 => return None,
                5..=7 => 10,
                8 => 40,
                _ => 120,
            };
            Some((fault, rate))
        });
        let rates = rates.collect();
        chance.lock().rates = rates;
        chance
    }

    /// A chance without faults.
    pub fn quiet(seed: u64) -> Self {
        let inner = Inner {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d,
            elsewhere: seed,
            rates: BTreeMap::new(),
            fired: BTreeMap::new(),
            made: 0,
            calm: false,
            log: Vec::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            begun: Instant::now(),
            home: std::thread::current().id(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A number below another: SplitMix64.
    pub fn below(&self, limit: u64) -> u64 {
        let elsewhere = self.is_elsewhere();
        let mut inner = self.lock();
        let state = match elsewhere {
            true => &mut inner.elsewhere,
            false => &mut inner.state,
        };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    /// Whether a fault comes now; it is counted when it does.
    pub fn strikes(&self, fault: Fault) -> bool {
        let Some(rate) = self.lock().rates.get(&fault).copied() else {
            return false;
        };
        let strikes = self.below(1_000) < rate;
        if strikes {
            self.fired(fault);
        }
        strikes
    }

    /// Whether a seed has a fault at all.
    pub fn has(&self, fault: Fault) -> bool {
        self.lock().rates.contains_key(&fault)
    }

    pub fn fired(&self, fault: Fault) {
        *self.lock().fired.entry(fault).or_default() += 1;
    }

    /// No faults from here on.
    pub fn calm(&self) {
        let mut inner = self.lock();
        inner.rates.clear();
        inner.calm = true;
    }

    pub fn is_calm(&self) -> bool {
        self.lock().calm
    }

    pub fn counts(&self) -> BTreeMap<Fault, u64> {
        self.lock().fired.clone()
    }

    /// Whether this is another thread than the simulation's, where time is real: the Delta library
    /// reads logs on threads of its own, while the simulation's waits.
    pub fn is_elsewhere(&self) -> bool {
        std::thread::current().id() != self.home
    }

    /// Something happened: it is part of the trace.
    pub fn note(&self, what: &str) {
        if self.is_elsewhere() {
            return;
        }
        let at = self.begun.elapsed().as_millis();
        let mut inner = self.lock();
        inner.log.push(format!("{at:>8} {what}"));
    }

    /// Everything that happened, with its time.
    pub fn trace(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    pub fn delay(&self, up_to_ms: u64) -> Duration {
        Duration::from_millis(self.below(up_to_ms))
    }

    fn made(&self) -> u64 {
        let mut inner = self.lock();
        inner.made += 1;
        inner.made
    }
}

/// Clock and names of a process: its clock is wrong by a constant.
pub struct Surroundings {
    pub chance: Chance,
    pub skew_ms: i64,
}

impl WallClock for Surroundings {
    fn now_ms(&self) -> i64 {
        BEGIN_MS + self.skew_ms + self.chance.begun.elapsed().as_millis() as i64
    }
}

impl Ids for Surroundings {
    fn nonce(&self) -> String {
        format!("nonce-{}", self.chance.made())
    }

    fn run(&self, at_ms: i64) -> String {
        let random = u128::from(self.chance.made());
        ulid::Ulid::from_parts(at_ms as u64, random).to_string()
    }
}
