//! The catalogue of SQLite: one table, or all tables of the database and of attached databases.

use std::collections::BTreeMap;

use diesel::deserialize::QueryableByName;
use diesel::result::{OptionalExtension, QueryResult};
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel::{RunQueryDsl, sql_query};

use crate::database::quote::{literal, quoted};
use crate::database::sqlite::row_key::row_key;
use crate::database::words::{closing, words};
use crate::database::{Catalogue, CatalogueColumn, CatalogueReader, Conn, Fields, IndexKey, Relation, Sql, Trigger};
use crate::fields::Form;
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::sqlite::IS_MENTIONED;
use crate::targets::TableName;

/// The schema that SQLite leaves out of names.
pub(crate) const MAIN: &str = "main";

impl CatalogueReader for Sqlite {
    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>> {
        let schema = table.schema().unwrap_or(MAIN);
        // SQLite reports an unknown schema as an error. For the task, the table does not exist.
        let schemas = Sql::new("SELECT name FROM pragma_database_list").column(conn)?;
        if !schemas.iter().any(|known| known.eq_ignore_ascii_case(schema)) {
            return Ok(None);
        }
        let master = format!("{}.sqlite_master", quoted::<Self>(schema));
        let relation = sql_query(format!(
            "SELECT name, type AS kind, coalesce(sql, '') LIKE 'create virtual%' AS is_virtual FROM {master} \
             WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE"
        ));
        let relation = relation.bind::<Text, _>(table.name()).get_result::<TableRow>(conn).optional()?;
        let Some(relation) = relation else { return Ok(None) };
        let columns = columns(conn, schema, &relation.name)?;
        let is_ordinary = relation.kind == "table" && !relation.is_virtual;
        let row_key = if is_ordinary { row_key(conn, schema, &relation.name, &columns)? } else { Ok(Vec::new()) };
        let unusable_key = row_key.as_ref().err().cloned();
        Ok(Some(Catalogue {
            name: match table.schema() {
                Some(schema) => TableName::in_schema(schema, relation.name),
                None => TableName::new(relation.name),
            },
            obstacle: (!is_ordinary)
                .then(|| "it is not an ordinary table: name the table that holds the data".to_owned()),
            row_key: row_key.unwrap_or_default(),
            unusable_key,
            index: None,
            columns: columns
                .into_iter()
                .map(|known| described(known.name, known.declared, known.is_generated))
                .collect(),
            rows: None,
            identity: None,
            only: false,
        }))
    }

    fn relations<C: Conn<Self>>(conn: &mut C, _schemas: &[&str]) -> QueryResult<Vec<Relation>> {
        let mut all = Vec::new();
        for [schema] in load(conn, "SELECT name FROM pragma_database_list WHERE name <> 'temp'", "")? {
            all.extend(of_schema(conn, &schema)?);
        }
        Ok(all)
    }
}

/// The statement that created a table, if there is such a table.
pub(crate) fn create_table<C: Conn<Sqlite>>(conn: &mut C, schema: &str, table: &str) -> QueryResult<Option<String>> {
    let schema = quoted::<Sqlite>(schema);
    let sql = format!("SELECT sql FROM {schema}.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE");
    Sql::new(sql).bind(table).first(conn)
}

/// A column as SQLite describes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KnownColumn {
    pub(crate) name: String,
    pub(crate) declared: String,
    pub(crate) is_not_null: bool,
    pub(crate) default: Option<String>,
    /// The position in the primary key, from 1. 0 if it is not part of it.
    pub(crate) key: u32,
    pub(crate) is_generated: bool,
}

pub(crate) fn columns<C: Conn<Sqlite>>(conn: &mut C, schema: &str, table: &str) -> QueryResult<Vec<KnownColumn>> {
    let sql = "SELECT name, type, CAST(\"notnull\" AS TEXT), dflt_value, CAST(pk AS TEXT), CAST(hidden AS TEXT) \
        FROM pragma_table_xinfo(?, ?)";
    let rows: Vec<Fields> = Sql::new(sql).bind(table).bind(schema).load(conn)?;
    let column = |row: Fields| {
        let mut fields = row.into_iter();
        let mut next = || fields.next().flatten();
        KnownColumn {
            name: next().unwrap_or_default(),
            declared: next().unwrap_or_default(),
            is_not_null: next().as_deref() == Some("1"),
            default: next(),
            key: next().and_then(|key| key.parse().ok()).unwrap_or_default(),
            is_generated: next().is_some_and(|hidden| is_generated(&hidden)),
        }
    };
    Ok(rows.into_iter().map(column).collect())
}

/// `hidden` is 1 for a column of a virtual table.
fn is_generated(hidden: &str) -> bool {
    matches!(hidden, "2" | "3")
}

fn described(name: String, declared: String, is_generated: bool) -> CatalogueColumn {
    CatalogueColumn {
        name,
        form: Form::of_sqlite(&declared),
        type_name: declared,
        // Lengths are not enforced.
        limit: None,
        is_padded: false,
        is_generated,
        changes_on_update: false,
        is_array: false,
        // A type is only a preference. SQLite stores tokens unchanged, because no token looks like a number.
        takes_anything: true,
        number: None,
        may_be_guarded: true,
    }
}

fn of_schema<C: Conn<Sqlite>>(conn: &mut C, schema: &str) -> QueryResult<Vec<Relation>> {
    let mut relations = BTreeMap::new();
    for [name, kind] in load(conn, RELATIONS, schema)? {
        let table = match schema {
            MAIN => TableName::new(&name),
            _ => TableName::in_schema(schema, &name),
        };
        let relation = match kind.as_str() {
            "view" => Relation::view(table, "a view"),
            "virtual" => Relation::view(table, "a virtual table"),
            _ => Relation::new(table),
        };
        relations.insert(name, Relation { is_in_reach: schema == MAIN, ..relation });
    }
    let all_columns = ALL_COLUMNS.replace("IS_MENTIONED", &filled(IS_MENTIONED, "m.sql"));
    let mut keys: BTreeMap<String, Vec<(u32, String)>> = BTreeMap::new();
    for [table, name, type_name, key, hidden, may_be_guarded] in load(conn, &all_columns, schema)? {
        let Some(relation) = relations.get_mut(&table) else { continue };
        if let Some(position) = key.parse().ok().filter(|position| *position > 0) {
            keys.entry(table).or_default().push((position, name.clone()));
        }
        let column = described(name, type_name, is_generated(&hidden));
        relation.columns.push(CatalogueColumn { may_be_guarded: may_be_guarded == "1", ..column });
    }
    for (table, mut key) in keys {
        key.sort();
        let Some(relation) = relations.get_mut(&table) else { continue };
        relation.key = key.into_iter().map(|(_, name)| name).collect();
    }
    for [table, index, is_unique, column, sql] in load(conn, INDEXES, schema)? {
        let Some(relation) = relations.get_mut(&table) else { continue };
        let key = if column.is_empty() {
            IndexKey::Expression(keys_of_index(&sql).unwrap_or_default())
        } else {
            IndexKey::Column(column)
        };
        relation.add_index_key(index, is_unique == "1", key);
    }
    for [table, name, sql] in load(conn, TRIGGERS, schema)? {
        let Some(relation) = relations.get_mut(&table) else { continue };
        relation.triggers.push(Trigger { name, definition: sql, body_after: Some("begin"), ..Trigger::default() });
    }
    Ok(relations.into_values().collect())
}

/// Rows of `N` texts, from a schema. `NULL` is an empty text.
fn load<C: Conn<Sqlite>, const N: usize>(conn: &mut C, sql: &str, schema: &str) -> QueryResult<Vec<[String; N]>> {
    let sql = sql.replace("SCHEMA", &quoted::<Sqlite>(schema)).replace(":schema", &literal(schema));
    Sql::new(sql).texts(conn)
}

/// The first pair of parentheses, which follows the name of the table, with its content.
fn keys_of_index(sql: &str) -> Option<String> {
    let words = words(sql)?;
    let open = words.iter().position(|word| word.is("("))?;
    Some(sql[words[open].start..words[closing(&words, open)?].end()].to_owned())
}

/// All tables and views except SQLite's own.
const RELATIONS: &str = "\
    SELECT name, CASE WHEN sql LIKE 'create virtual%' THEN 'virtual' ELSE type END \
    FROM SCHEMA.sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// The columns of ordinary tables only, because a view may be invalid.
const ALL_COLUMNS: &str = "\
    SELECT m.name, x.name, x.type, CAST(x.pk AS TEXT), CAST(x.hidden AS TEXT), \
           CAST(IS_MENTIONED AS TEXT) \
    FROM SCHEMA.sqlite_master m, pragma_table_xinfo(m.name, :schema) x \
    WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%' ORDER BY m.name, x.cid";

const INDEXES: &str = "\
    SELECT m.name, l.name, CAST(l.\"unique\" AS TEXT), x.name, (SELECT sql FROM SCHEMA.sqlite_master i WHERE i.name = l.name) \
    FROM SCHEMA.sqlite_master m, pragma_index_list(m.name, :schema) l, pragma_index_xinfo(l.name, :schema) x \
    WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%' AND x.key = 1 ORDER BY m.name, l.name, x.seqno";

const TRIGGERS: &str = "\
    SELECT tbl_name, name, sql FROM SCHEMA.sqlite_master WHERE type = 'trigger' ORDER BY tbl_name, name";

#[derive(QueryableByName)]
struct TableRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    is_virtual: bool,
}
