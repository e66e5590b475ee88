//! SQLite: what differs between the databases in the tests of `suite`.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

pub use crate::support::sqlite::*;

pub type AsyncConn = SyncConnectionWrapper<SqliteConnection>;

/// Types of encrypted columns.
pub const TEXT_TYPES: &[&str] = &["text", "varchar(100)", "clob", "text collate nocase", "encrypted_text"];
pub const BINARY_TYPES: &[&str] = &["blob", "", "varbinary(200)"];
/// Types with a limit that is kept, `{}` in number; and whether they take text.
pub const LIMITED_TYPES: &[(&str, bool)] = &[];
/// Types that the database fills up, for a token of a few bytes, and whether they are text.
pub const PADDED_TYPES: &[(&str, bool)] = &[];
/// Types that do not hold tokens.
pub const OTHER_TYPES: &[&str] = &["integer", "real", "numeric", "boolean", "date"];
/// A column of text, and one of bytes, as bytes.
pub const SELECT_TEXT: &str = "cast(secret as blob)";
pub const SELECT_BYTES: &str = "secret";
/// What makes the types that this database does not have by itself.
pub const MAKE_TYPES: &[&str] = &[];
/// Bytes as a literal, `{}` being hexadecimal digits.
pub const BYTES_LITERAL: &str = "x'{}'";
/// What surrounds a quoted identifier.
pub const QUOTE: char = '"';
/// Types of row keys, with values as SQL literals; the order is the database's own.
pub const ROW_KEYS: &[(&str, &[&str])] = &[
    ("integer", &["-5", "0", "7", "9007199254740993", "9223372036854775807"]),
    ("integer not null", &["1", "2", "3"]),
    ("bigint not null", &["-9223372036854775808", "9007199254740993", "9223372036854775807"]),
    ("text not null", &["''", "'a'", "'A'", "'a''b'", "'é'", "'日本'", "'10'", "'9'"]),
    ("text not null collate nocase", &["'a'", "'B'", "'c'"]),
    ("blob not null", &["x''", "x'00ff'", "x'ff'"]),
    ("real not null", &["0.1", "-0.3", "1e300", "0.30000000000000004"]),
    // SQLite allows NULL in these: the task walks by row id
    ("text", &["'a'", "null", "'b'", "null"]),
    ("bigint", &["null", "1", "null"]),
];

/// A file that cannot be opened.
pub fn unreachable_url() -> String {
    "/no/such/folder/file.db".into()
}

/// The settings of a session that the task changes.
pub fn settings(conn: &mut Conn) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        timeout: i64,
    }
    let setting: Setting = diesel::sql_query("PRAGMA busy_timeout").get_result(conn).unwrap();
    vec![setting.timeout.to_string()]
}

/// What an upsert names as its conflict.
macro_rules! conflict_on {
    ($column:expr) => {
        $column
    };
}
pub(crate) use conflict_on;

/// Columns of all sorts: name, definition, and the value that a row gets from its `id`. Generated ones get none.
pub const OTHER_COLUMNS: &[(&str, &str, &str)] = &[
    ("note", "text not null default ''", "'né ' || id || char(10)"),
    ("blank", "text", "null"),
    ("amount", "numeric", "id * -1.234567"),
    ("ratio", "real", "1.0 / id"),
    ("anything", "", "iif(id % 3 = 0, id, iif(id % 3 = 1, 'text', x'00ff'))"),
    ("flag", "boolean", "id % 2 = 0"),
    ("born", "date", "date('1900-01-01', id || ' days')"),
    ("updated_at", "timestamp default current_timestamp", "datetime('2001-02-03 04:05:06', id || ' seconds')"),
    ("settings", "json", "json_object('id', id, 'tag', 'a')"),
    ("bits", "blob", "randomblob(16)"),
    ("doubled", "integer generated always as (id * 2) stored", ""),
];

/// The columns of a row in one text, each value exactly as it is.
pub fn shown(columns: &[&str]) -> String {
    let column = |name: &&str| format!("typeof({name}) || quote({name})");
    columns.iter().map(column).collect::<Vec<_>>().join(" || ',' || ")
}

/// Diesel's own trigger for `updated_at`, on the table `people`; and its name.
pub const MANAGE_UPDATED_AT: &str = "select diesel_manage_updated_at('people')";
pub const MANAGED_BY: &str = "__diesel_manage_updated_at_people";
/// Triggers that an update of the encrypted columns of `people` does not set off.
pub const IDLE_TRIGGERS: &[&str] = &[
    "create trigger on_insert after insert on people begin update people set updated_at = current_timestamp; end",
    "create trigger on_delete after delete on people begin update people set updated_at = current_timestamp; end",
    "create trigger on_name after update of name, id on people
     begin update people set updated_at = current_timestamp; end",
    "create table pets (person bigint references people on update cascade)",
    "create trigger on_pets after update on pets begin update people set updated_at = current_timestamp; end",
];

/// Triggers on a table `t` that copy its column `secret` to a table `audit`; and what takes them away.
pub const COPYING_TRIGGERS: &[(&str, &str)] = &[
    (
        "create trigger copy after update of amount on t begin insert into audit values (old.id, old.secret); end",
        "drop trigger copy",
    ),
    (
        "create trigger copy after insert on t begin insert into audit select id, secret from t where id = new.id; end",
        "drop trigger copy",
    ),
];
/// Indexes on expressions over a column `secret`.
pub const EXPRESSION_INDEXES: &[&str] = &["lower(secret)", "amount, substr(\"secret\", 1, 5)"];
/// Takes an index of the table `t` away.
pub const DROP_INDEX: &str = "drop index by_secret";
/// Whether columns have lengths.
pub const HAS_LENGTHS: bool = false;

/// Brings what the catalogue says of `people` up to date.
pub const ANALYZE: &str = "analyze people";
/// Whether a table grows when it is rewritten.
pub const GROWS: bool = false;

/// Text columns to which different texts are equal, and another one that is equal to `secret`.
pub const LENIENT_TYPES: &[(&str, &str)] =
    &[("text collate nocase", "upper(secret)"), ("text collate rtrim", "secret || ' '")];

/// Lets nobody else write, until `let_go`.
pub fn hold_up(application: &mut Conn, _id: i64) {
    application.batch_execute("begin immediate").unwrap();
}

pub fn let_go(application: &mut Conn) {
    application.batch_execute("commit").unwrap();
}

/// How the task names the transaction that is open on this connection.
pub fn name_of_transaction(_conn: &mut Conn) -> String {
    "the one that is writing".into()
}

/// What changes a table `t` once, and the second time is an error.
pub const CHANGES_OF_THE_SCHEMA: &[&str] =
    &["alter table t add column extra int", "create index changed on t (secret)"];

/// Changes it before the task can write.
pub fn change_schema(_db: &TestDatabase, application: &mut Conn, change: &str) {
    application.batch_execute(change).unwrap();
}

/// Refuses every update of the table `vault`, and quotes the tokens.
pub const QUOTING_TRIGGER: &str = "
    create trigger refuse before update on vault begin
        select raise(abort, 'refused ' || old.secret || ' and ' || new.secret);
    end";
