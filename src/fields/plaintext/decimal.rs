//! Decimal numbers of the crates `rust_decimal` and `bigdecimal`.

#[cfg(feature = "bigdecimal")]
crate::plaintext_as_text!(bigdecimal::BigDecimal => "a decimal number (BigDecimal)");

/// `FromStr` would round a number with too many digits.
#[cfg(feature = "rust_decimal")]
impl crate::Plaintext for rust_decimal::Decimal {
    fn encode(&self) -> Result<std::borrow::Cow<'_, [u8]>, crate::Error> {
        Ok(std::borrow::Cow::Owned(super::buffer::text_of(self)))
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, crate::Error> {
        let read = super::scalars::text(bytes).and_then(|text| Self::from_str_exact(&text).ok());
        read.ok_or_else(|| crate::Error::decode("a decimal number (Decimal)"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::fields::plaintext::Plaintext;
    use crate::fields::plaintext::bytes::tests::round_trips;

    #[cfg(feature = "rust_decimal")]
    proptest! {
        #[test]
        fn decimals(number in -(1i128 << 96) + 1..1i128 << 96, scale in 0u32..=28) {
            let number = rust_decimal::Decimal::from_i128_with_scale(number, scale);
            round_trips(&number);
            // Trailing zeros are part of the text, though not of the number's value.
            prop_assert_eq!(rust_decimal::Decimal::decode(number.encode().unwrap().to_vec()).unwrap().scale(), scale);
        }
    }

    #[cfg(feature = "rust_decimal")]
    #[test]
    fn a_number_with_too_many_digits_is_not_rounded() {
        assert!(rust_decimal::Decimal::decode(b"0.12345678901234567890123456789".into()).is_err());
    }

    #[cfg(feature = "bigdecimal")]
    proptest! {
        #[test]
        fn big_decimals(digits: i128, scale in -60i64..200) {
            let number = bigdecimal::BigDecimal::new(digits.into(), scale);
            round_trips(&number);
        }
    }

    #[cfg(all(feature = "bigdecimal", feature = "rust_decimal"))]
    #[test]
    fn the_bytes_are_these() {
        assert_eq!(*rust_decimal::Decimal::new(-150, 2).encode().unwrap(), *b"-1.50");
        assert_eq!(*bigdecimal::BigDecimal::new((-150).into(), 2).encode().unwrap(), *b"-1.50");
    }
}
