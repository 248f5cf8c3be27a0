//! Names of time zones, from the database that is built in.

use jiff::tz::TimeZoneDatabase;

use super::near::nearest;

/// The zone's name in its usual spelling, or a remedy when there is no such zone.
pub(super) fn canonical(name: &str) -> Result<String, String> {
    let database = TimeZoneDatabase::bundled();
    let found = database.get(name).ok();
    let known = found.and_then(|zone| zone.iana_name().map(str::to_owned));
    known.ok_or_else(|| match suggestion(&database, name) {
        Some(zone) => format!("did you mean `{zone}`?"),
        None => "use an IANA name such as `UTC` or `Europe/Berlin`".to_owned(),
    })
}

/// The zone of that city, or else the one whose name, or whose city alone, is nearest.
fn suggestion(database: &TimeZoneDatabase, name: &str) -> Option<String> {
    let mut names: Vec<String> = database
        .available()
        .map(|z| z.as_str().to_owned())
        .collect();
    // Sorted, so that of several zones with an equally near name always the same one is named.
    names.sort_unstable();
    let of_city = |wanted: &str| {
        let mut zones = names.iter().map(String::as_str);
        zones.find(|zone| zone.contains('/') && city(zone).eq_ignore_ascii_case(wanted))
    };
    let wanted = name.replace(' ', "_");
    let whole = || nearest(&wanted, names.iter().map(String::as_str));
    let near_city = || of_city(nearest(city(&wanted), names.iter().map(|zone| city(zone)))?);
    of_city(city(&wanted))
        .or_else(whole)
        .or_else(near_city)
        .map(str::to_owned)
}

fn city(zone: &str) -> &str {
    zone.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_in_any_case_or_suggested() {
        assert_eq!(canonical("europe/berlin").as_deref(), Ok("Europe/Berlin"));
        assert_eq!(canonical("UTC").as_deref(), Ok("UTC"));
        for (slip, zone) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("Europe/Tokyo", "Asia/Tokyo"),
        ] {
            assert_eq!(canonical(slip), Err(format!("did you mean `{zone}`?")));
        }
        for strange in ["", "+01:00", "nowhere at all", "é"] {
            assert!(canonical(strange).is_err(), "{strange}");
        }
    }
}
