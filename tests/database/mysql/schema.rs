// @generated automatically by Diesel CLI.

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    people (id) {
        id -> Bigint,
        #[max_length = 255]
        name -> Varchar,
        #[max_length = 421]
        email -> EncryptedText,
        #[max_length = 121]
        phone -> Nullable<EncryptedText>,
        photo -> Nullable<EncryptedBinary>,
        updated_at -> Timestamp,
    }
}
