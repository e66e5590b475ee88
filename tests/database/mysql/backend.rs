//! MySQL and MariaDB: what the tests of `suite` need to know about this database.

use std::sync::LazyLock;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::suite::sql::{self, is_true};
pub use crate::support::mysql::*;

/// Whether the server is MariaDB rather than MySQL.
pub fn is_mariadb() -> bool {
    static IS_MARIADB: LazyLock<bool> =
        LazyLock::new(|| is_true(&mut TestDatabase::new().conn(), "version() like '%MariaDB%'"));
    *IS_MARIADB
}

/// Types for encrypted columns.
pub const TEXT_TYPES: &[&str] = &[
    "text",
    "varchar(100)",
    "char(100)",
    "tinytext",
    "mediumtext",
    "longtext",
    "varchar(101) character set ascii collate ascii_bin",
    "varchar(101) character set latin1",
    "varchar(101) character set utf16",
    "text character set utf8mb4 collate utf8mb4_unicode_ci",
];
pub const BINARY_TYPES: &[&str] = &["varbinary(200)", "blob", "mediumblob", "longblob", "tinyblob"];
/// Types with a length limit, which replaces `{}`, and whether they hold text.
pub const LIMITED_TYPES: &[(&str, bool)] = &[
    ("varchar({})", true),
    ("varchar({}) character set latin1", true),
    ("varchar({}) character set utf16", true),
    ("varbinary({})", false),
];
/// Types that the database pads, with the length of a short token, and whether they hold text.
pub const PADDED_TYPES: &[(&str, bool)] = &[("char(100)", true), ("binary(73)", false)];
/// Types that cannot hold tokens.
pub static OTHER_TYPES: LazyLock<[&str; 5]> =
    LazyLock::new(|| ["int", if is_mariadb() { "uuid" } else { "time" }, "date", "enum('a')", "bit(8)"]);
/// Expressions that select a text column and a binary column as bytes.
pub const SELECT_TEXT: &str = "cast(convert(secret using utf8mb4) as binary)";
pub const SELECT_BYTES: &str = "secret";
/// Statements that create the types that this database lacks.
pub const MAKE_TYPES: &[&str] = &[];
/// A literal of bytes. Hexadecimal digits replace `{}`.
pub const BYTES_LITERAL: &str = "x'{}'";
/// The quotation mark for identifiers.
pub const QUOTE: char = '`';
/// Types of row keys, with values as SQL literals. Each type has its own order.
pub static ROW_KEYS: LazyLock<Vec<(&str, &[&str])>> = LazyLock::new(|| {
    let is_there = |(sql_type, _): &(&str, &[&str])| is_mariadb() || !["uuid", "inet6"].contains(sql_type);
    ALL_ROW_KEYS.iter().copied().filter(is_there).collect()
});
const ALL_ROW_KEYS: &[(&str, &[&str])] = &[
    ("int", &["-5", "0", "7", "2147483647"]),
    ("bigint", &["-9223372036854775808", "-1", "9007199254740992", "9007199254740993", "9223372036854775807"]),
    ("bigint unsigned", &["0", "9007199254740993", "9223372036854775808", "18446744073709551615"]),
    (
        "varchar(20) character set utf8mb4 collate utf8mb4_general_ci",
        &["''", "'a'", "'b''c'", "'é1'", "'日本'", "'10'", "'9'"],
    ),
    ("varchar(20) character set utf8mb4 collate utf8mb4_bin", &["'a'", "'A'", "'b'"]),
    // The driver returns text with a binary collation as bytes. Its order differs from that of UTF-8.
    ("varchar(5) character set latin1 collate latin1_bin", &["'Â'", "'Ã'", "'ÿ'", "'Ä'", "'é'"]),
    ("varchar(5) character set ascii collate ascii_bin", &["'a'", "'A'"]),
    ("char(5)", &["'a'", "'b'", "'abcde'"]),
    (
        "char(36) character set ascii",
        &["'67e55044-10b1-426f-9247-bb680e5fe0c8'", "'00000000-0000-0000-0000-000000000001'"],
    ),
    (
        "uuid",
        &[
            "'67e55044-10b1-426f-9247-bb680e5fe0c8'",
            "'00000000-0000-0000-0000-000000000001'",
            "'ffffffff-0000-0000-0000-000000000000'",
        ],
    ),
    ("binary(16)", &["x'67e5504410b1426f9247bb680e5fe0c8'", "x'00000000000000000000000000000001'"]),
    ("varbinary(20)", &["x''", "x'00ff'", "x'ff'"]),
    ("decimal(30,10)", &["1.5", "-2.25", "10000000000000000000.0000000001", "10000000000000000000.0000000002"]),
    ("datetime(6)", &["'2026-11-23 00:00:00.000001'", "'2026-11-23 00:00:00.000002'"]),
    ("timestamp(6)", &["'2026-11-23 00:00:00.000001'", "'2026-11-23 00:00:00.000002'"]),
    ("date", &["'2026-11-23'", "'1970-01-01'"]),
    ("inet6", &["'::1'", "'fe80::2'"]),
    ("year", &["1999", "2024", "0", "1901"]),
    ("time(6)", &["'-838:59:59.999999'", "'838:59:59'", "'00:00:00.5'", "'-00:00:00.5'"]),
    // Bytes that have no character, or that share one, do not survive a conversion to Unicode and back.
    ("varchar(5) character set cp1251", &["x'61'", "x'98'", "x'c0'", "x'a8'", "x'ff'"]),
    ("varchar(5) character set cp1251 collate cp1251_bulgarian_ci", &["x'61'", "x'c0'", "x'c1'", "x'b9'"]),
    (
        "varchar(5) character set cp932 collate cp932_bin",
        &["x'8754'", "x'fa54'", "x'eefc'", "x'5c'", "x'7e'", "x'815f'"],
    ),
    ("varchar(5) character set sjis collate sjis_bin", &["x'5c'", "x'7e'", "x'815f'", "x'8160'"]),
    ("varchar(5) character set hebrew collate hebrew_bin", &["x'61'", "x'e0'", "x'fa'"]),
    ("varchar(5) character set ucs2", &["'a'", "'é'", "'日本'", "'B'"]),
    ("varchar(5) character set utf16 collate utf16_bin", &["'a'", "'é'", "'日本'", "'😀'"]),
    ("varchar(5) character set utf8mb3", &["'a'", "'é'", "'日本'", "'B'"]),
    ("varchar(5) collate utf8mb4_unicode_520_ci", &["'a'", "'ß'", "''", "'ä2'", "'Z'"]),
];

/// The URL of a server that refuses connections.
pub fn unreachable_url() -> String {
    "mysql://nobody@127.0.0.1:1/none".into()
}

/// Creates a table `t` with these rows. Every update of a row with `n = -1` fails, because the row violates a CHECK.
pub fn create_with_a_row_against_a_check(conn: &mut Conn, rows: &str) {
    if !is_mariadb() {
        // MySQL cannot disable a CHECK. Here a generated column raises the error, in a strict mode only.
        let generated =
            "x int generated always as (cast(if(n > 0, '1', concat('x', left(secret, 0))) as signed)) stored";
        conn.batch_execute(&format!("create table t (id int primary key, n int, secret text, {generated})")).unwrap();
        conn.batch_execute(&format!("set sql_mode = ''; insert into t (id, n, secret) values {rows}")).unwrap();
        return;
    }
    conn.batch_execute("create table t (id int primary key, n int check (n > 0), secret text)").unwrap();
    conn.batch_execute(&format!("set check_constraint_checks = 0; insert into t values {rows}")).unwrap();
    conn.batch_execute("set check_constraint_checks = 1").unwrap();
}

/// All settings of a session.
pub fn settings(conn: &mut Conn) -> Vec<String> {
    // A limit on queries also applies to this one.
    let limits =
        "set @big = @@sql_big_selects, @most = @@sql_select_limit; set sql_big_selects = 1, sql_select_limit = default";
    conn.batch_execute(limits).unwrap();
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = diesel::sql_types::Text, column_name = "Variable_name")]
        name: String,
        #[diesel(sql_type = diesel::sql_types::Text, column_name = "Value")]
        value: String,
    }
    let settings = diesel::sql_query("show session variables").load::<Setting>(conn).unwrap();
    conn.batch_execute("set sql_big_selects = @big, sql_select_limit = @most").unwrap();
    let limits = diesel::sql_query("select 'limits' as Variable_name, concat(@big, ' ', @most) as Value");
    let settings = settings.into_iter().chain(limits.load::<Setting>(conn).unwrap()).collect::<Vec<_>>();
    // These belong to a statement, or differ between connections.
    let is_of_statement = |name: &str| {
        let names = [
            "timestamp",
            "insert_id",
            "last_insert_id",
            "last_gtid",
            "warning_count",
            "error_count",
            "identity",
            "pseudo_thread_id",
        ];
        names.contains(&name) || name.starts_with("rand_seed") || name.starts_with("gtid_")
    };
    let shown = |setting: Setting| format!("{} = {}", setting.name, setting.value);
    settings.into_iter().filter(|setting| !is_of_statement(&setting.name)).map(shown).collect()
}

/// What an application sets up on each of its connections.
pub const PREPARE: &str = "do 0";
/// Steps that change `NOT NULL` of the columns of `people`, where the database can.
pub const NOT_NULL: &[(&str, &str)] = &[
    ("adoption N5, NOT NULL", "alter table people modify copy varchar(1000) not null"),
    ("adoption N6, a nullable column", "alter table people modify email varchar(1000) null"),
];
/// Makes a column of tokens as narrow as tokens are.
pub const TO_ASCII: Option<&str> =
    Some("alter table people modify email varchar(421) character set ascii collate ascii_bin not null");

/// The conflict target of an upsert. This database does not name the key.
macro_rules! conflict_on {
    ($column:expr) => {
        diesel::dsl::DuplicatedKeys
    };
}
pub(crate) use conflict_on;

/// Columns of many types: name, definition, and the value of a row, computed from its `id`. Generated columns get no
/// value.
pub const OTHER_COLUMNS: &[(&str, &str, &str)] = &[
    ("note", "text character set utf8mb4 not null", "concat('né ', id, '\\n')"),
    ("blank", "text", "null"),
    ("code", "char(10) character set latin1", "id"),
    ("amount", "decimal(20,6)", "id * -1.234567"),
    ("ratio", "double", "1.0e0 / id"),
    ("large", "bigint unsigned", "18446744073709551615 - id"),
    ("flag", "boolean", "id % 2 = 0"),
    ("few", "bit(7)", "id % 128"),
    ("kind", "enum('a', 'b')", "1 + id % 2"),
    ("labels", "set('x', 'y')", "id % 4"),
    ("born", "date", "date_add('1900-01-01', interval id day)"),
    ("seen", "datetime(6)", "date_add('2001-02-03 04:05:06.789', interval id second)"),
    (
        "updated_at",
        "timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)",
        "date_add('2001-02-03 04:05:06.789', interval id second)",
    ),
    ("touched", "datetime null on update current_timestamp", "null"),
    ("settings", "json", "json_object('id', id, 'tag', 'a')"),
    ("bits", "varbinary(40)", "unhex(sha2(id, 256))"),
    ("doubled", "bigint generated always as (id * 2) stored", ""),
];

/// Returns an expression that shows columns of a row as one text, with each value exactly as it is.
pub fn shown(columns: &[&str]) -> String {
    let column = |name: &&str| format!("coalesce(hex(cast({name} as binary)), 'NULL')");
    format!("concat_ws(',', {})", columns.iter().map(column).collect::<Vec<_>>().join(", "))
}

/// A statement that makes the table `people` update `updated_at`, as `diesel_manage_updated_at` does elsewhere, and the
/// name of its trigger.
pub const MANAGE_UPDATED_AT: &str = "
    create trigger set_updated_at before update on people for each row set new.updated_at = current_timestamp";
pub const MANAGED_BY: &str = "set_updated_at";
/// Triggers that an update of `people` does not fire.
pub const IDLE_TRIGGERS: &[&str] = &[
    "create trigger on_insert before insert on people for each row set new.updated_at = now()",
    "create trigger on_delete before delete on people for each row set @touched = 1",
    "create table pets (person bigint, foreign key (person) references people (id) on update cascade)",
    "create trigger on_pets before update on pets for each row set new.person = 1",
];

/// A statement that creates a trigger with this name, which fires for every update of a table.
pub fn trigger(name: &str, table: &str) -> String {
    format!("create trigger {name} before update on {table} for each row set @fired = 1")
}

/// Triggers on a table `t` that copy its column `secret` to a table `audit`, and statements that drop them.
pub const COPYING_TRIGGERS: &[(&str, &str)] = &[
    (
        "create trigger copy after update on t for each row insert into audit values (old.id, old.secret)",
        "drop trigger copy",
    ),
    (
        "create trigger copy before insert on t for each row begin
             set new.updated_at = now();
             if new.amount > 1 then insert into audit (secret) values (concat('x', new.`secret`)); end if;
         end",
        "drop trigger copy",
    ),
];
/// Indexes on expressions over a column `secret`, if the catalogue shows such indexes.
pub static EXPRESSION_INDEXES: LazyLock<&[&str]> = LazyLock::new(|| match is_mariadb() {
    true => &[],
    false => &["(left(secret, 5))", "amount, (upper(left(secret, 5)))"],
});
/// Drops an index of the table `t`.
pub const DROP_INDEX: &str = "drop index by_secret on t";
/// Whether columns have lengths.
pub const HAS_LENGTHS: bool = true;

/// Updates the statistics of `people`.
pub const ANALYZE: &str = "analyze table people";
/// Whether a table grows when it is rewritten.
pub const GROWS: bool = false;

/// Types of text columns in which different texts are equal, and an expression for another text that is equal to
/// `secret`.
pub static LENIENT_TYPES: LazyLock<[(&str, &str); 4]> = LazyLock::new(|| {
    let without_padding = match is_mariadb() {
        true => "text character set utf8mb4 collate utf8mb4_unicode_nopad_ci",
        false => "text character set utf8mb4 collate utf8mb4_0900_ai_ci",
    };
    [
        ("varchar(300) collate utf8mb4_general_ci", "upper(secret)"),
        ("varchar(300) collate utf8mb4_general_ci", "concat(secret, ' ')"),
        (without_padding, "upper(secret)"),
        ("text character set utf8mb4 collate utf8mb4_bin", "concat(secret, '  ')"),
    ]
});

/// Blocks every update of the row `id` of the table `t`, until `unblock_updates`.
pub fn block_updates(application: &mut Conn, id: i64) {
    let sql = "create trigger wait before update on t for each row begin
                   if new.id = ID then do get_lock(database(), 10), release_lock(database()); end if;
               end;
               do get_lock(database(), 0)";
    application.batch_execute(&sql.replace("ID", &id.to_string())).unwrap();
}

pub fn unblock_updates(application: &mut Conn) {
    application.batch_execute("do release_lock(database())").unwrap();
}

/// Returns the beginning of the task's name for the transaction that is open on this connection.
pub fn name_of_transaction(conn: &mut Conn) -> String {
    format!("connection {}, since ", sql::number(conn, "select cast(connection_id() as signed)"))
}

/// Changes of a table `t`. Repeating one is an error.
pub const CHANGES_OF_THE_SCHEMA: &[&str] = &[
    "alter table t add column extra int",
    "alter table t modify secret mediumtext, add constraint changed check (id > 0)",
];

/// Makes the change wait in the server's queue after the statement of the task.
pub fn change_schema(db: &TestDatabase, application: &mut Conn, change: &'static str) {
    let mut conn = db.conn();
    std::thread::spawn(move || conn.batch_execute(change).unwrap());
    let waiting = "exists (select * from information_schema.processlist
                   where db = database() and state = 'Waiting for table metadata lock')";
    while !is_true(application, waiting) {}
}

/// Refuses every update of the table `vault`, with a message that quotes the tokens.
pub const QUOTING_TRIGGER: &str = "
    create trigger refuse before update on vault for each row begin
        declare message varchar(120);
        set message = left(concat('refused ', new.secret, ' and ', old.secret), 120);
        signal sqlstate '45000' set message_text = message;
    end";

/// How many rounds of waiting the fence has.
pub const WAITS: usize = 1;
/// Begins a transaction that reads the table `t` as it is now. The fence knows transactions by the second of their
/// beginning, so this one begins in another second than those before.
pub const MAKE_OLD_SNAPSHOT: &str = "do sleep(1.1); set transaction isolation level repeatable read; start transaction with consistent snapshot; select secret from t";
/// Changes of the table `t` after which a walk in the order of its row key may miss rows of it.
pub const CHANGES_OF_THE_PLAN: &[&str] = &[
    "alter table t drop primary key, add unique (id)",
    "alter table t drop primary key",
    "rename table t to was; create table t (id varchar(20) not null primary key, secret text)",
    "rename table t to was; create view t as select * from was",
];
