//! Texts that say their own offset, in a time column that is read as timestamps by the clocks of a zone.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use tenfold_core::calendar::{instant_to_local_micros, time_zone};
use tenfold_core::failure::Failure;
use tenfold_core::project::ColumnType;
use tenfold_core::refresh::task::SourceMapping;

use crate::arrays::{arrow_bug, is_text};

/// The times of a column by the clocks of its zone, where it is the time column and has one. A cast took
/// those that say an offset to UTC, whose clocks nobody looked at.
pub fn by_clocks(
    mapping: &SourceMapping,
    name: &str,
    texts: &dyn Array,
    times: ArrayRef,
) -> Result<ArrayRef, Failure> {
    let Some(zone) = mapping.time.zone.as_deref() else {
        return Ok(times);
    };
    let is_local = *times.data_type() == super::arrow_type(ColumnType::Timestamp);
    if name != mapping.time.column || !is_local || !is_text(texts.data_type()) {
        return Ok(times);
    }
    let zone = time_zone(zone).map_err(|error| Failure::config(error.to_string()))?;
    let texts = cast(texts, &DataType::Utf8).map_err(arrow_bug)?;
    let shown = |(text, time): (Option<&str>, Option<i64>)| match text {
        Some(text) if says_offset(text) => {
            time.map(|instant| instant_to_local_micros(&zone, instant).unwrap_or(instant))
        }
        _ => time,
    };
    let times = times.as_primitive::<TimestampMicrosecondType>().iter();
    let shown: TimestampMicrosecondArray = texts
        .as_string::<i32>()
        .iter()
        .zip(times)
        .map(shown)
        .collect();
    Ok(Arc::new(shown))
}

/// Whether something follows the digits of a time: only an offset can, or a zone.
fn says_offset(text: &str) -> bool {
    let time = text.as_bytes().get("2024-02-29T".len()..);
    let is_of_time = |byte: &u8| matches!(byte, b'0'..=b'9' | b':' | b'.');
    time.is_some_and(|time| !time.iter().all(is_of_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_the_digits_of_a_time() {
        for text in [
            "2024-03-31T22:30:00Z",
            "2024-03-31 22:30:00.5z",
            "2024-03-31T22:30:00-05:00",
            "2024-03-31T22:30:00 +0200",
            "2024-03-31T22:30:00 Europe/Berlin",
        ] {
            assert!(says_offset(text), "{text}");
        }
        for text in [
            "2024-03-31",
            "2024-03-31T22:30:00",
            "2024-03-31 22:30:00.123456",
            "2024-03-31T223000",
        ] {
            assert!(!says_offset(text), "{text}");
        }
    }
}
