//! Days and months against jiff's calendar; windows, `as_of` and mapped columns against its zones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use jiff::civil::{Date, date};
use jiff::tz::{TimeZone, db};
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::collection::vec;
use proptest::prelude::*;

use super::offsets::Offsets;
use super::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn instant(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

/// A local time as microseconds, as if it were in UTC.
fn local(text: &str) -> i64 {
    instant(&format!("{text}Z"))
}

fn as_day(date: Date) -> Day {
    Day::from_ymd(date.year().into(), date.month() as u32, date.day() as u32).unwrap()
}

mod days {
    use super::*;

    #[test]
    fn every_date_is_the_day_after_the_one_before() {
        let mut expected = Day::from_ymd(-9999, 1, 1).unwrap();
        let mut current = Date::MIN;
        loop {
            assert_eq!(as_day(current), expected, "{current}");
            let (year, month, day) = expected.ymd();
            assert_eq!(year, i32::from(current.year()));
            assert_eq!((month as i8, day as i8), (current.month(), current.day()));
            let Ok(next) = current.tomorrow() else {
                break;
            };
            current = next;
            expected.0 += 1;
        }
        assert_eq!(as_day(Date::MAX), expected);
        assert_eq!(Day::from_ymd(1970, 1, 1), Some(Day(0)));
    }

    #[test]
    fn dates_are_written_and_read() {
        for text in [
            "1970-01-01",
            "2024-02-29",
            "0000-12-31",
            "9999-12-31",
            "1969-12-31",
        ] {
            assert_eq!(day(text).to_string(), text);
        }
        assert_eq!(
            Day::from_ymd(-44, 3, 15).unwrap().to_string(),
            "-0044-03-15"
        );
        assert_eq!(
            Day::from_ymd(12345, 6, 7).unwrap().to_string(),
            "+12345-06-07"
        );
        let written = serde_json::to_string(&day("1970-01-11")).unwrap();
        assert_eq!(written, "\"1970-01-11\"");
        assert_eq!(
            serde_json::from_str::<Day>(&written).unwrap(),
            day("1970-01-11")
        );
    }

    #[test]
    fn what_is_no_date_is_refused_by_name() {
        let wrong = [
            "",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024-04-31",
            "2024-1-01",
            "24-01-01",
            "20240101",
            "2024/01/01",
            " 2024-01-01",
            "2024-01-01 ",
            "2024-01-1x",
            "+024-01-01",
            "2024-01-01T00:00:00",
            "２0-01-01",
            "12345-01-01",
        ];
        for text in wrong {
            let error = text.parse::<Day>().unwrap_err();
            assert_eq!(error, InvalidDay(text.to_owned()));
            assert!(error.to_string().contains(&format!("`{text}`")));
        }
    }

    #[test]
    fn months_count_from_1970() {
        assert_eq!(day("1970-01-31").month_index(), 0);
        assert_eq!(day("1969-12-31").month_index(), -1);
        assert_eq!(day("2024-03-31").month_index(), 54 * 12 + 2);
        assert_eq!(Day::from_month_index(-1), day("1969-12-01"));
        assert_eq!(day("2024-02-29").first_of_month(), day("2024-02-01"));
    }

    #[test]
    fn months_end_where_they_end() {
        assert_eq!(day("2024-03-31").add_months(-1), day("2024-02-29"));
        assert_eq!(day("2023-03-31").add_months(-1), day("2023-02-28"));
        assert_eq!(day("1900-03-31").add_months(-1), day("1900-02-28"));
        assert_eq!(day("2024-02-29").add_months(12), day("2025-02-28"));
        assert_eq!(day("2024-02-29").add_months(48), day("2028-02-29"));
        assert_eq!(day("2024-01-15").add_months(-1), day("2023-12-15"));
        assert_eq!(day("2023-12-31").add_months(2), day("2024-02-29"));
    }

    #[test]
    fn the_ends_of_time_hold() {
        for ends in [Day(i32::MIN), Day(i32::MAX)] {
            let (year, month, date) = ends.ymd();
            assert_eq!(Day::from_ymd(year, month, date), Some(ends));
            assert!(ends.first_of_month() <= ends);
            assert!(!ends.to_string().is_empty());
        }
        assert_eq!(Day(i32::MAX).add_months(1), Day(i32::MAX));
        assert_eq!(Day(0).add_months(i32::MIN), Day(i32::MIN));
        assert_eq!(Day(0).add_months(i32::MAX), Day(i32::MAX));
        assert_eq!(Day::from_month_index(i32::MIN), Day(i32::MIN));
        assert_eq!(Day::from_ymd(i32::MAX, 1, 1), None);
        assert_eq!(Day::from_ymd(i32::MIN, 12, 31), None);
    }

    proptest! {
        #[test]
        fn months_are_added_as_jiff_adds_them(start in -700_000_i32..800_000, months in -3000_i32..3000) {
            let start = Day(start);
            let (year, month, date_of_month) = start.ymd();
            let by_jiff = date(year as i16, month as i8, date_of_month as i8) + months.months();
            prop_assert_eq!(start.add_months(months), as_day(by_jiff));
            prop_assert_eq!(start.first_of_month(), as_day(date(year as i16, month as i8, 1)));
            prop_assert_eq!(start.to_string(), date(year as i16, month as i8, date_of_month as i8).to_string());
        }

        #[test]
        fn whole_months_are_as_many_as_can_be_added(start in -700_000_i32..800_000, days in 0_i32..50_000) {
            let (start, later) = (Day(start), Day(start + days));
            let months = start.in_calendar().whole_months_to(later.in_calendar());
            prop_assert!(start.add_months(months) <= later && later < start.add_months(months + 1));
        }
    }
}

mod windows {
    use super::*;

    fn window(as_of: &str, months: u32, kind: WindowKind) -> (String, String) {
        let window = lookback_window(day(as_of), LookBack::Months(months), kind);
        (window.start.unwrap().to_string(), window.end.to_string())
    }

    fn pair(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn trailing_months_end_at_as_of() {
        let trailing = |as_of, months| window(as_of, months, WindowKind::Trailing);
        assert_eq!(trailing("2024-03-31", 1), pair("2024-02-29", "2024-03-31"));
        assert_eq!(trailing("2023-03-31", 1), pair("2023-02-28", "2023-03-31"));
        assert_eq!(trailing("2023-03-30", 1), pair("2023-02-28", "2023-03-30"));
        assert_eq!(trailing("2024-05-31", 3), pair("2024-02-29", "2024-05-31"));
        assert_eq!(trailing("2024-02-29", 12), pair("2023-02-28", "2024-02-29"));
        assert_eq!(trailing("2024-01-01", 6), pair("2023-07-01", "2024-01-01"));
        assert_eq!(trailing("2024-01-15", 9), pair("2023-04-15", "2024-01-15"));
    }

    #[test]
    fn calendar_months_are_whole_and_over() {
        let calendar = |as_of, months| window(as_of, months, WindowKind::CalendarMonths);
        assert_eq!(calendar("2022-03-15", 1), pair("2022-02-01", "2022-03-01"));
        assert_eq!(calendar("2022-03-15", 3), pair("2021-12-01", "2022-03-01"));
        assert_eq!(calendar("2022-03-01", 1), pair("2022-02-01", "2022-03-01"));
        assert_eq!(calendar("2022-01-31", 12), pair("2021-01-01", "2022-01-01"));
    }

    #[test]
    fn a_lifetime_is_all_before_as_of() {
        for kind in [WindowKind::Trailing, WindowKind::CalendarMonths] {
            let window = lookback_window(day("2022-03-15"), LookBack::Lifetime, kind);
            assert_eq!(
                window,
                Window {
                    start: None,
                    end: day("2022-03-15")
                }
            );
            assert!(window.contains(Day(i32::MIN)));
            assert!(window.contains(day("2022-03-14")));
            assert!(!window.contains(day("2022-03-15")));
        }
    }

    #[test]
    fn windows_are_half_open() {
        let window = lookback_window(day("2022-03-15"), LookBack::Months(1), WindowKind::Trailing);
        let days = ["2022-02-14", "2022-02-15", "2022-03-14", "2022-03-15"];
        assert_eq!(
            days.map(|text| window.contains(day(text))),
            [false, true, true, false]
        );
        let longest = lookback_window(
            Day(i32::MIN),
            LookBack::Months(65_535),
            WindowKind::Trailing,
        );
        assert!(!longest.contains(Day(i32::MIN)));
    }

    #[test]
    fn kinds_are_declared_by_name() {
        let kind: WindowKind = serde_json::from_str("\"calendar_months\"").unwrap();
        assert_eq!(kind, WindowKind::CalendarMonths);
        assert_eq!(
            serde_json::to_string(&WindowKind::default()).unwrap(),
            "\"trailing\""
        );
    }
}

mod as_of {
    use super::*;

    #[test]
    fn a_date_is_itself_in_every_zone() {
        for zone in ["UTC", "Pacific/Kiritimati", "America/Sao_Paulo"] {
            assert_eq!(parse_as_of("2018-11-04", zone), Ok(day("2018-11-04")));
        }
    }

    #[test]
    fn an_instant_is_cut_to_its_civil_day() {
        let cut = |text, zone| parse_as_of(text, zone).unwrap().to_string();
        assert_eq!(cut("2024-03-15T18:29:59Z", "Asia/Kolkata"), "2024-03-15");
        assert_eq!(cut("2024-03-15T18:30:00Z", "Asia/Kolkata"), "2024-03-16");
        assert_eq!(
            cut("2024-03-15T00:00:00+05:30", "Asia/Kolkata"),
            "2024-03-15"
        );
        assert_eq!(
            cut("2024-03-15T03:59:59Z", "America/New_York"),
            "2024-03-14"
        );
        assert_eq!(cut("2024-12-31T23:00:00Z", "Europe/Berlin"), "2025-01-01");
        assert_eq!(cut("1969-12-31T23:59:59.999999999Z", "UTC"), "1969-12-31");
        assert_eq!(cut("2024-03-15T10:00:00z", "UTC"), "2024-03-15");
        // Clocks in São Paulo went from 00:00 to 01:00: the day began at 03:00 UTC all the same.
        assert_eq!(
            cut("2018-11-04T02:59:59Z", "America/Sao_Paulo"),
            "2018-11-03"
        );
        assert_eq!(
            cut("2018-11-04T03:00:00Z", "America/Sao_Paulo"),
            "2018-11-04"
        );
    }

    #[test]
    fn what_is_no_as_of_is_refused_with_a_remedy() {
        let refusal = |text, zone| parse_as_of(text, zone).unwrap_err().to_string();
        assert!(refusal("2023-02-29", "UTC").contains("`2023-02-29` is not a date; write"));
        assert!(refusal("", "UTC").contains("`` is not a date"));
        assert!(refusal("yesterday", "UTC").contains("`yesterday` is neither"));
        assert!(refusal("2024-03-15T10:00:00", "UTC").contains("instant with its offset"));
        assert!(refusal("2024-03-15T25:00:00Z", "UTC").contains("`2024-03-15T25:00:00Z`"));
        assert!(refusal("2024-03-15", "Mars/Olympus").contains("no time zone `Mars/Olympus`; use"));
        assert!(refusal("2024-03-15", "Etc/Unknown").contains("no time zone"));
        assert!(refusal("2024-03-15", "").contains("no time zone ``"));
    }

    #[test]
    fn today_is_told_from_the_seconds() {
        let midnight_in_berlin = instant("2024-03-30T23:00:00Z") / 1_000_000;
        let today_at = |seconds| today(seconds, "Europe/Berlin");
        assert_eq!(today_at(midnight_in_berlin), Ok(day("2024-03-31")));
        assert_eq!(today_at(midnight_in_berlin - 1), Ok(day("2024-03-30")));
        assert_eq!(today(-1, "UTC"), Ok(day("1969-12-31")));
        assert_eq!(today_at(i64::MAX), Err(AsOfError::Clock(i64::MAX)));
        assert!(matches!(today(0, "Nowhere"), Err(AsOfError::Zone(_))));
    }
}

mod mapping {
    use super::*;

    const ZONES: [&str; 12] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Europe/Dublin",
        "Asia/Tehran",
        "America/Juneau",
        "Pacific/Kiritimati",
    ];

    fn days_of(zone: &str, instants: &[&str]) -> Vec<String> {
        let instants: Vec<i64> = instants.iter().map(|text| instant(text)).collect();
        let mut days = Vec::new();
        DayMapper::new(zone)
            .unwrap()
            .days(&instants, &mut days)
            .unwrap();
        days.into_iter().map(|day| Day(day).to_string()).collect()
    }

    fn by_jiff(zone: &TimeZone, micros: i64) -> Option<Day> {
        let instant = Timestamp::from_microsecond(micros).ok()?;
        Some(as_day(zone.to_datetime(instant).date()))
    }

    #[test]
    fn days_are_floored_before_1970() {
        let mut mapper = DayMapper::new("UTC").unwrap();
        assert_eq!(mapper.day(-1), Some(Day(-1)));
        assert_eq!(mapper.day(0), Some(Day(0)));
        assert_eq!(mapper.day(86_400_000_000 - 1), Some(Day(0)));
        assert_eq!(mapper.day(-86_400_000_000), Some(Day(-1)));
        assert_eq!(mapper.day(-86_400_000_001), Some(Day(-2)));
    }

    #[test]
    fn kolkata_is_half_an_hour_off() {
        let days = days_of(
            "Asia/Kolkata",
            &["2024-02-28T18:29:59.999999Z", "2024-02-28T18:30:00Z"],
        );
        assert_eq!(days, ["2024-02-28", "2024-02-29"]);
    }

    /// Lord Howe changes by half an hour: from UTC+11 to UTC+10:30 on 7 April 2024 at 02:00.
    #[test]
    fn lord_howe_moves_by_half_an_hour() {
        let instants = [
            "2024-04-06T12:59:59Z",
            "2024-04-06T13:00:00Z",
            "2024-04-07T13:29:59Z",
            "2024-04-07T13:30:00Z",
        ];
        let days = days_of("Australia/Lord_Howe", &instants);
        assert_eq!(
            days,
            ["2024-04-06", "2024-04-07", "2024-04-07", "2024-04-08"]
        );
    }

    /// 23 hours on 31 March and 25 on 27 October 2024.
    #[test]
    fn berlin_has_short_and_long_days() {
        let instants = [
            "2024-03-30T23:00:00Z",
            "2024-03-31T21:59:59Z",
            "2024-03-31T22:00:00Z",
            "2024-10-26T22:00:00Z",
            "2024-10-27T22:59:59Z",
            "2024-10-27T23:00:00Z",
        ];
        let days = days_of("Europe/Berlin", &instants);
        assert_eq!(days[..3], ["2024-03-31", "2024-03-31", "2024-04-01"]);
        assert_eq!(days[3..], ["2024-10-27", "2024-10-27", "2024-10-28"]);
    }

    #[test]
    fn a_day_without_midnight_begins_at_one() {
        let days = days_of(
            "America/Sao_Paulo",
            &["2018-11-04T02:59:59.999999Z", "2018-11-04T03:00:00Z"],
        );
        assert_eq!(days, ["2018-11-03", "2018-11-04"]);
    }

    /// Samoa crossed the date line: after 29 December 2011 came the 31st.
    #[test]
    fn samoa_left_out_a_day() {
        let days = days_of(
            "Pacific/Apia",
            &["2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z"],
        );
        assert_eq!(days, ["2011-12-29", "2011-12-31"]);
    }

    #[test]
    fn years_and_leap_days_turn_at_local_midnight() {
        let instants = [
            "2024-01-01T04:59:59Z",
            "2024-01-01T05:00:00Z",
            "2024-03-01T04:59:59Z",
        ];
        let days = days_of("America/New_York", &instants);
        assert_eq!(days, ["2023-12-31", "2024-01-01", "2024-02-29"]);
    }

    #[test]
    fn out_of_range_is_told_by_row_and_never_panics() {
        let (first, last) = (
            Timestamp::MIN.as_microsecond(),
            Timestamp::MAX.as_second() * 1_000_000,
        );
        let limits = [i64::MIN, i64::MAX, first - 1, last + 1];
        for zone in ZONES {
            let mut instants = DayMapper::new(zone).unwrap();
            let mut locals = DayMapper::for_local_times("Asia/Kolkata", zone).unwrap();
            for micros in limits {
                assert_eq!(instants.day(micros), None);
            }
            assert_eq!((locals.day(i64::MIN), locals.day(i64::MAX)), (None, None));
            assert!(instants.day(first).is_some());
            assert!(instants.day(last).is_some());
        }
        let mut days = vec![7];
        let result = DayMapper::new("UTC")
            .unwrap()
            .days(&[0, i64::MAX, 0], &mut days);
        assert_eq!(
            result,
            Err(OutOfRange {
                row: 1,
                micros: i64::MAX
            })
        );
        assert_eq!(days, [7, 0]);
    }

    #[test]
    fn local_times_skipped_or_repeated_are_read_as_documented() {
        let read = |zone, text| {
            let zone = time_zone(zone).unwrap();
            let micros = local_micros_to_instant(&zone, local(text)).unwrap();
            Timestamp::from_microsecond(micros).unwrap().to_string()
        };
        assert_eq!(
            read("Europe/Berlin", "2024-07-01T12:00:00"),
            "2024-07-01T10:00:00Z"
        );
        assert_eq!(
            read("Europe/Berlin", "2024-03-31T02:30:00"),
            "2024-03-31T01:30:00Z"
        );
        assert_eq!(
            read("Europe/Berlin", "2024-10-27T02:30:00"),
            "2024-10-27T00:30:00Z"
        );
        assert_eq!(
            read("America/Sao_Paulo", "2018-11-04T00:15:00"),
            "2018-11-04T03:15:00Z"
        );
        assert_eq!(
            read("Australia/Lord_Howe", "2024-04-07T01:45:00"),
            "2024-04-06T14:45:00Z"
        );
        assert_eq!(local_micros_to_instant(&TimeZone::UTC, i64::MAX), None);
    }

    #[test]
    fn clocks_show_an_instant_by_the_offset_of_then() {
        let shown = |zone, text| {
            let zone = time_zone(zone).unwrap();
            let micros = instant_to_local_micros(&zone, instant(text)).unwrap();
            Timestamp::from_microsecond(micros).unwrap().to_string()
        };
        assert_eq!(
            shown("Europe/Berlin", "2024-03-31T00:59:59Z"),
            "2024-03-31T01:59:59Z"
        );
        assert_eq!(
            shown("Europe/Berlin", "2024-03-31T01:00:00Z"),
            "2024-03-31T03:00:00Z"
        );
        assert_eq!(
            shown("America/New_York", "2024-07-01T02:00:00Z"),
            "2024-06-30T22:00:00Z"
        );
        assert_eq!(instant_to_local_micros(&TimeZone::UTC, i64::MAX), None);
    }

    #[test]
    fn mappers_know_the_instants_of_local_times_in_whatever_zone_their_days_are() {
        let texts = [
            "2024-07-01T12:00:00",
            "2024-10-27T02:30:00",
            "2024-10-27T03:00:00",
            "2024-03-31T02:30:00",
            "2024-12-01T00:00:00",
        ];
        let berlin = time_zone("Europe/Berlin").unwrap();
        for zone in ["Europe/Berlin", "America/New_York", "UTC"] {
            let mut mapper = DayMapper::for_local_times("Europe/Berlin", zone).unwrap();
            for text in texts {
                let expected = local_micros_to_instant(&berlin, local(text));
                assert_eq!(mapper.instant(local(text)), expected, "{text}, {zone}");
            }
            assert_eq!(mapper.instant(i64::MAX), None);
        }
        let mut mapper = DayMapper::new("Europe/Berlin").unwrap();
        assert_eq!(mapper.instant(7), Some(7));
    }

    #[test]
    fn a_local_time_of_the_own_zone_is_on_the_day_it_shows() {
        let mut mapper =
            DayMapper::for_local_times("America/Sao_Paulo", "America/Sao_Paulo").unwrap();
        assert_eq!(
            mapper.day(local("2018-11-04T00:15:00")),
            Some(day("2018-11-04"))
        );
        assert_eq!(mapper.day(-1), Some(Day(-1)));
        let last = i64::from(day("9999-12-31").0) * 86_400_000_000;
        assert_eq!(mapper.day(last), Some(day("9999-12-31")));
        assert_eq!(mapper.day(last + 86_400_000_000), None);
        let first = i64::from(Day::from_ymd(-9999, 1, 1).unwrap().0) * 86_400_000_000;
        assert!(mapper.day(first).is_some());
        assert_eq!(mapper.day(first - 1), None);
    }

    #[test]
    fn a_local_time_of_another_zone_can_be_on_another_day() {
        let mut mapper = DayMapper::for_local_times("America/New_York", "Europe/Berlin").unwrap();
        assert_eq!(
            mapper.day(local("2024-07-01T17:59:59")),
            Some(day("2024-07-01"))
        );
        assert_eq!(
            mapper.day(local("2024-07-01T18:00:00")),
            Some(day("2024-07-02"))
        );
    }

    /// 01:30 of 3 November 2024 came twice in New York, at 05:30 and at 06:30 UTC, either side of
    /// midnight in Costa Rica. The first counts, whichever offset was used for the value before.
    #[test]
    fn a_repeated_local_time_is_the_first_whatever_came_before_it() {
        for before in [
            "2024-10-01T12:00:00",
            "2024-11-03T04:00:00",
            "2024-12-01T12:00:00",
        ] {
            let mut mapper =
                DayMapper::for_local_times("America/New_York", "America/Costa_Rica").unwrap();
            assert!(mapper.day(local(before)).is_some());
            assert_eq!(
                mapper.day(local("2024-11-03T01:30:00")),
                Some(day("2024-11-02"))
            );
            assert_eq!(
                mapper.day(local("2024-11-03T02:00:00")),
                Some(day("2024-11-03"))
            );
        }
    }

    #[test]
    fn unknown_zones_are_named() {
        let error = DayMapper::new("Europe/Atlantis").unwrap_err();
        assert_eq!(error, UnknownZone("Europe/Atlantis".to_owned()));
        assert!(DayMapper::for_local_times("Europe/Atlantis", "UTC").is_err());
        assert!(DayMapper::for_local_times("UTC", "Europe/Atlantis").is_err());
    }

    /// Intervals of all zones of the database: at both ends, and just beyond, of each that lies in
    /// 1850 to 2060, the offset is that of the rules.
    #[test]
    fn remembered_offsets_are_those_of_the_rules() {
        let (first, last) = (
            instant("1850-01-01T00:00:00Z"),
            instant("2060-01-01T00:00:00Z"),
        );
        let mut changes = 0;
        for name in db().available() {
            let Ok(zone) = time_zone(name.as_str()) else {
                assert_eq!(name.as_str(), "Etc/Unknown");
                continue;
            };
            let mut offsets = Offsets::new(zone.clone());
            let mut at = first;
            while at < last {
                let found = offsets.at(at).unwrap();
                assert!(found.instants.contains(&at));
                for probe in [found.instants.start, at, found.instants.end - 1] {
                    let instant = Timestamp::from_microsecond(probe).unwrap();
                    let seconds = i64::from(zone.to_offset(instant).seconds());
                    assert_eq!(
                        found.offset,
                        seconds * 1_000_000,
                        "{} {instant}",
                        name.as_str()
                    );
                    assert_eq!(offsets.at(probe), Some(found.clone()));
                }
                at = found.instants.end;
                changes += 1;
            }
        }
        assert!(changes > 10_000, "{changes}");
    }

    /// Instants of the last and next centuries, of any time, and around a change of the clocks.
    fn instants() -> impl Strategy<Value = i64> {
        let near_change = (0_i64..4, -90_000_000_i64..90_000_000).prop_map(|(change, by)| {
            let changes = [1_541_300_400, 1_711_846_800, 1_712_415_600, 1_325_239_200];
            changes[change as usize] * 1_000_000 + by * 100
        });
        prop_oneof![
            4 => -3_000_000_000_000_000_i64..4_000_000_000_000_000,
            2 => near_change,
            1 => Timestamp::MIN.as_microsecond()..=Timestamp::MAX.as_microsecond(),
            1 => any::<i64>(),
        ]
    }

    proptest! {
        #[test]
        fn instants_map_as_jiff_maps_them_one_by_one(instants in vec(instants(), 1..60)) {
            for name in ZONES {
                let zone = time_zone(name).unwrap();
                let mut mapper = DayMapper::new(name).unwrap();
                for &micros in &instants {
                    prop_assert_eq!(mapper.day(micros), by_jiff(&zone, micros), "{} {}", name, micros);
                }
            }
        }

        #[test]
        fn local_times_map_as_jiff_maps_them_one_by_one(locals in vec(instants(), 1..60)) {
            for name in ZONES {
                let (zone, project) = (time_zone(name).unwrap(), time_zone("Asia/Tokyo").unwrap());
                let mut mapper = DayMapper::for_local_times(name, "Asia/Tokyo").unwrap();
                for &micros in &locals {
                    let since_1970 = SignedDuration::from_micros(micros);
                    let shown = date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since_1970);
                    let expected = shown.ok().and_then(|shown| {
                        let instant = zone.to_ambiguous_timestamp(shown).compatible().ok()?;
                        by_jiff(&project, instant.as_microsecond())
                    });
                    prop_assert_eq!(mapper.day(micros), expected, "{} {}", name, micros);
                }
            }
        }

        #[test]
        fn columns_map_as_single_values(mut instants in vec(-10_i64.pow(15)..10_i64.pow(16), 0..100), sorted: bool) {
            if sorted {
                instants.sort_unstable();
            }
            let mut column = Vec::new();
            DayMapper::new("America/Juneau").unwrap().days(&instants, &mut column).unwrap();
            let mut mapper = DayMapper::new("America/Juneau").unwrap();
            let singles: Vec<i32> = instants.iter().map(|&at| mapper.day(at).unwrap().0).collect();
            prop_assert_eq!(column, singles);
        }
    }
}
