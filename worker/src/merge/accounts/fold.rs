//! Accounts as the sum of days.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tenfold_core::calendar::{Day, Window};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{AccountsSpec, MergeSource};

use super::{Account, Accounts, Group, Groups, Sum, partitioned, plain};
use crate::merge::days::{Days, Sums};

/// Adds up the days that count.
pub fn fold<'a>(
    spec: &AccountsSpec,
    sources: impl Iterator<Item = &'a MergeSource>,
    days: &BTreeMap<String, Days>,
) -> Result<Accounts, Failure> {
    let mut folds = Vec::with_capacity(days.len());
    for source in sources {
        if let Some(days) = days.get(&source.source) {
            folds.push(Fold::new(spec, source, days)?);
        }
    }
    let mut accounts = Accounts::none(spec);
    for customer in customers(spec.as_of, folds.iter().map(|fold| fold.days)) {
        let first_sum = accounts.sums.len();
        accounts
            .sums
            .resize(first_sum + accounts.width, Sum::default());
        let mut account = Account {
            customer,
            ..Account::default()
        };
        for fold in &mut folds {
            let rows = fold.rows_of(customer);
            let Some(first) = fold.days.day.get(rows.start).filter(|_| !rows.is_empty()) else {
                continue;
            };
            let before = accounts.first_day.unwrap_or(*first);
            accounts.first_day = Some(before.min(*first));
            account.events += fold.days.rows[rows.clone()].iter().sum::<i64>();
            fold.add_purchases(&rows, &mut account);
            fold.add_sums(&rows, &mut accounts.sums[first_sum..]);
            for (place, grouping) in &fold.groupings {
                grouping.add(fold.days, customer, &rows, &mut accounts.groups[*place]);
            }
        }
        accounts.rows.push(account);
    }
    Ok(accounts)
}

/// Codes of the customers with an event before `as_of`, ascending.
fn customers<'a>(as_of: Day, sources: impl ExactSizeIterator<Item = &'a Days>) -> Vec<i64> {
    let mut all = Vec::new();
    let several = sources.len() > 1;
    for days in sources {
        let counting = (0..days.len()).filter(|row| days.day[*row] < as_of.0);
        let first = all.len();
        for row in counting {
            if all.len() == first || all.last() != Some(&days.customer[row]) {
                all.push(days.customer[row]);
            }
        }
    }
    if several {
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// The days of one source, walked customer by customer, and what is made of them.
struct Fold<'a> {
    days: &'a Days,
    next: usize,
    as_of: Day,
    purchases: Option<&'a Sums>,
    holdout_from: Option<Day>,
    /// Place of the sum, its values and its window.
    sums: Vec<(usize, &'a Sums, Window)>,
    /// Place of the groups, and how they are made.
    groupings: Vec<(usize, Grouping<'a>)>,
}

impl<'a> Fold<'a> {
    fn new(spec: &'a AccountsSpec, source: &MergeSource, days: &'a Days) -> Result<Self, Failure> {
        let clv = spec.clv.as_ref().filter(|clv| clv.source == source.source);
        let mut fold = Self {
            days,
            next: 0,
            as_of: spec.as_of,
            purchases: match clv {
                Some(clv) => Some(measure(source, days, &clv.value)?),
                None => None,
            },
            holdout_from: clv.and_then(|clv| clv.holdout_from),
            sums: Vec::new(),
            groupings: Vec::new(),
        };
        let mut place = 0;
        for totals in plain(spec) {
            if totals.source == source.source {
                let values = measure(source, days, totals.measure.as_deref().unwrap_or_default())?;
                let windows = totals.windows.iter().zip(place..);
                fold.sums
                    .extend(windows.map(|((_, window), place)| (place, values, *window)));
            }
            place += totals.windows.len();
        }
        for (place, totals) in partitioned(spec).enumerate() {
            if let Some(by) = totals
                .by
                .as_ref()
                .filter(|_| totals.source == source.source)
            {
                let measure = match &totals.measure {
                    Some(name) => Some(measure(source, days, name)?),
                    None => None,
                };
                let windows = totals.windows.iter().map(|(_, window)| *window);
                let dimension = dimension(source, &by.dimension)?;
                fold.groupings.push((
                    place,
                    Grouping {
                        codes: &days.dimensions[dimension],
                        meanings: days.meanings[dimension].shared(),
                        latest: by.latest,
                        values: measure,
                        windows: windows.collect(),
                    },
                ));
            }
        }
        Ok(fold)
    }

    /// The rows of a customer that count.
    fn rows_of(&mut self, customer: i64) -> Range<usize> {
        let customers = &self.days.customer;
        while customers
            .get(self.next)
            .is_some_and(|other| *other < customer)
        {
            self.next += 1;
        }
        let start = self.next;
        while customers.get(self.next) == Some(&customer) {
            self.next += 1;
        }
        // Rows of a customer are sorted by day.
        let counting = self.days.day[start..self.next].partition_point(|day| *day < self.as_of.0);
        start..start + counting
    }

    fn add_sums(&self, rows: &Range<usize>, sums: &mut [Sum]) {
        for (place, values, window) in &self.sums {
            for row in rows.clone() {
                if window.contains(Day(self.days.day[row])) {
                    sums[*place].add(values.get(row));
                }
            }
        }
    }

    fn add_purchases(&self, rows: &Range<usize>, account: &mut Account) {
        let Some(values) = self.purchases else {
            return;
        };
        let days = &self.days.day;
        let mut start = rows.start;
        while start < rows.end {
            let day = days[start];
            let end = start + days[start..rows.end].partition_point(|other| *other == day);
            for row in start..end {
                account.revenue.add(values.get(row));
            }
            if let Some(net) = self.days.purchase(start..end, values) {
                self.add_purchase(day, net, account);
            }
            start = end;
        }
    }

    fn add_purchase(&self, day: i32, net: i128, account: &mut Account) {
        if account.first.is_none() {
            (account.first, account.first_value) = (Some(day), net);
        }
        account.last = Some(day);
        account.purchase_days += 1;
        account.spent += net;
        if self.holdout_from.is_some_and(|from| day < from.0) {
            account.held_days += 1;
            account.held_last = Some(day);
        }
    }
}

/// How the rows of a source become sums by customer and value of a dimension.
struct Grouping<'a> {
    codes: &'a [u32],
    meanings: Vec<Option<Arc<str>>>,
    latest: bool,
    values: Option<&'a Sums>,
    windows: Vec<Window>,
}

impl Grouping<'_> {
    fn add(&self, days: &Days, customer: i64, rows: &Range<usize>, groups: &mut Groups) {
        let latest = rows
            .clone()
            .max_by_key(|row| (days.time[*row], self.codes[*row]));
        let mut by_code: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for row in rows.clone() {
            let speaks = latest.filter(|_| self.latest).unwrap_or(row);
            by_code.entry(self.codes[speaks]).or_default().push(row);
        }
        for (code, rows) in by_code {
            groups.rows.push(Group {
                customer,
                value: self.meanings.get(code as usize).cloned().flatten(),
                time: latest
                    .filter(|_| self.latest)
                    .map_or(0, |row| days.time[row]),
                rows: rows.len() as i64,
            });
            let Some(values) = self.values else {
                continue;
            };
            for window in &self.windows {
                let mut sum = Sum::default();
                for row in &rows {
                    if window.contains(Day(days.day[*row])) {
                        sum.add(values.get(*row));
                    }
                }
                groups.sums.push(sum);
            }
        }
    }
}

fn measure<'a>(source: &MergeSource, days: &'a Days, measure: &str) -> Result<&'a Sums, Failure> {
    let place = source.measures.iter().position(|known| known == measure);
    place
        .and_then(|place| days.measures.get(place))
        .ok_or_else(|| Failure::bug(format!("a merge task lacks measure {measure}")))
}

fn dimension(source: &MergeSource, dimension: &str) -> Result<usize, Failure> {
    let place = source
        .dimensions
        .iter()
        .position(|known| known == dimension);
    place.ok_or_else(|| Failure::bug(format!("a merge task lacks dimension {dimension}")))
}
