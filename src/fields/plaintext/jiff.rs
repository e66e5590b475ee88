//! The `jiff` crate's moments, dates and times.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, Zoned};

use crate::fields::plaintext::scalars::text;
use crate::fields::plaintext::{Plaintext, buffer};
use crate::keys::Error;

// `FromStr` of the civil types ignores an offset, and would shift nothing by it.
macro_rules! civil {
    ($($type:ty => $expected:literal),+ $(,)?) => {$(
        impl Plaintext for $type {
            fn encode(&self) -> Result<std::borrow::Cow<'_, [u8]>, Error> {
                Ok(std::borrow::Cow::Owned(buffer::text_of(self)))
            }

            fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
                let text = text(bytes).filter(|text| !has_offset(text));
                text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::decode($expected))
            }
        }
    )+};
}

civil! {
    Date => "a date",
    Time => "a time of day",
    DateTime => "a date and time",
}

crate::plaintext_as_text! {
    Timestamp => "a date and time with an offset",
    Zoned => "a date and time with a time zone",
}

/// Whether a sign, a `Z` or a time zone follows the time of day.
fn has_offset(text: &str) -> bool {
    let after_time = text.find(':').map_or("", |colon| &text[colon..]);
    after_time.contains(['+', '-', 'Z', 'z', '['])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::plaintext::bytes::tests::round_trips;

    proptest! {
        #[test]
        fn moments(seconds in -377_705_023_201i64..=253_402_207_200, nanos in 0i32..1_000_000_000, hours in -25i8..=25) {
            let moment = Timestamp::new(seconds, nanos).unwrap();
            round_trips(&moment);
            let zoned = moment.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(hours)));
            round_trips(&zoned);
            round_trips(&zoned.datetime());
            round_trips(&zoned.date());
            round_trips(&zoned.time());
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let moment: Timestamp = "2026-11-23T15:49:38.5+01:00".parse().unwrap();
        assert_eq!(*moment.encode().unwrap(), *b"2026-11-23T14:49:38.5Z");
        let civil: DateTime = "2026-11-23T15:49:38.5".parse().unwrap();
        assert_eq!(*civil.encode().unwrap(), *b"2026-11-23T15:49:38.5");
        assert_eq!(*civil.date().encode().unwrap(), *b"2026-11-23");
        let zoned = moment.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)));
        assert_eq!(*zoned.encode().unwrap(), *b"2026-11-23T15:49:38.5+01:00[+01:00]");
    }

    #[test]
    fn reads_what_python_writes() {
        let moment: Timestamp = "2026-11-23T15:49:38.5Z".parse().unwrap();
        assert_eq!(Timestamp::decode(b"2026-11-23 15:49:38.500000+00:00".into()).unwrap(), moment);
        let civil = DateTime::decode(b"2026-11-23 15:49:38.500000".into()).unwrap();
        assert_eq!(civil.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp(), moment);
        // A missing or extra offset is an error: the time zone is not guessed.
        assert!(Timestamp::decode(b"2026-11-23 15:49:38.500000".into()).is_err());
        assert!(DateTime::decode(b"2026-11-23 15:49:38.500000+00:00".into()).is_err());
        assert!(DateTime::decode(b"2026-11-23 15:49:38.500000-05".into()).is_err());
        assert!(Time::decode(b"15:49:38Z".into()).is_err());
    }
}
