//! PostgreSQL: row keys as text, cast by the server; one statement of constant text with an array per column.

pub(crate) mod conversion;
pub(crate) mod effects;
pub(crate) mod estimate;
pub(crate) mod guard;
pub(crate) mod replication;
pub(crate) mod swap;

use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::result::{Error as DieselError, OptionalExtension, QueryResult};
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::checkpoint::Checkpoint;
use crate::database::connection::Conn;
use crate::database::dialect::{Dialect, push_column};
use crate::database::estimate::TableEstimate;
use crate::database::guard_kind::GuardKind;
use crate::database::plan::{PlannedColumn, PlannedTable};
use crate::database::replication::{Primary, Replication, Standing};
use crate::database::row::{Cell, Change, KeyValue};
use crate::database::side_effects::SideEffects;
use crate::database::sql::Sql;
use crate::database::table::{Catalogue, CatalogueColumn, KeyColumn};
use crate::fields::column::Form;
use crate::targets::TableName;

impl Dialect for Pg {
    const BATCH: usize = 1000;
    const MAX_BINDS: usize = usize::MAX;
    const ROW_VALUES: bool = true;
    const LOCKS_ROWS: bool = true;
    const FOLDS_CASE: bool = false;
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        // A compare and swap wants to see what was committed last; a snapshot would fail instead.
        ("default_transaction_isolation", "read committed"),
        // As good as never: a locked row makes the swap fail, which then leaves such rows out.
        ("lock_timeout", "1ms"),
        // Of a page, which takes milliseconds.
        ("statement_timeout", "15s"),
        // What a suspended process has locked is free again after that.
        ("idle_in_transaction_session_timeout", "5s"),
        // Row-level security would hide rows without a word; off, it is an error.
        ("row_security", "off"),
        // Row keys travel as text and must come back as the same value.
        ("bytea_output", "hex"),
        ("datestyle", "ISO, YMD"),
        ("intervalstyle", "iso_8601"),
        ("extra_float_digits", "3"),
    ];

    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        let names: Vec<&str> = Self::SETTINGS.iter().map(|(name, _)| *name).collect();
        let settings = sql_query("SELECT name, current_setting(name) AS value FROM unnest($1) AS name")
            .bind::<Array<Text>, _>(names)
            .load::<Setting>(conn)?;
        Ok(settings.into_iter().map(|setting| (setting.name, setting.value)).collect())
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        let set = sql_query("SELECT set_config($1, $2, false)").bind::<Text, _>(name).bind::<Text, _>(value);
        set.execute(conn).map(drop)
    }

    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>> {
        let relation = sql_query(RELATION).bind::<Text, _>(quoted(table)).get_result::<Relation>(conn).optional()?;
        let Some(relation) = relation else { return Ok(None) };
        let columns = sql_query(COLUMNS).bind::<BigInt, _>(relation.oid).load::<ColumnRow>(conn)?;
        let keys = sql_query(ROW_KEY).bind::<BigInt, _>(relation.oid).load::<KeyRow>(conn)?;
        let obstacle = match relation.kind.as_str() {
            "r" if relation.has_children => Some(
                "other tables inherit from it, and a row key is unique in one table only: \
                 re-encrypt the children, without this table as their parent"
                    .into(),
            ),
            "r" | "p" if !relation.hides_rows => None,
            "r" | "p" => Some(
                "row-level security hides rows from this user: connect as a user with BYPASSRLS or as the table's owner"
                    .into(),
            ),
            _ => Some("it is not an ordinary or partitioned table: name the table that holds the data".into()),
        };
        let columns = columns.into_iter().map(|column| CatalogueColumn {
            name: column.name,
            form: Form::of_postgres(&column.base),
            type_name: column.type_name,
            limit: column.length.and_then(|length| length.try_into().ok()),
            is_padded: column.base == "bpchar",
            is_generated: column.is_generated,
            changes_on_update: false,
        });
        Ok(Some(Catalogue {
            name: TableName::in_schema(relation.schema, relation.name),
            obstacle,
            columns: columns.collect(),
            row_key: keys
                .into_iter()
                .map(|key| KeyColumn { name: key.name, cast: Some(key.type_name), is_text: true })
                .collect(),
            index: None,
            // -1: never analysed
            rows: (relation.rows >= 0.0).then_some(relation.rows as u64),
        }))
    }

    fn side_effects<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<SideEffects> {
        effects::side_effects(conn, table)
    }

    fn estimate<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<TableEstimate> {
        estimate::estimate(conn, table)
    }

    fn ties<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Vec<String>> {
        conversion::ties(conn, table)
    }

    fn longest_plaintext<C: Conn<Self>>(
        conn: &mut C,
        table: &TableName,
        column: &PlannedColumn,
    ) -> QueryResult<Option<u64>> {
        conversion::longest_plaintext(conn, table, column)
    }

    fn guard<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
        guard::guard(conn, table, column)
    }

    const WITHOUT_TRIGGERS: &'static str = "connect as a user who may set session_replication_role, with \
        `?options=-c%20session_replication_role%3Dreplica` at the end of the URL: triggers do not fire for these \
        connections then, and for all others they do";

    fn is_lock_conflict(message: &str) -> bool {
        message.starts_with("canceling statement due to lock timeout") || message.starts_with("deadlock detected")
    }

    fn is_timeout(message: &str) -> bool {
        message.starts_with("canceling statement due to statement timeout")
    }

    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(&column.name, out)?;
        out.push_sql("::text");
        Ok(())
    }

    fn push_cell_output(column: &str, is_text: bool, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(column, out)?;
        // A domain and citext become what they are made of.
        out.push_sql(if is_text { "::text" } else { "::bytea" });
        Ok(())
    }

    fn push_key<'b>(value: &'b KeyValue, column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text(value)?)?;
        push_key_cast(column, out);
        Ok(())
    }

    fn read_key(value: Self::RawValue<'_>) -> deserialize::Result<KeyValue> {
        <String as FromSql<Text, Self>>::from_sql(value).map(KeyValue::Text)
    }

    fn read_cell(value: Self::RawValue<'_>) -> deserialize::Result<Cell> {
        const BYTEA: u32 = 17;
        Ok(Cell { bytes: value.as_bytes().to_vec(), is_text: value.get_oid().get() != BYTEA })
    }

    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<Checkpoint<'_>>,
        skips_locked: bool,
    ) -> QueryResult<Option<usize>> {
        let swapped = swap::Swap::new(table, changes, checkpoint, skips_locked)?.execute(conn)?;
        // Was it the rows, or the claim?
        let is_taken = match checkpoint {
            Some(checkpoint) if swapped == 0 => !checkpoint.write(conn)?,
            _ => false,
        };
        Ok((!is_taken).then_some(swapped))
    }

    /// Never: see the lock timeout.
    fn waits_for_rows<C: Conn<Self>>(_conn: &mut C) -> QueryResult<bool> {
        Ok(false)
    }

    const PATIENT: (&'static str, &'static str) = ("lock_timeout", "10s");
    const NOW: &'static str = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)";
    const TEXT: &'static str = "TEXT";
    const SHARES: bool = true;

    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text)
    }

    fn read_text(value: Self::RawValue<'_>) -> deserialize::Result<String> {
        <String as FromSql<Text, Self>>::from_sql(value)
    }

    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        tables: &[PlannedTable],
        shared: Option<&str>,
    ) -> QueryResult<Option<String>> {
        // A table that is rewritten after the snapshot was taken reads as empty. It cannot be from before that on.
        let tables: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
        conn.batch_execute(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '10s'; \
             SET LOCAL idle_in_transaction_session_timeout = '60s'; LOCK TABLE {} IN ACCESS SHARE MODE",
            tables.join(", ")
        ))?;
        match shared {
            // A name that the server has made.
            Some(name) => conn.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{name}'")).map(|()| None),
            None => Sql::new("SELECT pg_export_snapshot()").first(conn),
        }
    }

    /// Twice, since a transaction that was open at the first may have been prepared since: at the second it has a number.
    const FENCES: usize = 2;

    /// The number of a transaction that ends at once, and the virtual numbers of all that are open: those that have
    /// written nothing yet have no other.
    fn fence<C: Conn<Self>>(conn: &mut C) -> QueryResult<String> {
        Sql::new(FENCE).first(conn).map(Option::unwrap_or_default)
    }

    fn older_than<C: Conn<Self>>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>> {
        Sql::new(OLDER).bind(fence).column(conn)
    }

    const REPLICATION: Replication = Replication::KnownToAll;

    fn primary<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<Primary>> {
        replication::primary(conn).map(Some)
    }

    fn standings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<Standing>> {
        replication::standings(conn)
    }
}

fn push_key_cast(column: &KeyColumn, out: &mut AstPass<'_, '_, Pg>) {
    out.push_sql("::text::");
    out.push_sql(column.cast.as_deref().unwrap_or("text"));
}

/// The name as SQL has it.
fn quoted(table: &TableName) -> String {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let schema = table.schema().map(|schema| quote(schema) + ".");
    schema.unwrap_or_default() + &quote(table.name())
}

/// On this backend every row key is text.
fn text(value: &KeyValue) -> QueryResult<&String> {
    match value {
        KeyValue::Text(text) => Ok(text),
        _ => Err(DieselError::QueryBuilderError("a row key is not text".into())),
    }
}

const RELATION: &str = "\
    SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, \
           c.reltuples::float8 AS rows, row_security_active(c.oid) AS hides_rows, \
           EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = to_regclass($1)";

/// A domain is of the type that it is made of, however many domains are in between.
const COLUMNS: &str = "\
    WITH RECURSIVE base (num, type, basetype, modifier) AS ( \
        SELECT a.attnum, t.oid, t.typbasetype, CASE a.atttypmod WHEN -1 THEN t.typtypmod ELSE a.atttypmod END \
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
        WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped \
        UNION ALL \
        SELECT base.num, t.oid, t.typbasetype, CASE base.modifier WHEN -1 THEN t.typtypmod ELSE base.modifier END \
        FROM base JOIN pg_catalog.pg_type t ON t.oid = base.basetype \
    ) \
    SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type_name, t.typname::text AS base, \
           CASE WHEN t.typname IN ('varchar', 'bpchar') AND base.modifier > 4 THEN base.modifier - 4 END AS length, \
           a.attgenerated <> '' AS is_generated \
    FROM base JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attnum = base.num \
    JOIN pg_catalog.pg_type t ON t.oid = base.type \
    WHERE base.basetype = 0 ORDER BY a.attnum";

/// The columns of the primary key, else of a unique index that covers every row. The name of the type is that of
/// `pg_type`, since `character` and `bit` as casts mean one character and one bit.
const ROW_KEY: &str = "\
    SELECT a.attname::text AS name, quote_ident(tn.nspname) || '.' || quote_ident(t.typname) AS type_name \
    FROM ( \
        SELECT i.* FROM pg_catalog.pg_index i \
        WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
          AND NOT EXISTS ( \
              SELECT FROM pg_catalog.pg_attribute k \
              WHERE k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) AND NOT k.attnotnull) \
          AND NOT EXISTS ( \
              SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS x (num, collation_oid) \
              JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = x.num \
              WHERE k.attcollation <> x.collation_oid) \
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1 \
    ) i, unnest(i.indkey::int2[]) WITH ORDINALITY AS x (num, position) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attnum = x.num \
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace \
    WHERE x.position <= i.indnkeyatts ORDER BY x.position";

/// Not `pg_snapshot_xmax`: it can be past a transaction that still runs.
const FENCE: &str = "\
    SELECT pg_current_xact_id() || coalesce(',' || string_agg(DISTINCT virtualxid, ','), '') \
    FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()";

/// What was open at the fence and is not over: the sessions, and what is prepared and belongs to none. Left out is what
/// belongs to another database of the server, or ends while this is read, and what cannot write: the housekeeping of the
/// server, which has no user, and the senders of the log. Everybody may read these columns, unlike the type and the time
/// of the sessions of others.
const OLDER: &str = "\
    WITH fence AS (SELECT string_to_array(?::text, ',') AS numbers) \
    SELECT 'process ' || l.pid || ' of ' || coalesce(nullif(a.application_name, ''), a.usename, 'an unknown user') \
           || CASE WHEN a.backend_xid IS NULL THEN ', which has only read so far' ELSE '' END \
           || coalesce(', since ' || date_trunc('second', a.xact_start), '') \
    FROM fence JOIN pg_catalog.pg_locks l ON l.locktype = 'virtualxid' AND l.virtualxid = ANY (numbers[2:]) \
    JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
    WHERE l.pid <> pg_backend_pid() AND a.datname = current_database() AND a.usesysid IS NOT NULL \
      AND a.backend_type IS DISTINCT FROM 'walsender' \
    UNION \
    SELECT 'the prepared transaction ' || p.gid || ', since ' || date_trunc('second', p.prepared) \
    FROM fence, pg_snapshot_xip(pg_current_snapshot()) AS x \
    JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x::xid \
    WHERE x <= numbers[1]::xid8 AND p.database = current_database()";

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct Relation {
    #[diesel(sql_type = BigInt)]
    oid: i64,
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Double)]
    rows: f64,
    #[diesel(sql_type = Bool)]
    hides_rows: bool,
    #[diesel(sql_type = Bool)]
    has_children: bool,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = Text)]
    base: String,
    #[diesel(sql_type = Nullable<Integer>)]
    length: Option<i32>,
    #[diesel(sql_type = Bool)]
    is_generated: bool,
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
}
