//! What a coordinator does about a schedule now: one total function of what the ledger says, what
//! is declared and the time. Whoever asks again gets the same answer until the ledger or the time
//! moved on, so timers, changes, restarts and takeovers need no code of their own.

use super::times::{Timetable, nominal, nominal_ms};
use crate::ledger::{Incomplete, RunState, Schedule};
use crate::project::{CatchUp, Overlap, ScheduleSpec, Then};

/// Without catching up, a firing has this long to be seen, in milliseconds.
const GRACE: i64 = 60_000;
/// How often data is looked for that is waited for, in milliseconds.
const LOOK_EVERY: i64 = 30_000;
/// Missed firings beyond so many are passed over without being counted.
const COUNTED: usize = 10_000;

/// What is known of a schedule.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What is declared.
    pub spec: &'a ScheduleSpec,
    /// When it fires.
    pub times: &'a Timetable,
    /// What the ledger says.
    pub known: &'a Schedule,
    /// Its run that has not ended.
    pub live: Option<Live<'a>>,
    /// What was found when the data of the first firing in line was looked for just now.
    pub readiness: Option<&'a Readiness>,
    /// The time, milliseconds since 1970 UTC.
    pub now_ms: i64,
}

/// A run of a schedule that has not ended.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    /// Its identity.
    pub run: &'a str,
    /// Where it is.
    pub state: RunState,
    /// The firing that it stands for.
    pub nominal: &'a str,
}

/// Whether the data of a firing is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Ready,
    /// This is missing.
    Missing(Vec<String>),
}

/// What to do. Everything but [`Action::Nothing`] and [`Action::Look`] is a record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing before this time, if the ledger stays as it is.
    Nothing {
        /// When to ask again, milliseconds since 1970 UTC; never when there is nothing to come.
        wake_at: Option<i64>,
    },
    /// It pauses itself.
    Pause {
        /// Why.
        reason: String,
    },
    /// Its pause is over.
    Resume,
    /// Firings are due, and not simply started.
    Advance {
        /// The last of them.
        nominal: String,
        /// How many start no run.
        skipped: u64,
        /// All that are in line now.
        buffered: Vec<String>,
    },
    /// Look whether the data of a firing is there, and ask again.
    Look {
        /// The firing.
        nominal: String,
    },
    /// Submit the run of a firing.
    Fire {
        /// The firing.
        nominal: String,
        /// What did not come in time.
        incomplete: Option<Incomplete>,
    },
    /// Stop the run, in favour of a later firing.
    CancelLive {
        /// The run.
        run: String,
        /// The firing.
        nominal: String,
    },
    /// A firing has no finished run though it should.
    Late {
        /// The firing.
        nominal: String,
    },
}

/// What to do about a schedule now.
pub fn decide(at: &Situation<'_>) -> Action {
    if at.known.paused.is_some() {
        return at.paused();
    }
    let limit = at.spec.pause_after_failures;
    if limit > 0 && at.known.failures >= limit {
        let failures = at.known.failures;
        return Action::Pause {
            reason: format!("{failures} runs in a row failed"),
        };
    }
    if let Some(action) = at.due().or_else(|| at.late()) {
        return action;
    }
    match (at.known.buffered.first(), &at.live) {
        (Some(nominal), None) => at.start(nominal),
        (Some(nominal), Some(live)) if at.gives_way(live, nominal) => Action::CancelLive {
            run: live.run.to_owned(),
            nominal: nominal.clone(),
        },
        _ => Action::Nothing { wake_at: at.wake() },
    }
}

/// For how long the earliest firing has no run that ended, in milliseconds: it is due, in line or
/// at work. A schedule that is paused owes nothing.
pub fn lag_ms(at: &Situation<'_>) -> i64 {
    if at.known.paused.is_some() {
        return 0;
    }
    let due = at.times.after(at.looked_until()).next();
    let taken = [at.live.map(|live| live.nominal), at.first_in_line()];
    let taken = taken.into_iter().flatten().filter_map(nominal_ms);
    let earliest = taken.chain(due).min();
    earliest.map_or(0, |earliest| at.now_ms.saturating_sub(earliest).max(0))
}

impl Situation<'_> {
    fn paused(&self) -> Action {
        match self.known.paused_until_ms {
            Some(until) if until <= self.now_ms => Action::Resume,
            wake_at => Action::Nothing { wake_at },
        }
    }

    /// Firings up to here were looked at, or are none of this schedule's.
    fn looked_until(&self) -> i64 {
        let since = match self.times.start_ms() {
            // A new schedule whose first day has passed makes up for what it can.
            Some(start) if self.known.fresh => start.saturating_sub(1).min(self.known.since_ms),
            _ => self.known.since_ms,
        };
        let last = self.known.last_nominal.as_deref().and_then(nominal_ms);
        last.map_or(since, |last| last.max(since))
    }

    fn due(&self) -> Option<Action> {
        let looked = self.looked_until();
        self.times
            .after(looked)
            .next()
            .filter(|ms| *ms <= self.now_ms)?;
        let window = match self.spec.catch_up {
            CatchUp::None => GRACE,
            _ => self.spec.catch_up_window.ms(),
        };
        let oldest = self.now_ms.saturating_sub(window).max(looked);
        let until_oldest = self.times.after(looked).take_while(|ms| *ms <= oldest);
        let mut last = looked;
        let mut skipped = 0_u64;
        for ms in until_oldest.take(COUNTED) {
            last = ms;
            skipped += 1;
        }
        let due = self.times.after(oldest).take_while(|ms| *ms <= self.now_ms);
        let mut wanted: Vec<i64> = due.collect();
        last = match wanted.last() {
            Some(newest) => *newest,
            None if skipped as usize == COUNTED => oldest,
            None => last,
        };
        let most = match self.spec.catch_up {
            CatchUp::All => self.spec.catch_up_max as usize,
            CatchUp::None | CatchUp::Latest => 1,
        };
        let missed = wanted.len().saturating_sub(most);
        skipped += missed as u64;
        let wanted = wanted.split_off(missed).into_iter().map(nominal).collect();
        Some(self.take_in(nominal(last), skipped, wanted))
    }

    /// Puts firings in line as the overlap policy says.
    fn take_in(&self, last: String, mut skipped: u64, mut wanted: Vec<String>) -> Action {
        let mut line = self.known.buffered.clone();
        let busy = self.live.is_some() || !line.is_empty();
        if let ([only], false, 0, None) = (wanted.as_slice(), busy, skipped, &self.spec.ready_when)
        {
            return Action::Fire {
                nominal: only.clone(),
                incomplete: None,
            };
        }
        let newest = wanted.last().cloned();
        match (busy, self.spec.overlap, newest) {
            (false, ..) => line = wanted,
            (true, Overlap::Skip, _) | (true, _, None) => skipped += wanted.len() as u64,
            (true, Overlap::BufferAll, _) => {
                line.append(&mut wanted);
                let most = self.spec.catch_up_max as usize;
                skipped += line.len().saturating_sub(most) as u64;
                line.truncate(most);
            }
            (true, Overlap::BufferOne, Some(newest)) => {
                // Without a run the first in line waits for its data, and stays.
                let ahead = usize::from(self.live.is_none());
                skipped += wanted.len() as u64 - 1;
                if line.len() > ahead {
                    line.pop();
                    skipped += 1;
                }
                line.push(newest);
            }
            (true, Overlap::CancelOther, Some(newest)) => {
                skipped += (line.len() + wanted.len() - 1) as u64;
                line = vec![newest];
            }
        }
        Action::Advance {
            nominal: last,
            skipped,
            buffered: line,
        }
    }

    fn first_in_line(&self) -> Option<&str> {
        self.known.buffered.first().map(String::as_str)
    }

    /// The firing that is at work or first in line.
    fn current(&self) -> Option<&str> {
        let live = self.live.map(|live| live.nominal);
        live.or_else(|| self.first_in_line())
    }

    /// When the current firing becomes late, unless it was said already.
    fn late_at(&self) -> Option<(i64, &str)> {
        let current = self.current()?;
        let said = self
            .known
            .late
            .as_deref()
            .is_some_and(|said| said >= current);
        let after = self.spec.late_after.filter(|_| !said)?;
        Some((nominal_ms(current)?.saturating_add(after.ms()), current))
    }

    fn late(&self) -> Option<Action> {
        let (at, current) = self.late_at()?;
        (at <= self.now_ms).then(|| Action::Late {
            nominal: current.to_owned(),
        })
    }

    fn gives_way(&self, live: &Live<'_>, nominal: &str) -> bool {
        self.spec.overlap == Overlap::CancelOther
            && matches!(live.state, RunState::Queued | RunState::Running)
            && nominal > live.nominal
    }

    fn start(&self, nominal: &str) -> Action {
        let fire = |incomplete| Action::Fire {
            nominal: nominal.to_owned(),
            incomplete,
        };
        let Some(ready) = &self.spec.ready_when else {
            return fire(None);
        };
        let missing = match self.readiness {
            None => {
                return Action::Look {
                    nominal: nominal.to_owned(),
                };
            }
            Some(Readiness::Ready) => return fire(None),
            Some(Readiness::Missing(missing)) => missing,
        };
        let fired = nominal_ms(nominal).unwrap_or(self.now_ms);
        let time_is_up = fired.saturating_add(ready.wait_up_to.ms());
        if self.now_ms >= time_is_up {
            return fire(Some(Incomplete {
                missing: missing.clone(),
                fail: ready.then == Then::Fail,
            }));
        }
        let look = self.now_ms.saturating_add(LOOK_EVERY).min(time_is_up);
        Action::Nothing {
            wake_at: Some(self.wake().map_or(look, |wake| wake.min(look))),
        }
    }

    fn wake(&self) -> Option<i64> {
        let next = self.times.after(self.looked_until()).next();
        let late = self.late_at().map(|(at, _)| at);
        next.into_iter().chain(late).min()
    }
}
