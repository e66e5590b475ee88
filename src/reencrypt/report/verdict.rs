//! Judges the content of a cell, and whether a job has to change it.

use crate::database::{Cell, PlannedColumn, PlannedTable, Row};
use crate::fields::Array;
use crate::keys::Token;
use crate::keys::fernet::held::{Held, seems_to_hold};
use crate::keys::{Opened, Opener};
use crate::reencrypt::report::job::Job;

/// What a cell holds, as far as the keyring can open it.
pub(crate) enum Verdict<'p> {
    /// A readable token: the position of its key in the keyring (0 is the primary), its date, and its plaintext.
    Token { position: usize, timestamp: u64, plaintext: &'p [u8] },
    /// A value that does not look like a token, or that the operator declares not to be one.
    Plaintext,
    /// A token that is damaged, or whose key is not in the keyring.
    Unreadable,
    /// A value that is no token but holds one: in quotes, in JSON, without its padding. `position` is that of the key
    /// that opens it, if any does. `begins` is whether the value begins as a token does.
    Misshapen { position: Option<usize>, begins: bool },
    /// Plaintext that the operator declares to be right in this row.
    Exempt,
    /// A token that must not become plaintext, because its plaintext looks like a token or holds one.
    Nested,
    /// A value that must stay as it is, because it would become, or is, bytes that are not text in a column of text.
    NotText,
    /// A number, in a database in which a column of bytes may hold one.
    Number,
}

/// The values in a cell.
pub(crate) enum Content<'a> {
    /// A value; `None` is `NULL`, or an array without elements.
    Value(Option<&'a Cell>),
    Array(Array<'a>),
    /// An array in a form that this crate does not know.
    Unknown,
}

impl<'a> Content<'a> {
    pub(crate) fn of(cell: Option<&'a Cell>, column: &PlannedColumn) -> Self {
        match cell {
            Some(cell) if column.is_array => match Array::parse(&cell.bytes) {
                Some(array) if array.elements().is_empty() => Self::Value(None),
                Some(array) => Self::Array(array),
                None => Self::Unknown,
            },
            cell => Self::Value(cell),
        }
    }
}

/// The place of a value in its row.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) column: usize,
    element: Option<(&'a Array<'a>, usize)>,
}

impl<'a> Place<'a> {
    pub(crate) fn cell(column: usize) -> Self {
        Self { column, element: None }
    }

    pub(crate) fn element(column: usize, array: &'a Array<'a>, position: usize) -> Self {
        Self { column, element: Some((array, position)) }
    }

    /// Whether it is an element after the first one of an array, so that the row is counted already.
    pub(crate) fn is_further(self) -> bool {
        self.element.is_some_and(|(_, position)| position > 0)
    }

    /// The subscripts of the element: `[2]`. Empty if the value is no element of an array.
    pub(crate) fn subscripts(self) -> String {
        self.element.map_or_else(String::new, |(array, position)| array.subscripts(position))
    }
}

/// Whether the job has to do something about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The value needs no change.
    Done,
    /// The job has to write it.
    Left,
    /// The job must leave it unchanged and list it.
    Bad,
}

impl<'p> Verdict<'p> {
    /// Judges a cell. `is_exempt` is whether plaintext is right in this row.
    pub(crate) fn of(
        cell: &Cell,
        column: &PlannedColumn,
        job: Job,
        is_exempt: bool,
        opener: &'p mut Opener<'_>,
    ) -> Self {
        let opened = opener.open(&cell.bytes);
        let plaintext = opener.plaintext();
        match opened {
            Some(_) if job == Job::Decrypt && Self::is_nested(column, opener) => Self::Nested,
            Some(_) if job == Job::Decrypt && column.is_text && !is_text(plaintext) => Self::NotText,
            Some(Opened { position, timestamp }) => Self::Token { position, timestamp, plaintext },
            None => Self::of_unopened(cell, column, job, is_exempt, opener),
        }
    }

    fn of_unopened(cell: &Cell, column: &PlannedColumn, job: Job, is_exempt: bool, opener: &Opener<'_>) -> Self {
        let begins = Token::looks_like_one(&cell.bytes);
        let is_declared = column.token_like_plaintext;
        let is_whole = begins && Token::parse(&cell.bytes, &mut Vec::new()).is_some();
        let held = if is_whole && !is_declared { None } else { opener.held_in(&cell.bytes) };
        match held {
            // This guard prevents that a token is sealed into another one. After that, nobody would renew its key.
            Some(Held::Ours(position)) => Self::Misshapen { position: Some(position), begins },
            Some(Held::Foreign) if !begins && !is_declared => Self::Misshapen { position: None, begins },
            _ if begins && !is_declared => Self::Unreadable,
            _ if is_exempt && job != Job::Decrypt => Self::Exempt,
            _ if job == Job::Encrypt && cell.is_number => Self::Number,
            // The model of a text column would not load a token of these bytes.
            _ if job == Job::Encrypt && column.is_text && std::str::from_utf8(&cell.bytes).is_err() => Self::NotText,
            _ => Self::Plaintext,
        }
    }

    /// Whether the last opened plaintext would be taken for a token, and therefore be decrypted again or reported.
    fn is_nested(column: &PlannedColumn, opener: &Opener<'_>) -> bool {
        let plaintext = opener.plaintext();
        if column.token_like_plaintext {
            return Token::looks_like_one(plaintext) && opener.has_opened_a_token();
        }
        Token::looks_like_one(plaintext) || seems_to_hold(plaintext)
    }

    /// Reports to `see` what every cell of a row holds; `None` is `NULL`, or an array without elements. Each element of an
    /// array is reported on its own.
    pub(crate) fn of_row(
        row: &Row,
        table: &PlannedTable,
        job: Job,
        opener: &mut Opener<'_>,
        mut see: impl FnMut(Place, Option<&Verdict>),
    ) {
        for (index, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
            let is_exempt = row.is_exempt(index);
            let mut of_value = |place, cell: Option<&Cell>| {
                see(place, cell.map(|cell| Verdict::of(cell, column, job, is_exempt, opener)).as_ref());
            };
            match Content::of(cell.as_ref(), column) {
                Content::Value(cell) => of_value(Place::cell(index), cell),
                Content::Array(array) => {
                    for (position, element) in array.elements().iter().enumerate() {
                        let cell = element.map(|bytes| Cell::new(bytes.to_vec(), column.is_text));
                        of_value(Place::element(index, &array, position), cell.as_ref());
                    }
                }
                Content::Unknown => see(Place::cell(index), Some(&Verdict::Unreadable)),
            }
        }
    }

    pub(crate) fn standing(&self, job: Job) -> Standing {
        match (self, job) {
            (Self::Token { position: 0, .. }, Job::Reencrypt | Job::Encrypt)
            | (Self::Plaintext, Job::Decrypt)
            | (Self::Exempt, _) => Standing::Done,
            (Self::Token { .. }, _) | (Self::Plaintext, Job::Encrypt) => Standing::Left,
            (Self::Plaintext, Job::Reencrypt) => Standing::Bad,
            (Self::Misshapen { .. } | Self::Unreadable | Self::Nested | Self::NotText | Self::Number, _) => {
                Standing::Bad
            }
        }
    }
}

/// Whether every database can store the bytes as text. PostgreSQL accepts no NUL.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}
