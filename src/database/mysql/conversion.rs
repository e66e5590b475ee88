//! The obstacles to turning a column of MySQL or MariaDB into tokens, or back.

use diesel::RunQueryDsl;
use diesel::dsl::sql;
use diesel::mysql::Mysql;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Nullable};

use crate::database::condition::is_met;
use crate::database::mysql::settings::without_limit;
use crate::database::quote::{quoted, quoted_table};
use crate::database::{Conn, Conversion, PlannedColumn, PlannedTable, Sql};
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::mysql::is_plaintext;
use crate::targets::TableName;

impl Conversion for Mysql {
    fn ties<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Vec<String>> {
        let schema = table.name.schema().unwrap_or_default();
        let name = table.name.name();
        let mut ties = Vec::new();
        for column in &table.columns {
            let mut sql = Sql::new(TIES);
            for _ in 0..3 {
                sql = sql.bind(schema).bind(name).bind(&column.name);
            }
            ties.extend(sql.column(conn)?);
        }
        ties.dedup();
        Ok(ties)
    }

    fn has_tokens<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &PlannedColumn) -> QueryResult<bool> {
        let is_plaintext = filled(is_plaintext(column.is_text), &quoted::<Self>(&column.name));
        let table = quoted_table::<Self>(table);
        let statement = format!("SELECT '1' FROM {table} WHERE NOT ({is_plaintext}) LIMIT 1");
        Ok(without_limit(conn, |conn| Sql::new(&*statement).first(conn))?.is_some())
    }

    fn longest_plaintext<C: Conn<Self>>(
        conn: &mut C,
        table: &TableName,
        column: &PlannedColumn,
    ) -> QueryResult<Option<u64>> {
        let name = quoted::<Self>(&column.name);
        // The length counts the bytes that the program receives and encrypts.
        let bytes = if column.is_text { format!("CONVERT({name} USING utf8mb4)") } else { name.clone() };
        let is_plaintext = filled(is_plaintext(column.is_text), &name);
        let is_wrong = column.plaintext_where.as_deref().map_or("'0'".into(), is_met);
        let table = quoted_table::<Self>(table);
        let statement = format!(
            "SELECT CAST(MAX(LENGTH({bytes})) AS SIGNED) AS bytes FROM {table} AS t \
             WHERE ({is_plaintext}) AND {is_wrong} = '0'"
        );
        let longest: Option<i64> = without_limit(conn, |conn| sql::<Nullable<BigInt>>(&statement).get_result(conn))?;
        Ok(longest.and_then(|bytes| bytes.try_into().ok()))
    }
}

const TIES: &str = "\
    SELECT CONCAT('the foreign key ', constraint_name, ' of ', table_name) \
    FROM information_schema.key_column_usage \
    WHERE referenced_table_name IS NOT NULL AND table_schema = ? AND table_name = ? AND column_name = ? \
    UNION \
    SELECT CONCAT('the foreign key ', constraint_name, ' of ', table_name) \
    FROM information_schema.key_column_usage \
    WHERE referenced_table_schema = ? AND referenced_table_name = ? AND referenced_column_name = ? \
    UNION \
    SELECT CONCAT('the column ', column_name, ', which is generated from it') \
    FROM information_schema.columns \
    WHERE table_schema = ? AND table_name = ? AND LOCATE(CONCAT('`', ?, '`'), generation_expression) > 0";
