//! Types that serde can write and read.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::fields::plaintext::Plaintext;
use crate::fields::plaintext::buffer::Buffer;
use crate::keys::Error;

/// Lets [`Encrypted`](crate::Encrypted) hold any value that serde can write and read, as JSON.
///
/// JSON cannot represent every value: serde writes a `NaN` as `null`, and refuses a map whose keys are not text.
///
/// As with `Encrypted`, `Debug` does not show the value.
///
/// ```
/// use diesel_encrypted::{Encrypted, Json};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Address {
///     street: String,
///     city: String,
/// }
///
/// let address = Encrypted::from(Json(Address { street: "Rua Augusta 1".into(), city: "Lisboa".into() }));
/// assert_eq!(address.city, "Lisboa");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Plaintext for Json<T> {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        // serde_json's own messages may quote the value.
        Buffer::filled(|buffer| serde_json::to_writer(buffer, &self.0))
            .map(Cow::Owned)
            .map_err(|_| Error::encode("it has no JSON form"))
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        let bytes = Zeroizing::new(bytes);
        serde_json::from_slice(&bytes).map(Self).map_err(|_| Error::decode("JSON of the expected shape"))
    }
}

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::fields::plaintext::bytes::tests::round_trips;

    proptest! {
        #[test]
        fn json(map: BTreeMap<String, Option<Vec<i64>>>) { round_trips(&Json(map)); }
        #[test]
        fn floats(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_finite() { round_trips(&Json(value)); }
        }
    }

    #[test]
    fn errors_do_not_quote_the_value() {
        let error = Json::<u32>::decode(b"\"4111 1111\"".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "the value is not JSON of the expected shape");
        let unwritable = Json(BTreeMap::from([(vec!["4111".to_string()], 1)]));
        let error = unwritable.encode().unwrap_err();
        assert_eq!(error.to_string(), "the value cannot be stored: it has no JSON form");
    }
}
