//! Writing plaintext to a column that is declared as encrypted.

use schema::*;

fn text() -> Leaving<String> {
    Leaving::from("ada@example.org".to_string())
}

fn main() {
    // refused: Leaving<String>: AsExpression<
    // refused: EncryptedText
    let _ = diesel::update(people::table).set(people::email.eq(text()));
    // compiles
    let _ = diesel::update(people::table).set(people::secret_name.eq(text()));

    // refused: Leaving<String>: AsExpression<
    let _ = diesel::insert_into(people::table).values(people::email.eq(&text()));
    // compiles
    let _ = diesel::insert_into(people::table).values(people::secret_name.eq(&text()));

    // refused: Leaving<Vec<u8>>: AsExpression<
    let _ = diesel::update(people::table).set(people::photo.eq(Leaving::from(vec![0u8])));
    // compiles
    let _ = diesel::update(people::table).set(people::scan.eq(Leaving::from(vec![0u8])));

    // refused: Leaving<i64>: AsExpression<
    let _ = diesel::update(people::table).set(people::phone.eq(Leaving::from(1i64)));
    // compiles
    let _ = diesel::update(people::table).set(people::fax.eq(Leaving::from(1i64)));
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = people, check_for_backend(Pg))]
struct Loaded {
    // refused: EncryptedText` never accepts plaintext
    // refused: drop the guard of the column and declare it as `Text` or `Binary`
    email: Leaving<String>,
    // compiles
    secret_name: Leaving<String>,
}

#[derive(Insertable)]
#[diesel(table_name = people)]
struct New {
    // refused: EncryptedText
    email: Leaving<String>,
    // compiles
    secret_name: Leaving<String>,
}

fn execute(conn: &mut impl LoadConnection<Backend = Pg>) {
    // refused: EncryptedText` never accepts plaintext
    let _ = diesel::update(people::table).set(people::phone.eq(Some(Leaving::from(1i64)))).execute(conn);
    // compiles
    let _ = diesel::update(people::table).set(people::fax.eq(Some(Leaving::from(1i64)))).execute(conn);

    // refused: EncryptedText` never accepts plaintext
    let _ = people::table.select(people::email).load::<Leaving<String>>(conn);
    // compiles
    let _ = people::table.select(people::secret_name).load::<Leaving<String>>(conn);
}
