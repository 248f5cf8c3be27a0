//! Nights of a merge against one merge of everything: the same parts, to the byte.

mod ranges;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use tenfold_core::calendar::{Day, LookBack, WindowKind, lookback_window};
use tenfold_core::project::{CustomerType, SourceKind};
use tenfold_core::refresh::part::{PartRef, Segment};
use tenfold_core::refresh::restate::{Span, Spans};
use tenfold_core::refresh::state::ShardState;
use tenfold_core::refresh::task::{
    AccountsSpec, GroupBy, MergeClv, MergeOutput, MergeSource, MergeTask, PieceSegment, Task,
    TaskOutput, TotalsSpec,
};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_store::part::{WORK, append_segment, get_parquet, put_part};
use tokio::runtime::Runtime;
use xxhash_rust::xxh3::xxh3_64;

use crate::{Processors, TaskContext};

/// A stream of numbers that is the same every time (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

#[derive(Debug, Clone)]
struct Event {
    source: &'static str,
    id: String,
    customer: i64,
    day: i32,
    hour: i64,
    amount: Option<i64>,
    region: Option<&'static str>,
}

/// A store in memory, and what has been put into it.
struct Shard {
    runtime: Runtime,
    context: TaskContext,
    customers: CustomerType,
    purchases: &'static str,
    /// Days that may lie between copies of a sale.
    horizon: Option<u32>,
    /// Amounts of memory with which each merge is made once more.
    again_with: &'static [u64],
}

impl Shard {
    fn new(customers: CustomerType, purchases: &'static str) -> Self {
        let runtime = Runtime::new().unwrap();
        let context = TaskContext {
            store: Store::in_memory(),
            inputs: Arc::new(Locations::default()),
            runtime: runtime.handle().clone(),
            threads: 1,
            memory: u64::MAX,
            processors: Arc::new(Processors::new(1)),
            progress: Arc::new(AtomicU64::new(0)),
            wide: None,
        };
        Self {
            runtime,
            context,
            customers,
            purchases,
            horizon: None,
            again_with: &[],
        }
    }

    fn sources(&self) -> Vec<MergeSource> {
        let source = |name: &str, event_ids| MergeSource {
            source: name.to_owned(),
            measures: vec!["amount".to_owned()],
            dimensions: vec!["region".to_owned()],
            event_ids,
            horizon: self.horizon.filter(|_| event_ids),
            kind: SourceKind::Events,
        };
        vec![source("sales", true), source("visits", false)]
    }

    fn spec(&self, as_of: Day) -> AccountsSpec {
        let windows = |months: &[u32], kind| {
            let window = |months: &u32| {
                let window = lookback_window(as_of, LookBack::Months(*months), kind);
                (format!("{months}m"), window)
            };
            let lifetime = lookback_window(as_of, LookBack::Lifetime, kind);
            let lifetime = ("lifetime".to_owned(), lifetime);
            months.iter().map(window).chain([lifetime]).collect()
        };
        let totals = |name: &str, source: &str, months: &[u32], kind, latest: Option<bool>| {
            let by = latest.map(|latest| GroupBy {
                dimension: "region".to_owned(),
                latest,
            });
            TotalsSpec {
                name: name.to_owned(),
                source: source.to_owned(),
                measure: Some("amount".to_owned()),
                windows: windows(months, kind),
                by,
            }
        };
        let (trailing, whole) = (WindowKind::Trailing, WindowKind::CalendarMonths);
        let ranks_clv = TotalsSpec {
            measure: None,
            windows: Vec::new(),
            ..totals("clv", self.purchases, &[], trailing, Some(true))
        };
        let holdout = lookback_window(as_of, LookBack::Months(3), whole);
        AccountsSpec {
            as_of,
            clv: Some(MergeClv {
                source: self.purchases.to_owned(),
                value: "amount".to_owned(),
                holdout_from: holdout.start,
            }),
            totals: vec![
                totals("spend", "sales", &[1, 3], trailing, None),
                totals("seen", "visits", &[2], whole, None),
                totals("by_event", "sales", &[1], trailing, Some(false)),
                totals("by_latest", "visits", &[3], trailing, Some(true)),
                ranks_clv,
            ],
        }
    }

    fn batch(&self, events: &[&Event]) -> RecordBatch {
        let ids = events[0].source == "sales";
        let nullable = |name: &str, data_type| Field::new(name, data_type, true);
        let (customer, customers): (_, arrow::array::ArrayRef) = match self.customers {
            CustomerType::Int64 => {
                let customers = events.iter().map(|event| event.customer);
                let customers = Int64Array::from_iter_values(customers);
                (DataType::Int64, Arc::new(customers))
            }
            CustomerType::String => {
                let customers = events.iter().map(|event| format!("c{}", event.customer));
                let customers = StringArray::from_iter_values(customers);
                (DataType::Utf8, Arc::new(customers))
            }
        };
        let days = events.iter().map(|event| event.day);
        let times = events
            .iter()
            .map(|event| (i64::from(event.day) * 24 + event.hour) * 3_600_000_000);
        let mut fields = vec![
            Field::new("customer", customer, false),
            Field::new("day", DataType::Int32, false),
            Field::new("time", DataType::Int64, false),
        ];
        let mut columns: Vec<arrow::array::ArrayRef> = vec![
            customers,
            Arc::new(Int32Array::from_iter_values(days)),
            Arc::new(Int64Array::from_iter_values(times)),
        ];
        if ids {
            fields.push(Field::new("event_id", DataType::Utf8, false));
            let ids = events.iter().map(|event| &event.id);
            columns.push(Arc::new(StringArray::from_iter_values(ids)));
        }
        fields.push(nullable("m.amount", DataType::Int64));
        fields.push(nullable("d.region", DataType::Utf8));
        let amounts = events.iter().map(|event| event.amount);
        let regions = events.iter().map(|event| event.region);
        columns.push(Arc::new(amounts.collect::<Int64Array>()));
        columns.push(Arc::new(regions.collect::<StringArray>()));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    fn pieces(&self, events: &[Event]) -> Vec<PieceSegment> {
        let mut pieces = Vec::new();
        for source in ["sales", "visits"] {
            let events: Vec<&Event> = events.iter().filter(|e| e.source == source).collect();
            if events.is_empty() {
                continue;
            }
            let mut bytes = Vec::new();
            append_segment(&self.batch(&events), &mut bytes).unwrap();
            let segment = Segment {
                shard: 0,
                offset: 0,
                bytes: bytes.len() as u64,
                rows: events.len() as u64,
                checksum: xxh3_64(&bytes),
            };
            let put = put_part(&self.context.store, WORK, "arrow", segment.rows, bytes);
            pieces.push(PieceSegment {
                source: source.to_owned(),
                path: self.runtime.block_on(put).unwrap().path,
                segment,
            });
        }
        pieces
    }

    fn merge(&self, as_of: Day, new: &[Event], last: Option<(Day, &ShardState)>) -> MergeOutput {
        self.restate(as_of, new, last, BTreeMap::new())
    }

    /// A night without events.
    fn task(&self, as_of: Day, last: Option<(Day, &ShardState)>) -> MergeTask {
        MergeTask {
            shard: 0,
            customer_type: self.customers,
            sources: self.sources(),
            spec: self.spec(as_of),
            pieces: Vec::new(),
            previous: last.map(|last| last.1.clone()).unwrap_or_default(),
            previous_spec: last.map(|last| self.spec(last.0)),
            withdrawn: BTreeMap::new(),
            contests: BTreeMap::new(),
        }
    }

    fn restate(
        &self,
        as_of: Day,
        new: &[Event],
        last: Option<(Day, &ShardState)>,
        withdrawn: BTreeMap<String, Spans>,
    ) -> MergeOutput {
        let task = MergeTask {
            pieces: self.pieces(new),
            withdrawn,
            ..self.task(as_of, last)
        };
        let whole = super::run(&task, &self.context).unwrap();
        for memory in self.again_with {
            let context = TaskContext {
                memory: *memory,
                ..self.context.clone()
            };
            assert_eq!(super::run(&task, &context).unwrap(), whole, "{memory}");
        }
        match crate::run(&Task::Merge(task), &self.context).unwrap() {
            TaskOutput::Merge(output) => assert_eq!(output, whole),
            other => panic!("{other:?}"),
        }
        whole
    }

    fn rows(&self, part: &PartRef) -> RecordBatch {
        let read = get_parquet(&self.context.store, part);
        self.runtime.block_on(read).unwrap()
    }
}

/// What is published of a merge, and what the next night starts from.
fn essence(output: &MergeOutput) -> impl PartialEq + std::fmt::Debug + use<> {
    let output = output.clone();
    let state = (
        output.state.accounts,
        output.state.basis,
        output.state.groups,
        output.state.first_day,
        output.state.standing,
    );
    let counts = (
        output.customers,
        output.buyers,
        output.first_purchase,
        output.first_day,
    );
    (state, output.totals, output.standing, counts)
}

const REGIONS: [Option<&str>; 4] = [Some("north"), Some("south"), Some("(none)"), None];

/// An event of some customer around a day.
fn event(draw: &mut Draw, number: u64, around: i32) -> Event {
    let day = match draw.below(12) {
        0 => around - draw.below(700) as i32,
        1 => around + draw.below(45) as i32,
        _ => around - draw.below(4) as i32,
    };
    Event {
        source: ["sales", "visits"][draw.below(2) as usize],
        id: format!("e{number}"),
        customer: (draw.below(9) * draw.below(9)) as i64,
        day,
        hour: draw.below(24) as i64,
        amount: match draw.below(7) {
            0 => None,
            1 => Some(-(draw.below(30) as i64)),
            _ => Some(draw.below(30) as i64),
        },
        region: REGIONS[draw.below(4) as usize],
    }
}

/// The same event again: as it was, at another time, or with another amount.
fn again(draw: &mut Draw, of: &Event) -> Event {
    let mut event = of.clone();
    match draw.below(4) {
        0 => event.day -= draw.below(60) as i32,
        1 => event.day += draw.below(60) as i32,
        2 => event.amount = event.amount.map(|amount| amount - 1),
        _ => {}
    }
    event
}

fn new_events(draw: &mut Draw, known: &[Event], count: u64, around: i32) -> Vec<Event> {
    let mut new: Vec<Event> = Vec::new();
    for number in 0..count {
        let with_ids: Vec<&Event> = known.iter().filter(|e| e.source == "sales").collect();
        let place = draw.below(with_ids.len().max(1) as u64) as usize;
        let next = match draw.once_in(10) && !with_ids.is_empty() {
            true => again(draw, with_ids[place]),
            false => event(draw, known.len() as u64 + number, around),
        };
        new.push(next);
    }
    new
}

/// How many sales count: those before which no smaller one with the same id lies within the horizon.
fn counting(events: &[Event], horizon: Option<u32>) -> i64 {
    let key = |event: &Event| {
        (
            event.day,
            event.hour,
            event.customer,
            event.amount,
            event.region,
        )
    };
    let mut sales: Vec<&Event> = events.iter().filter(|e| e.source == "sales").collect();
    sales.sort_by_key(|sale| (&sale.id, key(sale)));
    let copies = sales.windows(2).filter(|pair| {
        let days = (pair[1].day - pair[0].day) as u32;
        pair[0].id == pair[1].id && horizon.is_none_or(|horizon| days <= horizon)
    });
    (sales.len() - copies.count()) as i64
}

/// Runs nights of one kind; tells how many shards were brought forward, and how many were not.
fn nights(seed: u64, shard: &Shard) -> (usize, usize) {
    let horizon = shard.horizon;
    let mut draw = Draw(seed);
    let mut as_of = Day::from_ymd(2023, 1, 30).unwrap();
    let mut known: Vec<Event> = Vec::new();
    for day in 0..(2 * 365) {
        let around = as_of.0 - 1 - day;
        let count = draw.below(3);
        known.extend(new_events(&mut draw, &known, count, around));
    }
    let mut last = shard.merge(as_of, &known, None);
    let mut duplicates = last.change["sales"].duplicate;
    let (mut forward, mut anew) = (0, 0);
    for night in 0..14 {
        let before = as_of;
        as_of = Day(as_of.0 + [0, 1, 1, 1, 2, 29, 31, 150][draw.below(8) as usize]);
        let count = [0, 1, 6, 25][draw.below(4) as usize];
        let new = new_events(&mut draw, &known, count, as_of.0 - 1);
        known.extend(new.iter().cloned());
        let next = shard.merge(as_of, &new, Some((before, &last.state)));
        let whole = shard.merge(as_of, &known, None);
        assert_eq!(
            essence(&next),
            essence(&whole),
            "seed {seed}, night {night}, {as_of}, {:?}",
            next.reach
        );
        duplicates += next.change["sales"].duplicate;
        assert_eq!(duplicates, whole.change["sales"].duplicate);
        let stands = &next.standing["sales"];
        assert_eq!(stands.counted + stands.pending, counting(&known, horizon));
        for (source, change) in &next.change {
            let read = new.iter().filter(|event| event.source == source).count();
            assert_eq!(
                change.counted + change.pending + change.duplicate,
                read as i64,
                "{source}"
            );
        }
        match next.reach.forward {
            true => forward += 1,
            false => anew += 1,
        }
        last = next;
    }
    (forward, anew)
}

#[test]
fn nights_of_any_kind_end_where_one_merge_of_everything_does() {
    let (mut forward, mut anew) = (0, 0);
    for seed in 0..36 {
        let customers = [CustomerType::Int64, CustomerType::String][seed as usize % 2];
        let purchases = ["sales", "visits"][seed as usize / 2 % 2];
        let horizon = [None, None, None, None, Some(20), Some(45)][seed as usize % 6];
        let shard = Shard {
            horizon,
            ..Shard::new(customers, purchases)
        };
        let seen = nights(seed, &shard);
        forward += seen.0;
        anew += seen.1;
    }
    assert!(forward > 100, "{forward} forward, {anew} anew");
    assert!(anew > 10, "{forward} forward, {anew} anew");
}

/// Nights on which events of some days are corrected, or gone, or delivered late; tells how many
/// shards were brought forward.
fn corrected_nights(seed: u64, shard: &Shard) -> usize {
    let mut draw = Draw(seed);
    let mut as_of = Day::from_ymd(2024, 1, 30).unwrap();
    let mut known: Vec<Event> = Vec::new();
    for day in 0..400 {
        let around = as_of.0 - 1 - day;
        let count = draw.below(4);
        known.extend(new_events(&mut draw, &known, count, around));
    }
    let mut last = shard.merge(as_of, &known, None);
    let mut duplicates = last.change["sales"].duplicate;
    let mut forward = 0;
    for night in 0..12 {
        let before = as_of;
        as_of = Day(as_of.0 + [0, 1, 1, 30][draw.below(4) as usize]);
        let around = as_of.0 - 1 - [0, 2, 100][draw.below(3) as usize];
        let mut withdrawn = BTreeMap::new();
        for source in ["sales", "visits"] {
            let first = Day(around - draw.below(3) as i32);
            let days = Span::of(first).across(Span::of(Day(around)));
            let links = last.state.links.get(source).into_iter();
            let days = Spans::of([days]).with_links(links.flat_map(Spans::iter));
            withdrawn.insert(source.to_owned(), days);
        }
        let is_out = |event: &Event| withdrawn[event.source].contains(Day(event.day));
        // Some of what was there is put back as it was, some of it is corrected, the rest is gone.
        let (out, stays): (Vec<Event>, Vec<Event>) = known.iter().cloned().partition(is_out);
        let mut new = Vec::new();
        for mut event in out.iter().cloned() {
            match draw.below(4) {
                0 => continue,
                1 => event.amount = event.amount.map(|amount| amount + 3),
                _ => {}
            }
            new.push(event);
        }
        let count = draw.below(5);
        new.extend(new_events(&mut draw, &known, count, as_of.0 - 1));
        known = stays.into_iter().chain(new.iter().cloned()).collect();

        let state = Some((before, &last.state));
        let next = shard.restate(as_of, &new, state, withdrawn);
        let whole = shard.merge(as_of, &known, None);
        assert_eq!(
            essence(&next),
            essence(&whole),
            "seed {seed}, night {night}"
        );
        for source in ["sales", "visits"] {
            let of_source = |event: &&Event| event.source == source;
            let taken_out = next.withdrawn[source] as i64;
            let copies = out.iter().filter(of_source).count() as i64;
            let came = new.iter().filter(of_source).count() as i64;
            let change = &next.change[source];
            let now = change.counted + change.pending + change.duplicate;
            assert_eq!(
                now,
                came - taken_out,
                "{source}, seed {seed}, night {night}"
            );
            match source {
                "sales" => duplicates += change.duplicate - (copies - taken_out),
                _ => assert_eq!(copies, taken_out),
            }
        }
        assert_eq!(duplicates, whole.change["sales"].duplicate);
        forward += usize::from(next.reach.forward);
        last = next;
    }
    forward
}

#[test]
fn days_that_are_taken_out_and_counted_anew_leave_no_trace() {
    let forward: usize = (0..16)
        .map(|seed| {
            let customers = [CustomerType::Int64, CustomerType::String][seed as usize % 2];
            let shard = Shard {
                horizon: [None, None, Some(20)][seed as usize % 3],
                ..Shard::new(customers, "sales")
            };
            corrected_nights(seed, &shard)
        })
        .sum();
    assert!(forward > 20, "{forward} forward");
}

/// Two years of one sale and one visit a day.
fn two_years(until: Day) -> Vec<Event> {
    let mut draw = Draw(7);
    let mut number = 0;
    let mut events = Vec::new();
    for day in until.0 - 730..until.0 {
        for source in ["sales", "visits"] {
            number += 1;
            events.push(Event {
                source,
                day,
                ..event(&mut draw, number, day)
            });
        }
    }
    events
}

fn sale(day: Day, customer: i64, amount: i64) -> Event {
    Event {
        source: "sales",
        id: format!("{day} {customer} {amount}"),
        customer,
        day: day.0,
        hour: 1,
        amount: Some(amount),
        region: None,
    }
}

#[test]
fn a_night_reads_the_months_that_change_and_no_others() {
    let as_of = Day::from_ymd(2024, 6, 10).unwrap();
    let shard = Shard::new(CustomerType::Int64, "sales");
    let last = shard.merge(as_of, &two_years(as_of), None);
    let next = Day(as_of.0 + 1);
    let new = sale(as_of, 4, 25);
    let output = shard.merge(next, &[new], Some((as_of, &last.state)));
    assert!(output.reach.forward);
    // Sales: June, and what trails it by 1 and 3 months. Visits: June, and March.
    assert_eq!(output.reach.months_read, 3 + 2);
    assert_eq!(output.reach.months, 2 * 25);
    assert!(
        output.reach.bytes_read < output.reach.bytes,
        "{:?}",
        output.reach
    );
    assert_eq!(output.state.events["sales"].len(), 2);
    assert_eq!(output.state.events["sales"][1].part.rows, 1);
    assert_eq!(output.state.days["visits"], last.state.days["visits"]);
}

#[test]
fn taking_out_a_recent_day_leaves_the_large_runs_alone() {
    let as_of = Day::from_ymd(2024, 6, 10).unwrap();
    let shard = Shard::new(CustomerType::Int64, "sales");
    let visit = Event {
        source: "visits",
        ..sale(Day(as_of.0 + 40), 5, 10)
    };
    let new = [sale(Day(as_of.0 + 40), 4, 25), visit];
    let first = shard.merge(as_of, &two_years(as_of), None);
    let last = shard.merge(as_of, &new, Some((as_of, &first.state)));
    let day = Spans::of([Span::of(Day(as_of.0 + 40))]);
    let withdrawn = ["sales", "visits"].map(|source| (source.to_owned(), day.clone()));
    let corrected = [sale(Day(as_of.0 + 40), 4, 26)];
    let state = Some((as_of, &last.state));
    let output = shard.restate(as_of, &corrected, state, BTreeMap::from(withdrawn));
    let (before, after) = (&first.state.events["sales"], &output.state.events["sales"]);
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
    assert_eq!(after[1].part.rows, 1);
    // Nothing is left of the visits of that day, nor of the run that had only them.
    assert_eq!(output.state.days["visits"], first.state.days["visits"]);
    assert_eq!(output.withdrawn["visits"], 1);
}

#[test]
fn a_duplicate_is_found_in_the_month_where_it_was_seen() {
    let as_of = Day::from_ymd(2024, 6, 10).unwrap();
    let shard = Shard::new(CustomerType::Int64, "sales");
    let mut known = two_years(as_of);
    let old = sale(Day::from_ymd(2023, 2, 3).unwrap(), 4, 25);
    known.push(old.clone());
    let last = shard.merge(as_of, &known, None);
    let night = |new: Event| shard.merge(as_of, &[new], Some((as_of, &last.state)));

    // The same event in the guise of a later one: one more month is read, and nothing changes.
    let later = Event {
        day: as_of.0 - 1,
        ..old.clone()
    };
    let output = night(later);
    assert!(output.reach.forward);
    assert_eq!(output.reach.months_read, 2);
    assert_eq!(output.change["sales"].duplicate, 1);
    assert_eq!(output.state.accounts, last.state.accounts);
    assert_eq!(output.state.events, last.state.events);

    // In the guise of an earlier one of the same month it takes the place of the old one.
    let sooner = Event {
        day: old.day - 1,
        ..old.clone()
    };
    let output = night(sooner);
    assert!(output.reach.forward);
    assert_eq!(output.change["sales"].duplicate, 1);
    assert_eq!(output.state.events["sales"].len(), 2);

    // In another month too, but then the shard is written anew, so that no month shows both.
    let output = night(Event {
        day: old.day - 40,
        ..old
    });
    assert!(!output.reach.forward);
    assert_eq!(output.state.events["sales"].len(), 1);
    let rows = shard.rows(&output.state.events["sales"][0].part);
    let before = shard.rows(&last.state.events["sales"][0].part);
    assert_eq!(rows.num_rows(), before.num_rows());
}

#[test]
fn a_horizon_spares_the_ids_of_other_months() {
    let as_of = Day::from_ymd(2024, 6, 10).unwrap();
    let days = as_of.0 - 730..as_of.0;
    let of_day = |day| (0..30).map(move |customer| sale(Day(day), customer, 7));
    let known: Vec<Event> = days.flat_map(of_day).collect();
    let read = |horizon, new: &Event| {
        let shard = Shard {
            horizon,
            ..Shard::new(CustomerType::Int64, "sales")
        };
        let last = shard.merge(as_of, &known, None);
        let output = shard.merge(as_of, std::slice::from_ref(new), Some((as_of, &last.state)));
        (output.reach.bytes_read, output.change["sales"].duplicate)
    };
    let new = sale(Day(as_of.0 - 1), 4, 25);
    let (exact, within) = (read(None, &new), read(Some(30), &new));
    assert_eq!((exact.1, within.1), (0, 0));
    assert!(2 * within.0 < exact.0, "{within:?} against {exact:?}");

    // An id of long ago counts again, unless it comes with the time that it had.
    let old = &known[0];
    let later = Event {
        day: as_of.0 - 1,
        ..old.clone()
    };
    assert_eq!((read(None, &later).1, read(Some(30), &later).1), (1, 0));
    assert_eq!((read(None, old).1, read(Some(30), old).1), (1, 1));
}

#[test]
fn a_copy_between_two_events_makes_one_of_them() {
    let as_of = Day::from_ymd(2024, 6, 10).unwrap();
    let shard = Shard {
        horizon: Some(30),
        ..Shard::new(CustomerType::Int64, "sales")
    };
    let first = sale(Day(as_of.0 - 100), 4, 25);
    let after = |days: i32| Event {
        day: first.day + days,
        ..first.clone()
    };
    let mut known = two_years(as_of);
    known.extend([first.clone(), after(60)]);
    let apart = shard.merge(as_of, &known, None);
    let output = shard.merge(as_of, &[after(30)], Some((as_of, &apart.state)));
    assert_eq!(output.change["sales"].duplicate, 2);
    assert_eq!(output.change["sales"].counted, -1);
    known.push(after(30));
    let whole = shard.merge(as_of, &known, None);
    assert_eq!(essence(&output), essence(&whole));
    // The chain goes on from the copy that was left out.
    let state = Some((as_of, &output.state));
    let next = shard.merge(as_of, &[after(90), after(125)], state);
    let change = &next.change["sales"];
    assert_eq!((change.duplicate, change.counted + change.pending), (1, 1));
}

#[test]
fn a_refund_that_takes_back_a_first_purchase_needs_all_days() {
    let as_of = Day::from_ymd(2024, 6, 10).unwrap();
    let shard = Shard::new(CustomerType::Int64, "sales");
    let mut known = two_years(as_of);
    let first = Day::from_ymd(2022, 1, 5).unwrap();
    known.push(sale(first, 1000, 25));
    known.push(sale(Day(first.0 + 400), 1000, 10));
    let last = shard.merge(as_of, &known, None);
    let refund = [sale(first, 1000, -25)];
    let output = shard.merge(as_of, &refund, Some((as_of, &last.state)));
    assert!(!output.reach.forward);
    known.extend(refund);
    assert_eq!(essence(&output), essence(&shard.merge(as_of, &known, None)));
    // A part of the money back leaves the day a day of purchase.
    let some = sale(first, 1000, -5);
    let output = shard.merge(as_of, &[some], Some((as_of, &last.state)));
    assert!(output.reach.forward);
}
