//! The `chrono` crate's dates and times.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::fields::plaintext::buffer::printed;
use crate::fields::plaintext::{Plaintext, scalars};
use crate::keys::Error;

crate::plaintext_as_text! {
    NaiveDate => "a date",
    NaiveTime => "a time of day",
}

/// Implements [`Plaintext`] with chrono's `Debug`, which is ISO 8601.
///
/// chrono's `Display` writes a space where its `FromStr` expects a `T`.
macro_rules! plaintext_as_iso_8601 {
    ($($type:ty => $expected:literal),+ $(,)?) => {$(
        impl Plaintext for $type {
            fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
                Ok(Cow::Owned(printed(format_args!("{self:?}"))))
            }

            fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
                scalars::iso_8601(bytes)
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| Error::decode($expected))
            }
        }
    )+};
}

plaintext_as_iso_8601! {
    NaiveDateTime => "a date and time",
    DateTime<Utc> => "a date and time in UTC",
}

impl Plaintext for DateTime<FixedOffset> {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        // chrono writes an offset with seconds but cannot read it.
        if self.offset().local_minus_utc() % 60 != 0 {
            return Err(Error::encode("its offset is not a whole number of minutes"));
        }
        Ok(Cow::Owned(printed(format_args!("{self:?}"))))
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        let text = scalars::iso_8601(bytes);
        text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::decode("a date and time with an offset"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::plaintext::bytes::tests::round_trips;

    prop_compose! {
        /// Any moment that chrono can hold, leap seconds included.
        fn moment()(
            days in NaiveDate::MIN.to_epoch_days()..=NaiveDate::MAX.to_epoch_days(),
            seconds in 0u32..86_400,
            nanos in 0u32..1_000_000_000,
            leap: bool,
        ) -> NaiveDateTime {
            let nanos = if leap && seconds % 60 == 59 { nanos + 1_000_000_000 } else { nanos };
            let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos).unwrap();
            NaiveDate::from_epoch_days(days).unwrap().and_time(time)
        }
    }

    proptest! {
        #[test]
        fn moments(moment in moment(), hours in -23i32..=23) {
            round_trips(&moment);
            round_trips(&moment.date());
            round_trips(&moment.time());
            round_trips(&moment.and_utc());
            let offset = FixedOffset::east_opt(hours * 3600 + 60).unwrap();
            if let Some(moment) = moment.and_local_timezone(offset).single() {
                round_trips(&moment);
            }
        }
    }

    #[test]
    fn what_could_not_be_read_back_is_an_error() {
        let seconds = FixedOffset::east_opt(19 * 60 + 32).unwrap();
        assert!(DateTime::UNIX_EPOCH.with_timezone(&seconds).encode().is_err());
    }

    #[test]
    fn reads_what_python_writes() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let moment = day.and_hms_milli_opt(15, 49, 38, 500).unwrap();
        assert_eq!(NaiveDateTime::decode(b"2026-11-23 15:49:38.500000".into()).unwrap(), moment);
        assert_eq!(NaiveDateTime::decode(b"2026-11-23 15:49:00".into()).unwrap(), day.and_hms_opt(15, 49, 0).unwrap());
        assert_eq!(NaiveTime::decode(b"15:49:38.500000".into()).unwrap(), moment.time());
        for text in ["2026-11-23 15:49:38.500000+00:00", "2026-11-23T15:49:38.500000+00:00"] {
            assert_eq!(DateTime::<Utc>::decode(text.into()).unwrap(), moment.and_utc());
        }
        let elsewhere = DateTime::<FixedOffset>::decode(b"2026-11-23 21:19:38.500000+05:30".into()).unwrap();
        assert_eq!(elsewhere, moment.and_utc());
        // A missing or extra offset is an error: the time zone is not guessed.
        assert!(DateTime::<Utc>::decode(b"2026-11-23 15:49:38.500000".into()).is_err());
        assert!(NaiveDateTime::decode(b"2026-11-23 15:49:38.500000+00:00".into()).is_err());
    }

    #[test]
    fn the_bytes_are_these() {
        let moment = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap().and_hms_milli_opt(15, 49, 38, 500).unwrap();
        assert_eq!(*moment.encode().unwrap(), *b"2026-11-23T15:49:38.500");
        assert_eq!(*moment.and_utc().encode().unwrap(), *b"2026-11-23T15:49:38.500Z");
        assert_eq!(*moment.date().encode().unwrap(), *b"2026-11-23");
    }
}
