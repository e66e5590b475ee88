//! The catalogue of PostgreSQL: one table, or every schema except the schemas of the system.

use std::collections::BTreeMap;

use diesel::deserialize::{Queryable, QueryableByName};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::result::{OptionalExtension, QueryResult};
use diesel::sql_types::{Array, BigInt, Bool, Double, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::postgres::path::{SEARCHED, located};
use crate::database::quote::quoted_table;
use crate::database::{Catalogue, CatalogueColumn, CatalogueReader, Conn, IndexKey, KeyColumn, Relation, Trigger};
use crate::fields::Form;
use crate::targets::TableName;

impl CatalogueReader for Pg {
    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>> {
        let Some(table) = located(conn, table)? else { return Ok(None) };
        let relation = sql_query(RELATION)
            .bind::<Text, _>(quoted_table::<Self>(&table))
            .get_result::<TableRow>(conn)
            .optional()?;
        let Some(relation) = relation else { return Ok(None) };
        let columns = columns(conn, &format!("c.oid = {}", relation.oid))?;
        let keys = sql_query(ROW_KEY).bind::<BigInt, _>(relation.oid).load::<KeyRow>(conn)?;
        let (row_key, unusable_key) = match keys.into_iter().map(KeyRow::into_column).collect() {
            Ok(row_key) => (row_key, None),
            Err(unusable) => (Vec::new(), Some(unusable)),
        };
        let obstacle = match relation.kind.as_str() {
            "r" if relation.has_children => Some(
                "other tables inherit from it, and a row key is unique in one table only. End the inheritance (ALTER \
                 TABLE … NO INHERIT), and re-encrypt each table on its own"
                    .into(),
            ),
            "r" | "p" if !relation.hides_rows => None,
            "r" | "p" => Some(
                "row-level security hides rows from this user: connect as a user with BYPASSRLS or as the table's owner"
                    .into(),
            ),
            _ => Some("it is not an ordinary or partitioned table: name the table that holds the data".into()),
        };
        Ok(Some(Catalogue {
            name: TableName::in_schema(relation.schema, relation.name),
            obstacle,
            columns: columns.into_iter().map(ColumnRow::into_column).collect(),
            row_key,
            unusable_key,
            index: None,
            // A table that was never analysed has -1 rows.
            rows: (relation.rows >= 0.0).then_some(relation.rows as u64),
            identity: Some(relation.oid.to_string()),
            only: relation.kind == "r",
        }))
    }

    fn relations<C: Conn<Self>>(conn: &mut C, _schemas: &[&str]) -> QueryResult<Vec<Relation>> {
        let relations = RELATIONS.replace("SEARCHED", SEARCHED);
        let rows = sql::<(BigInt, Text, Text, Text, Bool, Bool)>(&relations).load::<RelationRow>(conn)?;
        let mut relations: BTreeMap<i64, Relation> = rows.into_iter().map(RelationRow::into_relation).collect();
        for row in columns(conn, ARE_OF_USERS)? {
            let Some(relation) = relations.get_mut(&row.relation) else { continue };
            relation.columns.push(row.into_column());
        }
        for (relation, name) in sql::<(BigInt, Text)>(PRIMARY_KEYS).load::<(i64, String)>(conn)? {
            let Some(relation) = relations.get_mut(&relation) else { continue };
            relation.key.push(name);
        }
        let indexes = sql::<(BigInt, Text, Bool, Nullable<Text>, Text)>(INDEXES);
        for (relation, name, is_unique, column, definition) in indexes.load::<IndexRow>(conn)? {
            let Some(relation) = relations.get_mut(&relation) else { continue };
            relation.add_index_key(name, is_unique, column.map_or(IndexKey::Expression(definition), IndexKey::Column));
        }
        let triggers = sql::<(BigInt, Text, Text, Bool, Bool, Text, Array<Text>)>(TRIGGERS);
        for row in triggers.load::<TriggerRow>(conn)? {
            let Some(relation) = relations.get_mut(&row.relation) else { continue };
            relation.triggers.push(row.into_trigger());
        }
        Ok(relations.into_values().collect())
    }
}

/// The columns of the relations that meet the condition on `c`, a row of `pg_class`, and `n`, its `pg_namespace`.
fn columns<C: Conn<Pg>>(conn: &mut C, condition: &str) -> QueryResult<Vec<ColumnRow>> {
    type Types = (BigInt, Text, Text, Text, Bool, Bool, Nullable<BigInt>, Bool, BigInt, Text);
    sql::<Types>(&COLUMNS.replace("(RELATIONS)", condition)).load(conn)
}

const RELATION: &str = "\
    SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, \
           c.reltuples::float8 AS rows, row_security_active(c.oid) AS hides_rows, \
           EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = to_regclass($1)";

/// The columns of the primary key, or else of a unique index that covers every row. The name of the type comes from
/// `pg_type`, because in a cast `character` and `bit` mean one character and one bit. A domain gives way to its base type,
/// because old values may break its rules. The operators come from the operator class of the index: the type of an
/// extension may have its operators in any schema. The collation is that of the index, if it is not the column's.
///
/// A deferred constraint lets a row key exist twice only until the end of a transaction. `attnotnull` does not exclude
/// `NULL` while the constraint is not validated.
const ROW_KEY: &str = "\
    SELECT a.attname::text AS name, base.name AS type_name, base.oid <> a.atttypid AS is_domain, \
           (SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname) \
            FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace \
            WHERE co.oid = i.indcollation[x.position - 1] AND co.oid <> a.attcollation) AS collation, ARRAY( \
        SELECT 'OPERATOR(' || quote_ident(pn.nspname) || '.' || p.oprname || ')' \
        FROM pg_catalog.pg_opclass o \
        JOIN pg_catalog.pg_amop m ON m.amopfamily = o.opcfamily AND m.amoppurpose = 's' \
             AND m.amoplefttype = o.opcintype AND m.amoprighttype = o.opcintype \
        JOIN pg_catalog.pg_operator p ON p.oid = m.amopopr JOIN pg_catalog.pg_namespace pn ON pn.oid = p.oprnamespace \
        WHERE o.oid = i.indclass[x.position - 1] ORDER BY m.amopstrategy) AS operators \
    FROM ( \
        SELECT i.* FROM pg_catalog.pg_index i \
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid \
        JOIN pg_catalog.pg_am am ON am.oid = ic.relam AND am.amname = 'btree' \
        WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indisready AND i.indislive \
          AND i.indpred IS NULL AND i.indexprs IS NULL \
          AND NOT EXISTS ( \
              SELECT FROM pg_catalog.pg_attribute k \
              WHERE k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) AND NOT k.attnotnull) \
          AND NOT EXISTS ( \
              SELECT FROM pg_catalog.pg_constraint n \
              WHERE n.conrelid = i.indrelid AND n.contype = 'n' AND NOT n.convalidated \
                AND n.conkey <@ i.indkey[0:i.indnkeyatts - 1]::int2[]) \
        ORDER BY i.indisprimary DESC, i.indimmediate DESC, i.indnkeyatts, i.indexrelid LIMIT 1 \
    ) i, unnest(i.indkey::int2[]) WITH ORDINALITY AS x (num, position) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attnum = x.num \
    CROSS JOIN LATERAL ( \
        WITH RECURSIVE types AS ( \
            SELECT t.oid, t.typname, t.typnamespace, t.typbasetype \
            FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid \
            UNION ALL \
            SELECT t.oid, t.typname, t.typnamespace, t.typbasetype \
            FROM types JOIN pg_catalog.pg_type t ON t.oid = types.typbasetype \
        ) \
        SELECT quote_ident(n.nspname) || '.' || quote_ident(types.typname) AS name, types.oid \
        FROM types JOIN pg_catalog.pg_namespace n ON n.oid = types.typnamespace WHERE types.typbasetype = 0 \
    ) AS base \
    WHERE x.position <= i.indnkeyatts ORDER BY x.position";

/// The condition for the tables and materialized views of users. A materialized view without data cannot be read.
const ARE_OF_USERS: &str = "\
    c.relkind IN ('r', 'p', 'm') AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Replaces a domain by its base type and an array by the type of its elements, through any number of levels. An array
/// whose elements are a domain over an array has no base type here: it casts to no type that the task reads.
const COLUMNS: &str = "\
    WITH RECURSIVE base (relation, num, type, length, next, arrays) AS ( \
        SELECT a.attrelid, a.attnum, t.oid, CASE a.atttypmod WHEN -1 THEN t.typtypmod ELSE a.atttypmod END, \
               CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, \
               (t.typcategory = 'A' AND t.typtype <> 'd')::int \
        FROM pg_catalog.pg_attribute a \
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
        WHERE a.attnum > 0 AND NOT a.attisdropped AND (RELATIONS) \
        UNION ALL \
        SELECT relation, num, t.oid, CASE length WHEN -1 THEN t.typtypmod ELSE length END, \
               CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, \
               arrays + (t.typcategory = 'A' AND t.typtype <> 'd')::int \
        FROM base JOIN pg_catalog.pg_type t ON t.oid = base.next \
    ) \
    SELECT base.relation::int8 AS relation, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type_name, \
           CASE WHEN base.arrays > 1 THEN '' ELSE t.typname::text END AS base, base.arrays > 0 AS is_array, a.attgenerated <> '' AS is_generated, \
           CASE WHEN t.typname IN ('varchar', 'bpchar') AND base.length > 4 THEN base.length::int8 - 4 END AS length, \
           t.oid <> a.atttypid OR EXISTS ( \
               SELECT FROM pg_catalog.pg_constraint k \
               WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)) AS may_be_guarded, \
           a.attnum::int8 AS number, getdatabaseencoding()::text AS encoding \
    FROM base JOIN pg_catalog.pg_attribute a ON a.attrelid = base.relation AND a.attnum = base.num \
    JOIN pg_catalog.pg_type t ON t.oid = base.type \
    WHERE base.next = 0 ORDER BY a.attrelid, a.attnum";

/// Partitions are read through their partitioned table.
const RELATIONS: &str = "\
    SELECT c.oid::int8 AS relation, n.nspname::text AS schema, c.relname::text AS name, \
           CASE WHEN c.relispopulated THEN c.relkind::text ELSE 'unpopulated' END AS kind, \
           c.oid = (SELECT r.oid FROM unnest(SEARCHED) WITH ORDINALITY AS s (name, position) \
                    CROSS JOIN LATERAL to_regclass(format('%I.%I', s.name, c.relname)) AS r (oid) \
                    WHERE r.oid IS NOT NULL ORDER BY s.position LIMIT 1) IS TRUE AS is_in_reach, \
           c.relispartition AS is_partition \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

const PRIMARY_KEYS: &str = "\
    SELECT i.indrelid::int8 AS relation, a.attname::text AS name \
    FROM pg_catalog.pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS x (num, position) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = x.num \
    WHERE i.indisprimary AND i.indisvalid AND x.position <= i.indnkeyatts ORDER BY i.indrelid, x.position";

/// An index of a partition also counts for the partitioned table, unless it is a part of an index of that table.
const INDEXES: &str = "\
    SELECT r.oid::int8 AS relation, x.relname::text AS name, i.indisunique AS is_unique, a.attname::text AS column, \
           pg_get_indexdef(i.indexrelid, n, true) AS definition \
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
    CROSS JOIN generate_series(1, i.indnkeyatts::int) AS n \
    CROSS JOIN LATERAL ( \
        SELECT i.indrelid AS oid UNION SELECT pg_partition_root(i.indrelid) WHERE NOT x.relispartition \
    ) AS r \
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n - 1] \
    WHERE r.oid IS NOT NULL ORDER BY r.oid, x.relname, i.indexrelid, n";

/// Enabled triggers, and rules. A trigger of a partitioned table also exists in each of its partitions.
const TRIGGERS: &str = "\
    SELECT DISTINCT ON (r.oid, t.tgname) r.oid::int8 AS relation, t.tgname::text AS name, p.prosrc AS definition, \
           false AS is_rule, l.lanname <> 'plpgsql' AS is_foreign, encode(t.tgargs, 'escape') AS arguments, \
           array_remove(ARRAY[t.tgoldtable::text, t.tgnewtable::text], NULL) AS transitions \
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
    CROSS JOIN LATERAL (SELECT t.tgrelid AS oid UNION SELECT pg_partition_root(t.tgrelid)) AS r \
    WHERE r.oid IS NOT NULL AND NOT t.tgisinternal AND t.tgenabled <> 'D' \
    UNION ALL \
    SELECT w.ev_class::int8, w.rulename::text, pg_get_ruledef(w.oid), true, false, '', '{}' \
    FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class \
    WHERE w.ev_type <> '1' AND w.ev_enabled <> 'D' AND c.relkind IN ('r', 'p') \
    ORDER BY 1, 2";

#[derive(QueryableByName)]
struct TableRow {
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
struct KeyRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = Bool)]
    is_domain: bool,
    #[diesel(sql_type = Nullable<Text>)]
    collation: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    operators: Vec<String>,
}

impl KeyRow {
    /// Fails if the operator class of the index has no complete order.
    fn into_column(self) -> Result<KeyColumn, String> {
        let Self { name, type_name, is_domain, collation, operators } = self;
        let Ok(operators) = operators.try_into() else {
            return Err(format!("the type {type_name} of its column {name} has no complete order in the index"));
        };
        // The operators of enums, arrays, ranges and rows do not accept domains.
        let cast = if is_domain { format!("::{type_name}") } else { String::new() };
        let compared_as = cast + &collation.map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
        Ok(KeyColumn {
            cast: Some(type_name),
            compared_as: Some(compared_as).filter(|sql| !sql.is_empty()),
            operators: Some(operators),
            ..KeyColumn::plain(name)
        })
    }
}

#[derive(Queryable)]
struct RelationRow {
    relation: i64,
    schema: String,
    name: String,
    kind: String,
    is_in_reach: bool,
    is_partition: bool,
}

impl RelationRow {
    fn into_relation(self) -> (i64, Relation) {
        let name = TableName::in_schema(self.schema, self.name);
        let relation = match self.kind.as_str() {
            "r" | "p" => Relation { is_own: !self.is_partition, only: self.kind == "r", ..Relation::new(name) },
            "m" => Relation { is_own: true, ..Relation::view(name, "a materialized view") },
            "unpopulated" => Relation::view(name, "a materialized view without data"),
            "f" => Relation::view(name, "a foreign table"),
            _ => Relation::view(name, "a view"),
        };
        (self.relation, Relation { is_in_reach: self.is_in_reach, ..relation })
    }
}

#[derive(Queryable)]
struct ColumnRow {
    relation: i64,
    name: String,
    type_name: String,
    base: String,
    is_array: bool,
    is_generated: bool,
    length: Option<i64>,
    may_be_guarded: bool,
    number: i64,
    encoding: String,
}

impl ColumnRow {
    fn into_column(self) -> CatalogueColumn {
        CatalogueColumn {
            form: Form::of_postgres(&self.base),
            name: self.name,
            type_name: self.type_name,
            limit: self.length.and_then(|length| length.try_into().ok()),
            is_padded: self.base == "bpchar",
            is_generated: self.is_generated,
            changes_on_update: false,
            is_array: self.is_array,
            is_document: matches!(&*self.base, "json" | "jsonb" | "xml" | "hstore"),
            // Such a database converts nothing, and the server sends no text that is not UTF-8.
            character_set: Some(self.encoding).filter(|encoding| encoding == "SQL_ASCII"),
            takes_anything: false,
            number: Some(self.number),
            may_be_guarded: self.may_be_guarded,
        }
    }
}

/// The table, the index, whether it is unique, the column of the key if it is one, and the definition of the key.
type IndexRow = (i64, String, bool, Option<String>, String);

#[derive(Queryable)]
struct TriggerRow {
    relation: i64,
    name: String,
    definition: String,
    is_rule: bool,
    is_foreign: bool,
    arguments: String,
    transitions: Vec<String>,
}

impl TriggerRow {
    fn into_trigger(self) -> Trigger {
        Trigger {
            name: self.name,
            definition: self.definition,
            // In a rule, the text before `DO` is the condition.
            body_after: self.is_rule.then_some("do"),
            transitions: self.transitions,
            arguments: self.arguments.split("\\000").map(str::to_owned).collect(),
            is_foreign: self.is_foreign,
            ..Trigger::default()
        }
    }
}
