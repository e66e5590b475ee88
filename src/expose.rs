//! Serde support: `Deserialize` always, `Serialize` only where a field asks for it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::encrypted::Encrypted;

/// Writes the plaintext: `#[serde(with = "diesel_encrypted::expose")]` on a field of type `Encrypted<T>` or
/// `Option<Encrypted<T>>`.
///
/// ```
/// use diesel_encrypted::Encrypted;
///
/// #[derive(serde::Serialize)]
/// struct Profile {
///     #[serde(with = "diesel_encrypted::expose")]
///     email: Encrypted<String>,
/// }
///
/// let profile = Profile { email: "ada@example.org".to_string().into() };
/// assert_eq!(serde_json::to_string(&profile).unwrap(), r#"{"email":"ada@example.org"}"#);
/// ```
///
/// Without it, the struct does not compile:
///
/// ```compile_fail,E0277
/// use diesel_encrypted::Encrypted;
///
/// #[derive(serde::Serialize)]
/// struct Profile {
///     email: Encrypted<String>,
/// }
/// ```
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<E: Expose, S: Serializer>(value: &E, serializer: S) -> Result<S::Ok, S::Error> {
    value.expose(serializer)
}

/// Reads a plain value; the same as the type's own `Deserialize`.
///
/// # Errors
///
/// Those of the deserializer.
pub fn deserialize<'de, E: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<E, D::Error> {
    E::deserialize(deserializer)
}

/// What [`serialize`] can write: `Encrypted<T>` and `Option<Encrypted<T>>`. Sealed.
pub trait Expose: sealed::Sealed {
    /// Writes the plaintext.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    fn expose<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl<T: Serialize> Expose for Encrypted<T> {
    fn expose<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(self, serializer)
    }
}

impl<T: Serialize> Expose for Option<Encrypted<T>> {
    fn expose<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_deref().serialize(serializer)
    }
}

mod sealed {
    use crate::encrypted::Encrypted;

    pub trait Sealed {}
    impl<T> Sealed for Encrypted<T> {}
    impl<T> Sealed for Option<Encrypted<T>> {}
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Encrypted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Profile {
        #[serde(with = "crate::expose")]
        email: Encrypted<String>,
        #[serde(with = "crate::expose", default)]
        phone: Option<Encrypted<u64>>,
    }

    #[test]
    fn writes_and_reads_plain_values() {
        let json = r#"{"email":"ada@example.org","phone":null}"#;
        let profile: Profile = serde_json::from_str(json).unwrap();
        assert_eq!(profile, Profile { email: Encrypted::new("ada@example.org".into()), phone: None });
        assert_eq!(serde_json::to_string(&profile).unwrap(), json);
        let profile: Profile = serde_json::from_str(r#"{"email":"x","phone":4}"#).unwrap();
        assert_eq!(profile.phone, Some(Encrypted::new(4)));
    }
}
