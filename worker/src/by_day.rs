//! What is said of days: they come again and again, so that each is asked for once, mostly.

use tenfold_core::calendar::Day;

/// Days that are kept, one for each remainder by this.
const KEPT: usize = 1024;

/// Answers about days, the latest ones kept.
pub struct ByDay<T, F> {
    ask: F,
    known: Vec<Option<(i32, T)>>,
}

impl<T: Copy, F: FnMut(Day) -> T> ByDay<T, F> {
    /// Nothing is known yet.
    pub fn new(ask: F) -> Self {
        Self {
            ask,
            known: vec![None; KEPT],
        }
    }

    /// What is said of a day, by days since 1970-01-01.
    pub fn of(&mut self, day: i32) -> T {
        let known = &mut self.known[day as u32 as usize % KEPT];
        match *known {
            Some((same, answer)) if same == day => answer,
            _ => {
                let answer = (self.ask)(Day(day));
                *known = Some((day, answer));
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_gets_its_own_answer_and_is_asked_for_once_while_it_is_kept() {
        let mut asked = Vec::new();
        let mut days = ByDay::new(|day| {
            asked.push(day.0);
            day.0
        });
        // 5 and 1029 have the same remainder, as -1 and 1023 have.
        let order = [5, 5, 1029, 5, -1, -1, 1023, i32::MIN, i32::MAX, -1];
        for day in order {
            assert_eq!(days.of(day), day);
        }
        assert_eq!(asked, [5, 1029, 5, -1, 1023, i32::MIN, i32::MAX, -1]);
    }
}
