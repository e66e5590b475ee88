//! The values of options.

use std::time::{Duration, SystemTime};

use diesel_encrypted::Target;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time with its offset.
pub(super) fn moment(text: &str) -> Result<SystemTime, &'static str> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).map(SystemTime::from);
    moment.map_err(|_| "expected a time with its offset, such as 2026-11-26T10:00:00Z")
}

/// Reads `TABLE.COLUMN: CONDITION`. A name with a colon is in double quotes.
pub(super) fn rule(text: &str) -> Result<(Target, String), String> {
    let mut is_quoted = false;
    let colon = text.char_indices().find(|(_, character)| {
        is_quoted ^= *character == '"';
        *character == ':' && !is_quoted
    });
    let Some((colon, _)) = colon else {
        return Err("expected a column and a condition, such as 'connection.password: NOT is_encrypted'".into());
    };
    let target = text[..colon].trim().parse::<Target>().map_err(|error| error.to_string())?;
    Ok((target, text[colon + 1..].trim().to_owned()))
}

pub(super) fn ratio(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(ratio) if (0.0..=1000.0).contains(&ratio) => Ok(ratio),
        _ => Err("expected a number from 0 to 1000, such as 0.5"),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("expected a number of seconds, such as 5 or 0.5")
}

/// Reads a number of bytes, in which `256M` is 256 MiB.
pub(super) fn bytes(text: &str) -> Result<u64, &'static str> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((index, 'K' | 'k')) => (&text[..index], 1 << 10),
        Some((index, 'M' | 'm')) => (&text[..index], 1 << 20),
        Some((index, 'G' | 'g')) => (&text[..index], 1 << 30),
        _ => (text, 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or("expected a number of bytes, such as 268435456 or 256M")
}
