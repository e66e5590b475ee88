//! PostgreSQL: what the tests of `suite` need to know about this database.

use diesel::connection::SimpleConnection;

use crate::suite::sql::{self, is_true};
pub use crate::support::postgres::*;

pub type AsyncConn = diesel_async::AsyncPgConnection;

/// Types for encrypted columns.
pub const TEXT_TYPES: &[&str] = &["text", "varchar", "varchar(100)", "char(100)", "citext", "nested_token"];
pub const BINARY_TYPES: &[&str] = &["bytea", "token_bytes"];
/// Types with a length limit, which replaces `{}`, and whether they hold text.
pub const LIMITED_TYPES: &[(&str, bool)] = &[("varchar({})", true)];
/// Types that the database pads, with the length of a short token, and whether they hold text.
pub const PADDED_TYPES: &[(&str, bool)] = &[("char(100)", true)];
/// Types that cannot hold tokens.
pub const OTHER_TYPES: &[&str] = &["integer", "jsonb", "integer[]", "uuid", "boolean", "xml"];
/// Expressions that select a text column and a binary column as bytes.
pub const SELECT_TEXT: &str = "secret::text::bytea";
pub const SELECT_BYTES: &str = "secret::bytea";
/// Statements that create the types that this database lacks.
pub const MAKE_TYPES: &[&str] = &[
    "create extension citext",
    "create collation lenient (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "create domain token as text check (value like 'gAAAA%')",
    "create domain nested_token as token check (length(value) > 99)",
    "create domain token_bytes as bytea check (length(value) > 72)",
];
/// A literal of bytes. Hexadecimal digits replace `{}`.
pub const BYTES_LITERAL: &str = "'\\x{}'::bytea";
/// The quotation mark for identifiers.
pub const QUOTE: char = '"';
/// Types of row keys, with values as SQL literals. Each type has its own order.
pub const ROW_KEYS: &[(&str, &[&str])] = &[
    ("integer", &["-5", "0", "7", "2147483647"]),
    ("bigint", &["-9223372036854775808", "-1", "9007199254740992", "9007199254740993", "9223372036854775807"]),
    ("text", &["''", "'a'", "'A'", "'a''b'", "'é'", "'日本'", "'10'", "'9'"]),
    ("varchar(20)", &["'a'", "'B'", "'a b'"]),
    ("char(5)", &["'a'", "'b'", "'abcde'"]),
    (
        "uuid",
        &[
            "'67e55044-10b1-426f-9247-bb680e5fe0c8'",
            "'00000000-0000-0000-0000-000000000001'",
            "'ffffffff-0000-0000-0000-000000000000'",
        ],
    ),
    ("bytea", &["'\\x'", "'\\x00ff'", "'\\xff'"]),
    ("numeric", &["1.5", "-2.25", "10000000000000000000000.0000000001", "'NaN'", "'Infinity'"]),
    ("timestamptz", &["'2026-11-23 00:00:00.000001+05:30'", "'2026-11-23 00:00:00.000002+00'", "'infinity'"]),
    ("date", &["'2026-11-23'", "'0044-03-15 BC'"]),
    ("timetz", &["'24:00:00+00'", "'00:00:00+15:59'", "'12:00:00.000001-03'"]),
    ("double precision", &["0.1", "'-0.3'", "1e300", "0.30000000000000004", "'NaN'", "'Infinity'", "'-Infinity'"]),
    ("real", &["'NaN'", "0.1", "3.4e38", "1e-45"]),
    ("int[]", &["'{}'", "'{1}'", "'{1,2}'", "'{2}'", "'{NULL}'", "'{NULL,1}'"]),
    ("text[]", &["'{}'", "'{\"a,b\"}'", "'{NULL}'", "'{\"NULL\"}'", "'{\"é\"}'"]),
    ("int4range", &["'empty'", "'[1,2)'", "'[1,5)'", "'(,3)'", "'[4,)'"]),
    ("jsonb", &["'{}'", "'[]'", "'\"a\"'", "'1'", "'{\"a\": 1.10}'", "'null'"]),
    ("name", &["'a'", "'B'", "'b'"]),
    ("\"char\"", &["'a'", "'b'", "''"]),
    ("oid", &["1", "4294967295", "5"]),
    ("money", &["'1.5'", "'-3'", "'92233720368547758.07'"]),
    ("varbit", &["B''", "B'0'", "B'00'", "B'1'"]),
    ("text collate \"de-x-icu\"", &["'ä'", "'a'", "'z'", "'B'", "'b'", "'Ü'"]),
    ("inet", &["'10.0.0.1'", "'10.0.0.2/8'", "'::1'"]),
    ("bit(3)", &["'101'", "'110'"]),
    ("interval", &["'1 day'", "'-00:00:01.5'"]),
];

/// The URL of a server that refuses connections.
pub fn unreachable_url() -> String {
    "postgres://nobody@127.0.0.1:1/none".into()
}

/// Creates a table `t` with these rows. Every update of a row with `n = -1` fails, because the row violates a CHECK.
pub fn create_with_a_row_against_a_check(conn: &mut Conn, rows: &str) {
    conn.batch_execute("create table t (id int primary key, n int, secret text)").unwrap();
    conn.batch_execute(&format!("insert into t values {rows}; alter table t add check (n > 0) not valid")).unwrap();
}

/// All settings of a session.
pub fn settings(conn: &mut Conn) -> Vec<String> {
    // The settings of a transaction are those of the query itself.
    sql::texts(
        conn,
        "select name || ' = ' || setting from pg_settings where name not like 'transaction\\_%' order by name",
    )
}

/// What an application sets up on each of its connections.
pub const PREPARE: &str = "select 1";
/// Steps that change `NOT NULL` of the columns of `people`, where the database can.
pub const NOT_NULL: &[(&str, &str)] = &[
    ("adoption N5, NOT NULL", "alter table people alter copy set not null"),
    ("adoption N6, a nullable column", "alter table people alter email drop not null"),
];
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
    ("note", "text not null default ''", "'né ' || id || E'\\n'"),
    ("blank", "text", "null"),
    ("code", "char(10)", "id::text"),
    ("amount", "numeric(20,6)", "id * -1.234567"),
    ("ratio", "float8", "1.0 / id"),
    ("small", "real", "id / 3.0"),
    ("flag", "boolean", "id % 2 = 0"),
    ("born", "date", "date '1900-01-01' + id::int"),
    ("seen", "timestamptz", "'infinity'"),
    (
        "updated_at",
        "timestamptz not null default now()",
        "timestamptz '2001-02-03 04:05:06.789+00' + id * interval '1s'",
    ),
    ("span", "interval", "id * interval '1 month 2 days 3.456 seconds'"),
    ("settings", "jsonb", "jsonb_build_object('id', id, 'tags', array['a', 'ä'])"),
    ("written", "json", "('{ \"b\" : ' || id || ',\"a\":1.0}')::json"),
    ("tags", "text[]", "array['x', id::text, null, '']"),
    ("number", "uuid", "md5(id::text)::uuid"),
    ("bits", "bytea", "decode(md5(id::text), 'hex')"),
    ("address", "inet", "inet '10.0.0.0' + id"),
    ("doubled", "bigint generated always as (id * 2) stored", ""),
];

/// Returns an expression that shows columns of a row as one text, with each value exactly as it is.
pub fn shown(columns: &[&str]) -> String {
    let column = |name: &&str| format!("coalesce(quote_literal({name}::text), 'NULL')");
    columns.iter().map(column).collect::<Vec<_>>().join(" || ',' || ")
}

/// Statements that make the table `people` update `updated_at`, as `diesel setup` installs them, and the name of their
/// trigger.
pub const MANAGE_UPDATED_AT: &str = "
    create function diesel_manage_updated_at(_tbl regclass) returns void as $$
    begin
        execute format('create trigger set_updated_at before update on %s
                        for each row execute procedure diesel_set_updated_at()', _tbl);
    end;
    $$ language plpgsql;
    create function diesel_set_updated_at() returns trigger as $$
    begin
        if (new is distinct from old and new.updated_at is not distinct from old.updated_at) then
            new.updated_at := current_timestamp;
        end if;
        return new;
    end;
    $$ language plpgsql;
    select diesel_manage_updated_at('people')";
pub const MANAGED_BY: &str = "set_updated_at";
/// Triggers that an update of the encrypted columns of `people` does not fire.
pub const IDLE_TRIGGERS: &[&str] = &[
    "create function touch() returns trigger language plpgsql as
     $$ begin new.updated_at := now(); return new; end $$",
    "create trigger on_insert before insert on people for each row execute function touch()",
    "create trigger on_delete after delete on people for each row execute function touch()",
    "create trigger on_truncate after truncate on people execute function touch()",
    "create trigger on_name before update of name, id on people for each row execute function touch()",
    "create trigger disabled before update on people for each row execute function touch();
     alter table people disable trigger disabled",
    "create trigger replicas before update on people for each row execute function touch();
     alter table people enable replica trigger replicas",
    // Internal triggers enforce the foreign key.
    "create table pets (person bigint references people on update cascade)",
];

/// Statements that create a trigger with this name, which fires for every update of a table.
pub fn trigger(name: &str, table: &str) -> String {
    format!(
        "create function fired() returns trigger language plpgsql as 'begin return new; end';
         create trigger {name} before update on {table} for each row execute function fired()"
    )
}

/// Triggers on a table `t` that copy its column `secret` to a table `audit`, and statements that drop them.
pub const COPYING_TRIGGERS: &[(&str, &str)] = &[
    (
        "create function copy() returns trigger language plpgsql as
         $$ begin insert into audit values (new.id, new.secret); return new; end $$;
         create trigger copy before update on t for each row execute function copy()",
        "drop trigger copy on t; drop function copy",
    ),
    (
        "create function copy() returns trigger language plpgsql as
         $$ begin insert into audit values (old.id, to_jsonb(old)::text); return null; end $$;
         create trigger copy after delete on t for each row execute function copy()",
        "drop trigger copy on t; drop function copy",
    ),
    (
        "create function copy() returns trigger language plpgsql as
         $$ begin insert into audit select id, secret from changed; return null; end $$;
         create trigger copy after update on t referencing new table as changed execute function copy()",
        "drop trigger copy on t; drop function copy",
    ),
    (
        "alter table audit add tsv tsvector;
         create trigger copy before insert on t for each row
         execute function tsvector_update_trigger(tsv, 'pg_catalog.english', 'secret')",
        "drop trigger copy on t",
    ),
    ("create rule copy as on update to t do also insert into audit values (new.id, new.secret)", "drop rule copy on t"),
];
/// Indexes on expressions over a column `secret`.
pub const EXPRESSION_INDEXES: &[&str] = &["lower(secret)", "amount, (secret || 'x')"];
/// Drops an index of the table `t`.
pub const DROP_INDEX: &str = "drop index by_secret";
/// Whether columns have lengths.
pub const HAS_LENGTHS: bool = true;

/// Updates the statistics of `people`.
pub const ANALYZE: &str = "analyze people";
/// Whether a table grows when it is rewritten.
pub const GROWS: bool = true;

/// Types of text columns in which different texts are equal, and an expression for another text that is equal to
/// `secret`.
pub const LENIENT_TYPES: &[(&str, &str)] =
    &[("citext", "upper(secret::text)"), ("text collate lenient", "upper(secret)")];

/// Blocks every update of the row `id` of the table `t`, until `unblock_updates`.
pub fn block_updates(application: &mut Conn, id: i64) {
    let sql = "create function wait() returns trigger language plpgsql as $$ begin
                   while not pg_try_advisory_xact_lock_shared(1) loop perform pg_sleep(0.01); end loop;
                   return new;
               end $$;
               create trigger wait before update on t for each row when (new.id = ID) execute function wait();
               select pg_advisory_lock(1)";
    application.batch_execute(&sql.replace("ID", &id.to_string())).unwrap();
}

pub fn unblock_updates(application: &mut Conn) {
    application.batch_execute("select pg_advisory_unlock(1)").unwrap();
}

/// Returns the beginning of the task's name for the transaction that is open on this connection.
pub fn name_of_transaction(conn: &mut Conn) -> String {
    format!("process {} of ", sql::number(conn, "select pg_backend_pid()::bigint"))
}

/// Changes of a table `t`. Repeating one is an error.
pub const CHANGES_OF_THE_SCHEMA: &[&str] = &[
    "alter table t add column extra int",
    "alter table t alter secret type varchar(300), add constraint changed check (id > 0)",
];

/// Makes the change wait in the server's queue after the statement of the task.
pub fn change_schema(db: &TestDatabase, application: &mut Conn, change: &'static str) {
    let mut conn = db.conn();
    std::thread::spawn(move || conn.batch_execute(change).unwrap());
    let waiting = "exists (select from pg_locks where not granted and database = (
                   select oid from pg_database where datname = current_database()))";
    while !is_true(application, waiting) {}
}

/// Refuses every update of the table `vault`, with a message that quotes the tokens.
pub const QUOTING_TRIGGER: &str = "
    create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'refused % and %', old.secret, new.secret; end $$;
    create trigger refuse before update on vault for each row execute function refuse()";

/// How many rounds of waiting the fence has.
pub const WAITS: usize = 2;
/// Begins a transaction that reads the table `t` as it is now.
pub const MAKE_OLD_SNAPSHOT: &str = "begin isolation level repeatable read; select secret from t";
/// Changes of the table `t` after which a walk in the order of its row key may miss rows of it.
pub const CHANGES_OF_THE_PLAN: &[&str] = &[
    "create table kid (like t including all); alter table kid inherit t",
    "alter table t drop constraint t_pkey; create index on t (id)",
    "alter table t rename to was; create table t (like was including all)",
    "alter table t rename secret to hidden; alter table t add secret text",
    "alter table t alter id type text using id::text",
    "alter table t alter secret type text[] using array[secret]",
];
