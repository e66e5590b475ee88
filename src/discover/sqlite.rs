//! SQLite: the database, and those that are attached to the connection.

use std::collections::BTreeMap;

use diesel::RunQueryDsl;
use diesel::query_builder::AstPass;
use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::connection::Conn;
use crate::database::dialect::push_column;
use crate::database::sql::{Fields, Sql};
use crate::database::words::{Flavor, closing, words};
use crate::discover::catalogue::{Column, Discoverable, IndexKey, Relation, Trigger};
use crate::fields::column::Form;
use crate::keys::fernet::token::Token;
use crate::targets::TableName;

impl Discoverable for Sqlite {
    const FLAVOR: Flavor = Flavor::Sqlite;

    fn relations<C: Conn<Self>>(conn: &mut C, _schemas: &[&str]) -> QueryResult<Vec<Relation>> {
        let mut all = Vec::new();
        for [schema] in load(conn, "SELECT name FROM pragma_database_list WHERE name <> 'temp'", "")? {
            all.extend(of_schema(conn, &schema)?);
        }
        Ok(all)
    }

    /// A column holds values of any type, and a value of bytes is compared as such.
    fn push_sampled(column: &Column, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        let mut push_value = |before: &str, after: &str| {
            out.push_sql(before);
            out.push_sql("CAST(");
            push_column(&column.name, out)?;
            out.push_sql(" AS BLOB)");
            out.push_sql(after);
            Ok(())
        };
        push_value("CAST(length(", ") AS TEXT), CASE WHEN substr(")?;
        push_value("", ", 1, 3) = x'800000' OR substr(")?;
        push_value("", ", 1, 5) = x'6741414141' THEN hex(substr(")?;
        push_value("", &format!(", 1, {})) END", Token::KNOWN_BY))
    }
}

fn of_schema<C: Conn<Sqlite>>(conn: &mut C, schema: &str) -> QueryResult<Vec<Relation>> {
    let mut relations = BTreeMap::new();
    for [name, kind] in load(conn, RELATIONS, schema)? {
        let table = match schema {
            "main" => TableName::new(&name),
            _ => TableName::in_schema(schema, &name),
        };
        let relation = match kind.as_str() {
            "view" => Relation::view(table, "a view"),
            "virtual" => Relation::view(table, "a virtual table"),
            _ => Relation::new(table),
        };
        relations.insert(name, Relation { is_in_reach: schema == "main", ..relation });
    }
    let mut keys: BTreeMap<String, Vec<(u32, String)>> = BTreeMap::new();
    for [table, name, type_name, key, hidden, may_be_guarded] in load(conn, COLUMNS, schema)? {
        let Some(relation) = relations.get_mut(&table) else { continue };
        if let Some(position) = key.parse().ok().filter(|position| *position > 0) {
            keys.entry(table).or_default().push((position, name.clone()));
        }
        relation.columns.push(Column {
            form: Form::of_sqlite(&type_name),
            // A type is a preference, and no token looks like a number.
            takes_anything: true,
            name,
            type_name,
            is_array: false,
            limit: None,
            may_be_guarded: may_be_guarded == "1",
            is_generated: matches!(hidden.as_str(), "2" | "3"),
        });
    }
    for (table, mut key) in keys {
        key.sort();
        let Some(relation) = relations.get_mut(&table) else { continue };
        relation.key = key.into_iter().map(|(_, name)| name).collect();
    }
    for [table, index, is_unique, column, sql] in load(conn, INDEXES, schema)? {
        let Some(relation) = relations.get_mut(&table) else { continue };
        let key = match column.is_empty() {
            false => IndexKey::Column(column),
            true => IndexKey::Expression(keys_of_index(&sql).unwrap_or_default()),
        };
        relation.add_index_key(index, is_unique == "1", key);
    }
    for [table, name, sql] in load(conn, TRIGGERS, schema)? {
        let Some(relation) = relations.get_mut(&table) else { continue };
        relation.triggers.push(Trigger { body_after: Some("begin"), ..Trigger::new(name, sql) });
    }
    Ok(relations.into_values().collect())
}

/// Rows of `N` texts, from a schema. `NULL` is an empty text.
fn load<C: Conn<Sqlite>, const N: usize>(conn: &mut C, sql: &str, schema: &str) -> QueryResult<Vec<[String; N]>> {
    let name = format!("\"{}\"", schema.replace('"', "\"\""));
    let text = format!("'{}'", schema.replace('\'', "''"));
    let rows: Vec<Fields> = Sql::new(sql.replace("SCHEMA", &name).replace(":schema", &text)).load(conn)?;
    let texts = |mut row: Fields| std::array::from_fn(|position| row.take(position).unwrap_or_default());
    Ok(rows.into_iter().map(texts).collect())
}

/// What is between the parentheses behind the name of the table.
fn keys_of_index(sql: &str) -> Option<String> {
    let words = words(sql)?;
    let open = words.iter().position(|word| word.is("("))?;
    Some(sql[words[open].start..words[closing(&words, open)?].end()].to_owned())
}

/// But for those of SQLite itself.
const RELATIONS: &str = "\
    SELECT name, CASE WHEN sql LIKE 'create virtual%' THEN 'virtual' ELSE type END \
    FROM SCHEMA.sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// Of ordinary tables: a view may not even be valid.
const COLUMNS: &str = "\
    SELECT m.name, x.name, x.type, CAST(x.pk AS TEXT), CAST(x.hidden AS TEXT), \
           CAST(instr(m.sql, 'gAAAA') > 0 AS TEXT) \
    FROM SCHEMA.sqlite_master m, pragma_table_xinfo(m.name, :schema) x \
    WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%' ORDER BY m.name, x.cid";

const INDEXES: &str = "\
    SELECT m.name, l.name, CAST(l.\"unique\" AS TEXT), x.name, (SELECT sql FROM SCHEMA.sqlite_master i WHERE i.name = l.name) \
    FROM SCHEMA.sqlite_master m, pragma_index_list(m.name, :schema) l, pragma_index_xinfo(l.name, :schema) x \
    WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%' AND x.key = 1 ORDER BY m.name, l.name, x.seqno";

const TRIGGERS: &str = "\
    SELECT tbl_name, name, sql FROM SCHEMA.sqlite_master WHERE type = 'trigger' ORDER BY tbl_name, name";
