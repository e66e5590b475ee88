//! SQLite: values typed one by one; an update from a list of values.

pub(crate) mod conversion;
pub(crate) mod effects;
pub(crate) mod estimate;
pub(crate) mod guard;

use diesel::deserialize::{self, QueryableByName};
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{Error, OptionalExtension, QueryResult};
use diesel::sql_types::{BigInt, Binary, Bool, Double, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteType};
use diesel::{RunQueryDsl, sql_query};

use crate::database::checkpoint::Checkpoint;
use crate::database::connection::Conn;
use crate::database::dialect::{
    Dialect, push_all, push_assignments, push_column, push_key_match, push_table, value_names,
};
use crate::database::estimate::TableEstimate;
use crate::database::guard_kind::GuardKind;
use crate::database::plan::{PlannedColumn, PlannedTable};
use crate::database::replication::{Primary, Replication, Standing};
use crate::database::row::{Cell, Change, KeyValue};
use crate::database::side_effects::SideEffects;
use crate::database::slots::{Slots, in_transaction, text};
use crate::database::table::{Catalogue, CatalogueColumn, KeyColumn};
use crate::fields::column::Form;
use crate::targets::TableName;

impl Dialect for Sqlite {
    const BATCH: usize = 1000;
    const MAX_BINDS: usize = 32_766;
    const ROW_VALUES: bool = true;
    const LOCKS_ROWS: bool = false;
    const FOLDS_CASE: bool = true;
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        // One writer at a time: wait for the application's, in milliseconds.
        ("busy_timeout", "5000"),
    ];

    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        let setting: Setting = sql_query("PRAGMA busy_timeout").get_result(conn)?;
        Ok(vec![("busy_timeout".into(), setting.timeout.to_string())])
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        conn.batch_execute(&format!("PRAGMA {name} = {value}"))
    }

    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>> {
        let schema = table.schema().unwrap_or("main").to_owned();
        let master = format!("\"{}\".sqlite_master", schema.replace('"', "\"\""));
        // An unknown schema is an error to SQLite; for the task it is a table that does not exist.
        let schemas: Vec<Schema> = sql_query("SELECT name FROM pragma_database_list").load(conn)?;
        if !schemas.iter().any(|known| known.name.eq_ignore_ascii_case(&schema)) {
            return Ok(None);
        }
        let relation = sql_query(format!(
            "SELECT name, type AS kind, coalesce(sql, '') LIKE 'create virtual%' AS is_virtual, \
                    coalesce(sql, '') AS sql FROM {master} \
             WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE"
        ));
        let relation = relation.bind::<Text, _>(table.name()).get_result::<Relation>(conn).optional()?;
        let Some(relation) = relation else { return Ok(None) };
        let columns = sql_query(COLUMNS).bind::<Text, _>(&relation.name).bind::<Text, _>(&schema);
        let columns = columns.load::<ColumnRow>(conn)?;
        let mut obstacle = None;
        if relation.kind != "table" || relation.is_virtual {
            obstacle = Some("it is not an ordinary table: name the table that holds the data".into());
        } else if has_own_collation(&relation.sql) {
            obstacle = Some(
                "its primary key has a collation of its own, in which rows are equal that are not, or the reverse: give \
                 the collation to the column"
                    .into(),
            );
        }
        Ok(Some(Catalogue {
            name: match table.schema() {
                Some(schema) => TableName::in_schema(schema, relation.name),
                None => TableName::new(relation.name),
            },
            obstacle,
            row_key: row_key(&columns),
            index: None,
            columns: columns.into_iter().map(ColumnRow::into_catalogue).collect(),
            rows: None,
        }))
    }

    fn rows<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Option<u64>> {
        let (schema, name) = (table.name.schema().unwrap_or("main"), table.name.name());
        let count = sql_query(format!("SELECT count(*) AS count FROM {}.{}", quoted(schema), quoted(name)));
        Ok(count.get_result::<Count>(conn)?.count.try_into().ok())
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

    /// Not asked for: there are no limits.
    fn longest_plaintext<C: Conn<Self>>(_: &mut C, _: &TableName, _: &PlannedColumn) -> QueryResult<Option<u64>> {
        Ok(None)
    }

    fn guard<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
        guard::guard(conn, table, column)
    }

    const WITHOUT_TRIGGERS: &'static str = "drop them while it runs; the application does without them, too, then";

    fn is_lock_conflict(message: &str) -> bool {
        message.contains("locked")
    }

    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(&column.name, out)
    }

    fn push_cell_output(column: &str, _is_text: bool, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(column, out)
    }

    fn push_key<'b>(value: &'b KeyValue, _column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        push_slot_key(value, false, out)
    }

    fn read_key(mut value: Self::RawValue<'_>) -> deserialize::Result<KeyValue> {
        match value.value_type() {
            Some(SqliteType::Text) => match value.read_text() {
                // Diesel puts this character for bytes that are not UTF-8: it would be another key.
                text if text.contains('\u{FFFD}') => Err("a row key is not UTF-8 text".into()),
                text => Ok(KeyValue::Text(text.to_owned())),
            },
            Some(SqliteType::Binary) => Ok(KeyValue::Bytes(value.read_blob().to_vec())),
            Some(SqliteType::Float | SqliteType::Double) => Ok(KeyValue::Real(value.read_double())),
            Some(SqliteType::SmallInt | SqliteType::Integer | SqliteType::Long) => Ok(KeyValue::Int(value.read_long())),
            None => Err("a row key is NULL".into()),
        }
    }

    fn read_cell(mut value: Self::RawValue<'_>) -> deserialize::Result<Cell> {
        let is_text = value.value_type() != Some(SqliteType::Binary);
        let bytes = if is_text { value.read_text().as_bytes().to_vec() } else { value.read_blob().to_vec() };
        Ok(Cell { bytes, is_text })
    }

    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<Checkpoint<'_>>,
        _skips_locked: bool,
    ) -> QueryResult<Option<usize>> {
        let slots = Slots::new(table, changes, Self::BATCH, table.max_rows(Self::MAX_BINDS));
        match checkpoint {
            None => slots.execute(conn).map(Some),
            Some(_) => in_transaction(conn, checkpoint, |conn| slots.execute(conn)),
        }
    }

    /// There are no locks of rows.
    fn waits_for_rows<C: Conn<Self>>(_conn: &mut C) -> QueryResult<bool> {
        Ok(false)
    }

    const PATIENT: (&'static str, &'static str) = ("busy_timeout", "10000");
    const NOW: &'static str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
    const TEXT: &'static str = "TEXT";
    const SHARES: bool = false;

    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text)
    }

    fn read_text(mut value: Self::RawValue<'_>) -> deserialize::Result<String> {
        Ok(value.read_text().to_owned())
    }

    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        _tables: &[PlannedTable],
        _shared: Option<&str>,
    ) -> QueryResult<Option<String>> {
        // The snapshot is that of the first read.
        conn.batch_execute("BEGIN; SELECT 1 FROM sqlite_master LIMIT 1").map(|()| None)
    }

    fn fence<C: Conn<Self>>(_conn: &mut C) -> QueryResult<String> {
        Ok(String::new())
    }

    /// There is one writer at a time: whoever becomes it knows that all before are done.
    fn older_than<C: Conn<Self>>(conn: &mut C, _fence: &str) -> QueryResult<Vec<String>> {
        match conn.batch_execute("BEGIN IMMEDIATE; COMMIT") {
            Err(Error::DatabaseError(_, info)) if Self::is_lock_conflict(info.message()) => {
                Ok(vec!["the one that is writing".into()])
            }
            result => result.map(|()| Vec::new()),
        }
    }

    const REPLICATION: Replication = Replication::None;

    fn primary<C: Conn<Self>>(_: &mut C) -> QueryResult<Option<Primary>> {
        Ok(None)
    }

    fn standings<C: Conn<Self>>(_: &mut C) -> QueryResult<Vec<Standing>> {
        Ok(Vec::new())
    }
}

/// `WITH v AS (VALUES (?, …), …) UPDATE t SET column = new FROM v WHERE key = … AND column IS old`
impl QueryFragment<Sqlite> for Slots<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let PlannedTable { name, columns, .. } = self.table;
        out.push_sql("WITH v (");
        out.push_sql(&value_names(self.table));
        out.push_sql(") AS (VALUES ");
        push_all(self.iter(), ", ", &mut out, |(change, is_spare), out| {
            out.push_sql("(");
            push_all(&change.key, ", ", out, |value, out| push_slot_key(value, is_spare, out))?;
            for swap in &change.swaps {
                let swap = swap.as_ref().filter(|_| !is_spare);
                for cell in [swap.map(|swap| &swap.old), swap.map(|swap| &swap.new)] {
                    out.push_sql(", ");
                    match cell {
                        // The type of a value is its own: text is never equal to a blob.
                        Some(Cell { bytes, is_text: true }) => out.push_bind_param::<Text, _>(text(bytes)?)?,
                        Some(Cell { bytes, is_text: false }) => out.push_bind_param::<Binary, _>(bytes)?,
                        None => out.push_bind_param::<Nullable<Text>, _>(&None::<&str>)?,
                    }
                }
            }
            out.push_sql(")");
            Ok(())
        })?;
        out.push_sql(") UPDATE ");
        push_table(name, &mut out)?;
        out.push_sql(" AS t SET ");
        push_assignments(self.table, |name, out| out.push_identifier(name), &mut out)?;
        out.push_sql(" FROM v WHERE ");
        push_key_match(self.table, |_, _| {}, &mut out)?;
        for (index, column) in columns.iter().enumerate() {
            out.push_sql(&format!(" AND (v.n{index} IS NULL OR "));
            push_column(&column.name, &mut out)?;
            // Byte for byte, whatever collation the column was declared with.
            out.push_sql(&format!(" = v.o{index} COLLATE BINARY)"));
        }
        Ok(())
    }
}

/// A value of the row key, or `NULL` for a spare slot.
fn push_slot_key<'b>(value: &'b KeyValue, is_spare: bool, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
    match value {
        _ if is_spare => out.push_bind_param::<Nullable<BigInt>, _>(&None::<i64>),
        KeyValue::Int(value) => out.push_bind_param::<BigInt, _>(value),
        KeyValue::Real(value) => out.push_bind_param::<Double, _>(value),
        KeyValue::Text(value) => out.push_bind_param::<Text, _>(value),
        KeyValue::Bytes(value) => out.push_bind_param::<Binary, _>(value),
        // SQLite has no unsigned integers.
        KeyValue::UInt(_) => Err(Error::QueryBuilderError("a row key is unsigned".into())),
    }
}

/// The primary key if it cannot be `NULL`, which SQLite allows in most primary keys; else the row id.
fn row_key(columns: &[ColumnRow]) -> Vec<KeyColumn> {
    let key = |name: &str| KeyColumn { name: name.to_owned(), cast: None, is_text: false };
    let mut primary: Vec<&ColumnRow> = columns.iter().filter(|column| column.position > 0).collect();
    primary.sort_by_key(|column| column.position);
    let is_row_id = matches!(primary.as_slice(), [column] if column.declared.eq_ignore_ascii_case("integer"));
    if !primary.is_empty() && (is_row_id || primary.iter().all(|column| column.is_not_null)) {
        return primary.into_iter().map(|column| key(&column.name)).collect();
    }
    let taken = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    ["rowid", "_rowid_", "oid"].into_iter().find(|name| !taken(name)).map(key).into_iter().collect()
}

impl ColumnRow {
    fn into_catalogue(self) -> CatalogueColumn {
        CatalogueColumn {
            name: self.name,
            form: Form::of_sqlite(&self.declared),
            type_name: self.declared,
            // Lengths are not enforced.
            limit: None,
            is_padded: false,
            is_generated: self.hidden > 1,
            changes_on_update: false,
        }
    }
}

/// Whether a primary key sorts otherwise than its columns compare: pages would skip rows.
fn has_own_collation(sql: &str) -> bool {
    let sql = sql.to_ascii_uppercase();
    let mut keys = sql.split("PRIMARY KEY").skip(1).map(str::trim_start).filter_map(|rest| rest.strip_prefix('('));
    keys.any(|columns| columns.split(')').next().is_some_and(|columns| columns.contains("COLLATE")))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const COLUMNS: &str = "\
    SELECT name, type AS declared, \"notnull\" AS is_not_null, pk AS position, hidden FROM pragma_table_xinfo(?, ?)";

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = BigInt)]
    timeout: i64,
}

#[derive(QueryableByName)]
struct Schema {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Relation {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    is_virtual: bool,
    #[diesel(sql_type = Text)]
    sql: String,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = Bool)]
    is_not_null: bool,
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = BigInt)]
    hidden: i64,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}
