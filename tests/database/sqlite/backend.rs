//! SQLite: what the tests of `suite` need to know about this database.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

use crate::suite::sql;

pub use crate::support::sqlite::*;

pub type AsyncConn = SyncConnectionWrapper<SqliteConnection>;

/// Types for encrypted columns.
pub const TEXT_TYPES: &[&str] = &["text", "varchar(100)", "clob", "text collate nocase", "encrypted_text"];
pub const BINARY_TYPES: &[&str] = &["blob", "", "varbinary(200)"];
/// Types with a length limit, which replaces `{}`, and whether they hold text.
pub const LIMITED_TYPES: &[(&str, bool)] = &[];
/// Types that the database pads, with the length of a short token, and whether they hold text.
pub const PADDED_TYPES: &[(&str, bool)] = &[];
/// Types that cannot hold tokens.
pub const OTHER_TYPES: &[&str] = &["integer", "real", "numeric", "boolean", "date"];
/// Expressions that select a text column and a binary column as bytes.
pub const SELECT_TEXT: &str = "cast(secret as blob)";
pub const SELECT_BYTES: &str = "secret";
/// Statements that create the types that this database lacks.
pub const MAKE_TYPES: &[&str] = &[];
/// A literal of bytes. Hexadecimal digits replace `{}`.
pub const BYTES_LITERAL: &str = "x'{}'";
/// The quotation mark for identifiers.
pub const QUOTE: char = '"';
/// Types of row keys, with values as SQL literals. Each type has its own order.
pub const ROW_KEYS: &[(&str, &[&str])] = &[
    ("integer", &["-5", "0", "7", "9007199254740993", "9223372036854775807"]),
    ("integer not null", &["1", "2", "3"]),
    ("bigint not null", &["-9223372036854775808", "9007199254740993", "9223372036854775807"]),
    ("text not null", &["''", "'a'", "'A'", "'a''b'", "'é'", "'日本'", "'10'", "'9'"]),
    ("text not null collate nocase", &["'a'", "'B'", "'c'"]),
    ("blob not null", &["x''", "x'00ff'", "x'ff'"]),
    ("real not null", &["0.1", "-0.3", "1e300", "0.30000000000000004", "9e999", "-9e999"]),
    ("not null", &["1", "1.5", "'a'", "'A'", "x'00'", "x'61'", "'10'", "9007199254740993", "9007199254740992.0"]),
    ("int not null", &["1", "1.5", "'a'", "x'00'", "x'61'", "9007199254740993"]),
    ("text not null collate rtrim", &["'a'", "'b '", "'  c'"]),
    ("text not null", &["'caf' || char(65533)", "cast(x'636166e9' as text)", "cast(x'ff' as text)", "'z'", "'c'"]),
    ("text not null", &["'a' || char(0) || 'b'", "'a'", "'a' || char(0) || 'c'", "'b'"]),
    // SQLite allows NULL in these keys, so the task pages by row id.
    ("text", &["'a'", "null", "'b'", "null"]),
    ("bigint", &["null", "1", "null"]),
];

/// The path of a file that cannot be opened.
pub fn unreachable_url() -> String {
    "/no/such/folder/file.db".into()
}

/// The settings of a session.
pub fn settings(conn: &mut Conn) -> Vec<String> {
    let names = [
        "automatic_index",
        "busy_timeout",
        "cache_size",
        "defer_foreign_keys",
        "foreign_keys",
        "ignore_check_constraints",
        "journal_mode",
        "legacy_alter_table",
        "locking_mode",
        "query_only",
        "read_uncommitted",
        "recursive_triggers",
        "reverse_unordered_selects",
        "secure_delete",
        "synchronous",
        "temp_store",
        "trusted_schema",
        "writable_schema",
    ];
    // SQLite names the column of `busy_timeout` differently.
    let read = |name: &&str| {
        format!(
            "select '{name} = ' || \"{}\" from pragma_{name}",
            if *name == "busy_timeout" { "timeout" } else { name }
        )
    };
    names.iter().map(|name| sql::text(conn, &read(name))).collect()
}

/// What an application sets up on each of its connections.
pub const PREPARE: &str = "pragma busy_timeout = 60000; pragma journal_mode = wal";
/// Steps that change `NOT NULL` of the columns of `people`, where the database can.
pub const NOT_NULL: &[(&str, &str)] = &[];
/// Makes a column of tokens as narrow as tokens are.
pub const TO_ASCII: Option<&str> = None;

/// The conflict target of an upsert.
macro_rules! conflict_on {
    ($column:expr) => {
        $column
    };
}
pub(crate) use conflict_on;

/// Columns of many types: name, definition, and the value of a row, computed from its `id`. Generated columns get no
/// value.
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

/// Returns an expression that shows columns of a row as one text, with each value exactly as it is.
pub fn shown(columns: &[&str]) -> String {
    let column = |name: &&str| format!("typeof({name}) || quote({name})");
    columns.iter().map(column).collect::<Vec<_>>().join(" || ',' || ")
}

/// The statement that creates Diesel's trigger for `updated_at` on the table `people`, and the name of the trigger.
pub const MANAGE_UPDATED_AT: &str = "select diesel_manage_updated_at('people')";
pub const MANAGED_BY: &str = "__diesel_manage_updated_at_people";
/// Triggers that an update of the encrypted columns of `people` does not fire.
pub const IDLE_TRIGGERS: &[&str] = &[
    "create trigger on_insert after insert on people begin update people set updated_at = current_timestamp; end",
    "create trigger on_delete after delete on people begin update people set updated_at = current_timestamp; end",
    "create trigger on_name after update of name, id on people
     begin update people set updated_at = current_timestamp; end",
    "create table pets (person bigint references people on update cascade)",
    "create trigger on_pets after update on pets begin update people set updated_at = current_timestamp; end",
];

/// A statement that creates a trigger with this name, which fires for every update of a table.
pub fn trigger(name: &str, table: &str) -> String {
    format!("create trigger {name} before update on {table} begin select 1; end")
}

/// Triggers on a table `t` that copy its column `secret` to a table `audit`, and statements that drop them.
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
/// Drops an index of the table `t`.
pub const DROP_INDEX: &str = "drop index by_secret";
/// Whether columns have lengths.
pub const HAS_LENGTHS: bool = false;

/// Updates the statistics of `people`.
pub const ANALYZE: &str = "analyze people";
/// Whether a table grows when it is rewritten.
pub const GROWS: bool = false;

/// Types of text columns in which different texts are equal, and an expression for another text that is equal to
/// `secret`.
pub const LENIENT_TYPES: &[(&str, &str)] =
    &[("text collate nocase", "upper(secret)"), ("text collate rtrim", "secret || ' '")];

/// Blocks all other writers, until `unblock_updates`.
pub fn block_updates(application: &mut Conn, _id: i64) {
    application.batch_execute("begin immediate").unwrap();
}

pub fn unblock_updates(application: &mut Conn) {
    application.batch_execute("commit").unwrap();
}

/// Returns the beginning of the task's name for the transaction that is open on this connection.
pub fn name_of_transaction(_conn: &mut Conn) -> String {
    "the one that is writing".into()
}

/// Changes of a table `t`. Repeating one is an error.
pub const CHANGES_OF_THE_SCHEMA: &[&str] =
    &["alter table t add column extra int", "create index changed on t (secret)"];

/// Makes the change before the task can write.
pub fn change_schema(_db: &TestDatabase, application: &mut Conn, change: &str) {
    application.batch_execute(change).unwrap();
}

/// Refuses every update of the table `vault`, with a message that quotes the tokens.
pub const QUOTING_TRIGGER: &str = "
    create trigger refuse before update on vault begin
        select raise(abort, 'refused ' || old.secret || ' and ' || new.secret);
    end";

/// How many rounds of waiting the fence has.
pub const WAITS: usize = 0;
/// Begins a transaction that reads the table `t` as it is now.
pub const MAKE_OLD_SNAPSHOT: &str = "begin; select secret from t";
/// Changes of the table `t` after which a walk in the order of its row key may miss rows of it.
pub const CHANGES_OF_THE_PLAN: &[&str] = &[
    "alter table t rename to was; create table t (number integer primary key, id bigint, secret text)",
    "alter table t rename to was; create view t as select * from was",
];
