//! What became of the mails of the demo's campaign: offers to members, some of whom were held out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use tenfold_core::calendar::Day;
use tenfold_core::response::{CONTROL, ResponseType, TREATED};

use super::{BOOKING, DAY, END, Event, HOUR, NIGHTS, Random, SEED};

/// The folder, beside `tenfold.yaml`, of the files.
pub const FOLDER: &str = "mails";

const CAMPAIGN: &str = "winter_offer";
/// When the mails went out: 2026-02-16, at ten.
const SENT: i64 = 20_500 * DAY + 10 * HOUR;

/// A row of the responses.
#[derive(Debug, Clone)]
struct Mail {
    membership: String,
    second: i64,
    kind: ResponseType,
    /// What the member was when the mails went out; on sends alone.
    send: Option<(&'static str, &'static str, i32)>,
    machine: bool,
}

/// The files, by the day on which their last rows arrived.
pub(super) fn files(events: &[Event]) -> Result<Vec<(Day, String, RecordBatch)>, ArrowError> {
    let mails = mails(events);
    let mut files = Vec::new();
    for rows in mails.chunk_by(|a, b| file_name(day(a)) == file_name(day(b))) {
        // A chunk is never empty: it has a last row.
        let last = rows.last().map_or(NIGHTS[0], day);
        files.push((last, file_name(last), batch(rows)?));
    }
    Ok(files)
}

fn day(mail: &Mail) -> Day {
    Day((mail.second / DAY) as i32)
}

/// One file for all that came before the first night, then one for each day.
fn file_name(day: Day) -> String {
    match day < NIGHTS[0] {
        true => format!("{FOLDER}-before.parquet"),
        false => format!("{FOLDER}-{day}.parquet"),
    }
}

/// The rows in the order of their times.
fn mails(events: &[Event]) -> Vec<Mail> {
    let mut random = Random(SEED ^ 0x6d61_696c);
    let mut mails = Vec::new();
    for (membership, audience, decile) in members(events) {
        let held_out = random.chance(0.2);
        let send = Mail {
            membership,
            second: SENT + random.below(1_800) as i64,
            kind: if held_out {
                ResponseType::HeldOut
            } else {
                ResponseType::Sent
            },
            send: Some((audience, if held_out { CONTROL } else { TREATED }, decile)),
            machine: false,
        };
        if !held_out {
            answers(&send, &mut random, &mut mails);
        }
        mails.push(send);
    }
    mails.retain(|mail| mail.second < END);
    mails.sort_by_key(|mail| mail.second);
    mails
}

/// What a member does with a mail: the better their decile, the more of them open it.
fn answers(send: &Mail, random: &mut Random, mails: &mut Vec<Mail>) {
    let decile = send.send.map_or(10, |(.., decile)| decile);
    let mut add = |kind, second, machine| {
        mails.push(Mail {
            kind,
            second,
            send: None,
            machine,
            ..send.clone()
        });
    };
    if random.chance(0.03) {
        return add(ResponseType::Bounce, send.second + 60, false);
    }
    add(ResponseType::Delivered, send.second + 60, false);
    if random.chance(0.3) {
        add(ResponseType::Open, send.second + 120, true);
    }
    if !random.chance(0.5 - 0.03 * f64::from(decile)) {
        return;
    }
    let opened = send.second + HOUR + (random.exponential() * 4.0 * DAY as f64) as i64;
    add(ResponseType::Open, opened, false);
    if random.chance(0.3) {
        add(ResponseType::Click, opened + 30, false);
    } else if random.chance(0.03) {
        add(ResponseType::Unsubscribe, opened + 40, false);
    }
}

/// Members who had booked by then, with the audience and the decile of their fares that they were in.
fn members(events: &[Event]) -> Vec<(String, &'static str, i32)> {
    let mut known: BTreeMap<&str, (i64, &'static str)> = BTreeMap::new();
    let earlier = events.iter().filter(|event| event.second < SENT);
    for event in earlier.filter(|event| event.route != "TEST") {
        let (cents, status) = known.entry(&event.membership).or_default();
        *status = event.status;
        *cents += event
            .cents
            .filter(|_| event.kind == BOOKING)
            .unwrap_or_default();
    }
    let mut ranked: Vec<(i64, &str, &'static str)> = known
        .into_iter()
        .filter(|(_, (cents, _))| *cents > 0)
        .map(|(membership, (cents, status))| (-cents, membership, status))
        .collect();
    ranked.sort_unstable();
    let all = ranked.len();
    let member = |(place, (_, membership, status)): (usize, &(i64, &str, &'static str))| {
        let audience = match *status {
            "GOLD" | "SILVER" => "silver_and_gold",
            "FREQUENT" => "frequent",
            _ => return None,
        };
        Some((
            (*membership).to_owned(),
            audience,
            (place * 10 / all) as i32 + 1,
        ))
    };
    let mut members: Vec<(String, &'static str, i32)> =
        ranked.iter().enumerate().filter_map(member).collect();
    members.sort_unstable();
    members
}

fn batch(rows: &[Mail]) -> Result<RecordBatch, ArrowError> {
    fn texts<'a>(rows: &'a [Mail], text: impl Fn(&'a Mail) -> Option<&'a str>) -> ArrayRef {
        Arc::new(rows.iter().map(text).collect::<StringArray>())
    }
    let ids = rows.iter().map(|mail| {
        let machine = if mail.machine { "-machine" } else { "" };
        format!(
            "{CAMPAIGN}-{}-{}{machine}",
            mail.membership,
            mail.kind.word()
        )
    });
    let times = rows.iter().map(|mail| Some(mail.second * 1_000_000));
    let times: TimestampMicrosecondArray = times.collect();
    let deciles = rows.iter().map(|mail| mail.send.map(|(.., decile)| decile));
    let machine = rows.iter().map(|mail| Some(mail.machine));
    let columns: [(&str, ArrayRef); 9] = [
        ("event_id", Arc::new(StringArray::from_iter_values(ids))),
        ("customer", texts(rows, |mail| Some(&mail.membership))),
        ("time", Arc::new(times.with_timezone("UTC"))),
        ("type", texts(rows, |mail| Some(mail.kind.word()))),
        ("campaign", texts(rows, |_| Some(CAMPAIGN))),
        (
            "audience",
            texts(rows, |mail| mail.send.map(|(audience, ..)| audience)),
        ),
        (
            "holdout",
            texts(rows, |mail| mail.send.map(|(_, holdout, _)| holdout)),
        ),
        ("decile", Arc::new(deciles.collect::<Int32Array>())),
        ("machine", Arc::new(machine.collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
}
