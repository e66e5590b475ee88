//! The `uuid` crate's `Uuid`.

use uuid::Uuid;

crate::plaintext_as_text!(Uuid => "a UUID");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::plaintext::Plaintext;
    use crate::fields::plaintext::bytes::tests::round_trips;

    proptest! {
        #[test]
        fn uuids(value: u128) { round_trips(&Uuid::from_u128(value)); }
    }

    #[test]
    fn the_bytes_are_these() {
        let uuid = Uuid::from_u128(0x67e55044_10b1_426f_9247_bb680e5fe0c8);
        assert_eq!(*uuid.encode().unwrap(), *b"67e55044-10b1-426f-9247-bb680e5fe0c8");
    }
}
