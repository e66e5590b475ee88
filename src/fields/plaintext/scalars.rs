//! Strings, bytes, numbers, `bool` and `char`.

use std::borrow::Cow;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::fields::plaintext::Plaintext;
use crate::keys::Error;

impl Plaintext for String {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(self.as_bytes()))
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        Self::from_utf8(bytes).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            Error::decode("UTF-8 text")
        })
    }
}

impl Plaintext for Vec<u8> {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(self))
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        Ok(bytes)
    }
}

crate::plaintext_as_text! {
    i8 => "a decimal integer (i8)",
    i16 => "a decimal integer (i16)",
    i32 => "a decimal integer (i32)",
    i64 => "a decimal integer (i64)",
    i128 => "a decimal integer (i128)",
    isize => "a decimal integer (isize)",
    u8 => "a decimal integer (u8)",
    u16 => "a decimal integer (u16)",
    u32 => "a decimal integer (u32)",
    u64 => "a decimal integer (u64)",
    u128 => "a decimal integer (u128)",
    usize => "a decimal integer (usize)",
    f32 => "a decimal number (f32)",
    f64 => "a decimal number (f64)",
    char => "one character",
}

impl Plaintext for bool {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(if *self { b"true" } else { b"false" }))
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        match text(bytes).as_deref().map(String::as_str) {
            Some("true" | "True") => Ok(true),
            Some("false" | "False") => Ok(false),
            _ => Err(Error::decode("`true` or `false`")),
        }
    }
}

/// The value that `FromStr` reads from the bytes.
pub fn read_text<T: FromStr>(bytes: Vec<u8>) -> Option<T> {
    text(bytes)?.parse().ok()
}

/// The bytes as text that is zeroed on drop.
pub(crate) fn text(bytes: Vec<u8>) -> Option<Zeroizing<String>> {
    String::decode(bytes).ok().map(Zeroizing::new)
}

/// The bytes as text. The space that Python's `str` writes between date and time becomes a `T`.
#[cfg(any(feature = "chrono", feature = "time"))]
pub(crate) fn iso_8601(bytes: Vec<u8>) -> Option<Zeroizing<String>> {
    let mut text = text(bytes)?;
    if let Some(space) = text.find(' ') {
        text.replace_range(space..=space, "T");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::plaintext::bytes::tests::round_trips;

    proptest! {
        #[test]
        fn strings(value: String) { round_trips(&value); }
        #[test]
        fn bytes(value: Vec<u8>) { round_trips(&value); }
        #[test]
        fn signed(a: i8, b: i16, c: i32, d: i64, e: i128, f: isize) {
            round_trips(&a); round_trips(&b); round_trips(&c); round_trips(&d); round_trips(&e); round_trips(&f);
        }
        #[test]
        fn unsigned(a: u8, b: u16, c: u32, d: u64, e: u128, f: usize) {
            round_trips(&a); round_trips(&b); round_trips(&c); round_trips(&d); round_trips(&e); round_trips(&f);
        }
        #[test]
        fn floats(a in any::<u32>(), b in any::<u64>()) {
            // Every bit pattern comes back, except that all NaNs become one.
            let a = f32::from_bits(a);
            let b = f64::from_bits(b);
            let a2 = f32::decode(a.encode().unwrap().to_vec()).unwrap();
            let b2 = f64::decode(b.encode().unwrap().to_vec()).unwrap();
            prop_assert!(a.to_bits() == a2.to_bits() || a.is_nan() && a2.is_nan());
            prop_assert!(b.to_bits() == b2.to_bits() || b.is_nan() && b2.is_nan());
        }
        #[test]
        fn others(a: bool, b: char) { round_trips(&a); round_trips(&b); }
        #[test]
        fn hostile_bytes_are_an_error_or_a_value(bytes: Vec<u8>) {
            let _ = i64::decode(bytes.clone());
            let _ = f64::decode(bytes.clone());
            let _ = bool::decode(bytes.clone());
            let _ = char::decode(bytes.clone());
            prop_assert_eq!(String::decode(bytes.clone()).is_ok(), std::str::from_utf8(&bytes).is_ok());
        }
    }

    #[test]
    fn the_bytes_are_these() {
        assert_eq!(*(-42i64).encode().unwrap(), *b"-42");
        assert_eq!(*0.1f64.encode().unwrap(), *b"0.1");
        assert_eq!(*f64::NEG_INFINITY.encode().unwrap(), *b"-inf");
        assert_eq!(*true.encode().unwrap(), *b"true");
        assert_eq!(*'é'.encode().unwrap(), *"é".as_bytes());
        assert_eq!(*"".to_string().encode().unwrap(), *b"");
    }

    #[test]
    fn reads_what_python_writes() {
        let read = |text: &str| bool::decode(text.into()).ok();
        assert_eq!(
            [read("True"), read("False"), read("TRUE"), read("1"), read("")],
            [Some(true), Some(false), None, None, None]
        );
        let read = |text: &str| f64::decode(text.into()).unwrap();
        assert_eq!([read("-1.5e+300"), read("1e-07"), read("inf")], [-1.5e300, 1e-7, f64::INFINITY]);
        assert!(read("nan").is_nan());
    }

    #[test]
    fn an_error_does_not_quote_the_value() {
        let error = i64::decode(b"4111 1111 1111 1111".to_vec()).unwrap_err();
        assert!(error.is_decode());
        assert_eq!(error.to_string(), "the value is not a decimal integer (i64)");
        assert!(!format!("{error:?}").contains("4111"));
    }
}
