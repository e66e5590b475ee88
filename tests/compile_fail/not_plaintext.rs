//! A type that cannot be encrypted.

use schema::*;

struct Address;

#[derive(serde::Serialize, serde::Deserialize)]
struct Readable;

#[derive(Queryable, Selectable)]
#[diesel(table_name = people, check_for_backend(Pg))]
struct Person {
    // refused: `Encrypted<_>` cannot hold `Address`
    // refused: store it as JSON with `Encrypted<Json<Address>>`
    // refused: or implement `diesel_encrypted::Plaintext` for `Address`
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

    // refused: Address: 
    let _ = people::table.select(people::email).load::<Encrypted<Json<Address>>>(conn);
    // compiles
    let _ = people::table.select(people::email).load::<Encrypted<Json<Readable>>>(conn);
}

fn main() {}
