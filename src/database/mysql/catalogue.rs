//! The catalogue of MySQL and MariaDB: one table for the task, or whole databases.

use std::collections::BTreeMap;

use diesel::deserialize::QueryableByName;
use diesel::mysql::Mysql;
use diesel::result::{OptionalExtension, QueryResult};
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::mysql::server::{is_mariadb, unescaped};
use crate::database::{
    Catalogue, CatalogueColumn, CatalogueReader, Conn, Encoding, IndexKey, KeyColumn, Relation, Sql, Trigger,
};
use crate::fields::Form;
use crate::targets::TableName;

impl CatalogueReader for Mysql {
    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>> {
        let named = sql_query(TABLE).bind::<Nullable<Text>, _>(table.schema()).bind::<Text, _>(table.name());
        let Some(relation) = named.get_result::<TableRow>(conn).optional()? else { return Ok(None) };
        let of_table = COLUMNS.replace("(RELATIONS)", "table_schema = ? AND table_name = ?");
        let columns = Sql::new(of_table).bind(&relation.schema).bind(&relation.name).texts(conn)?;
        let columns: Vec<ColumnRow> = columns.into_iter().map(|row| ColumnRow::new(row).1).collect();
        let unique_indexes = UNIQUE_INDEXES.replace("IS_IGNORED", is_ignored(conn)?);
        let keys = Sql::new(unique_indexes).bind(&relation.schema).bind(&relation.name).texts(conn)?;
        let obstacle = match relation.engine.as_deref() {
            _ if relation.kind != "BASE TABLE" => {
                Some("it is not a base table: name the table that holds the data".to_owned())
            }
            // Other engines have no snapshot to read, and do not show which transactions are open.
            Some("InnoDB") => None,
            engine => Some(format!("its storage engine is {}: convert it to InnoDB", engine.unwrap_or("not known"))),
        };
        let (index, row_key) = row_key(&keys, &columns).unzip();
        let unusable_key = if row_key.is_none() { unusable_key(&keys, &columns) } else { None };
        Ok(Some(Catalogue {
            row_key: row_key.unwrap_or_default(),
            unusable_key,
            index,
            name: TableName::in_schema(relation.schema, relation.name),
            obstacle,
            columns: columns.into_iter().map(ColumnRow::into_catalogue).collect(),
            rows: relation.rows.and_then(|rows| rows.try_into().ok()),
            identity: None,
            only: false,
        }))
    }

    fn relations<C: Conn<Self>>(conn: &mut C, schemas: &[&str]) -> QueryResult<Vec<Relation>> {
        let is_mariadb = is_mariadb(conn)?;
        let mut relations = BTreeMap::new();
        for row in load(conn, RELATIONS, schemas)? {
            let [schema, name, kind, is_in_reach] = row;
            let key = (schema.clone(), name.clone());
            let name = TableName::in_schema(schema, name);
            let relation = match kind.as_str() {
                "BASE TABLE" => Relation::new(name),
                "VIEW" => Relation::view(name, "a view"),
                // This is a table with a history, which has rows of its own.
                kind => Relation { is_own: true, ..Relation::view(name, format!("a table of the kind {kind}")) },
            };
            relations.insert(key, Relation { is_in_reach: is_in_reach == "1", ..relation });
        }
        for row in load(conn, &COLUMNS.replace("(RELATIONS)", "table_schema IN (SCHEMAS)"), schemas)? {
            let (table, row) = ColumnRow::new(row);
            if let Some(relation) = relations.get_mut(&table).filter(|relation: &&mut Relation| relation.is_own) {
                relation.columns.push(row.into_catalogue());
            }
        }
        // MariaDB has no indexes on expressions.
        let expression = if is_mariadb { "NULL" } else { "expression" };
        for row in load(conn, &INDEXES.replace("EXPRESSION", expression), schemas)? {
            let [schema, table, index, is_unique, column, expression] = row;
            let Some(relation) = relations.get_mut(&(schema, table)) else { continue };
            if index == "PRIMARY" {
                relation.key.push(column.clone());
            }
            let key = if expression.is_empty() {
                IndexKey::Column(column)
            } else {
                IndexKey::Expression(unescaped(&expression))
            };
            relation.add_index_key(index, is_unique == "1", key);
        }
        for row in load(conn, TRIGGERS, schemas)? {
            let [schema, table, name, statement] = row;
            let Some(relation) = relations.get_mut(&(schema, table)) else { continue };
            let second_reading = (!is_mariadb).then(|| without_delimiters(&statement));
            relation.triggers.push(Trigger { name, definition: statement, second_reading, ..Trigger::default() });
        }
        let privileges: Vec<[String; 2]> = load(conn, TRIGGER_PRIVILEGES, schemas)?;
        for ((schema, table), relation) in &mut relations {
            let is_shown = |[granted_schema, granted_table]: &[String; 2]| {
                (granted_schema.is_empty() || granted_schema == schema)
                    && (granted_table.is_empty() || granted_table == table)
            };
            relation.hides_triggers = !privileges.iter().any(is_shown);
        }
        Ok(relations.into_values().collect())
    }
}

/// Removes the delimiters, so that the words in literals and comments count, too. MySQL shows `'it\'s'` as `'it's'`, so
/// the end of a literal is unknown.
fn without_delimiters(statement: &str) -> String {
    ["'", "\"", "#", "--", "/*", "*/"].iter().fold(statement.to_owned(), |text, sign| text.replace(sign, " "))
}

/// Loads rows of `N` texts about the tables of these databases.
fn load<C: Conn<Mysql>, const N: usize>(conn: &mut C, sql: &str, schemas: &[&str]) -> QueryResult<Vec<[String; N]>> {
    let list = format!("(coalesce(DATABASE(), ''){})", ", ?".repeat(schemas.len()));
    let sql = Sql::new(sql.replace("(SCHEMAS)", &list));
    schemas.iter().fold(sql, |sql, schema| sql.bind(schema)).texts(conn)
}

/// The name and the columns of the primary key, or else of a unique index. The types of the columns must compare as
/// they sort. The optimizer must not ignore the index: no statement can name it then.
fn row_key(keys: &[[String; 3]], columns: &[ColumnRow]) -> Option<(String, Vec<KeyColumn>)> {
    keys.chunk_by(|[a, ..], [b, ..]| a == b).find_map(|index| {
        let column = |[_, name, is_ignored]: &[String; 3]| {
            let column = columns.iter().find(|column| column.name == *name);
            column.filter(|_| is_ignored != "1")?.key_column()
        };
        Some((index.first()?[0].clone(), index.iter().map(column).collect::<Option<_>>()?))
    })
}

/// Why the first index that could identify rows is not the row key.
fn unusable_key(keys: &[[String; 3]], columns: &[ColumnRow]) -> Option<String> {
    keys.iter().find_map(|[index, name, is_ignored]| {
        let of_index = if index == "PRIMARY" { "its primary key".into() } else { format!("its unique index {index}") };
        if is_ignored == "1" {
            return Some(format!("the optimizer ignores {of_index}, as an earlier ALTER TABLE asked for"));
        }
        let Some(column) = columns.iter().find(|column| column.name == *name) else {
            return Some(format!("{of_index} contains an expression"));
        };
        if column.is_nullable {
            return Some(format!("the column {name} in {of_index} may be NULL"));
        }
        let type_name = &column.column_type;
        column.key_column().is_none().then(|| {
            format!(
                "{of_index} contains the column {name} of the type {type_name}, whose values do not compare as they sort"
            )
        })
    })
}

/// The condition for an index that the optimizer ignores, on servers that have such indexes.
fn is_ignored<C: Conn<Mysql>>(conn: &mut C) -> QueryResult<&'static str> {
    let columns = Sql::new(STATISTICS).column(conn)?;
    Ok(match columns.first().map(|name| name.to_ascii_lowercase()).as_deref() {
        Some("ignored") => "ignored = 'YES'",
        Some(_) => "is_visible = 'NO'",
        None => "0",
    })
}

impl ColumnRow {
    /// The column in a row of [`COLUMNS`], and the schema and the name of its table.
    fn new(row: [String; 10]) -> ((String, String), Self) {
        let [schema, table, name, data_type, column_type, length, extra, is_nullable, charset, collation] = row;
        let is_nullable = is_nullable == "YES";
        let encoding = Some(Encoding { charset, collation }).filter(|encoding| !encoding.charset.is_empty());
        let length = length.parse().ok();
        ((schema, table), Self { name, data_type, column_type, length, extra, is_nullable, encoding })
    }

    fn form(&self) -> Option<Form> {
        Form::of_mysql(&self.data_type)
    }

    /// `Some` if the column can be part of a row key.
    ///
    /// An `ENUM` sorts by number and compares by name. A `FLOAT` differs from the text that shows it. Both would skip rows.
    fn key_column(&self) -> Option<KeyColumn> {
        if self.is_nullable {
            return None;
        }
        let cast = match self.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => None,
            _ if self.form().is_some() => None,
            "date" => Some("DATE".into()),
            "time" => Some("TIME(6)".into()),
            "datetime" | "timestamp" => Some("DATETIME(6)".into()),
            "decimal" | "uuid" | "inet4" | "inet6" => {
                Some(self.column_type.replace(" unsigned", "").replace(" zerofill", ""))
            }
            _ => return None,
        };
        let encoding = self.encoding.clone().filter(|_| self.form() == Some(Form::Text));
        Some(KeyColumn { cast, encoding, ..KeyColumn::plain(&self.name) })
    }

    fn into_catalogue(self) -> CatalogueColumn {
        CatalogueColumn {
            form: self.form(),
            name: self.name,
            type_name: self.column_type,
            limit: self.length,
            is_padded: matches!(&*self.data_type, "binary" | "char"),
            // `DEFAULT_GENERATED` is a default that is an expression.
            is_generated: self.extra.split_whitespace().any(|word| word == "GENERATED"),
            changes_on_update: self.extra.contains("on update"),
            is_array: false,
            takes_anything: false,
            number: None,
            may_be_guarded: true,
        }
    }
}

const TABLE: &str = "\
    SELECT CAST(table_schema AS CHAR) AS `schema`, CAST(table_name AS CHAR) AS name, \
           CAST(table_type AS CHAR) AS kind, CAST(engine AS CHAR) AS engine, CAST(table_rows AS SIGNED) AS `rows` \
    FROM information_schema.tables WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

const RELATIONS: &str = "\
    SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(table_type AS CHAR), \
           CAST(table_schema = DATABASE() AS CHAR) \
    FROM information_schema.tables WHERE table_schema IN (SCHEMAS)";

const COLUMNS: &str = "\
    SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
           LOWER(CAST(data_type AS CHAR)), CAST(column_type AS CHAR), CAST(character_maximum_length AS CHAR), \
           CAST(extra AS CHAR), CAST(is_nullable AS CHAR), \
           CAST(character_set_name AS CHAR), CAST(collation_name AS CHAR) \
    FROM information_schema.columns WHERE (RELATIONS) \
    ORDER BY table_schema, table_name, ordinal_position";

/// The name of a column is `NULL` for an index on an expression.
const UNIQUE_INDEXES: &str = "\
    SELECT CAST(index_name AS CHAR) AS index_name, CAST(column_name AS CHAR) AS column_name, \
           CAST(IS_IGNORED AS CHAR) AS is_ignored \
    FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? AND non_unique = 0 \
    ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index";

/// The column for indexes that the optimizer ignores: of MariaDB, or of MySQL.
const STATISTICS: &str = "\
    SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
    WHERE table_schema = 'information_schema' AND table_name = 'STATISTICS' AND column_name IN ('IGNORED', 'IS_VISIBLE')";

const INDEXES: &str = "\
    SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(index_name AS CHAR), \
           CAST(non_unique = 0 AS CHAR), CAST(column_name AS CHAR), CAST(EXPRESSION AS CHAR) \
    FROM information_schema.statistics WHERE table_schema IN (SCHEMAS) \
    ORDER BY table_schema, table_name, index_name, seq_in_index";

const TRIGGERS: &str = "\
    SELECT CAST(event_object_schema AS CHAR), CAST(event_object_table AS CHAR), CAST(trigger_name AS CHAR), \
           CAST(action_statement AS CHAR) \
    FROM information_schema.triggers WHERE event_object_schema IN (SCHEMAS) \
    ORDER BY event_object_schema, event_object_table, trigger_name";

/// The tables whose triggers this user can see: all tables, the tables of a database, or single tables. A pattern for
/// databases stands for each database that it matches.
const TRIGGER_PRIVILEGES: &str = "\
    SELECT '', '' FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER' \
    UNION \
    SELECT CAST(s.schema_name AS CHAR), '' \
    FROM information_schema.schema_privileges p JOIN information_schema.schemata s ON s.schema_name LIKE p.table_schema \
    WHERE p.privilege_type = 'TRIGGER' AND s.schema_name IN (SCHEMAS) \
    UNION \
    SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR) \
    FROM information_schema.table_privileges WHERE privilege_type = 'TRIGGER'";

#[derive(QueryableByName)]
struct TableRow {
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

struct ColumnRow {
    name: String,
    data_type: String,
    column_type: String,
    length: Option<u64>,
    extra: String,
    is_nullable: bool,
    encoding: Option<Encoding>,
}
