//! The obstacles to turning a column of PostgreSQL into tokens, or back.

use diesel::deserialize::QueryableByName;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::condition::is_met;
use crate::database::postgres::rows::cast;
use crate::database::quote::{quoted, quoted_table};
use crate::database::{Conn, Conversion, PlannedColumn, PlannedTable};
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::postgres::is_plaintext;
use crate::targets::TableName;

impl Conversion for Pg {
    fn ties<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Vec<String>> {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let ties = sql_query(TIES).bind::<Text, _>(quoted_table::<Self>(&table.name)).bind::<Array<Text>, _>(columns);
        Ok(ties.load::<Tie>(conn)?.into_iter().map(|tie| tie.name).collect())
    }

    fn has_tokens<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &PlannedColumn) -> QueryResult<bool> {
        let (name, rows) = values(table, column);
        let is_plaintext = filled(is_plaintext(column.is_text), &name);
        let statement = format!("EXISTS (SELECT FROM {rows} WHERE NOT ({is_plaintext}))");
        conn.transaction(|conn| {
            conn.batch_execute("SET LOCAL statement_timeout = 0")?;
            diesel::select(sql::<Bool>(&statement)).get_result(conn)
        })
    }

    fn longest_plaintext<C: Conn<Self>>(
        conn: &mut C,
        table: &TableName,
        column: &PlannedColumn,
    ) -> QueryResult<Option<u64>> {
        let (name, rows) = values(table, column);
        // The length counts the bytes that the program receives. A database in SQL_ASCII sends them as they are.
        let bytes = if column.is_text {
            format!(
                "CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN octet_length({name}::text) \
                 ELSE octet_length(convert_to({name}::text, 'UTF8')) END"
            )
        } else {
            format!("octet_length({name}::bytea)")
        };
        let is_plaintext = filled(is_plaintext(column.is_text), &name);
        let is_wrong = column.plaintext_where.as_deref().map_or("'0'".into(), is_met);
        let statement =
            format!("SELECT max({bytes})::int8 AS bytes FROM {rows} WHERE {is_plaintext} AND {is_wrong} = '0'");
        conn.transaction(|conn| {
            // The statement reads the whole table, so it runs without the limit.
            conn.batch_execute("SET LOCAL statement_timeout = 0")?;
            let longest: Option<i64> = sql::<Nullable<BigInt>>(&statement).get_result(conn)?;
            Ok(longest.and_then(|bytes| bytes.try_into().ok()))
        })
    }
}

/// The expression for a value of the column, and the rows with the values: each element of an array is one.
fn values(table: &TableName, column: &PlannedColumn) -> (String, String) {
    let name = quoted::<Pg>(&column.name);
    let table = quoted_table::<Pg>(table);
    if column.is_array {
        (
            "element.value".into(),
            format!("{table} AS t CROSS JOIN LATERAL unnest(t.{name}{}) AS element (value)", cast(column)),
        )
    } else {
        (name, format!("{table} AS t"))
    }
}

const TIES: &str = "\
    WITH r (oid) AS (SELECT to_regclass($1)::oid), c AS ( \
        SELECT a.attnum FROM r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid WHERE a.attname = ANY ($2) \
    ) \
    SELECT DISTINCT 'the foreign key ' || f.conname || ' of ' || f.conrelid::regclass AS name \
    FROM r, pg_catalog.pg_constraint f \
    WHERE f.contype = 'f' AND ( \
        f.conrelid = r.oid AND EXISTS (SELECT FROM c WHERE c.attnum = ANY (f.conkey)) \
        OR f.confrelid = r.oid AND EXISTS (SELECT FROM c WHERE c.attnum = ANY (f.confkey))) \
    UNION ALL \
    SELECT 'the column ' || g.attname || ', which is generated from it' \
    FROM r JOIN pg_catalog.pg_attribute g ON g.attrelid = r.oid AND g.attgenerated <> '' \
    WHERE EXISTS ( \
        SELECT FROM pg_catalog.pg_depend d JOIN c ON c.attnum = d.refobjsubid \
        LEFT JOIN pg_catalog.pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid \
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND ( \
            e.adrelid = r.oid AND e.adnum = g.attnum AND g.attnum <> c.attnum \
            OR d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.objsubid = g.attnum)) \
    ORDER BY 1";

#[derive(QueryableByName)]
struct Tie {
    #[diesel(sql_type = Text)]
    name: String,
}
