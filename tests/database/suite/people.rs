//! A table with encrypted columns of both kinds, for the tests of the task.

use std::ops::RangeInclusive;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::{ColumnReport, Report, Task};
use diesel_encrypted::{Encrypted, Keyring, Target};

use crate::backend::{BYTES, Conn, TEXT, TestDatabase};
use crate::support::keys::keyring;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    people (id) {
        id -> BigInt,
        name -> Text,
        email -> EncryptedText,
        phone -> Nullable<EncryptedText>,
        photo -> Nullable<EncryptedBinary>,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = people)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email: Encrypted<String>,
    pub phone: Option<Encrypted<i64>>,
    pub photo: Option<Encrypted<Vec<u8>>>,
}

impl Person {
    fn new(id: i64) -> Self {
        Self {
            id,
            name: format!("name {id}"),
            email: Encrypted::from(format!("{id}@example.org")),
            phone: (id % 3 > 0).then(|| Encrypted::from(id * 1000)),
            photo: (id % 2 > 0).then(|| Encrypted::from(vec![0, 255, id as u8])),
        }
    }
}

pub struct People {
    pub db: TestDatabase,
}

impl People {
    /// Creates a table with these rows, encrypted under the key with this number.
    pub fn new(key: u8, ids: RangeInclusive<i64>) -> Self {
        let this = Self::empty();
        this.fill(key, ids);
        this
    }

    pub fn empty() -> Self {
        let db = TestDatabase::new();
        let sql = format!(
            "create table people (id bigint not null primary key, name {TEXT} not null, email {TEXT} not null, \
             phone {TEXT}, photo {BYTES})"
        );
        db.conn().batch_execute(&sql).unwrap();
        Self { db }
    }

    /// Adds rows, encrypted under the key with this number.
    pub fn fill(&self, key: u8, ids: RangeInclusive<i64>) {
        let people: Vec<Person> = ids.map(Person::new).collect();
        let mut conn = self.db.conn();
        keyring([key]).scope(|| {
            for people in people.chunks(500) {
                diesel::insert_into(people::table).values(people).execute(&mut conn).unwrap();
            }
        });
    }

    pub fn conn(&self) -> Conn {
        self.db.conn()
    }

    /// Returns all rows, read with the keys with these numbers.
    pub fn all(&self, keys: impl IntoIterator<Item = u8>) -> Vec<Person> {
        let rows = people::table.order(people::id).select(Person::as_select());
        keyring(keys).scope(|| rows.load(&mut self.conn()).unwrap())
    }

    /// Returns a task that rotates everything to the first of these keys.
    pub fn task<'a>(&self, keys: impl IntoIterator<Item = u8>) -> Task<'a> {
        self.task_with(keyring(keys))
    }

    pub fn task_with<'a>(&self, keyring: Arc<Keyring>) -> Task<'a> {
        Task::new(keyring).target(Target::of(people::table).unwrap())
    }

    /// Runs a task on a pool of this size.
    pub fn run(&self, task: Task<'_>, connections: u32) -> Report {
        task.workers(connections as usize).run(&self.db.pool(connections)).unwrap()
    }

    /// Returns the report on one column.
    pub fn column<'r>(&self, report: &'r Report, name: &str) -> &'r ColumnReport {
        let table = format!("{}people", self.db.schema());
        report.columns().iter().find(|column| column.column == name && column.table == table).unwrap()
    }
}

/// A row as the database stores it, as text.
#[derive(Debug, Clone, PartialEq, QueryableByName)]
pub struct Raw {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub id: i64,
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub email: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    pub phone: Option<String>,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Binary>)]
    pub photo: Option<Vec<u8>>,
}

impl People {
    pub fn raw(&self) -> Vec<Raw> {
        diesel::sql_query("select id, email, phone, photo from people order by id").load(&mut self.conn()).unwrap()
    }
}
