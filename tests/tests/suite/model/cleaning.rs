//! Expiry and clean-up, one request at a time. How old a file is does not count here, so that files
//! of a run go that has not announced them yet: what a manifest names has to be there all the same.

use super::state::{
    Body, Cleaner, FILES, Protocol, RUNS, State, Variant, begins_cleaning, bits, ends_cleaning,
    expires,
};

impl State {
    /// Retention: all snapshots but the newest expire.
    pub fn expire(&mut self) {
        let old = expires(1..self.head());
        if let Ok(said) = self.said.after(&old) {
            self.said = said;
        }
    }

    /// Runs whose files manifests name that do not count as deleted.
    fn in_manifests(&self) -> u8 {
        let numbers = (1..=RUNS as u8).filter(|number| self.said.deleted >> number & 1 == 0);
        let bodies = numbers.filter_map(|number| self.slot(number));
        let named = bodies.flat_map(|body| self.named_by(body));
        named.fold(0, |set, run| set | 1 << run)
    }

    /// Runs whose files announced publications will name.
    fn in_announcements(&self) -> u8 {
        let bodies = (0..FILES as u8).filter_map(|run| {
            let number = self.said.announced[usize::from(run)]?;
            Some(Body { run, by: 0, number })
        });
        let named = bodies.flat_map(|body| self.named_by(body));
        named.fold(0, |set, run| set | 1 << run)
    }
}

impl Protocol {
    /// The next request of a clean-up.
    pub fn clean_up(&self, state: &mut State) {
        let seen = state.in_manifests();
        state.cleaner = match state.cleaner {
            // Whoever began before is gone: time has passed.
            Cleaner::Away => {
                let Ok(said) = state.said.after(&begins_cleaning(state.said)) else {
                    return;
                };
                state.said = said;
                state.left.clean_ups -= 1;
                if self.variant == Variant::BeginsUnsaid {
                    state.said.cleaning = false;
                }
                let announced = match self.variant {
                    Variant::AnnouncementsIgnored => 0,
                    _ => state.in_announcements(),
                };
                Cleaner::Began { announced }
            }
            Cleaner::Began { announced } => Cleaner::Deleting {
                used: seen | announced,
                next: 0,
            },
            Cleaner::Deleting { used, next } if usize::from(next) < RUNS => {
                state.files[usize::from(next)] &= used >> next & 1 == 1;
                let next = next + 1;
                Cleaner::Deleting { used, next }
            }
            Cleaner::Deleting { .. } => {
                if self.variant == Variant::SlotsDeleted {
                    for number in bits(state.said.deleted) {
                        state.slots[usize::from(number) - 1] = None;
                    }
                }
                if let Ok(said) = state.said.after(&ends_cleaning()) {
                    state.said = said;
                }
                Cleaner::Away
            }
        };
    }
}
