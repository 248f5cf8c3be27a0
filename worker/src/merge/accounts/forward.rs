//! Accounts of the last night, brought forward.
//!
//! Of some months all days are at hand, as they were (`before`) and as they are (`after`). What can
//! be added is brought forward by taking away the one and adding the other. A first or last day
//! cannot be taken away: when it lay in these months and is gone, the next one may lie in a month
//! that was not read, and only all days can tell.

use std::cmp::Ordering;

use tenfold_core::calendar::Day;

use super::{Account, Accounts, Group, Groups, Sum};

/// Only all days can tell.
#[derive(Debug, PartialEq, Eq)]
pub struct NeedsHistory;

impl Accounts {
    /// These accounts, with what some months gave then replaced by what they give now; the first day is
    /// that of all accounts of a shard, and is told by [`FirstDay`].
    pub fn forward(self, before: &Self, after: &Self) -> Result<Self, NeedsHistory> {
        let mut groups = Vec::with_capacity(self.groups.len());
        for (place, old) in self.groups.iter().enumerate() {
            groups.push(old.forward(&before.groups[place], &after.groups[place])?);
        }
        let mut next = Self {
            rows: Vec::with_capacity(self.rows.len()),
            width: self.width,
            sums: Vec::with_capacity(self.sums.len()),
            groups,
            first_day: None,
        };
        let mut walk = Walk::default();
        let lists = [&self.rows, &before.rows, &after.rows];
        while let Some(places) = walk.next(lists, |a, b| a.customer.cmp(&b.customer)) {
            // Most customers: nothing of theirs moved.
            if let [Some(place), None, None] = places {
                next.rows.push(self.rows[place]);
                let sums = &self.sums[place * self.width..][..self.width];
                next.sums.extend_from_slice(sums);
                continue;
            }
            let rows = [0, 1, 2].map(|list| row(lists[list], places[list]));
            if let Some(account) = account(rows)? {
                next.rows.push(account);
                let sums = [&self.sums, &before.sums, &after.sums];
                add_sums(sums, places, self.width, &mut next.sums);
            }
        }
        Ok(next)
    }
}

/// The first day with an event of a shard, from accounts that are brought forward range by range.
#[derive(Debug, Default)]
pub struct FirstDay {
    /// Events of the accounts as they were, and of those that lie in the months read.
    events: [i64; 2],
    /// The first days in these months, as they were and as they are.
    days: [Option<i32>; 2],
}

impl FirstDay {
    /// Takes in the accounts of a range, what is taken away from them, and what is added.
    pub fn add(&mut self, old: &Accounts, before: &Accounts, after: &Accounts) {
        for (events, accounts) in self.events.iter_mut().zip([old, before]) {
            *events += accounts.rows.iter().map(|row| row.events).sum::<i64>();
        }
        for (first, accounts) in self.days.iter_mut().zip([before, after]) {
            *first = first.iter().copied().chain(accounts.first_day).min();
        }
    }

    /// The first day, from what it was.
    pub fn of(&self, old: Option<Day>) -> Result<Option<Day>, NeedsHistory> {
        let [events, read] = self.events;
        let [before, after] = self.days;
        let days = [old.map(|day| day.0), before, after];
        Ok(extreme(days, events > read, earlier)?.map(Day))
    }
}

impl Groups {
    fn forward(&self, before: &Self, after: &Self) -> Result<Self, NeedsHistory> {
        let mut next = Self {
            rows: Vec::with_capacity(self.rows.len()),
            width: self.width,
            sums: Vec::with_capacity(self.sums.len()),
            latest: self.latest,
        };
        let mut walk = Walk::default();
        let lists = [&self.rows, &before.rows, &after.rows];
        while let Some(places) = walk.next(lists, |a, b| self.order(a, b)) {
            if let Some(group) = self.group(lists, places)? {
                next.rows.push(group);
                let sums = [&self.sums, &before.sums, &after.sums];
                add_sums(sums, places, self.width, &mut next.sums);
            }
        }
        Ok(next)
    }

    /// Where the latest value counts, a customer has one row, whatever its value.
    fn order(&self, one: &Group, other: &Group) -> Ordering {
        let customers = one.customer.cmp(&other.customer);
        match self.latest {
            true => customers,
            false => customers.then_with(|| one.value.cmp(&other.value)),
        }
    }

    fn group(
        &self,
        lists: [&Vec<Group>; 3],
        places: [Option<usize>; 3],
    ) -> Result<Option<Group>, NeedsHistory> {
        let found = [0, 1, 2].map(|list| places[list].map(|place| &lists[list][place]));
        let [old, gone, came] = found.map(|group| group.map_or(0, |group| group.rows));
        let rows = old - gone + came;
        if rows == 0 {
            return Ok(None);
        }
        let values = found.map(|group| group.map(|group| (group.time, group.value.clone())));
        let Some((time, value)) = (match self.latest {
            true => extreme(values, old > gone, |came, old| came >= old)?,
            false => values.into_iter().flatten().next(),
        }) else {
            return Ok(None);
        };
        let customer = found.into_iter().flatten().next();
        Ok(Some(Group {
            customer: customer.map_or(0, |group| group.customer),
            value,
            time,
            rows,
        }))
    }
}

fn row(rows: &[Account], place: Option<usize>) -> Option<Account> {
    place.map(|place| rows[place])
}

fn account(rows: [Option<Account>; 3]) -> Result<Option<Account>, NeedsHistory> {
    let customer = rows.iter().flatten().map(|row| row.customer).next();
    let [old, gone, came] = rows.map(Option::unwrap_or_default);
    let events = old.events - gone.events + came.events;
    if events == 0 {
        return Ok(None);
    }
    let unread = old.purchase_days > gone.purchase_days;
    let first = extreme([old.first, gone.first, came.first], unread, earlier)?;
    Ok(Some(Account {
        customer: customer.unwrap_or_default(),
        events,
        first,
        last: extreme([old.last, gone.last, came.last], unread, later)?,
        first_value: match first.is_some() && first == came.first {
            true => came.first_value,
            false => old.first_value,
        },
        purchase_days: old.purchase_days - gone.purchase_days + came.purchase_days,
        spent: old.spent - gone.spent + came.spent,
        revenue: old.revenue.replaced(gone.revenue, came.revenue),
        held_days: old.held_days - gone.held_days + came.held_days,
        held_last: extreme(
            [old.held_last, gone.held_last, came.held_last],
            old.held_days > gone.held_days,
            later,
        )?,
    }))
}

fn earlier(came: &i32, old: &i32) -> bool {
    came <= old
}

fn later(came: &i32, old: &i32) -> bool {
    came >= old
}

/// The extreme of all days, from the old one, the one that was in the months read, and the one that
/// is in them. `unread` says whether there are others outside of these months.
fn extreme<T: PartialEq>(
    [old, gone, came]: [Option<T>; 3],
    unread: bool,
    wins: impl Fn(&T, &T) -> bool,
) -> Result<Option<T>, NeedsHistory> {
    let Some(old) = old.filter(|_| unread) else {
        return Ok(came);
    };
    let was_read = gone.is_some_and(|gone| gone == old);
    match came {
        Some(came) if wins(&came, &old) => Ok(Some(came)),
        _ if was_read => Err(NeedsHistory),
        _ => Ok(Some(old)),
    }
}

impl Sum {
    fn replaced(self, gone: Self, came: Self) -> Self {
        Self {
            total: self.total - gone.total + came.total,
            values: self.values - gone.values + came.values,
        }
    }
}

fn add_sums(lists: [&Vec<Sum>; 3], places: [Option<usize>; 3], width: usize, next: &mut Vec<Sum>) {
    for column in 0..width {
        let [old, gone, came] = [0, 1, 2].map(|list| match places[list] {
            Some(place) => lists[list][place * width + column],
            None => Sum::default(),
        });
        next.push(old.replaced(gone, came));
    }
}

/// Walks three sorted lists together, row by row of their union.
#[derive(Default)]
struct Walk {
    next: [usize; 3],
}

impl Walk {
    /// The places of the next row in each list that has it.
    fn next<T>(
        &mut self,
        lists: [&Vec<T>; 3],
        order: impl Fn(&T, &T) -> Ordering,
    ) -> Option<[Option<usize>; 3]> {
        let heads = [0, 1, 2].map(|list| lists[list].get(self.next[list]));
        let least = heads.into_iter().flatten().min_by(|a, b| order(a, b))?;
        let mut places = [None; 3];
        for list in 0..3 {
            if heads[list].is_some_and(|head| order(head, least).is_eq()) {
                places[list] = Some(self.next[list]);
                self.next[list] += 1;
            }
        }
        Some(places)
    }
}
