//! PostgreSQL: every schema but those of the system.

use std::collections::BTreeMap;

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::connection::Conn;
use crate::database::dialect::push_column;
use crate::database::words::Flavor;
use crate::discover::catalogue::{Column, Discoverable, IndexKey, Relation, Trigger};
use crate::fields::column::Form;
use crate::keys::fernet::token::Token;
use crate::targets::TableName;

impl Discoverable for Pg {
    const FLAVOR: Flavor = Flavor::Postgres;

    fn relations<C: Conn<Self>>(conn: &mut C, _schemas: &[&str]) -> QueryResult<Vec<Relation>> {
        let load = sql_query(RELATIONS).load::<RelationRow>(conn)?;
        let mut relations: BTreeMap<i64, Relation> = load.into_iter().map(RelationRow::into_relation).collect();
        for row in sql_query(COLUMNS).load::<ColumnRow>(conn)? {
            let Some(relation) = relations.get_mut(&row.relation) else { continue };
            relation.columns.push(row.into_column());
        }
        for row in sql_query(PRIMARY_KEYS).load::<KeyRow>(conn)? {
            let Some(relation) = relations.get_mut(&row.relation) else { continue };
            relation.key.push(row.name);
        }
        for row in sql_query(INDEXES).load::<IndexRow>(conn)? {
            let Some(relation) = relations.get_mut(&row.relation) else { continue };
            let key = match row.column {
                Some(column) => IndexKey::Column(column),
                None => IndexKey::Expression(row.definition),
            };
            relation.add_index_key(row.name, row.is_unique, key);
        }
        for row in sql_query(TRIGGERS).load::<TriggerRow>(conn)? {
            let Some(relation) = relations.get_mut(&row.relation) else { continue };
            relation.triggers.push(row.into_trigger());
        }
        Ok(relations.into_values().collect())
    }

    fn push_sampled(column: &Column, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        let length = Token::KNOWN_BY;
        let is_text = column.form == Some(Form::Text);
        let mut push_value = |before: &str, after: &str| {
            out.push_sql(before);
            if column.is_array {
                // Its first value stands for all.
                out.push_sql("(SELECT v FROM unnest(");
            }
            push_column(&column.name, out)?;
            if column.is_array {
                out.push_sql(") AS v WHERE v IS NOT NULL LIMIT 1)");
            }
            // A domain and citext become what they are made of.
            out.push_sql(if is_text { "::text" } else { "::bytea" });
            out.push_sql(after);
            Ok(())
        };
        push_value("octet_length(", ")::text, CASE WHEN ")?;
        if is_text {
            push_value("left(", ", 5) COLLATE \"C\" = 'gAAAA' THEN encode(convert_to(left(")?;
            push_value("", &format!(", {length}), 'UTF8'), 'hex') END"))
        } else {
            push_value("substring(", " FOR 3) = decode('800000', 'hex') OR substring(")?;
            push_value("", " FOR 5) = 'gAAAA' THEN encode(substring(")?;
            push_value("", &format!(" FOR {length}), 'hex') END"))
        }
    }
}

/// Partitions are looked at through the table that they belong to.
const RELATIONS: &str = "\
    SELECT c.oid::int8 AS relation, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, \
           pg_table_is_visible(c.oid) AS is_in_reach, c.relispartition AS is_partition \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// A domain is of the type that it is made of, and an array of that of its elements, however many are in between.
const COLUMNS: &str = "\
    WITH RECURSIVE base (relation, num, type, length, next, is_array) AS ( \
        SELECT a.attrelid, a.attnum, t.oid, CASE a.atttypmod WHEN -1 THEN t.typtypmod ELSE a.atttypmod END, \
               CASE t.typcategory WHEN 'A' THEN t.typelem ELSE t.typbasetype END, t.typcategory = 'A' \
        FROM pg_catalog.pg_attribute a \
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm') \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
        WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
        UNION ALL \
        SELECT relation, num, t.oid, CASE length WHEN -1 THEN t.typtypmod ELSE length END, \
               CASE t.typcategory WHEN 'A' THEN t.typelem ELSE t.typbasetype END, is_array OR t.typcategory = 'A' \
        FROM base JOIN pg_catalog.pg_type t ON t.oid = base.next \
    ) \
    SELECT base.relation::int8 AS relation, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type_name, \
           t.typname::text AS base, base.is_array, a.attgenerated <> '' AS is_generated, \
           CASE WHEN t.typname IN ('varchar', 'bpchar') AND base.length > 4 THEN base.length::int8 - 4 END AS length, \
           t.oid <> a.atttypid OR EXISTS ( \
               SELECT FROM pg_catalog.pg_constraint k \
               WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)) AS may_be_guarded \
    FROM base JOIN pg_catalog.pg_attribute a ON a.attrelid = base.relation AND a.attnum = base.num \
    JOIN pg_catalog.pg_type t ON t.oid = base.type \
    WHERE base.next = 0 ORDER BY a.attrelid, a.attnum";

const PRIMARY_KEYS: &str = "\
    SELECT i.indrelid::int8 AS relation, a.attname::text AS name \
    FROM pg_catalog.pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS x (num, position) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = x.num \
    WHERE i.indisprimary AND i.indisvalid AND x.position <= i.indnkeyatts ORDER BY i.indrelid, x.position";

/// Those of a partition are also those of the table that it belongs to, unless they are parts of one of that.
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

/// Those that fire, and rules. A trigger of a partitioned table is in each of its partitions, too.
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
struct RelationRow {
    #[diesel(sql_type = BigInt)]
    relation: i64,
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    is_in_reach: bool,
    #[diesel(sql_type = Bool)]
    is_partition: bool,
}

impl RelationRow {
    fn into_relation(self) -> (i64, Relation) {
        let name = TableName::in_schema(self.schema, self.name);
        let relation = match self.kind.as_str() {
            "r" | "p" => Relation { is_own: !self.is_partition, only: self.kind == "r", ..Relation::new(name) },
            "m" => Relation { is_own: true, ..Relation::view(name, "a materialized view") },
            "f" => Relation::view(name, "a foreign table"),
            _ => Relation::view(name, "a view"),
        };
        (self.relation, Relation { is_in_reach: self.is_in_reach, ..relation })
    }
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = BigInt)]
    relation: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = Text)]
    base: String,
    #[diesel(sql_type = Bool)]
    is_array: bool,
    #[diesel(sql_type = Bool)]
    is_generated: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    length: Option<i64>,
    #[diesel(sql_type = Bool)]
    may_be_guarded: bool,
}

impl ColumnRow {
    fn into_column(self) -> Column {
        Column {
            name: self.name,
            type_name: self.type_name,
            form: Form::of_postgres(&self.base),
            takes_anything: false,
            is_array: self.is_array,
            limit: self.length.and_then(|length| length.try_into().ok()),
            is_generated: self.is_generated,
            may_be_guarded: self.may_be_guarded,
        }
    }
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = BigInt)]
    relation: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct IndexRow {
    #[diesel(sql_type = BigInt)]
    relation: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    is_unique: bool,
    #[diesel(sql_type = Nullable<Text>)]
    column: Option<String>,
    #[diesel(sql_type = Text)]
    definition: String,
}

#[derive(QueryableByName)]
struct TriggerRow {
    #[diesel(sql_type = BigInt)]
    relation: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    definition: String,
    #[diesel(sql_type = Bool)]
    is_rule: bool,
    #[diesel(sql_type = Bool)]
    is_foreign: bool,
    #[diesel(sql_type = Text)]
    arguments: String,
    #[diesel(sql_type = Array<Text>)]
    transitions: Vec<String>,
}

impl TriggerRow {
    fn into_trigger(self) -> Trigger {
        Trigger {
            // What is before it in a rule says when.
            body_after: self.is_rule.then_some("do"),
            transitions: self.transitions,
            arguments: self.arguments.split("\\000").map(str::to_owned).collect(),
            is_foreign: self.is_foreign,
            ..Trigger::new(self.name, self.definition)
        }
    }
}
