//! MySQL and MariaDB: values typed at run time; a join with a table of parameters.

pub(crate) mod conversion;
pub(crate) mod effects;
pub(crate) mod estimate;
pub(crate) mod fence;
pub(crate) mod guard;
pub(crate) mod replication;
pub(crate) mod server;
pub(crate) mod swap;

use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::mysql::{Mysql, MysqlType};
use diesel::query_builder::AstPass;
use diesel::result::{Error as DieselError, OptionalExtension, QueryResult};
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Unsigned};
use diesel::{RunQueryDsl, sql_query};

use crate::database::checkpoint::Checkpoint;
use crate::database::connection::Conn;
use crate::database::dialect::{Dialect, push_column};
use crate::database::estimate::TableEstimate;
use crate::database::guard_kind::GuardKind;
use crate::database::plan::{PlannedColumn, PlannedTable};
use crate::database::replication::{Primary, Replication, Standing};
use crate::database::row::{Cell, Change, KeyValue, Row};
use crate::database::side_effects::SideEffects;
use crate::database::slots::{Slots, in_transaction};
use crate::database::sql::Sql;
use crate::database::table::{Catalogue, CatalogueColumn, KeyColumn};
use crate::fields::column::Form;
use crate::targets::TableName;

impl Dialect for Mysql {
    const BATCH: usize = 500;
    const MAX_BINDS: usize = 65_535;
    const ROW_VALUES: bool = false;
    const LOCKS_ROWS: bool = true;
    const FOLDS_CASE: bool = true;
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        // In REPEATABLE READ an update locks gaps between rows, and the application's inserts wait.
        // The name differs between MySQL and MariaDB.
        ("tx_isolation", "READ-COMMITTED"),
        ("transaction_isolation", "READ-COMMITTED"),
        // Not at all: a locked row makes the swap fail, which then leaves such rows out.
        ("innodb_lock_wait_timeout", NO_WAIT),
        // Of a page, which takes milliseconds. MariaDB's, in seconds.
        ("max_statement_time", "15"),
        // What a suspended process has locked is the application's again after so many seconds. MariaDB's.
        ("idle_write_transaction_timeout", "5"),
        // Without a strict mode a value that is too long is cut off without a word.
        ("sql_mode", "STRICT_ALL_TABLES"),
        // Without it everything would be rolled back at the end.
        ("autocommit", "1"),
        // By default a sort looks at the first 1024 bytes of a text only.
        ("max_sort_length", "IF(VERSION() LIKE '%MariaDB%', 8388608, 65536)"),
        // MySQL refuses a sort of which 15 rows do not fit into the buffer. Its indexes end at 3072 bytes.
        (
            "sort_buffer_size",
            "IF(VERSION() LIKE '%MariaDB%', @@sort_buffer_size, CAST(GREATEST(@@sort_buffer_size, 16777216) AS UNSIGNED))",
        ),
        // The messages by which a lock is known.
        ("lc_messages", "en_US"),
        // A TIMESTAMP in a row key must come back as the same moment.
        ("time_zone", "+00:00"),
    ];

    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        let mut settings: Vec<(String, String)> = Vec::new();
        for (name, _) in Self::SETTINGS {
            let setting = sql_query(format!("SHOW SESSION VARIABLES WHERE Variable_name = '{name}'"));
            let setting = setting.get_result::<Setting>(conn).optional()?;
            settings.extend(setting.map(|setting| (setting.name, setting.value)));
        }
        Ok(settings)
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        let value = match value.parse::<f64>() {
            Err(_) if !value.starts_with("IF(") => format!("'{}'", value.replace('\'', "''")),
            // A number in quotes is refused for a numeric variable.
            _ => value.to_owned(),
        };
        sql_query(format!("SET SESSION {name} = {value}")).execute(conn).map(drop)
    }

    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>> {
        let named = sql_query(TABLE).bind::<Nullable<Text>, _>(table.schema()).bind::<Text, _>(table.name());
        let Some(relation) = named.get_result::<Relation>(conn).optional()? else { return Ok(None) };
        let columns = sql_query(COLUMNS).bind::<Text, _>(&relation.schema).bind::<Text, _>(&relation.name);
        let columns = columns.load::<ColumnRow>(conn)?;
        let keys = sql_query(UNIQUE_INDEXES).bind::<Text, _>(&relation.schema).bind::<Text, _>(&relation.name);
        let keys = keys.load::<IndexRow>(conn)?;
        let obstacle = match relation.engine.as_deref() {
            _ if relation.kind != "BASE TABLE" => {
                Some("it is not a base table: name the table that holds the data".to_owned())
            }
            // The others have no snapshot to read, and do not tell which transactions are open.
            Some("InnoDB") => None,
            engine => Some(format!("its storage engine is {}: convert it to InnoDB", engine.unwrap_or("not known"))),
        };
        let (index, row_key) = row_key(&keys, &columns).unzip();
        Ok(Some(Catalogue {
            row_key: row_key.unwrap_or_default(),
            index,
            name: TableName::in_schema(relation.schema, relation.name),
            obstacle,
            columns: columns.into_iter().map(ColumnRow::into_catalogue).collect(),
            rows: relation.rows.and_then(|rows| rows.try_into().ok()),
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

    const WITHOUT_TRIGGERS: &'static str = "drop them while it runs; the application does without them, too, then";

    fn is_lock_conflict(message: &str) -> bool {
        message.starts_with("Lock wait timeout exceeded") || message.starts_with("Deadlock found")
    }

    fn is_timeout(message: &str) -> bool {
        message.starts_with("Query execution was interrupted (max_statement_time")
    }

    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        let (before, after) = match column {
            KeyColumn { cast: Some(_), .. } => ("CAST(", " AS CHAR)"),
            // With a binary collation the driver takes text for bytes, which sort otherwise.
            KeyColumn { is_text: true, .. } => ("CONVERT(", " USING utf8mb4)"),
            _ => ("", ""),
        };
        out.push_sql(before);
        push_column(&column.name, out)?;
        out.push_sql(after);
        Ok(())
    }

    fn push_cell_output(column: &str, _is_text: bool, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(column, out)
    }

    fn push_key<'b>(value: &'b KeyValue, column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        push_slot_key(value, column, false, out)
    }

    fn read_key(value: Self::RawValue<'_>) -> deserialize::Result<KeyValue> {
        use MysqlType as Type;
        match value.value_type() {
            Type::Tiny | Type::Short | Type::Long | Type::LongLong => {
                <i64 as FromSql<BigInt, Self>>::from_sql(value).map(KeyValue::Int)
            }
            Type::UnsignedTiny | Type::UnsignedShort | Type::UnsignedLong | Type::UnsignedLongLong => {
                <u64 as FromSql<Unsigned<BigInt>, Self>>::from_sql(value).map(KeyValue::UInt)
            }
            Type::Blob => Ok(KeyValue::Bytes(value.as_bytes().to_vec())),
            Type::String => Ok(KeyValue::Text(String::from_utf8(value.as_bytes().to_vec())?)),
            other => Err(format!("a row key of the type {other:?} cannot be read").into()),
        }
    }

    fn read_cell(value: Self::RawValue<'_>) -> deserialize::Result<Cell> {
        Ok(Cell { bytes: value.as_bytes().to_vec(), is_text: value.value_type() != MysqlType::Blob })
    }

    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<Checkpoint<'_>>,
        skips_locked: bool,
    ) -> QueryResult<Option<usize>> {
        // Diesel connects with CLIENT_FOUND_ROWS: the count is of the rows that matched.
        let slots = |changes| Slots::new(table, changes, Self::BATCH, table.max_rows(Self::MAX_BINDS));
        if !skips_locked && checkpoint.is_none() {
            return slots(changes).execute(conn).map(Some);
        }
        in_transaction(conn, checkpoint, |conn| {
            if !skips_locked {
                return slots(changes).execute(conn);
            }
            // MariaDB takes no wait at all for an error of the commit when it is to skip a row. It does not wait.
            Self::set(conn, "innodb_lock_wait_timeout", "1")?;
            let free = swap::Lock { table, changes }.load::<Row>(conn);
            Self::set(conn, "innodb_lock_wait_timeout", NO_WAIT)?;
            let free = free?;
            let is_free = |change: &&Change| free.iter().any(|row| row.key == change.key);
            let free: Vec<Change> = changes.iter().filter(is_free).cloned().collect();
            if free.is_empty() {
                return Ok(0);
            }
            Slots::new(table, &free, Self::BATCH, table.max_rows(Self::MAX_BINDS)).execute(conn)
        })
    }

    /// MySQL cannot be told to wait for less than a second.
    fn waits_for_rows<C: Conn<Self>>(conn: &mut C) -> QueryResult<bool> {
        let timeout = Sql::new("SELECT CAST(@@innodb_lock_wait_timeout AS CHAR)").first(conn)?;
        Ok(timeout.as_deref() != Some("0"))
    }

    const PATIENT: (&'static str, &'static str) = ("innodb_lock_wait_timeout", "10");
    const NOW: &'static str = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS UNSIGNED)";
    const TEXT: &'static str = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
    const SHARES: bool = true;

    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text)
    }

    fn read_text(value: Self::RawValue<'_>) -> deserialize::Result<String> {
        Ok(String::from_utf8(value.as_bytes().to_vec())?)
    }

    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        _tables: &[PlannedTable],
        _shared: Option<&str>,
    ) -> QueryResult<Option<String>> {
        conn.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
        conn.batch_execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").map(|()| None)
    }

    fn fence<C: Conn<Self>>(conn: &mut C) -> QueryResult<String> {
        fence::fence(conn)
    }

    fn older_than<C: Conn<Self>>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>> {
        fence::older_than(conn, fence)
    }

    const REPLICATION: Replication = Replication::KnownToReplicas;

    fn primary<C: Conn<Self>>(_: &mut C) -> QueryResult<Option<Primary>> {
        Ok(None)
    }

    fn standings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<Standing>> {
        replication::standings(conn)
    }
}

/// A value of the row key, or for a spare slot a `NULL` of its type.
fn push_slot_key<'b>(
    value: &'b KeyValue,
    column: &'b KeyColumn,
    is_spare: bool,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    if column.cast.is_some() {
        out.push_sql("CAST(");
    }
    match (value, is_spare) {
        (KeyValue::Int(value), false) => out.push_bind_param::<BigInt, _>(value)?,
        (KeyValue::Int(_), true) => out.push_bind_param::<Nullable<BigInt>, _>(&None::<i64>)?,
        (KeyValue::UInt(value), false) => out.push_bind_param::<Unsigned<BigInt>, _>(value)?,
        (KeyValue::UInt(_), true) => out.push_bind_param::<Nullable<Unsigned<BigInt>>, _>(&None::<u64>)?,
        (KeyValue::Text(value), false) => out.push_bind_param::<Text, _>(value)?,
        (KeyValue::Text(_), true) => out.push_bind_param::<Nullable<Text>, _>(&None::<&str>)?,
        (KeyValue::Bytes(value), false) => out.push_bind_param::<Binary, _>(value)?,
        (KeyValue::Bytes(_), true) => out.push_bind_param::<Nullable<Binary>, _>(&None::<&[u8]>)?,
        (KeyValue::Real(_), _) => {
            return Err(DieselError::QueryBuilderError("a row key is a floating point number".into()));
        }
    }
    if let Some(cast) = &column.cast {
        out.push_sql(&format!(" AS {cast})"));
    }
    Ok(())
}

/// The name of the primary key, else of a unique index, whose types compare as they sort; and its columns.
fn row_key(indexes: &[IndexRow], columns: &[ColumnRow]) -> Option<(String, Vec<KeyColumn>)> {
    let same_index = |a: &IndexRow, b: &IndexRow| a.index_name == b.index_name;
    indexes.chunk_by(same_index).find_map(|index| {
        let keys = index.iter().map(|part| part.key_column(columns)).collect::<Option<Vec<_>>>()?;
        Some((index.first()?.index_name.clone(), keys))
    })
}

impl IndexRow {
    /// `Some` if the column can be part of a row key.
    ///
    /// An `ENUM` sorts by number and compares by name, and a `FLOAT` is not what it shows: both would skip rows.
    fn key_column(&self, columns: &[ColumnRow]) -> Option<KeyColumn> {
        let column = columns.iter().find(|column| Some(&column.name) == self.column_name.as_ref())?;
        if column.is_nullable {
            return None;
        }
        let is_text = column.form() == Some(Form::Text);
        let cast = match column.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => None,
            _ if column.form().is_some() => None,
            "date" => Some("DATE".into()),
            "time" => Some("TIME(6)".into()),
            "datetime" | "timestamp" => Some("DATETIME(6)".into()),
            "decimal" | "uuid" | "inet4" | "inet6" => {
                Some(column.column_type.replace(" unsigned", "").replace(" zerofill", ""))
            }
            _ => return None,
        };
        Some(KeyColumn { name: column.name.clone(), cast, is_text })
    }
}

impl ColumnRow {
    fn form(&self) -> Option<Form> {
        Form::of_mysql(&self.data_type)
    }

    fn into_catalogue(self) -> CatalogueColumn {
        CatalogueColumn {
            form: self.form(),
            name: self.name,
            type_name: self.column_type,
            limit: self.length.and_then(|length| length.try_into().ok()),
            is_padded: matches!(&*self.data_type, "binary" | "char"),
            // `DEFAULT_GENERATED` is a default that is an expression.
            is_generated: self.extra.split_whitespace().any(|word| word == "GENERATED"),
            changes_on_update: self.extra.contains("on update"),
        }
    }
}

/// MySQL waits for a second at least, and refuses 0.
const NO_WAIT: &str = "IF(VERSION() LIKE '%MariaDB%', 0, 1)";

const TABLE: &str = "\
    SELECT CAST(table_schema AS CHAR) AS `schema`, CAST(table_name AS CHAR) AS name, \
           CAST(table_type AS CHAR) AS kind, CAST(engine AS CHAR) AS engine, CAST(table_rows AS SIGNED) AS `rows` \
    FROM information_schema.tables WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

const COLUMNS: &str = "\
    SELECT CAST(column_name AS CHAR) AS name, LOWER(CAST(data_type AS CHAR)) AS data_type, \
           CAST(column_type AS CHAR) AS column_type, CAST(character_maximum_length AS SIGNED) AS length, CAST(extra AS CHAR) AS extra, is_nullable = 'YES' AS is_nullable \
    FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";

const UNIQUE_INDEXES: &str = "\
    SELECT CAST(index_name AS CHAR) AS index_name, CAST(column_name AS CHAR) AS column_name \
    FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? AND non_unique = 0 \
    ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index";

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text, column_name = "Variable_name")]
    name: String,
    #[diesel(sql_type = Text, column_name = "Value")]
    value: String,
}

#[derive(QueryableByName)]
struct Relation {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    engine: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    rows: Option<i64>,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    data_type: String,
    #[diesel(sql_type = Text)]
    column_type: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    length: Option<i64>,
    #[diesel(sql_type = Text)]
    extra: String,
    #[diesel(sql_type = Bool)]
    is_nullable: bool,
}

#[derive(QueryableByName)]
struct IndexRow {
    #[diesel(sql_type = Text)]
    index_name: String,
    /// `NULL` for an index on an expression.
    #[diesel(sql_type = Nullable<Text>)]
    column_name: Option<String>,
}
