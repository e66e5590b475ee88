//! The `secrecy` crate's `SecretString`, which is zeroed on drop.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

use crate::fields::plaintext::{Plaintext, scalars};
use crate::keys::Error;

impl Plaintext for SecretString {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(self.expose_secret().as_bytes()))
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        let text = scalars::text(bytes).ok_or_else(|| Error::decode("UTF-8 text"))?;
        Ok(Self::from(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn secret_strings(value: String) {
            let secret = SecretString::from(value.as_str());
            let decoded = SecretString::decode(secret.encode().unwrap().into_owned()).unwrap();
            prop_assert_eq!(decoded.expose_secret(), value);
        }
    }
}
