//! A generated airline loyalty programme: the data of `tenfold demo`.
//!
//! Three thousand members join over two and a half years. Each books at a rate of their own until
//! they quietly leave, at fares of their own: the assumptions of Pareto/NBD and Gamma-Gamma, so
//! the demo shows models on data that suits them. What makes events hard to count is there too:
//! refunds, late rows, second deliveries, test bookings, award miles beside status miles for the
//! same flight, and a few rows that cannot be used.
//!
//! Everything follows from one seed by integer and IEEE 754 arithmetic alone, so every machine
//! makes the same rows. Nothing here reads or writes files.

pub mod mails;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tenfold_core::calendar::Day;

/// The text of the demo's `tenfold.yaml`.
pub const PROJECT: &str = include_str!("tenfold.yaml");

/// The folder, beside `tenfold.yaml`, that [`PROJECT`] reads the files of [`nights`] from.
pub const FOLDER: &str = "activity";

/// What has arrived when a refresh begins, beyond what earlier nights had.
#[derive(Debug)]
pub struct Night {
    /// The ISO date that the night's refresh looks back from.
    pub as_of: String,
    /// New files: name and rows.
    pub files: Vec<(String, RecordBatch)>,
    /// New files of what became of mails.
    pub mails: Vec<(String, RecordBatch)>,
}

/// The nights in order: first the whole history in monthly files, then four nights with the file
/// of one day each, across the end of a month.
#[allow(
    clippy::expect_used,
    reason = "all columns are collected from the same rows, and decimal(12,2) is a type"
)]
pub fn nights() -> Vec<Night> {
    let events = events();
    let rows = deliveries(&events);
    let mut mails = mails::files(&events)
        .expect("columns fit their schema")
        .into_iter()
        .peekable();
    let mut files = rows
        .chunk_by(|a, b| file_name(a.delivered) == file_name(b.delivered))
        .peekable();
    let mut nights = Vec::with_capacity(NIGHTS.len());
    for as_of in NIGHTS {
        let mut night = Night {
            as_of: as_of.to_string(),
            files: Vec::new(),
            mails: Vec::new(),
        };
        // A chunk is never empty: it has a first row.
        while let Some(rows) = files.next_if(|rows| rows[0].delivered < as_of) {
            let batch = batch(rows).expect("columns fit their schema");
            night.files.push((file_name(rows[0].delivered), batch));
        }
        while let Some((_, name, batch)) = mails.next_if(|(last, ..)| *last < as_of) {
            night.mails.push((name, batch));
        }
        nights.push(night);
    }
    nights
}

/// A file's rows as Parquet: the same bytes for the same rows.
///
/// # Errors
/// When a column has a type that Parquet lacks; those of [`nights`] have none.
pub fn write(batch: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.into_inner()
}

const SEED: u64 = 0x7e4f_01d5_0a1b_2c3d;
const MEMBERS: usize = 3_000;

/// The first day of the history: 2023-09-01.
const FIRST_DAY: Day = Day(19_601);
/// The days that the nights look back from: 2026-02-27 to 2026-03-03.
const NIGHTS: [Day; 5] = [
    Day(20_511),
    Day(20_512),
    Day(20_513),
    Day(20_514),
    Day(20_515),
];

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: f64 = 7.0 * 86_400.0;
const START: i64 = FIRST_DAY.0 as i64 * DAY;
const END: i64 = NIGHTS[4].0 as i64 * DAY;

/// Bookings per week are gamma distributed over members with shape 1 and this scale parameter, in
/// weeks; shape and scale are r and alpha of Pareto/NBD.
const RATE_WEEKS: f64 = 7.0;
/// Weeks until a member leaves are exponential, with rates that are gamma distributed over members
/// with shape 2 and this scale parameter; shape and scale are s and beta of Pareto/NBD.
const LEAVING_WEEKS: f64 = 110.0;
/// Fares of a member are gamma distributed with shape 4 (p of Gamma-Gamma), at a level that is
/// inverse gamma distributed over members with shape 3 (q) and this scale, in cents (gamma). The
/// mean fare is p gamma / (q - 1): 380 dollars.
const FARE_CENTS: f64 = 19_000.0;
const LEAST_FARE_CENTS: f64 = 1_900.0;

/// Types of transaction.
const BOOKING: &str = "BOOKING";
const STATUS_MILES: &str = "STATUS_MILES";
const AWARD_MILES: &str = "AWARD_MILES";

const WELCOME_MILES: i64 = 1_000;
const AWARD_TICKET_MILES: i64 = 25_000;

/// Routes with their length in miles, those of the cheapest fares first; each third belongs to one
/// band of fares.
const ROUTES: [(&str, i64); 12] = [
    ("JFK-BOS", 187),
    ("JFK-ORD", 740),
    ("JFK-MIA", 1_089),
    ("JFK-DEN", 1_626),
    ("JFK-SEA", 2_422),
    ("JFK-LAX", 2_475),
    ("JFK-SFO", 2_586),
    ("JFK-LHR", 3_451),
    ("JFK-FRA", 3_851),
    ("JFK-GRU", 4_745),
    ("JFK-NRT", 6_745),
    ("JFK-SIN", 9_537),
];
/// Fares, in cents, at which the second and the last third of the routes begin.
const FARE_BANDS: [i64; 2] = [20_000, 55_000];

/// Loyalty statuses with the status miles of the last 365 days that they take, the best first.
const STATUSES: [(&str, i64); 4] = [
    ("GOLD", 60_000),
    ("SILVER", 30_000),
    ("FREQUENT", 10_000),
    ("FLYER", 0),
];

/// What happened, as the airline's own books have it.
#[derive(Debug, Clone)]
struct Event {
    membership: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    second: i64,
    kind: &'static str,
    route: &'static str,
    mileage: Option<i64>,
    cents: Option<i64>,
    status: &'static str,
}

impl Event {
    /// A fare that was paid, or paid back when it is negative.
    fn fare(membership: &str, second: i64, route: &'static str, cents: i64) -> Self {
        Self {
            membership: membership.to_owned(),
            second,
            kind: BOOKING,
            route,
            mileage: None,
            cents: Some(cents),
            status: "FLYER",
        }
    }

    /// Miles of a kind that were credited, or spent when they are negative.
    fn miles(
        membership: &str,
        second: i64,
        route: &'static str,
        kind: &'static str,
        mileage: i64,
    ) -> Self {
        Self {
            kind,
            mileage: Some(mileage),
            cents: None,
            ..Self::fare(membership, second, route, 0)
        }
    }

    fn status_miles(&self) -> i64 {
        let counts = self.kind == STATUS_MILES;
        self.mileage.filter(|_| counts).unwrap_or_default()
    }
}

/// All events in the order of their time.
fn events() -> Vec<Event> {
    let mut seeds = Random(SEED);
    let mut events = test_bookings();
    for _ in 0..MEMBERS {
        // A generator for each: what one member draws changes no other.
        events.extend(member(&mut Random(seeds.next())));
    }
    events.retain(|event| (START..END).contains(&event.second));
    events.sort_by_key(|event| event.second);
    events
}

/// The booking system tries itself out every Monday; the project filters these rows.
fn test_bookings() -> Vec<Event> {
    // The history begins on a Friday.
    let mondays = (START + 3 * DAY..END).step_by(7 * DAY as usize);
    let booking = |monday| Event::fare("X000000000", monday + 4 * HOUR, "TEST", 100);
    mondays.map(booking).collect()
}

/// Everything that one member does. A few join and never book.
fn member(random: &mut Random) -> Vec<Event> {
    let letter = ["A", "B", "C"][random.below(3) as usize];
    let membership = format!("{letter}{:09}", random.below(1_000_000_000));
    let joined = START + random.below((END - START) as u64) as i64;
    let mut events = vec![Event::miles(
        &membership,
        joined,
        "New member",
        AWARD_MILES,
        WELCOME_MILES,
    )];
    if random.chance(0.95) {
        journeys(&membership, joined + HOUR, random, &mut events);
    }
    events.sort_by_key(|event| event.second);
    redeem(&mut events, random);
    set_status(&mut events);
    events
}

/// Journeys at a member's own rate and fares, from the first booking until the member leaves.
fn journeys(membership: &str, first: i64, random: &mut Random, events: &mut Vec<Event>) {
    let gap = RATE_WEEKS * WEEK / random.exponential();
    let leaves = LEAVING_WEEKS * WEEK * random.exponential() / random.erlang(2);
    let fare_level = FARE_CENTS / random.erlang(3);
    let mut after = 0.0;
    while after < leaves && after < (END - START) as f64 {
        let cents = (fare_level * random.erlang(4)).max(LEAST_FARE_CENTS) as i64;
        events.extend(journey(membership, first + after as i64, cents, random));
        after += gap * random.exponential();
    }
}

/// A booking and what comes of it weeks later: the flight there and back, which earns status miles
/// and as many award miles, or now and then a refund.
fn journey(membership: &str, booked: i64, cents: i64, random: &mut Random) -> Vec<Event> {
    let (route, length) = route(cents, random);
    let later = booked + DAY + (random.erlang(2) * 10.0 * DAY as f64) as i64;
    let booking = Event::fare(membership, booked, route, cents);
    if random.chance(0.04) {
        return vec![booking, Event::fare(membership, later, route, -cents)];
    }
    let credit = |kind| Event::miles(membership, later, route, kind, 2 * length);
    vec![booking, credit(STATUS_MILES), credit(AWARD_MILES)]
}

fn route(cents: i64, random: &mut Random) -> (&'static str, i64) {
    let third = ROUTES.len() / (FARE_BANDS.len() + 1);
    let band = FARE_BANDS.iter().filter(|least| cents >= **least).count();
    ROUTES[band * third + random.below(third as u64) as usize]
}

/// Some members spend award miles within days of having enough: a negative mileage.
fn redeem(events: &mut Vec<Event>, random: &mut Random) {
    let mut balance = 0;
    let mut spent = Vec::new();
    for event in events.iter().filter(|event| event.kind == AWARD_MILES) {
        balance += event.mileage.unwrap_or_default();
        if balance >= AWARD_TICKET_MILES && random.chance(0.3) {
            balance -= AWARD_TICKET_MILES;
            let second = event.second + HOUR + random.below(5 * DAY as u64) as i64;
            spent.push(Event::miles(
                &event.membership,
                second,
                "Award ticket",
                AWARD_MILES,
                -AWARD_TICKET_MILES,
            ));
        }
    }
    events.extend(spent);
    events.sort_by_key(|event| event.second);
}

/// The status after each event: it rises with a flight and falls when flights of the last year are
/// too few.
fn set_status(events: &mut [Event]) {
    let mut flown = 0;
    let mut oldest = 0;
    for latest in 0..events.len() {
        flown += events[latest].status_miles();
        while events[oldest].second <= events[latest].second - 365 * DAY {
            flown -= events[oldest].status_miles();
            oldest += 1;
        }
        let reached = STATUSES.iter().find(|(_, least)| flown >= *least);
        events[latest].status = reached.map_or("FLYER", |(status, _)| status);
    }
}

/// An event as it was delivered.
#[derive(Debug, Clone)]
struct Row {
    delivered: Day,
    event_id: Option<String>,
    membership: Option<String>,
    micros: Option<i64>,
    event: Event,
}

/// The rows of all files in the order of their days of delivery. Most come on the day of the
/// event; three in a hundred are late, one in a hundred comes again within two days.
fn deliveries(events: &[Event]) -> Vec<Row> {
    let mut random = Random(!SEED);
    let mut rows = Vec::with_capacity(events.len() + events.len() / 50);
    for (place, event) in events.iter().enumerate() {
        let late = if random.chance(0.03) {
            1 + random.below(20)
        } else {
            0
        };
        let row = Row {
            delivered: Day((event.second / DAY) as i32 + late as i32),
            event_id: Some(format!("AL-{:07}", place + 1)),
            membership: Some(event.membership.clone()),
            micros: Some(event.second * 1_000_000),
            event: event.clone(),
        };
        if random.chance(0.01) {
            let again = Day(row.delivered.0 + random.below(3) as i32);
            rows.push(Row {
                delivered: again,
                ..row.clone()
            });
        }
        rows.push(row);
    }
    rows.retain(|row| row.delivered < NIGHTS[4]);
    rows.sort_by_key(|row| row.delivered);
    spoil(&mut rows);
    rows
}

/// Makes a few rows unusable, in each of the ways that happen most. They are counted from the end,
/// so that one of them is in the file of a single day.
fn spoil(rows: &mut [Row]) {
    for (place, row) in rows.iter_mut().rev().skip(150).step_by(2_500).enumerate() {
        match place % 4 {
            0 => row.membership = None,
            1 => row.micros = None,
            2 => row.event_id = None,
            // Nanoseconds in a column of microseconds: a date tens of thousands of years ahead.
            _ => row.micros = row.micros.map(|micros| micros * 1_000),
        }
    }
}

/// The file of a day of delivery: one for each month of the history, then one for each day.
fn file_name(delivered: Day) -> String {
    let date = delivered.to_string();
    let name = if delivered < NIGHTS[0] {
        date.get(..7).unwrap_or(&date)
    } else {
        &date
    };
    format!("{FOLDER}-{name}.parquet")
}

fn batch(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    fn texts<'a>(rows: &'a [Row], text: impl Fn(&'a Row) -> Option<&'a str>) -> ArrayRef {
        Arc::new(rows.iter().map(text).collect::<StringArray>())
    }
    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.micros).collect();
    let mileage: Int64Array = rows.iter().map(|row| row.event.mileage).collect();
    let amounts = rows.iter().map(|row| row.event.cents.map(i128::from));
    let amounts = amounts
        .collect::<Decimal128Array>()
        .with_precision_and_scale(12, 2)?;
    let columns: [(&str, ArrayRef); 8] = [
        ("event_id", texts(rows, |row| row.event_id.as_deref())),
        (
            "membership_number",
            texts(rows, |row| row.membership.as_deref()),
        ),
        ("transaction_date", Arc::new(times.with_timezone("UTC"))),
        ("transaction_type", texts(rows, |row| Some(row.event.kind))),
        ("route", texts(rows, |row| Some(row.event.route))),
        ("mileage", Arc::new(mileage)),
        ("amount", Arc::new(amounts)),
        ("loyalty_status", texts(rows, |row| Some(row.event.status))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
}

/// The splitmix64 generator: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014, figure 17.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number from 0 to `end - 1`. The remainder favours small ones by less than
    /// `end` / 2^64, which is nothing here.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number in [0, 1), from the upper 53 bits.
    fn uniform(&mut self) -> f64 {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next() >> 11) as f64 * UNIT
    }

    fn chance(&mut self, share: f64) -> bool {
        self.uniform() < share
    }

    /// An exponential number of mean 1, by comparisons alone: J. von Neumann, "Various techniques
    /// used in connection with random digits", 1951. A falling run of uniform numbers that begins
    /// at u is of odd length with probability exp(-u); each run of even length adds 1.
    fn exponential(&mut self) -> f64 {
        let mut whole = 0.0;
        loop {
            let first = self.uniform();
            let mut last = first;
            let mut odd = true;
            loop {
                let next = self.uniform();
                if next >= last {
                    break;
                }
                last = next;
                odd = !odd;
            }
            if odd {
                return whole + first;
            }
            whole += 1.0;
        }
    }

    /// A gamma number of whole shape and scale 1: a sum of exponential ones.
    fn erlang(&mut self, shape: usize) -> f64 {
        (0..shape).map(|_| self.exponential()).sum()
    }
}

#[cfg(test)]
mod tests;
