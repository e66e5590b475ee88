//! Where the database and what is declared do not agree, and what to do about it.

use std::fmt;

use crate::fields::column::Form;
use crate::targets::TableName;

/// Something about a column on which the database and what is declared do not agree. It carries no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The table, with its schema.
    pub table: TableName,
    /// The column; `*` for the table as a whole.
    pub column: String,
    /// What it is about.
    pub kind: FindingKind,
}

/// What a [`Finding`] is about. Counts are of the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The column holds tokens, or has a guard, and is not declared.
    Undeclared {
        /// Values that are tokens.
        tokens: u64,
        /// Values, without `NULL`s.
        sampled: u64,
        /// The form of the tokens.
        form: Form,
        /// What holds the column, if it is none that the task can rewrite.
        within: Option<String>,
    },
    /// There is no such table, or it has no such column.
    Missing {
        /// Whether there is no such table.
        is_table: bool,
        /// Tables of the same name in schemas in which the connection does not look for it.
        elsewhere: Vec<TableName>,
    },
    /// The task cannot rewrite such a column; why not.
    WrongType(String),
    /// Nothing in the database refuses plaintext.
    Unguarded {
        /// Whether there is a guard for what is written, and nobody has validated that it holds for what is there.
        is_unvalidated: bool,
    },
    /// The column holds plaintext.
    Plaintext {
        /// Values that do not set out to be tokens.
        values: u64,
        /// Values, without `NULL`s.
        sampled: u64,
    },
    /// Tokens do not fit into the column.
    TooShort {
        /// The length of the column.
        limit: u64,
        /// The least length that is known to be needed.
        needed: u64,
        /// Values that are as long as the column and have lost their ends.
        cut: u64,
    },
    /// An index on the column: two encryptions of the same value differ.
    UselessIndex {
        /// Its name.
        index: String,
        /// Whether it, or its constraint, is unique.
        is_unique: bool,
    },
    /// A trigger that seems to copy the column. The copies are not re-encrypted.
    Trigger {
        /// Its name.
        trigger: String,
        /// Whether it copies the whole row.
        whole_row: bool,
    },
    /// It cannot be looked into; why not.
    NotRead(String),
}

impl Finding {
    /// What was found, in words.
    #[must_use]
    pub fn detail(&self) -> String {
        match &self.kind {
            FindingKind::Undeclared { tokens: 0, .. } => {
                "the database guards it as an encrypted column, and nothing declares it as one".into()
            }
            FindingKind::Undeclared { tokens, sampled, within, .. } => {
                let within = within.as_ref().map(|what| format!(" of {what}")).unwrap_or_default();
                format!("{} a token{within}, and nothing declares the column as encrypted", of(*tokens, *sampled))
            }
            FindingKind::Missing { is_table: true, elsewhere } => match elsewhere.as_slice() {
                [] => "it is declared, and there is no such table".into(),
                tables => format!(
                    "it is declared without a schema, and the connection does not find the table there: it is {}",
                    tables.iter().map(TableName::to_string).collect::<Vec<_>>().join(", ")
                ),
            },
            FindingKind::Missing { .. } => "it is declared, and the table has no such column".into(),
            FindingKind::WrongType(reason) => format!("it is declared, and {reason}"),
            FindingKind::Unguarded { is_unvalidated: true } => {
                "its guard is not validated, and plaintext may be there from before".into()
            }
            FindingKind::Unguarded { .. } => "nothing in the database refuses plaintext".into(),
            FindingKind::Plaintext { values, sampled } => format!("{} plaintext", of(*values, *sampled)),
            FindingKind::TooShort { limit, needed, cut: 0 } => {
                format!("its length is {limit}, and its tokens take {} at least", needed - 1)
            }
            FindingKind::TooShort { limit, cut: 1, .. } => {
                format!("its length is {limit}, and 1 sampled token of that length has lost its end")
            }
            FindingKind::TooShort { limit, cut, .. } => {
                format!("its length is {limit}, and {cut} sampled tokens of that length have lost their ends")
            }
            FindingKind::UselessIndex { index, is_unique: true } => {
                format!("{index} is unique, and guards nothing: two encryptions of the same value differ")
            }
            FindingKind::UselessIndex { index, .. } => {
                format!("the index {index} finds nothing: two encryptions of the same value differ")
            }
            FindingKind::Trigger { trigger, whole_row: true } => {
                format!("the trigger {trigger} uses the whole row, and so seems to copy the column")
            }
            FindingKind::Trigger { trigger, .. } => format!("the trigger {trigger} seems to copy it"),
            FindingKind::NotRead(reason) => reason.clone(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> String {
        let place = self.place();
        let accept = format!("accept it with `--ignore {place}`");
        match &self.kind {
            FindingKind::Undeclared { within: Some(what), .. } => format!(
                "a re-encryption does not reach {what}: keep each value in a text or binary column of a table, or renew \
                 the copies after each rotation and {accept}"
            ),
            FindingKind::Undeclared { form, .. } => {
                let sql_type = if *form == Form::Binary { "EncryptedBinary" } else { "EncryptedText" };
                format!(
                    "declare it as {sql_type} in the schema, or its values need the old key for ever; if another \
                         program looks after them, {accept}"
                )
            }
            FindingKind::Missing { is_table: true, elsewhere } if !elsewhere.is_empty() => {
                "declare the table with its schema, or connect with a search path that has it".into()
            }
            FindingKind::Missing { .. } => "run the migrations, or renew the schema with `diesel print-schema`".into(),
            FindingKind::WrongType(_) => {
                "declare as encrypted only what a re-encryption can rewrite: a text or binary column of a table. An \
                 `Encrypted` field also reads a column that is declared as `Text` or `Binary`"
                    .into()
            }
            FindingKind::Unguarded { is_unvalidated: true } => {
                "run the migration that validates it, or ALTER TABLE … VALIDATE CONSTRAINT".into()
            }
            FindingKind::Unguarded { .. } => {
                format!("write a migration with `diesel-encrypted migration guard {place}`")
            }
            FindingKind::Plaintext { .. } => format!(
                "find out what writes it, encrypt it with `diesel-encrypted encrypt --column {place}`, and let a guard \
                 refuse it from then on"
            ),
            FindingKind::TooShort { needed, cut, .. } => {
                let lost = if *cut > 0 { "; what has lost its end has to come from a backup" } else { "" };
                format!(
                    "make it {needed} long at least, which is token_len(n) + 1 for the longest value of n bytes{lost}"
                )
            }
            FindingKind::UselessIndex { .. } => {
                "drop it; for lookups and uniqueness keep a keyed hash in a column of its own".into()
            }
            FindingKind::Trigger { .. } => format!(
                "copies keep the old key: leave the column out, or declare the column that they go to; if it copies \
                 nothing, {accept}"
            ),
            FindingKind::NotRead(_) => format!("let this user read it, or {accept}"),
        }
    }

    /// As `--ignore` takes it.
    fn place(&self) -> String {
        // A column is quoted as a table is.
        format!("{}.{}", self.table, TableName::new(&self.column))
    }
}

/// One line: where, what, and what to do next.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}. Next: {}", self.place(), self.kind, self.detail(), self.advice())
    }
}

/// The name of the kind, which does not change between versions: `undeclared`, `missing`, `wrong type`, …
impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undeclared { .. } => "undeclared",
            Self::Missing { .. } => "missing",
            Self::WrongType(_) => "wrong type",
            Self::Unguarded { .. } => "unguarded",
            Self::Plaintext { .. } => "plaintext",
            Self::TooShort { .. } => "too short",
            Self::UselessIndex { .. } => "useless index",
            Self::Trigger { .. } => "trigger",
            Self::NotRead(_) => "not read",
        })
    }
}

/// `1 of 200 sampled values is`, `3 of 200 sampled values are`; and behind it what.
fn of(some: u64, all: u64) -> String {
    let values = if all == 1 { "value" } else { "values" };
    format!("{some} of {all} sampled {values} {}", if some == 1 { "is" } else { "are" })
}
