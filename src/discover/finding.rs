//! A difference between the database and the declared columns, and its remedy.

use std::fmt::{self, Write};

use crate::fields::Form;
use crate::guard::names::place;
use crate::targets::{Escaping, TableName};

/// A difference between the database and the declared columns. It carries no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The table, with its schema.
    pub table: TableName,
    /// The column; `*` for the table as a whole.
    pub column: String,
    /// The kind of the difference.
    pub kind: FindingKind,
}

/// The kind of a [`Finding`]. Counts refer to the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The column holds tokens, or has a guard, but is not declared.
    Undeclared {
        /// The number of tokens.
        tokens: u64,
        /// The number of values, without `NULL`s.
        sampled: u64,
        /// The form of the tokens.
        form: Form,
        /// The kind of column or relation that holds the values, if the task cannot rewrite it.
        within: Option<String>,
    },
    /// Values are no tokens but hold one: in quotes, in JSON, without its padding, or encoded once more.
    Misshapen {
        /// The number of such values.
        values: u64,
        /// The number of values, without `NULL`s.
        sampled: u64,
        /// The kind of column or relation that holds the values, if it is not an ordinary one.
        within: Option<String>,
    },
    /// There is no such table, or the table has no such column.
    Missing {
        /// Whether there is no such table.
        is_table: bool,
        /// Tables of the same name in schemas that the connection does not search.
        elsewhere: Vec<TableName>,
    },
    /// The task cannot rewrite the column, for this reason.
    WrongType(String),
    /// Nothing in the database refuses plaintext.
    Unguarded {
        /// Whether a guard applies to later writes, but has not been validated for older rows.
        is_unvalidated: bool,
    },
    /// The column holds plaintext.
    Plaintext {
        /// The number of values that do not begin as a token does.
        values: u64,
        /// The number of values, without `NULL`s.
        sampled: u64,
    },
    /// Tokens do not fit in the column.
    TooShort {
        /// The length of the column.
        limit: u64,
        /// The smallest length that is sufficient for the sample.
        needed: u64,
        /// The number of truncated tokens, which are as long as the column.
        cut: u64,
    },
    /// The column has an index, which is useless because two encryptions of the same value differ.
    UselessIndex {
        /// Its name.
        index: String,
        /// Whether it, or its constraint, is unique.
        is_unique: bool,
    },
    /// A trigger seems to copy the column. The task does not re-encrypt the copies.
    Trigger {
        /// Its name.
        trigger: String,
        /// Whether it copies the whole row.
        whole_row: bool,
    },
    /// This user cannot read the table or a part of its catalogue, for this reason.
    NotRead(String),
}

/// A remedy that an [advice](Finding::advice) names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingRemedy {
    /// Encrypt the column.
    Encrypt,
    /// Write a migration that guards the column.
    Guard,
    /// Accept the findings on the column.
    Ignore,
}

impl Finding {
    pub(crate) fn new(table: &TableName, column: &str, kind: FindingKind) -> Self {
        Self { table: table.clone(), column: column.to_owned(), kind }
    }

    /// `public.people.email`, in the form that [`Target`](crate::Target) parses.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.table, &self.column)
    }

    /// Describes the finding in words.
    #[must_use]
    pub fn detail(&self) -> String {
        match &self.kind {
            FindingKind::Undeclared { tokens: 0, .. } => {
                "the column has a guard, but it is not declared as encrypted".into()
            }
            FindingKind::Undeclared { tokens, sampled, within, .. } => {
                let within = within.as_ref().map(|what| format!(" in {what}")).unwrap_or_default();
                let are = if *tokens == 1 { "is a token" } else { "are tokens" };
                format!("{tokens} of {}{within} {are}, but the column is not declared as encrypted", values(*sampled))
            }
            FindingKind::Misshapen { values: count, sampled, within } => {
                let within = within.as_ref().map(|what| format!(" in {what}")).unwrap_or_default();
                let hold = if *count == 1 { "holds" } else { "hold" };
                format!(
                    "{count} of {}{within} {hold} a token in a wrong shape (in JSON or quotes, between blanks, without \
                     its padding, or encoded once more), which a re-encryption does not rewrite",
                    values(*sampled)
                )
            }
            FindingKind::Missing { is_table: true, elsewhere } => match elsewhere.as_slice() {
                [] => "it is declared, but there is no such table".into(),
                tables => format!(
                    "it is declared without a schema, but the connection finds the table only as {}",
                    tables.iter().map(TableName::to_string).collect::<Vec<_>>().join(", ")
                ),
            },
            FindingKind::Missing { .. } => "it is declared, but the table has no such column".into(),
            FindingKind::WrongType(reason) => format!("it is declared, but {reason}"),
            FindingKind::Unguarded { is_unvalidated: true } => {
                "its guard is not validated, so older rows may hold plaintext".into()
            }
            FindingKind::Unguarded { .. } => "nothing in the database refuses plaintext".into(),
            FindingKind::Plaintext { values: count, sampled } => {
                let are = if *count == 1 { "is" } else { "are" };
                format!("{count} of {} {are} plaintext", values(*sampled))
            }
            FindingKind::TooShort { limit, needed, cut: 0 } => {
                format!("its length is {limit}, but its tokens need at least {}", needed - 1)
            }
            FindingKind::TooShort { limit, cut: 1, .. } => {
                format!("its length is {limit}, and 1 sampled token of that length is truncated")
            }
            FindingKind::TooShort { limit, cut, .. } => {
                format!("its length is {limit}, and {cut} sampled tokens of that length are truncated")
            }
            FindingKind::UselessIndex { index, is_unique: true } => format!(
                "the index {index} is unique, but guarantees nothing, because two encryptions of the same value differ"
            ),
            FindingKind::UselessIndex { index, .. } => {
                format!("the index {index} finds nothing, because two encryptions of the same value differ")
            }
            FindingKind::Trigger { trigger, whole_row: true } => {
                format!("the trigger {trigger} uses the whole row, so it seems to copy the column")
            }
            FindingKind::Trigger { trigger, .. } => format!("the trigger {trigger} seems to copy the column"),
            FindingKind::NotRead(reason) => reason.clone(),
        }
    }

    /// The next step, in terms of this crate. It ends without a period.
    #[must_use]
    pub fn advice(&self) -> String {
        self.advice_with(|remedy| remedy.to_string())
    }

    /// The [advice](Finding::advice) with another `name` for each remedy, such as a command of your program.
    #[must_use]
    pub fn advice_with(&self, name: impl Fn(FindingRemedy) -> String) -> String {
        let accept = || format!("accept the finding with {}", name(FindingRemedy::Ignore));
        match &self.kind {
            FindingKind::Undeclared { within: Some(what), .. } => format!(
                "keep each value in a text or binary column of a table, because a re-encryption does not reach {what}. \
                 Or renew the copies after each rotation, and {}",
                accept()
            ),
            FindingKind::Undeclared { form, .. } => {
                let sql_type = if *form == Form::Binary { "EncryptedBinary" } else { "EncryptedText" };
                format!(
                    "declare it as {sql_type} in the schema. Otherwise its values need the old key forever. If another \
                     program maintains them, {}",
                    accept()
                )
            }
            FindingKind::Misshapen { .. } => format!(
                "store the token alone, in a text or binary column of its own. Otherwise it needs the old key forever. If \
                 another program maintains it, renew it with that program in each rotation before you remove a key, and {}",
                accept()
            ),
            FindingKind::Missing { is_table: true, elsewhere } if !elsewhere.is_empty() => {
                "declare the table with its schema, or connect with a search path that includes the schema".into()
            }
            FindingKind::Missing { .. } => "run the migrations, or update the schema with `diesel print-schema`".into(),
            FindingKind::WrongType(_) => {
                "declare as encrypted only a text or binary column of a table, because a re-encryption cannot rewrite \
                 anything else. An `Encrypted` field also reads a column that is declared as `Text` or `Binary`"
                    .into()
            }
            FindingKind::Unguarded { is_unvalidated: true } => {
                "run the migration that validates it, or ALTER TABLE … VALIDATE CONSTRAINT".into()
            }
            FindingKind::Unguarded { .. } => format!("write a migration with {}", name(FindingRemedy::Guard)),
            FindingKind::Plaintext { .. } => format!(
                "find out what writes it, encrypt it with {}, and add a guard that refuses it from then on",
                name(FindingRemedy::Encrypt)
            ),
            FindingKind::TooShort { needed, cut, .. } => {
                let lost = if *cut > 0 { ". Restore the truncated values from a backup" } else { "" };
                format!(
                    "make it at least {needed} long, which is token_len(n) + 1 for the longest value of n bytes{lost}"
                )
            }
            FindingKind::UselessIndex { .. } => {
                "drop it. For lookups and uniqueness, keep a keyed hash in another column".into()
            }
            FindingKind::Trigger { .. } => format!(
                "change the trigger to leave the column out, or declare the column that holds the copies. Otherwise the \
                 copies keep the old key. If the trigger copies nothing, {}",
                accept()
            ),
            FindingKind::NotRead(_) => format!("allow this user to read it, or {}", accept()),
        }
    }
}

/// The place, the kind, the detail and the advice on one line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}: {}: {}. Next: {}.", self.place(), self.kind, self.detail(), self.advice())
    }
}

/// The name of the kind, which does not change between versions: `undeclared`, `wrong shape`, `missing`, …
impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undeclared { .. } => "undeclared",
            Self::Misshapen { .. } => "wrong shape",
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

/// The name of the item in this crate.
impl fmt::Display for FindingRemedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypt => "`Job::Encrypt`",
            Self::Guard => "`guard::migrations`",
            Self::Ignore => "`Discovery::ignore`",
        })
    }
}

/// `1 sampled value`, `200 sampled values`
fn values(count: u64) -> String {
    if count == 1 { "1 sampled value".into() } else { format!("{count} sampled values") }
}
