//! Writing plaintext to an encrypted column.

use schema::*;

fn main() {
    let insert = diesel::insert_into(people::table);
    let people = people::table;

    // refused: &str: AsExpression<
    // refused: EncryptedText
    let _ = insert.values(people::email.eq("ada@example.org"));
    // compiles
    let _ = insert.values(people::email.eq(email()));

    // refused: String: AsExpression<
    // refused: EncryptedText
    let _ = diesel::update(people).set(people::email.eq("ada@example.org".to_string()));
    // compiles
    let _ = diesel::update(people).set(people::email.eq(Encrypted::from("ada@example.org".to_string())));

    // refused: i64: AsExpression<
    // refused: EncryptedText
    let _ = diesel::update(people).set(people::phone.eq(351_910_000_000i64));
    // compiles
    let _ = diesel::update(people).set(people::phone.eq(Encrypted::from(351_910_000_000i64)));

    // refused: Vec<u8>: AsExpression<
    // refused: EncryptedBinary
    let _ = diesel::update(people).set(people::photo.eq(vec![0u8]));
    // compiles
    let _ = diesel::update(people).set(people::photo.eq(Encrypted::from(vec![0u8])));

    // refused: &str: AsExpression<
    // refused: EncryptedText
    let _ = people.filter(people::email.eq("ada@example.org"));
    // compiles
    let _ = people.filter(people::name.eq("Ada"));

    // refused: AsExpression<
    // refused: EncryptedText
    let _ = people.filter(people::email.eq(people::name));
    // compiles
    let _ = people.filter(people::secret_name.eq(people::name));

    // refused: trait bounds were not satisfied
    // refused: EncryptedText: 
    let _ = people.filter(people::email.like("%@example.org"));
    // compiles
    let _ = people.filter(people::name.like("%@example.org"));
}

/// Diesel binds an `Option` itself, so the compiler refuses it only when the statement is executed.
fn execute(conn: &mut impl LoadConnection<Backend = Pg>) {
    let people = people::table;

    // refused: an encrypted column does not take plaintext
    // refused: encrypt the value: `Encrypted::new(value)`
    let _ = diesel::update(people).set(people::phone.eq(Some("351910000000"))).execute(conn);
    // compiles
    let _ = diesel::update(people).set(people::phone.eq(Some(Encrypted::from(351_910_000_000i64)))).execute(conn);
}
