//! Writing back a value that may be an error.

use schema::*;

fn main() {}

#[derive(Insertable)]
#[diesel(table_name = people)]
struct New {
    // refused: Decrypted<String>: AsExpression<
    email: Decrypted<String>,
    // compiles
    email: Encrypted<String>,
}

// an error about a changeset is shown at its `derive`
// refused: Decrypted<String>: AsExpression<
#[derive(AsChangeset)] #[diesel(table_name = people)] struct Changed { email: Decrypted<String> }
// compiles
#[derive(AsChangeset)] #[diesel(table_name = people)] struct Changed { email: Encrypted<String> }

fn set(email: Decrypted<String>) {
    // refused: Decrypted<String>: AsExpression<
    let _ = diesel::update(people::table).set(people::email.eq(&email));
    // compiles
    let _ = diesel::update(people::table).set(people::email.eq(Encrypted::from(email.ok().unwrap())));
}

fn execute(conn: &mut impl LoadConnection<Backend = Pg>, phone: Option<Decrypted<i64>>) {
    // refused: ToSql<
    // refused: Decrypted<i64>
    let _ = diesel::update(people::table).set(people::phone.eq(phone)).execute(conn);
    // compiles
    let _ = diesel::update(people::table).set(people::phone.eq(Some(Encrypted::from(1i64)))).execute(conn);
}

fn print(email: Decrypted<String>) {
    // refused: doesn't implement `std::fmt::Display`
    println!("{email}");
    // compiles
    println!("{email:?}");
}
