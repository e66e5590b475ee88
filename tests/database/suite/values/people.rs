//! A table for the tests of single values, and its model.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::Encrypted;

use crate::backend::{BYTES, Conn, TEXT, TestDatabase};

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    people (id) {
        id -> Integer,
        name -> Text,
        email -> EncryptedText,
        phone -> Nullable<EncryptedText>,
        photo -> Nullable<EncryptedBinary>,
    }
}

diesel::table! {
    /// The same table with the types that the database has.
    #[sql_name = "people"]
    stored (id) {
        id -> Integer,
        name -> Text,
        email -> Text,
        phone -> Nullable<Text>,
        photo -> Nullable<Binary>,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Insertable, AsChangeset)]
#[diesel(table_name = people)]
pub struct Person {
    pub id: i32,
    pub name: String,
    pub email: Encrypted<String>,
    pub phone: Option<Encrypted<i64>>,
    pub photo: Option<Encrypted<Vec<u8>>>,
}

/// A person. Those with an odd `id` have a phone.
pub fn person(id: i32) -> Person {
    Person {
        id,
        name: format!("name {id}"),
        email: Encrypted::from(format!("{id}@example.org")),
        phone: (id % 2 == 1).then(|| Encrypted::from(351_910_000_000 + i64::from(id))),
        photo: Some(Encrypted::from(vec![0, 255, 128])),
    }
}

/// Creates the table, and returns a connection.
pub fn create(db: &TestDatabase) -> Conn {
    let mut conn = db.conn();
    let sql = format!(
        "create table people (id integer primary key, name {TEXT} not null, email {TEXT} not null, phone {TEXT}, \
         photo {BYTES})"
    );
    conn.batch_execute(&sql).unwrap();
    conn
}

/// Adds the rows with these numbers, encrypted with the keyring in force.
pub fn fill(conn: &mut Conn, ids: impl IntoIterator<Item = i32>) {
    let people: Vec<Person> = ids.into_iter().map(person).collect();
    diesel::insert_into(people::table).values(people).execute(conn).unwrap();
}

/// Returns all rows in order.
pub fn all(conn: &mut Conn) -> Vec<Person> {
    people::table.order(people::id).select(Person::as_select()).load(conn).unwrap()
}
