// @generated automatically by Diesel CLI.

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    people (id) {
        id -> BigInt,
        name -> Text,
        email -> EncryptedText,
        phone -> Nullable<EncryptedText>,
        photo -> Nullable<EncryptedBinary>,
        updated_at -> Timestamp,
    }
}
