//! The cost of rewriting a table on PostgreSQL.

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::dialect::Cost;
use crate::database::estimate::{LARGE, TableEstimate};
use crate::database::plan::PlannedTable;
use crate::database::quote::quoted_table;
use crate::database::sql::Conn;

/// Bytes of WAL for a new version of a row on another page, in addition to the row itself, and for each of its index
/// entries. Measured: 690 bytes in all for a row of 356 with three indexes.
const NEW_PLACE: u64 = 80;
const INDEX_ENTRY: u64 = 80;

impl Cost for Pg {
    /// Every row gets a new version. New versions stay on their page as long as the fill factor leaves room: all of
    /// them with a fill factor of 50, three in seven with 70, none with 100. If no index has an encrypted column, these
    /// versions need no index entries (HOT). The other versions make the table longer, and the indexes grow to up to
    /// twice their size. The WAL holds each new version and, with `full_page_writes`, most pages once.
    fn estimate<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<TableEstimate> {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let figures =
            sql_query(FIGURES).bind::<Text, _>(quoted_table::<Self>(&table.name)).bind::<Array<Text>, _>(columns);
        Ok(figures.get_result::<Figures>(conn)?.estimate(table.name.to_string()))
    }
}

impl Figures {
    fn estimate(&self, table: String) -> TableEstimate {
        let size = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
        let heap = size(self.heap);
        let indexes = size(self.indexes);
        let fill = size(self.fill_factor).clamp(10, 100);
        let moved = |bytes: u64| bytes - bytes.min(bytes * (100 - fill) / fill);
        let rows = self.rows.map(size);
        let new_entries = |rows: u64| {
            let entries = if self.has_indexed_token { rows } else { moved(rows) };
            moved(rows) * NEW_PLACE + entries * INDEX_ENTRY * size(self.index_count)
        };
        let indexes_grow = self.has_indexed_token || moved(heap) > 0;
        TableEstimate {
            rewritten: Some(heap),
            logged: rows.map(|rows| heap * (1 + u64::from(self.full_page_writes)) + new_entries(rows)),
            growth: Some(moved(heap) + if indexes_grow { indexes } else { 0 }),
            advice: if heap < LARGE { Vec::new() } else { self.advice(&table) },
            rows,
            table,
        }
    }

    fn advice(&self, table: &str) -> Vec<String> {
        let name = if self.is_partitioned { "<each partition>" } else { table };
        let mut advice = vec![
            format!(
                "to keep {table} from growing, vacuum it during the task. Before the task: ALTER TABLE {name} SET \
                 (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);"
            ),
            format!(
                "after the task: ALTER TABLE {name} RESET (autovacuum_vacuum_scale_factor, \
                 autovacuum_vacuum_cost_delay); VACUUM (ANALYZE) {table};"
            ),
        ];
        if self.fill_factor > 50 && !self.has_indexed_token {
            advice.push(format!(
                "if you rotate often, half-empty pages can take the new rows: run ALTER TABLE {name} SET (fillfactor = \
                 50), and then VACUUM FULL {name}, which locks the table while it rewrites it. The first \
                 statement alone makes the table grow more, not less"
            ));
        }
        advice
    }
}

/// The figures of the tables that hold the rows: the table itself, or its partitions.
const FIGURES: &str = "\
    WITH root (oid) AS (SELECT to_regclass($1)::oid), part AS ( \
        SELECT c.* FROM root, pg_catalog.pg_class c \
        WHERE c.oid IN (SELECT root.oid UNION SELECT relid FROM pg_partition_tree(root.oid)) AND c.relkind = 'r' \
    ), index AS ( \
        SELECT i.indrelid, EXISTS ( \
            SELECT FROM pg_catalog.pg_attribute a \
            WHERE a.attrelid = i.indrelid AND a.attname = ANY ($2) AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS ( \
                SELECT FROM pg_catalog.pg_depend d \
                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid \
                  AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))) AS has_token \
        FROM pg_catalog.pg_index i WHERE i.indrelid IN (SELECT part.oid FROM part) \
    ) \
    SELECT CASE WHEN bool_or(part.reltuples < 0) THEN NULL ELSE sum(part.reltuples)::int8 END AS rows, \
           coalesce(sum(pg_table_size(part.oid)), 0)::int8 AS heap, \
           coalesce(sum(pg_indexes_size(part.oid)), 0)::int8 AS indexes, \
           coalesce(max((SELECT o.option_value::int8 FROM pg_options_to_table(part.reloptions) o \
                         WHERE o.option_name = 'fillfactor')), 100) AS fill_factor, \
           (SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM index GROUP BY indrelid) AS count) AS index_count, \
           (SELECT coalesce(bool_or(has_token), false) FROM index) AS has_indexed_token, \
           NOT EXISTS (SELECT FROM root JOIN part USING (oid)) AS is_partitioned, \
           current_setting('full_page_writes')::bool AS full_page_writes \
    FROM part";

#[derive(QueryableByName)]
struct Figures {
    /// Unknown for a table that was never analysed.
    #[diesel(sql_type = Nullable<BigInt>)]
    rows: Option<i64>,
    #[diesel(sql_type = BigInt)]
    heap: i64,
    #[diesel(sql_type = BigInt)]
    indexes: i64,
    #[diesel(sql_type = BigInt)]
    fill_factor: i64,
    #[diesel(sql_type = BigInt)]
    index_count: i64,
    #[diesel(sql_type = Bool)]
    has_indexed_token: bool,
    #[diesel(sql_type = Bool)]
    is_partitioned: bool,
    #[diesel(sql_type = Bool)]
    full_page_writes: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: Figures = Figures {
        rows: Some(1_000_000),
        heap: 350_000_000,
        indexes: 80_000_000,
        fill_factor: 100,
        index_count: 3,
        has_indexed_token: false,
        is_partitioned: false,
        full_page_writes: true,
    };

    fn cost(figures: &Figures) -> (u64, u64) {
        let estimate = figures.estimate("t".into());
        (estimate.logged.unwrap() / 1_000_000, estimate.growth.unwrap() / 1_000_000)
    }

    #[test]
    fn follows_the_fill_factor_and_the_indexes() {
        assert_eq!(cost(&FIGURES), (1020, 430));
        assert_eq!(cost(&Figures { full_page_writes: false, ..FIGURES }), (670, 430));
        assert_eq!(cost(&Figures { fill_factor: 50, ..FIGURES }), (700, 0));
        assert_eq!(cost(&Figures { fill_factor: 50, has_indexed_token: true, ..FIGURES }), (940, 80));
        assert_eq!(cost(&Figures { fill_factor: 70, ..FIGURES }), (882, 280));
        assert_eq!(Figures { rows: None, ..FIGURES }.estimate("t".into()).logged, None);
    }

    #[test]
    fn advises_on_large_tables_only() {
        assert!(FIGURES.estimate("t".into()).advice.is_empty());
        let large = Figures { heap: 1 << 30, ..FIGURES };
        let advice = large.estimate("app.t".into()).advice;
        assert_eq!(advice.len(), 3);
        assert!(advice[0].contains("ALTER TABLE app.t SET (autovacuum_vacuum_scale_factor = 0.01"), "{advice:?}");
        assert_eq!(Figures { fill_factor: 50, ..large }.estimate("t".into()).advice.len(), 2);
    }
}
