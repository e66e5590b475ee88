//! Tables that the programs share.

pub use diesel::connection::LoadConnection;
pub use diesel::pg::Pg;
pub use diesel::prelude::*;
pub use diesel_encrypted::{Adopting, Decrypted, Encrypted, Json, Key, Keyring, Leaving, Plaintext, Target};

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    people (id) {
        id -> Integer,
        name -> Text,
        email -> EncryptedText,
        phone -> Nullable<EncryptedText>,
        photo -> EncryptedBinary,
        secret_name -> Text,
        scan -> Binary,
        fax -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    sessions (token) {
        token -> EncryptedText,
        name -> Text,
    }
}

pub fn email() -> Encrypted<String> {
    Encrypted::from("ada@example.org".to_string())
}
