//! The table of the benches, its keys and its rows.

use std::sync::Arc;

use diesel_encrypted::{Encrypted, Key, Keyring};

use crate::database::Database;

pub(crate) mod encrypted {
    diesel::table! {
        use diesel::sql_types::*;
        use diesel_encrypted::sql_types::*;

        bench_people (id) {
            id -> BigInt,
            name -> Text,
            email -> EncryptedText,
            ssn -> EncryptedText,
        }
    }
}

/// The same table with the column types of the database.
pub(crate) mod plain {
    diesel::table! {
        bench_people (id) {
            id -> BigInt,
            name -> Text,
            email -> Text,
            ssn -> Text,
        }
    }
}

pub(crate) type Row = (i64, String, Encrypted<String>, Encrypted<String>);
pub(crate) type PlainRow = (i64, String, String, String);

/// Lengths of values in bytes, typical of addresses and numbers. Their tokens have 120 to 164 characters.
pub(crate) const USUAL: &[usize] = &[24, 29, 33, 38, 42, 47, 51, 56, 60, 64];
/// Lengths of short values. Their tokens have 100 characters, the minimum.
pub(crate) const SHORT: &[usize] = &[9, 10, 11, 12, 13, 14, 15];

/// The number of rows in one INSERT. It keeps the log of the database from growing with the table.
const INSERT: usize = 100_000;

/// Two keys. Each rotation switches the table from one to the other.
pub(crate) struct Keys {
    keys: [Key; 2],
    keyrings: [Arc<Keyring>; 2],
}

impl Keys {
    pub(crate) fn generate() -> Self {
        let keys = [Key::generate(), Key::generate()];
        let keyring = |first: usize| Arc::new(Keyring::new([keys[first].clone(), keys[1 - first].clone()]).unwrap());
        let keyrings = [keyring(0), keyring(1)];
        Self { keys, keyrings }
    }

    /// Both keys, with the key at this index as the primary key.
    pub(crate) fn keyring(&self, primary: usize) -> Arc<Keyring> {
        Arc::clone(&self.keyrings[primary])
    }

    /// The same keyring as text for `DB_ENCRYPTION_KEYS`.
    pub(crate) fn setting(&self, primary: usize) -> String {
        format!("{}:{}", *self.keys[primary].to_text(), *self.keys[1 - primary].to_text())
    }
}

/// Drops and creates the table. `options` end the `CREATE TABLE` statement.
pub(crate) fn create<D: Database>(conn: &mut D, options: &str) {
    drop_table(conn);
    let columns = "id bigint not null primary key, name text not null, email text not null, ssn text not null";
    conn.batch_execute(&format!("create table bench_people ({columns}) {options}")).unwrap();
}

/// Fills the table on the server, which repeats a few tokens over all rows.
pub(crate) fn fill<D: Database>(conn: &mut D, count: usize, lengths: &[usize], keyring: &Keyring) {
    let token = |length: &usize| keyring.encrypt(&vec![b'x'; *length]);
    // The two values of a row may have different lengths.
    let column = |step: usize| {
        let arms = lengths.iter().map(token).enumerate().map(|(index, token)| format!("when {index} then '{token}' "));
        format!("case i * {step} % {} {}end", lengths.len(), arms.collect::<String>())
    };
    let (email, ssn) = (column(1), column(3));
    for first in (1..=count).step_by(INSERT) {
        let last = count.min(first + INSERT - 1);
        conn.batch_execute(&format!(
            "insert into bench_people with recursive n (i) as (select {first} union all select i + 1 from n where i < \
             {last}) select i, concat('name ', i), {email}, {ssn} from n"
        ))
        .unwrap();
    }
}

pub(crate) fn drop_table<D: Database>(conn: &mut D) {
    conn.batch_execute("drop table if exists bench_people").unwrap();
}
