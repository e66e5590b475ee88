//! MySQL and MariaDB: the connected database, and those that are named with a table.

use std::collections::BTreeMap;

use diesel::RunQueryDsl;
use diesel::mysql::Mysql;
use diesel::query_builder::AstPass;
use diesel::result::QueryResult;

use crate::database::connection::Conn;
use crate::database::dialect::push_column;
use crate::database::mysql::server::{is_mariadb, unescaped};
use crate::database::sql::{Fields, Sql};
use crate::database::words::Flavor;
use crate::discover::catalogue::{Column, Discoverable, IndexKey, Relation, Trigger};
use crate::fields::column::Form;
use crate::keys::fernet::token::Token;
use crate::targets::TableName;

impl Discoverable for Mysql {
    const FLAVOR: Flavor = Flavor::Mysql;

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
                // A table with a history: its rows are its own.
                kind => Relation { is_own: true, ..Relation::view(name, format!("a table of the kind {kind}")) },
            };
            relations.insert(key, Relation { is_in_reach: is_in_reach == "1", ..relation });
        }
        for row in load(conn, COLUMNS, schemas)? {
            let [schema, table, name, data_type, type_name, length, extra] = row;
            let relation = relations.get_mut(&(schema, table)).filter(|relation: &&mut Relation| relation.is_own);
            let Some(relation) = relation else { continue };
            relation.columns.push(Column {
                name,
                form: Form::of_mysql(&data_type),
                takes_anything: false,
                type_name,
                is_array: false,
                limit: length.parse().ok(),
                may_be_guarded: true,
                // `DEFAULT_GENERATED` is a default that is an expression.
                is_generated: extra.split_whitespace().any(|word| word == "GENERATED"),
            });
        }
        // MariaDB has no indexes on expressions.
        let expression = if is_mariadb { "NULL" } else { "expression" };
        for row in load(conn, &INDEXES.replace("EXPRESSION", expression), schemas)? {
            let [schema, table, index, is_unique, column, expression] = row;
            let Some(relation) = relations.get_mut(&(schema, table)) else { continue };
            if index == "PRIMARY" {
                relation.key.push(column.clone());
            }
            let key = match expression.is_empty() {
                true => IndexKey::Column(column),
                false => IndexKey::Expression(unescaped(&expression)),
            };
            relation.add_index_key(index, is_unique == "1", key);
        }
        for row in load(conn, TRIGGERS, schemas)? {
            let [schema, table, name, statement] = row;
            let Some(relation) = relations.get_mut(&(schema, table)) else { continue };
            let second_reading = (!is_mariadb).then(|| without_delimiters(&statement));
            relation.triggers.push(Trigger { second_reading, ..Trigger::new(name, statement) });
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

    fn push_sampled(column: &Column, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        let (before, after) = match column.form {
            // In whatever characters it is kept.
            Some(Form::Text) => ("CONVERT(", " USING utf8mb4)"),
            _ => ("", ""),
        };
        let mut push_value = |prefix: &str, suffix: &str| {
            out.push_sql(prefix);
            out.push_sql(before);
            push_column(&column.name, out)?;
            out.push_sql(after);
            out.push_sql(suffix);
            Ok(())
        };
        push_value("CAST(LENGTH(", ") AS CHAR), CASE WHEN HEX(LEFT(")?;
        push_value("", ", 3)) = '800000' OR HEX(LEFT(")?;
        push_value("", ", 5)) = '6741414141' THEN HEX(LEFT(")?;
        push_value("", &format!(", {})) END", Token::KNOWN_BY))
    }
}

/// A reading that includes the words in literals and comments. MySQL shows `'it\'s'` as `'it's'`, so nobody can see where
/// a literal ends.
fn without_delimiters(statement: &str) -> String {
    ["'", "\"", "#", "--", "/*", "*/"].iter().fold(statement.to_owned(), |text, sign| text.replace(sign, " "))
}

/// Rows of `N` texts, of the tables of these databases. `NULL` is an empty text.
fn load<C: Conn<Mysql>, const N: usize>(conn: &mut C, sql: &str, schemas: &[&str]) -> QueryResult<Vec<[String; N]>> {
    let list = format!("(coalesce(DATABASE(), ''){})", ", ?".repeat(schemas.len()));
    let sql = Sql::new(sql.replace("(SCHEMAS)", &list));
    let rows: Vec<Fields> = schemas.iter().fold(sql, |sql, schema| sql.bind(schema)).load(conn)?;
    let texts = |mut row: Fields| std::array::from_fn(|position| row.take(position).unwrap_or_default());
    Ok(rows.into_iter().map(texts).collect())
}

const RELATIONS: &str = "\
    SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(table_type AS CHAR), \
           CAST(table_schema = DATABASE() AS CHAR) \
    FROM information_schema.tables WHERE table_schema IN (SCHEMAS)";

const COLUMNS: &str = "\
    SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
           LOWER(CAST(data_type AS CHAR)), CAST(column_type AS CHAR), CAST(character_maximum_length AS CHAR), \
           CAST(extra AS CHAR) \
    FROM information_schema.columns WHERE table_schema IN (SCHEMAS) \
    ORDER BY table_schema, table_name, ordinal_position";

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

/// On which tables this user is shown triggers: on all, those of a database, single ones. The pattern of a database is
/// taken for each that it fits.
const TRIGGER_PRIVILEGES: &str = "\
    SELECT '', '' FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER' \
    UNION \
    SELECT CAST(s.schema_name AS CHAR), '' \
    FROM information_schema.schema_privileges p JOIN information_schema.schemata s ON s.schema_name LIKE p.table_schema \
    WHERE p.privilege_type = 'TRIGGER' AND s.schema_name IN (SCHEMAS) \
    UNION \
    SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR) \
    FROM information_schema.table_privileges WHERE privilege_type = 'TRIGGER'";
