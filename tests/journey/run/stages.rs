//! The models of the application, in the order of their deployment.

use std::ops::Range;

use diesel::prelude::*;
use diesel_encrypted::{Adopting, Encrypted, Leaving};

use super::account::{Account, Change, account, encrypted_account, ledger};
use crate::backend::Conn;

/// The type of the fields in a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// `String`.
    Plain,
    /// `Leaving<String>`.
    Leaving,
    /// `Adopting<String>`.
    Adopting,
    /// `Encrypted<String>`, in a table that is declared as encrypted.
    Encrypted,
}

/// A row as the model reads it, and its row of the ledger, read in one statement.
pub struct Seen {
    pub id: i64,
    pub account: Account,
    pub truth: Option<Account>,
    pub same_stamp: Option<bool>,
}

impl Stage {
    /// Returns the rows with these keys.
    pub fn read(self, conn: &mut Conn, ids: Range<i64>) -> QueryResult<Vec<Seen>> {
        match self {
            Self::Plain => plain::read(conn, ids),
            Self::Leaving => leaving::read(conn, ids),
            Self::Adopting => adopting::read(conn, ids),
            Self::Encrypted => encrypted::read(conn, ids),
        }
    }

    pub fn insert(self, conn: &mut Conn, id: i64, stamp: &str, new: Account) -> QueryResult<usize> {
        match self {
            Self::Plain => plain::insert(conn, id, stamp, new),
            Self::Leaving => leaving::insert(conn, id, stamp, new),
            Self::Adopting => adopting::insert(conn, id, stamp, new),
            Self::Encrypted => encrypted::insert(conn, id, stamp, new),
        }
    }

    pub fn update(self, conn: &mut Conn, id: i64, stamp: &str, change: Change) -> QueryResult<usize> {
        match self {
            Self::Plain => plain::update(conn, id, stamp, change),
            Self::Leaving => leaving::update(conn, id, stamp, change),
            Self::Adopting => adopting::update(conn, id, stamp, change),
            Self::Encrypted => encrypted::update(conn, id, stamp, change),
        }
    }
}

/// The model of a stage: the types of its fields, and the conversion of a number to and from its field.
macro_rules! stage {
    ($stage:ident, $table:ident, $text:ty, $number:ty, $bytes:ty, $into_number:expr, $from_number:expr) => {
        mod $stage {
            use super::*;

            #[derive(Queryable, Selectable, Insertable)]
            #[diesel(table_name = $table)]
            struct Model {
                note: String,
                counter: i64,
                email: $text,
                phone: Option<$number>,
                scan: Option<$bytes>,
            }

            #[derive(AsChangeset)]
            #[diesel(table_name = $table)]
            struct Changed {
                note: String,
                counter: i64,
                email: Option<$text>,
                phone: Option<Option<$number>>,
                scan: Option<Option<$bytes>>,
            }

            pub fn read(conn: &mut Conn, ids: Range<i64>) -> QueryResult<Vec<Seen>> {
                let truth = (ledger::note, ledger::counter, ledger::email, ledger::phone, ledger::scan);
                let same_stamp = ledger::updated_at.nullable().eq($table::updated_at.nullable());
                let rows: Vec<(i64, Model, Option<Account>, Option<bool>)> = $table::table
                    .left_join(ledger::table.on(ledger::id.eq($table::id)))
                    .filter($table::id.ge(ids.start).and($table::id.lt(ids.end)))
                    .order($table::id)
                    .select(($table::id, Model::as_select(), truth.nullable(), same_stamp))
                    .load(conn)?;
                let seen = |(id, model, truth, same_stamp): (i64, Model, Option<Account>, Option<bool>)| {
                    let Model { note, counter, email, phone, scan } = model;
                    let (email, phone, scan) = (email.into(), phone.map($from_number), scan.map(Into::into));
                    Seen { id, account: Account { note, counter, email, phone, scan }, truth, same_stamp }
                };
                Ok(rows.into_iter().map(seen).collect())
            }

            pub fn insert(conn: &mut Conn, id: i64, stamp: &str, new: Account) -> QueryResult<usize> {
                let Account { note, counter, email, phone, scan } = new;
                let (email, phone, scan) = (email.into(), phone.map($into_number), scan.map(Into::into));
                let row =
                    ($table::id.eq(id), $table::updated_at.eq(stamp), Model { note, counter, email, phone, scan });
                diesel::insert_into($table::table).values(row).execute(conn)
            }

            pub fn update(conn: &mut Conn, id: i64, stamp: &str, change: Change) -> QueryResult<usize> {
                let Change { note, counter, email, phone, scan } = change;
                let email = email.map(Into::into);
                let phone = phone.map(|phone| phone.map($into_number));
                let scan = scan.map(|scan| scan.map(Into::into));
                let set = ($table::updated_at.eq(stamp), Changed { note, counter, email, phone, scan });
                diesel::update($table::table.find(id)).set(set).execute(conn)
            }
        }
    };
}

stage! {
    plain, account, String, String, Vec<u8>,
    |number: i64| number.to_string(), |text: String| text.parse().expect("a number is read as one")
}
stage!(leaving, account, Leaving<String>, Leaving<i64>, Leaving<Vec<u8>>, Into::into, Into::into);
stage!(adopting, account, Adopting<String>, Adopting<i64>, Adopting<Vec<u8>>, Into::into, Into::into);
stage!(encrypted, encrypted_account, Encrypted<String>, Encrypted<i64>, Encrypted<Vec<u8>>, Into::into, Into::into);
