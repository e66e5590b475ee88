//! The `time` crate's dates and times.

use std::borrow::Cow;

use time::format_description::StaticFormatDescription;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use crate::fields::plaintext::buffer::Buffer;
use crate::fields::plaintext::{Plaintext, scalars};
use crate::keys::Error;

const DATE: StaticFormatDescription = format_description!("[year]-[month]-[day]");
// Writing always includes the fraction. Reading does not require it.
const TIME: StaticFormatDescription =
    format_description!(version = 2, "[hour]:[minute]:[second][optional [.[subsecond]]]");
const DATE_TIME: StaticFormatDescription =
    format_description!(version = 2, "[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]");

macro_rules! plaintext_as {
    ($($type:ty, $format:expr => $expected:literal),+ $(,)?) => {$(
        impl Plaintext for $type {
            fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
                Buffer::filled(|buffer| self.format_into(buffer, $format).map(drop))
                    .map(Cow::Owned)
                    .map_err(|_| Error::encode(concat!("it is not ", $expected)))
            }

            fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
                scalars::iso_8601(bytes)
                    .and_then(|text| Self::parse(&text, $format).ok())
                    .ok_or_else(|| Error::decode($expected))
            }
        }
    )+};
}

plaintext_as! {
    Date, DATE => "a date",
    Time, TIME => "a time of day",
    PrimitiveDateTime, DATE_TIME => "a date and time",
    OffsetDateTime, &Rfc3339 => "a date and time in the years 0 to 9999 with an offset in whole minutes",
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::UtcOffset;

    use super::*;
    use crate::fields::plaintext::bytes::tests::round_trips;

    prop_compose! {
        fn moment()(
            seconds in -62_167_132_800i64..253_402_214_400,
            nanos in 0u32..1_000_000_000,
            minutes in -1_000i32..1_000,
        ) -> OffsetDateTime {
            let offset = UtcOffset::from_whole_seconds(minutes * 60).unwrap();
            let utc = OffsetDateTime::from_unix_timestamp(seconds).unwrap().replace_nanosecond(nanos).unwrap();
            utc.to_offset(offset)
        }
    }

    proptest! {
        #[test]
        fn moments(moment in moment()) {
            round_trips(&moment);
            round_trips(&moment.date());
            round_trips(&moment.time());
            round_trips(&PrimitiveDateTime::new(moment.date(), moment.time()));
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let moment = time::macros::datetime!(2026-11-23 15:49:38.5);
        assert_eq!(*moment.encode().unwrap(), *b"2026-11-23T15:49:38.5");
        assert_eq!(*moment.assume_utc().encode().unwrap(), *b"2026-11-23T15:49:38.5Z");
        round_trips(&Date::MIN);
        round_trips(&Date::MAX);
    }

    #[test]
    fn reads_what_python_writes() {
        let moment = time::macros::datetime!(2026-11-23 15:49:38.5);
        let whole = moment.replace_nanosecond(0).unwrap();
        assert_eq!(PrimitiveDateTime::decode(b"2026-11-23 15:49:38.500000".into()).unwrap(), moment);
        assert_eq!(PrimitiveDateTime::decode(b"2026-11-23 15:49:38".into()).unwrap(), whole);
        assert_eq!(Time::decode(b"15:49:38".into()).unwrap(), whole.time());
        let utc = moment.assume_utc();
        assert_eq!(OffsetDateTime::decode(b"2026-11-23 15:49:38.500000+00:00".into()).unwrap(), utc);
        assert!(OffsetDateTime::decode(b"2026-11-23 15:49:38.500000".into()).is_err());
    }

    #[test]
    fn a_value_that_has_no_form_is_an_error() {
        let seconds = UtcOffset::from_hms(1, 2, 3).unwrap();
        assert!(OffsetDateTime::UNIX_EPOCH.to_offset(seconds).encode().is_err());
    }
}
