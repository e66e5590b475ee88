//! The table under test, and the ledger with the values that the table must have.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use fastrand::Rng;

use super::keys::{Key, Keys};
use super::values::{Plain, Sealed, Sealer};
use crate::backend::{BYTES, Conn, ON_UPDATE, TEXT, TIMESTAMP};

diesel::table! {
    item (id, part) {
        id -> BigInt,
        part -> Text,
        plain -> Text,
        updated_at -> Text,
        name -> Text,
        phone -> Nullable<Text>,
        photo -> Nullable<Binary>,
    }
}

diesel::table! {
    truth (id, part) {
        id -> BigInt,
        part -> Text,
        plain -> Text,
        updated_at -> Text,
        name -> Binary,
        phone -> Nullable<Binary>,
        photo -> Nullable<Binary>,
    }
}

diesel::table! {
    /// The committed transactions.
    journal (writer, operation) {
        writer -> Integer,
        operation -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(item, truth);

/// The columns that both tables have, except the encrypted ones. `stamp` is the value of `updated_at`, which is the
/// same in both tables.
#[derive(Clone, Copy)]
pub struct Common<'a> {
    pub key: Key,
    pub plain: &'a str,
    pub stamp: &'a str,
}

#[derive(Insertable)]
#[diesel(table_name = item)]
struct Item<'a> {
    id: i64,
    part: &'a str,
    plain: &'a str,
    updated_at: &'a str,
    name: String,
    phone: Option<String>,
    photo: Option<Vec<u8>>,
}

#[derive(Insertable)]
#[diesel(table_name = truth)]
struct Truth<'a> {
    id: i64,
    part: &'a str,
    plain: &'a str,
    updated_at: &'a str,
    name: Vec<u8>,
    phone: Option<Vec<u8>>,
    photo: Option<Vec<u8>>,
}

fn rows<'a>(common: Common<'a>, plain: Plain, sealed: Sealed) -> (Item<'a>, Truth<'a>) {
    let Common { key: (id, part), plain: text, stamp } = common;
    let Sealed { name, phone, photo } = sealed;
    let item = Item { id, part, plain: text, updated_at: stamp, name, phone, photo };
    let Plain { name, phone, photo } = plain;
    (item, Truth { id, part, plain: text, updated_at: stamp, name, phone, photo })
}

/// A row of the table and its row of the ledger, read in one statement.
#[derive(Queryable)]
pub struct Seen {
    pub id: i64,
    pub part: String,
    name: String,
    phone: Option<String>,
    photo: Option<Vec<u8>>,
    truth: Option<Plain>,
    same_plain: Option<bool>,
    same_stamp: Option<bool>,
}

impl Seen {
    /// Returns the content of the encrypted columns.
    pub fn cells(&self) -> [Option<&[u8]>; 3] {
        [Some(self.name.as_bytes()), self.phone.as_deref().map(str::as_bytes), self.photo.as_deref()]
    }

    /// Returns the values that the encrypted columns must have, according to the ledger.
    pub fn truths(&self) -> Option<[Option<&[u8]>; 3]> {
        let Plain { name, phone, photo } = self.truth.as_ref()?;
        Some([Some(name), phone.as_deref(), photo.as_deref()])
    }

    /// Whether the other columns agree with the ledger. The task must not change them.
    pub fn is_untouched_elsewhere(&self) -> bool {
        self.same_plain == Some(true) && self.same_stamp == Some(true)
    }
}

pub fn create(conn: &mut Conn, keys: Keys) -> QueryResult<()> {
    let key = keys.columns();
    let table = |name: &str, timestamp: &str, text: &str| {
        format!(
            "create table {name} (
                id bigint not null, part varchar(20) not null, plain varchar(100) not null, updated_at {timestamp},
                name {text} not null, phone {text}, photo {BYTES}, primary key ({key}))"
        )
    };
    conn.batch_execute(&table("item", &format!("{TIMESTAMP} {ON_UPDATE}"), TEXT))?;
    conn.batch_execute(&table("truth", TIMESTAMP, BYTES))?;
    conn.batch_execute(
        "create table journal (writer integer not null, operation bigint not null, primary key (writer, operation))",
    )
}

/// Adds rows under the old key: most of the possible rows, and all reserved ones.
pub fn fill(conn: &mut Conn, keys: Keys, sealer: &Sealer, rng: &mut Rng) -> QueryResult<()> {
    let numbers = (0..keys.count).filter(|number| Keys::is_reserved(*number) || rng.u8(0..5) > 0);
    let numbers: Vec<usize> = numbers.collect();
    for numbers in numbers.chunks(250) {
        let rows = numbers.iter().map(|number| {
            let plain = Plain::random("the beginning", rng);
            let sealed = plain.seal(sealer, rng);
            let common = Common { key: keys.key(*number), plain: "note", stamp: "2001-02-03 04:05:06.789" };
            rows(common, plain, sealed)
        });
        let (items, truths): (Vec<_>, Vec<_>) = rows.unzip();
        diesel::insert_into(item::table).values(items).execute(conn)?;
        diesel::insert_into(truth::table).values(truths).execute(conn)?;
    }
    Ok(())
}

pub fn insert(conn: &mut Conn, common: Common<'_>, plain: Plain, sealed: Sealed) -> QueryResult<()> {
    let (item, truth) = rows(common, plain, sealed);
    diesel::insert_into(truth::table).values(truth).execute(conn)?;
    diesel::insert_into(item::table).values(item).execute(conn)?;
    Ok(())
}

/// Returns the rows whose keys have these first parts.
pub fn read(conn: &mut Conn, ids: std::ops::Range<i64>) -> QueryResult<Vec<Seen>> {
    let truth = truth::table.on(truth::id.eq(item::id).and(truth::part.eq(item::part)));
    item::table
        .left_join(truth)
        .filter(item::id.ge(ids.start).and(item::id.lt(ids.end)))
        .order((item::id, item::part))
        .select((
            item::id,
            item::part,
            item::name,
            item::phone,
            item::photo,
            (truth::name, truth::phone, truth::photo).nullable(),
            truth::plain.nullable().eq(item::plain.nullable()),
            truth::updated_at.nullable().eq(item::updated_at.nullable()),
        ))
        .load(conn)
}

/// Returns the rows of the ledger that are missing in the table.
pub fn lost(conn: &mut Conn) -> QueryResult<Vec<(i64, String)>> {
    let item = item::table.on(truth::id.eq(item::id).and(truth::part.eq(item::part)));
    let lost = truth::table.left_join(item).filter(item::id.nullable().is_null());
    lost.select((truth::id, truth::part)).load(conn)
}
