//! Other owners of strings and bytes: `Box`, `Arc` and `Cow`.

use std::borrow::Cow;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::fields::plaintext::{Plaintext, scalars};
use crate::keys::Error;

macro_rules! plaintext_of {
    ($($type:ty: $bytes:ident => $decode:expr),+ $(,)?) => {$(
        impl Plaintext for $type {
            fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
                Ok(Cow::Borrowed(self.$bytes()))
            }

            fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
                $decode(bytes)
            }
        }
    )+};
}

// A new allocation is a copy, so what it is copied from is zeroed.
plaintext_of! {
    Box<str>: as_bytes => |bytes| text(bytes).map(|text| text.as_str().into()),
    Arc<str>: as_bytes => |bytes| text(bytes).map(|text| text.as_str().into()),
    Cow<'_, str>: as_bytes => |bytes| String::decode(bytes).map(Cow::Owned),
    Box<[u8]>: as_ref => |bytes: Vec<u8>| Ok(Zeroizing::new(bytes).as_slice().into()),
    Arc<[u8]>: as_ref => |bytes: Vec<u8>| Ok(Zeroizing::new(bytes).as_slice().into()),
    Cow<'_, [u8]>: as_ref => |bytes| Ok(Cow::Owned(bytes)),
}

fn text(bytes: Vec<u8>) -> Result<Zeroizing<String>, Error> {
    scalars::text(bytes).ok_or_else(|| Error::decode("UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::plaintext::bytes::Encode;
    use crate::fields::plaintext::bytes::tests::round_trips;

    proptest! {
        #[test]
        fn strings(value: String) {
            round_trips(&Box::<str>::from(value.as_str()));
            round_trips(&Arc::<str>::from(value.as_str()));
            round_trips(&Cow::<str>::Owned(value.clone()));
            prop_assert_eq!(Encode::bytes(&value.as_str()).unwrap().into_owned(), value.encode().unwrap().into_owned());
        }
        #[test]
        fn bytes(value: Vec<u8>) {
            round_trips(&Box::<[u8]>::from(value.as_slice()));
            round_trips(&Arc::<[u8]>::from(value.as_slice()));
            round_trips(&Cow::<[u8]>::Owned(value.clone()));
            prop_assert_eq!(Encode::bytes(&value.as_slice()).unwrap().into_owned(), value.encode().unwrap().into_owned());
        }
    }

    #[test]
    fn bytes_that_are_not_text() {
        let error = Box::<str>::decode(vec![0xff]).unwrap_err();
        assert_eq!(error.to_string(), "the value is not UTF-8 text");
    }
}
