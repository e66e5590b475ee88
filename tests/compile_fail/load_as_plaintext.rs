//! Loading an encrypted column as plaintext.

use schema::*;

fn load(conn: &mut impl LoadConnection<Backend = Pg>) {
    // refused: cannot deserialize a value of the database type
    let _ = people::table.select(people::email).load::<String>(conn);
    // compiles
    let _ = people::table.select(people::email).load::<Encrypted<String>>(conn);

    // refused: EncryptedText
    let _ = people::table.select((people::id, people::email)).load::<(i32, String)>(conn);
    // compiles
    let _ = people::table.select((people::id, people::email)).load::<(i32, Encrypted<String>)>(conn);

    // refused: EncryptedBinary
    let _ = people::table.select(people::photo).load::<Vec<u8>>(conn);
    // compiles
    let _ = people::table.select(people::photo).load::<Encrypted<Vec<u8>>>(conn);

    // a column that may be NULL
    // refused: EncryptedText
    let _ = people::table.select(people::phone).load::<Encrypted<i64>>(conn);
    // compiles
    let _ = people::table.select(people::phone).load::<Option<Encrypted<i64>>>(conn);
}

fn main() {}
