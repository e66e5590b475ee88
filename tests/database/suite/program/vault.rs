//! A table for the program: tokens in a text and in a binary column, and one column that the program must not change.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use super::key_text;
use crate::backend::{BYTES, Conn, TEXT, TestDatabase};
use crate::support::keys::keyring;
use crate::support::runner::Program;
use crate::support::secrets::PLAINTEXT;

diesel::table! {
    vault (id) {
        id -> BigInt,
        note -> Text,
        secret -> Nullable<Text>,
        photo -> Nullable<Binary>,
    }
}

/// A row as the database stores it.
#[derive(Debug, Clone, PartialEq, Queryable, Insertable)]
#[diesel(table_name = vault)]
pub struct Row {
    pub id: i64,
    pub note: String,
    pub secret: Option<String>,
    pub photo: Option<Vec<u8>>,
}

pub fn plaintext(id: i64) -> String {
    format!("{PLAINTEXT}{id}")
}

impl Row {
    pub fn new(id: i64, secret: Option<&str>, photo: Option<&[u8]>) -> Self {
        let (secret, photo) = (secret.map(str::to_owned), photo.map(<[u8]>::to_owned));
        Self { id, note: format!("note {id}"), secret, photo }
    }

    /// Returns a row with tokens under the key with this number. The binary column has raw bytes, text or `NULL` in
    /// turn.
    pub fn sealed(id: i64, key: u8) -> Self {
        let token = || keyring([key]).encrypt(plaintext(id).as_bytes());
        let photo = match id % 3 {
            0 => None,
            1 => Some(URL_SAFE.decode(token()).unwrap()),
            _ => Some(token().into_bytes()),
        };
        Self::new(id, Some(&token()), photo.as_deref())
    }

    pub fn is_readable(&self, keys: &[u8]) -> bool {
        let keyring = keyring(keys.iter().copied());
        let cells = [self.secret.as_deref().map(str::as_bytes), self.photo.as_deref()];
        let opens = |cell: &[u8]| keyring.decrypt(cell).is_ok_and(|opened| opened == plaintext(self.id).as_bytes());
        cells.into_iter().flatten().all(opens)
    }
}

pub struct Vault {
    pub db: TestDatabase,
}

impl Vault {
    pub fn new() -> Self {
        let db = TestDatabase::new();
        let sql = format!(
            "create table vault (id bigint not null primary key, note {TEXT} not null, secret {TEXT}, photo {BYTES})"
        );
        db.conn().batch_execute(&sql).unwrap();
        Self { db }
    }

    /// Creates a table with the rows `ids` under the key with this number.
    pub fn sealed(key: u8, ids: RangeInclusive<i64>) -> Self {
        let vault = Self::new();
        vault.insert(&ids.map(|id| Row::sealed(id, key)).collect::<Vec<_>>());
        vault
    }

    /// The same, with the tables of a shared run, as a user's migration creates them.
    pub fn shared(key: u8, ids: RangeInclusive<i64>) -> Self {
        let vault = Self::sealed(key, ids);
        vault.add_state_tables();
        vault
    }

    pub fn add_state_tables(&self) {
        let folder = tempfile::tempdir().unwrap();
        self.bare_program(&["migration", "state", "--dir"], &[]).arg(folder.path()).exits_with(0);
        let migrations = FileBasedMigrations::from_path(folder.path()).unwrap();
        self.db.conn().run_pending_migrations(migrations).unwrap();
    }

    pub fn insert(&self, rows: &[Row]) {
        let conn = &mut self.db.conn();
        for rows in rows.chunks(500) {
            diesel::insert_into(vault::table).values(rows).execute(conn).unwrap();
        }
    }

    pub fn rows(&self) -> Vec<Row> {
        vault::table.order(vault::id).load(&mut self.db.conn()).unwrap()
    }

    /// The name of the table in reports.
    pub fn name(&self) -> String {
        format!("{}vault", self.db.schema())
    }

    /// Prepares the program for both columns. It must not show any of the plaintexts.
    pub fn program(&self, args: &[&str], keys: &[u8]) -> Program {
        self.bare_program(args, keys).args(["--column", "vault.secret", "--column", "vault.photo"])
    }

    /// The same without the columns.
    pub fn bare_program(&self, args: &[&str], keys: &[u8]) -> Program {
        let keys: Vec<String> = keys.iter().map(|number| key_text(*number)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Program::new(args.iter().copied()).keys(&keys).database(&self.db.url()).secrets([PLAINTEXT])
    }

    /// Checks that these keys open every value, and that the other columns are unchanged.
    #[track_caller]
    pub fn assert_readable(&self, keys: &[u8], count: usize) {
        let rows = self.rows();
        assert_eq!(rows.len(), count);
        for row in rows {
            assert!(row.is_readable(keys), "row {}", row.id);
            assert_eq!(row.note, format!("note {}", row.id));
        }
    }
}

/// Whether every token in the row is under this key.
pub fn is_under(conn: &mut Conn, id: i64, key: u8) -> bool {
    vault::table.find(id).first::<Row>(conn).unwrap().is_readable(&[key])
}
