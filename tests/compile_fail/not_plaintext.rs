//! A type that cannot be encrypted.

use schema::*;

struct Address;

#[derive(serde::Serialize, serde::Deserialize)]
struct Readable;

#[derive(Queryable, Selectable)]
#[diesel(table_name = people, check_for_backend(Pg))]
struct Person {
    // refused: `Encrypted<_>` cannot hold `Address`
    // refused: enable the feature of `diesel-encrypted` with the name of that crate
    // refused: store it as JSON with `Encrypted<Json<Address>>`
    // refused: implement `diesel_encrypted::Plaintext`, or call `diesel_encrypted::plaintext_as_text!`
    // refused: for any other type, wrap it in a struct of your own
    email: Encrypted<Address>,
    // compiles
    email: Encrypted<Json<Readable>>,
}

fn load(conn: &mut impl LoadConnection<Backend = Pg>) {
    // refused: `Encrypted<_>` cannot hold `Address`
    let _ = people::table.select(people::email).load::<Encrypted<Address>>(conn);
    // compiles
    let _ = people::table.select(people::email).load::<Encrypted<Json<Readable>>>(conn);

    // refused: Encrypted<Address>: AsExpression<
    let _ = diesel::update(people::table).set(people::email.eq(Encrypted::new(Address)));
    // compiles
    let _ = diesel::update(people::table).set(people::email.eq(Encrypted::new(Json(Readable))));

    // refused: Json<Address>>
    let _ = people::table.select(people::email).load::<Encrypted<Json<Address>>>(conn);
    // compiles
    let _ = people::table.select(people::email).load::<Encrypted<Json<Readable>>>(conn);
}

fn main() {}
