//! Serde support: `Deserialize` for every field, `Serialize` only for fields that request it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fields::accident::SerializeOnlyWithExpose;
use crate::fields::adopting::Adopting;
use crate::fields::encrypted::Encrypted;
use crate::fields::leaving::Leaving;

/// Writes the plaintext of a field.
///
/// Put `#[serde(with = "diesel_encrypted::expose")]` on a field of type `Encrypted<T>`, `Adopting<T>` or `Leaving<T>`, or
/// an `Option` of one.
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
/// Without the attribute, the struct does not compile:
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
/// The errors of the serializer.
pub fn serialize<E: Expose, S: Serializer>(value: &E, serializer: S) -> Result<S::Ok, S::Error> {
    value.expose(serializer)
}

/// Reads a plain value, as the type's own `Deserialize` does.
///
/// # Errors
///
/// Serde's error, if the value does not have the type or is missing. Unlike serde's own messages, it does not show the
/// value.
pub fn deserialize<'de, E: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<E, D::Error> {
    E::deserialize(deserializer)
}

/// The fields that [`serialize`] can write: `Encrypted<T>`, `Adopting<T>`, `Leaving<T>`, and an `Option` of each.
///
/// This trait is sealed.
pub trait Expose: sealed::Sealed {
    /// Writes the plaintext.
    ///
    /// # Errors
    ///
    /// The errors of the serializer.
    fn expose<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

macro_rules! exposed {
    ($($field:ident),+) => {$(
        impl<T> sealed::Sealed for $field<T> {}
        impl<T: Serialize> Expose for $field<T> {
            fn expose<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                T::serialize(self, serializer)
            }
        }

        impl<T> sealed::Sealed for Option<$field<T>> {}
        impl<T: Serialize> Expose for Option<$field<T>> {
            fn expose<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.as_deref().serialize(serializer)
            }
        }

        impl<T> Serialize for $field<T>
        where
            Self: SerializeOnlyWithExpose,
        {
            fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("an encrypted field is not serialized by accident"))
            }
        }

        impl<'de, T: Deserialize<'de>> Deserialize<'de> for $field<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                T::deserialize(deserializer).map(Self::new).map_err(without_value)
            }
        }
    )+};
}

exposed!(Encrypted, Adopting, Leaving);

/// Replaces serde's own message, which quotes the value: `invalid type: string "4111 1111", expected u64`.
///
/// The message about a missing field has no value to quote, so it stays.
fn without_value<E: Error>(error: E) -> E {
    if error.to_string().starts_with("missing field `") { error } else { E::custom(UNREADABLE) }
}

const UNREADABLE: &str =
    "the value for an encrypted column does not have the type of the field (the value is not shown)";

mod sealed {
    pub trait Sealed {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Profile {
        #[serde(with = "crate::fields::expose")]
        email: Encrypted<String>,
        #[serde(with = "crate::fields::expose", default)]
        phone: Option<Encrypted<u64>>,
        #[serde(with = "crate::fields::expose")]
        name: Adopting<String>,
        #[serde(with = "crate::fields::expose", default)]
        note: Option<Leaving<String>>,
    }

    #[test]
    fn writes_and_reads_plain_values() {
        let json = r#"{"email":"ada@example.org","phone":null,"name":"Ada","note":"a note"}"#;
        let profile: Profile = serde_json::from_str(json).unwrap();
        let expected = Profile {
            email: Encrypted::new("ada@example.org".into()),
            phone: None,
            name: Adopting::new("Ada".into()),
            note: Some(Leaving::new("a note".into())),
        };
        assert_eq!(profile, expected);
        assert_eq!(serde_json::to_string(&profile).unwrap(), json);
        let profile: Profile = serde_json::from_str(r#"{"email":"x","phone":4,"name":""}"#).unwrap();
        assert_eq!((profile.phone, profile.note), (Some(Encrypted::new(4)), None));
    }

    #[test]
    fn names_a_missing_field() {
        let error = serde_json::from_str::<Missing>("{}").unwrap_err();
        assert_eq!(error.to_string(), "missing field `email` at line 1 column 2");
    }

    #[derive(Debug, Deserialize)]
    struct Missing {
        #[expect(dead_code)]
        email: Encrypted<String>,
    }

    #[test]
    fn does_not_show_an_unreadable_value() {
        fn error<T: for<'de> Deserialize<'de>>(json: &str) -> String {
            match (serde_json::from_str::<T>(json), serde_json::from_str(json).and_then(serde_json::from_value::<T>)) {
                (Err(of_text), Err(of_value)) => format!("{of_text} {of_value} {of_text:?} {of_value:?}"),
                _ => panic!("{json} was read"),
            }
        }
        for (json, secret) in
            [("\"4111 1111\"", "4111"), ("-4111", "4111"), ("[41.5]", "41"), ("{\"a4111\":1}", "4111")]
        {
            for error in [
                error::<Encrypted<u64>>(json),
                error::<Adopting<u64>>(json),
                error::<Leaving<u64>>(json),
                error::<Option<Encrypted<u64>>>(json),
                error::<Option<Adopting<u64>>>(json),
                error::<Option<Leaving<u64>>>(json),
                error::<Vec<Encrypted<u64>>>(&format!("[{json}]")),
            ] {
                assert!(error.contains(UNREADABLE) && !error.contains(secret), "{error}");
            }
        }
        let error = serde_json::from_str::<Profile>("{\"email\":\"x\",\"phone\":\"4111\",\"name\":\"\"}").unwrap_err();
        assert!(error.to_string().contains(" at line 1 ") && !error.to_string().contains("4111"), "{error}");
    }
}
