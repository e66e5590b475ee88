//! Times on the clock of the database, and their text form.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970, on the clock of the database.
pub(crate) type Moment = u64;

/// Seconds since 1970 as `2026-11-25T02:33:10Z`.
pub(crate) fn date(seconds: u64) -> String {
    moment(seconds.saturating_mul(1000))
}

/// `2026-11-25T02:33:10.5Z`
pub(crate) fn moment(milliseconds: Moment) -> String {
    let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok();
    match date.and_then(|date| date.format(&Rfc3339).ok()) {
        Some(date) => date,
        None => format!("{} seconds after 1970", milliseconds / 1000),
    }
}
