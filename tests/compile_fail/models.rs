//! Models with a plain field for an encrypted column.

use schema::*;

#[derive(Queryable, Selectable)]
#[diesel(table_name = people, check_for_backend(Pg))]
struct Loaded {
    id: i32,
    // refused: EncryptedText
    email: String,
    // compiles
    email: Encrypted<String>,
    // refused: EncryptedText
    phone: Option<i64>,
    // compiles
    phone: Option<Encrypted<i64>>,
}

#[derive(Insertable)]
#[diesel(table_name = people)]
struct New {
    id: i32,
    // refused: EncryptedText
    email: String,
    // compiles
    email: Encrypted<String>,
}

// an error about a changeset is shown at its `derive`
// refused: EncryptedText
#[derive(AsChangeset)] #[diesel(table_name = people)] struct Changed { email: String }
// compiles
#[derive(AsChangeset)] #[diesel(table_name = people)] struct Changed { email: Encrypted<String> }

fn main() {}
