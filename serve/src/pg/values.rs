//! Values that clients send for the places of a query, in text or binary.

use bytes::{Buf, Bytes};
use tenfold_query::postgres::{PgType, Value, decimal, elements, oid};

use super::refused::Refused;

/// Reads a value of a type.
pub fn decode(type_oid: u32, binary: bool, value: Option<Bytes>) -> Result<Value, Refused> {
    let text = match value {
        None => None,
        Some(value) if !binary || is_text(type_oid) => {
            let text = String::from_utf8(value.to_vec());
            let wrong = |_| Refused::new("22021", "a value is not UTF-8", "send UTF-8");
            Some(plain(type_oid, text.map_err(wrong)?))
        }
        Some(mut value) => Some(read(type_oid, &mut value)?),
    };
    if let Some(text) = &text {
        check(type_oid, text)?;
    }
    Ok(Value {
        oid: type_oid,
        text,
    })
}

/// A day or time without what its type has not: drivers send days with a zone or a time, and times with a
/// zone, and leave it to the server which one is meant.
fn plain(type_oid: u32, text: String) -> String {
    let Some((day, time)) = day_and_time(&text) else {
        return text;
    };
    let (clock, zone) = time.split_at(zone_at(time).unwrap_or(time.len()));
    let clock = match clock.trim_end() {
        "" => "00:00:00",
        clock => clock,
    };
    match type_oid {
        oid::DATE => day.to_owned(),
        oid::TIMESTAMP => format!("{day} {clock}"),
        // Of a day alone the zone would be taken for a time.
        oid::TIMESTAMPTZ if time == zone => format!("{day} {clock}{zone}"),
        _ => text,
    }
}

/// A text such as `2030-01-01 12:00:00+01`, cut after its day; none for a day alone.
fn day_and_time(text: &str) -> Option<(&str, &str)> {
    let (day, rest) = text.split_at_checked(10)?;
    let is_day = day.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let time = rest.strip_prefix([' ', 'T'])?;
    let begins = |c: char| c.is_ascii_digit() || c == '+' || c == '-';
    // A day before the year 1 says so at its end.
    let is_time = time.starts_with(begins) && !time.ends_with("BC");
    (is_day && is_time).then_some((day, time))
}

/// Where the zone of a time begins: `Z`, or a sign with hours and, after colons, what is less than those.
fn zone_at(time: &str) -> Option<usize> {
    if time.ends_with('Z') {
        return Some(time.len() - 1);
    }
    let sign = time.rfind(['+', '-'])?;
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    time[sign + 1..].split(':').all(number).then_some(sign)
}

fn is_text(type_oid: u32) -> bool {
    let known = PgType::numbered(type_oid);
    type_oid == 0
        || known.is_some_and(|known| known.category == "S" || known.category == "X")
        || type_oid == oid::JSON
}

/// Refuses a text that is no value of its type, before it is part of a query.
fn check(type_oid: u32, text: &str) -> Result<(), Refused> {
    let trimmed = text.trim();
    let fits = match type_oid {
        oid::INT2 => trimmed.parse::<i16>().is_ok(),
        oid::INT4 => trimmed.parse::<i32>().is_ok(),
        oid::INT8 | oid::OID => trimmed.parse::<i64>().is_ok(),
        oid::FLOAT4 | oid::FLOAT8 => trimmed.parse::<f64>().is_ok(),
        oid::NUMERIC => decimal(trimmed).is_some(),
        oid::BOOL => [
            "t", "f", "true", "false", "on", "off", "yes", "no", "1", "0",
        ]
        .contains(&trimmed.to_ascii_lowercase().as_str()),
        _ => match PgType::listed(type_oid) {
            Some(element) => elements(text).is_ok_and(|all| {
                let mut given = all.iter().flatten();
                given.all(|one| check(element.oid, one).is_ok())
            }),
            None => true,
        },
    };
    match fits {
        true => Ok(()),
        false => Err(wrong(type_oid, text)),
    }
}

fn wrong(type_oid: u32, text: &str) -> Refused {
    let name = PgType::numbered(type_oid).map_or("list", |known| known.name);
    Refused::new(
        "22P02",
        format!("invalid input syntax for type {name}: {text:?}"),
        match type_oid {
            oid::NUMERIC => "give a number with up to 38 digits",
            _ => "give a value of that type",
        },
    )
}

fn unsupported(type_oid: u32) -> Refused {
    Refused::new(
        "0A000",
        format!("values of type {type_oid} are not read in binary"),
        "send them as text",
    )
}

fn short() -> Refused {
    Refused::new(
        "22P03",
        "a binary value has a wrong length",
        "send it as text",
    )
}

fn read(type_oid: u32, value: &mut Bytes) -> Result<String, Refused> {
    let text = match type_oid {
        oid::BOOL => value.try_get_u8().map(|byte| (byte != 0).to_string()),
        oid::INT2 => value.try_get_i16().map(|number| number.to_string()),
        oid::INT4 => value.try_get_i32().map(|number| number.to_string()),
        oid::INT8 => value.try_get_i64().map(|number| number.to_string()),
        oid::OID => value.try_get_u32().map(|number| number.to_string()),
        oid::FLOAT4 => value.try_get_f32().map(|number| format!("{number:?}")),
        oid::FLOAT8 => value.try_get_f64().map(|number| format!("{number:?}")),
        oid::DATE => {
            let days = value.try_get_i32().map_err(|_| short())?;
            return date(days);
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let micros = value.try_get_i64().map_err(|_| short())?;
            return timestamp(micros, type_oid == oid::TIMESTAMPTZ);
        }
        oid::NUMERIC => return numeric(value),
        oid::UUID => return uuid(value),
        _ => match PgType::listed(type_oid) {
            Some(element) => return list(element.oid, value),
            None => return Err(unsupported(type_oid)),
        },
    };
    let text = text.map_err(|_| short())?;
    match value.is_empty() {
        true => Ok(text),
        false => Err(short()),
    }
}

fn date(days: i32) -> Result<String, Refused> {
    let micros = i64::from(days).saturating_mul(86_400_000_000);
    let text = timestamp(micros, false)?;
    Ok(text.chars().take_while(|c| *c != 'T').collect())
}

/// Microseconds since the beginning of 2000.
fn timestamp(micros: i64, zoned: bool) -> Result<String, Refused> {
    let since_1970 = micros.saturating_add(946_684_800_000_000);
    let at = jiff::Timestamp::from_microsecond(since_1970);
    let at = at.map_err(|_| Refused::new("22008", "a time is out of range", "give another"))?;
    let text = at.to_string();
    Ok(match zoned {
        true => text,
        false => text.trim_end_matches('Z').to_owned(),
    })
}

fn numeric(value: &mut Bytes) -> Result<String, Refused> {
    let mut next = || value.try_get_i16().map_err(|_| short());
    let (count, weight, sign, scale) = (next()?, next()?, next()?, next()?);
    let groups: Result<Vec<i16>, Refused> = (0..count).map(|_| next()).collect();
    let groups = groups?;
    let digits = groups.iter().all(|group| (0..10_000).contains(group));
    let signed = sign == 0 || sign == 0x4000;
    if !digits || !signed || !(0..=38).contains(&scale) || !(-20..=20).contains(&weight) {
        return Err(Refused::new(
            "22003",
            "a number is out of range, or is none",
            "numbers have up to 38 digits",
        ));
    }
    let group = |place: i16| {
        let place = usize::try_from(i32::from(weight) - i32::from(place));
        place
            .ok()
            .and_then(|place| groups.get(place))
            .copied()
            .unwrap_or_default()
    };
    let mut text = String::from(if sign == 0 { "" } else { "-" });
    for place in (0..=weight.max(0)).rev() {
        text.push_str(&format!("{:04}", group(place)));
    }
    let mut fraction = String::new();
    for place in 1..=(scale + 3) / 4 {
        fraction.push_str(&format!("{:04}", group(-place)));
    }
    fraction.truncate(scale as usize);
    let (sign, whole) = match text.strip_prefix('-') {
        Some(whole) => ("-", whole),
        None => ("", text.as_str()),
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(match fraction.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{fraction}"),
    })
}

fn uuid(value: &mut Bytes) -> Result<String, Refused> {
    let number = value.try_get_u128().map_err(|_| short())?;
    let text = format!("{number:032x}");
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    ))
}

/// A list with one dimension and elements of a type, written as a text.
fn list(element: u32, value: &mut Bytes) -> Result<String, Refused> {
    let mut next = || value.try_get_i32().map_err(|_| short());
    let (dimensions, _nulls, sent) = (next()?, next()?, next()? as u32);
    // The client's word alone would let lists be in lists without end.
    if sent != element {
        return Err(Refused::new(
            "42804",
            "the elements of a list are of another type than the list",
            "send elements of its type",
        ));
    }
    if dimensions == 0 {
        return Ok("{}".to_owned());
    }
    if dimensions != 1 {
        return Err(Refused::new(
            "0A000",
            "a list of lists is not supported",
            "send one list",
        ));
    }
    let (count, _lower) = (next()?, next()?);
    let mut texts = Vec::new();
    for _ in 0..count {
        let length = value.try_get_i32().map_err(|_| short())?;
        let Ok(length) = usize::try_from(length) else {
            texts.push("NULL".to_owned());
            continue;
        };
        if length > value.len() {
            return Err(short());
        }
        let item = decode(element, true, Some(value.split_to(length)))?;
        let text = item.text.unwrap_or_default();
        texts.push(format!(
            "\"{}\"",
            text.replace('\\', "\\\\").replace('"', "\\\"")
        ));
    }
    Ok(format!("{{{}}}", texts.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(type_oid: u32, bytes: &[u8]) -> Result<String, &'static str> {
        let read = decode(type_oid, true, Some(Bytes::copy_from_slice(bytes)));
        read.map(|value| value.text.unwrap())
            .map_err(|refused| refused.state)
    }

    #[test]
    fn binary_values_are_read() {
        assert_eq!(binary(oid::INT4, &7_i32.to_be_bytes()).unwrap(), "7");
        assert_eq!(binary(oid::FLOAT8, &0.1_f64.to_be_bytes()).unwrap(), "0.1");
        assert_eq!(
            binary(oid::DATE, &1_i32.to_be_bytes()).unwrap(),
            "2000-01-02"
        );
        let micros = 1_500_000_i64.to_be_bytes();
        assert_eq!(
            binary(oid::TIMESTAMPTZ, &micros).unwrap(),
            "2000-01-01T00:00:01.5Z"
        );
        let groups = |groups: &[i16]| -> Vec<u8> {
            groups
                .iter()
                .flat_map(|group| group.to_be_bytes())
                .collect()
        };
        let numeric = |of: &[i16]| binary(oid::NUMERIC, &groups(of)).unwrap();
        assert_eq!(numeric(&[3, 1, 0, 2, 1, 2345, 6700]), "12345.67");
        assert_eq!(numeric(&[1, -1, 0x4000, 4, 5]), "-0.0005");
        assert_eq!(numeric(&[1, 1, 0, 0, 1]), "10000");
        assert_eq!(numeric(&[0, 0, 0, 2]), "0.00");
        let words = |words: &[i32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        let list = words(&[1, 1, 23, 2, 1, 4, 7, -1]);
        assert_eq!(binary(1007, &list).unwrap(), r#"{"7",NULL}"#);
    }

    #[test]
    fn days_and_times_are_read_without_what_their_types_have_not() {
        for (type_oid, sent, read) in [
            (oid::DATE, "2030-01-01", "2030-01-01"),
            (oid::DATE, "2030-01-01 +00", "2030-01-01"),
            (oid::DATE, "2030-01-01 23:30:00-05", "2030-01-01"),
            (oid::DATE, "2030-01-01T23:30:00.5Z", "2030-01-01"),
            (oid::DATE, "0044-03-15 BC", "0044-03-15 BC"),
            (oid::TIMESTAMP, "2030-01-01", "2030-01-01"),
            (oid::TIMESTAMP, "2030-01-01 +00", "2030-01-01 00:00:00"),
            (oid::TIMESTAMP, "2030-01-01 12:30", "2030-01-01 12:30"),
            (
                oid::TIMESTAMP,
                "2030-01-01 12:30:00.5+02",
                "2030-01-01 12:30:00.5",
            ),
            (
                oid::TIMESTAMP,
                "2030-01-01 12:30:00-05:30:15",
                "2030-01-01 12:30:00",
            ),
            (
                oid::TIMESTAMP,
                "2030-01-01T12:30:00Z",
                "2030-01-01 12:30:00",
            ),
            (
                oid::TIMESTAMPTZ,
                "2030-01-01 -05:30",
                "2030-01-01 00:00:00-05:30",
            ),
            (
                oid::TIMESTAMPTZ,
                "2030-01-01T12:30:00-05:30",
                "2030-01-01T12:30:00-05:30",
            ),
            (oid::TEXT, "2030-01-01 +00", "2030-01-01 +00"),
        ] {
            let bytes = Bytes::from_static(sent.as_bytes());
            let value = decode(type_oid, false, Some(bytes)).unwrap();
            assert_eq!(value.text.as_deref(), Some(read), "{type_oid} {sent}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused_with_its_code() {
        assert_eq!(binary(oid::INT4, &[0, 1]), Err("22P03"));
        assert_eq!(binary(oid::INT2, &[0, 1, 2]), Err("22P03"));
        assert_eq!(binary(oid::NUMERIC, &[0; 7]), Err("22P03"));
        assert_eq!(binary(oid::INTERVAL, &[0; 16]), Err("0A000"));
        assert_eq!(
            binary(oid::NUMERIC, &[0, 1, 0, 0, 0, 0, 0, 0, 0x7f, 0xff]),
            Err("22003")
        );
        // A list in a list in a list.
        let mut nested = vec![0; 12];
        for _ in 0..100 {
            let words = [1, 0, 1007, 1, 1, nested.len() as i32];
            let mut outer: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            outer.append(&mut nested);
            nested = outer;
        }
        assert_eq!(binary(1007, &nested), Err("42804"));
        let text = |type_oid, text: &'static str| {
            decode(type_oid, false, Some(Bytes::from_static(text.as_bytes())))
                .map_err(|refused| refused.state)
        };
        for (type_oid, right) in [
            (oid::INT4, " 5 "),
            (oid::NUMERIC, " 12.50 "),
            (oid::NUMERIC, "1E-7"),
            (oid::NUMERIC, "-1.5e+3"),
            (1007, "{5,NULL}"),
            (1231, "{1E-7,2}"),
        ] {
            assert!(text(type_oid, right).is_ok(), "{right}");
        }
        for (type_oid, wrong) in [
            (oid::INT2, "70000"),
            (oid::INT4, "1; DROP"),
            (oid::NUMERIC, "NaN"),
            (oid::NUMERIC, "1E"),
            (oid::NUMERIC, "1E-50"),
            (oid::NUMERIC, "1E+99"),
            (oid::BOOL, "maybe"),
            (1007, "1,2"),
            (1007, "{1,b}"),
            (1231, "{1E-50}"),
        ] {
            assert_eq!(text(type_oid, wrong).unwrap_err(), "22P02", "{wrong}");
        }
    }
}
