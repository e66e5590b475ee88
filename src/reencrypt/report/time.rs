//! Conversions of times: for results, for people, and for the tables of the task.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use serde::{Serialize, Serializer};

use crate::database::Moment;

/// Replaces every time that `SystemTime` cannot hold. It is later than any time that RFC 3339 can express.
const LATEST: Duration = Duration::from_secs(300_000_000_000);

/// A date of a token: seconds since 1970.
pub(crate) fn of_seconds(seconds: u64) -> SystemTime {
    after_1970(Duration::from_secs(seconds))
}

/// A moment on the clock of the database.
pub(crate) fn of_moment(milliseconds: Moment) -> SystemTime {
    after_1970(Duration::from_millis(milliseconds))
}

fn after_1970(time: Duration) -> SystemTime {
    UNIX_EPOCH.checked_add(time).or_else(|| UNIX_EPOCH.checked_add(LATEST)).unwrap_or(UNIX_EPOCH)
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `2026-11-25T02:33:10.5Z`
pub(crate) fn text(time: SystemTime) -> String {
    rfc3339(time).unwrap_or_else(|| format!("{} seconds after 1970", since_1970(time).as_secs()))
}

/// `None` for years of more than four digits.
fn rfc3339(time: SystemTime) -> Option<String> {
    let nanoseconds = i128::try_from(since_1970(time).as_nanos()).ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?.format(&Rfc3339).ok()
}

/// As text, for results; `null` for years of more than four digits.
pub(crate) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339(*time).serialize(serializer)
}

/// As text, for results.
pub(crate) fn serialize_option<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.and_then(rfc3339).serialize(serializer)
}

/// As seconds since 1970, in the tables of the task.
pub(crate) mod seconds {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        super::since_1970(*time).as_secs().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        u64::deserialize(deserializer).map(super::of_seconds)
    }
}

/// As milliseconds since 1970, in the tables of the task.
pub(crate) mod milliseconds {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = super::since_1970(*time).as_millis();
        u64::try_from(milliseconds).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        u64::deserialize(deserializer).map(super::of_moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_them() {
        assert_eq!(text(of_moment(1_795_574_000_123)), "2026-11-25T02:33:20.123Z");
        assert_eq!(text(of_seconds(0)), "1970-01-01T00:00:00Z");
        assert_eq!(text(of_moment(u64::MAX)), "18446744073709551 seconds after 1970");
        assert_eq!(rfc3339(of_seconds(u64::MAX)), None);
    }
}
