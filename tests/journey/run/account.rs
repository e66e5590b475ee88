//! The table that is encrypted and decrypted, and the ledger with the values that it must have.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use fastrand::Rng;

use crate::backend::{BYTES, Conn, ON_UPDATE, TEXT, TIMESTAMP, WIDEN};
use crate::support::secrets::PLAINTEXT;

diesel::table! {
    /// The table as the models for plaintext see it, and the models that read both.
    account (id) {
        id -> BigInt,
        note -> Text,
        counter -> BigInt,
        updated_at -> Text,
        email -> Text,
        phone -> Nullable<Text>,
        scan -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    /// The same table when it is encrypted.
    #[sql_name = "account"]
    encrypted_account (id) {
        id -> BigInt,
        note -> Text,
        counter -> BigInt,
        updated_at -> Text,
        email -> EncryptedText,
        phone -> Nullable<EncryptedText>,
        scan -> Nullable<EncryptedBinary>,
    }
}

diesel::table! {
    ledger (id) {
        id -> BigInt,
        note -> Text,
        counter -> BigInt,
        updated_at -> Text,
        email -> Text,
        phone -> Nullable<BigInt>,
        scan -> Nullable<Binary>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(account, ledger);
diesel::allow_tables_to_appear_in_same_query!(encrypted_account, ledger);

/// The columns that are encrypted.
pub const COLUMNS: [&str; 3] = ["account.email", "account.phone", "account.scan"];
/// A row that no instance touches. Its plaintext looks like a token.
pub const LOOKALIKE: i64 = -1;
/// A row for the last instance. The others do not touch it.
pub const HOT: i64 = 1;

/// The values of a row, except its key and its timestamp.
#[derive(Clone, PartialEq, Queryable, Insertable)]
#[diesel(table_name = ledger)]
pub struct Account {
    pub note: String,
    pub counter: i64,
    pub email: String,
    pub phone: Option<i64>,
    pub scan: Option<Vec<u8>>,
}

/// The values that an update sets. Columns with `None` keep their values.
#[derive(Clone, AsChangeset)]
#[diesel(table_name = ledger)]
pub struct Change {
    pub note: String,
    pub counter: i64,
    pub email: Option<String>,
    pub phone: Option<Option<i64>>,
    pub scan: Option<Option<Vec<u8>>>,
}

impl Account {
    /// Returns new values of many lengths. `writer` is part of the text and shows their origin.
    pub fn random(writer: &str, rng: &mut Rng) -> Self {
        let padding: String =
            (0..rng.usize(0..60)).map(|_| *rng.choice(&['a', 'ß', '日', ' ', '\'']).unwrap()).collect();
        let email = if rng.u8(0..30) == 0 { String::new() } else { format!("{PLAINTEXT}{writer} {padding}") };
        // Numbers of many magnitudes and of either sign.
        let phone = rng.i64(..) >> rng.u8(0..60);
        let length = if rng.u8(0..50) == 0 { rng.usize(1000..4000) } else { rng.usize(0..60) };
        let mut scan: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
        if let Some(first) = scan.first_mut() {
            // The value must never begin like a token, not even by chance.
            *first &= 0x7f;
        }
        Self {
            note: format!("note of {writer}"),
            counter: rng.i64(..),
            email,
            phone: (rng.u8(0..5) > 0).then_some(phone),
            scan: (rng.u8(0..5) > 0).then_some(scan),
        }
    }

    /// Returns an update of some of the columns to these values.
    pub fn change(self, [email, phone, scan]: [bool; 3]) -> Change {
        Change {
            note: self.note,
            counter: self.counter,
            email: email.then_some(self.email),
            phone: phone.then_some(self.phone),
            scan: scan.then_some(self.scan),
        }
    }
}

/// Creates the table as it was without encryption: a column for numbers is only as long as numbers are.
pub fn create(conn: &mut Conn) -> QueryResult<()> {
    let short = if WIDEN.is_some() { "varchar(20)" } else { TEXT };
    let table = |name: &str, timestamp: &str, phone: &str| {
        format!(
            "create table {name} (
                id bigint not null primary key, note varchar(100) not null, counter bigint not null,
                updated_at {timestamp}, email {TEXT} not null, phone {phone}, scan {BYTES})"
        )
    };
    conn.batch_execute(&table("account", &format!("{TIMESTAMP} {ON_UPDATE}"), short))?;
    conn.batch_execute(&table("ledger", TIMESTAMP, "bigint"))
}

/// Adds rows of plaintext, and the row that looks like a token.
pub fn fill(conn: &mut Conn, rows: i64, rng: &mut Rng) -> QueryResult<()> {
    let stamp = "2001-02-03 04:05:06.789";
    let mut lookalike = Account::random("nobody", rng);
    (lookalike.email, lookalike.phone, lookalike.scan) = ("gAAAA is how this one is called".into(), None, None);
    // The number with the most digits.
    let mut hot = Account::random("the beginning", rng);
    hot.phone = Some(i64::MIN);
    let mut all = vec![(LOOKALIKE, lookalike), (HOT, hot)];
    all.extend((HOT + 1..=rows).map(|id| (id, Account::random("the beginning", rng))));
    for rows in all.chunks(250) {
        conn.transaction(|conn| {
            let truths = rows.iter().cloned();
            let truths: Vec<_> =
                truths.map(|(id, account)| (ledger::id.eq(id), ledger::updated_at.eq(stamp), account)).collect();
            diesel::insert_into(ledger::table).values(truths).execute(conn)?;
            let copy = format!(
                "insert into account (id, note, counter, updated_at, email, phone, scan)
                 select id, note, counter, updated_at, email, cast(phone as char(20)), scan from ledger
                 where id between {} and {}",
                rows[0].0,
                rows[rows.len() - 1].0
            );
            diesel::sql_query(copy).execute(conn)?;
            QueryResult::Ok(())
        })?;
    }
    Ok(())
}
