//! The query for a page: the next rows in the order of the row key.

use diesel::deserialize::{self, QueryableByName};
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::row::{Field, NamedRow};

use crate::database::catalogue::Comparison;
use crate::database::dialect::Dialect;
use crate::database::plan::PlannedTable;
use crate::database::quote::push_all;
use crate::database::row::{KeyValue, Row};
use crate::database::sql::runtime_statement;
use crate::database::swap::{push_key_column, push_rows_of};

/// The alias of the columns of the row key in a page. Other columns are cells.
pub(crate) const KEY_ALIAS: &str = "k";
/// The alias of encrypted columns in a page.
const CELL_ALIAS: &str = "c";
/// The alias of the comparison of a row with the beginning of its page.
const BEHIND_ALIAS: &str = "b";

/// The first `limit` rows after `after`, up to and including `until`, in the database's own order of the row key. It
/// leaves out the first `skip` of them. [`Page::rows`] also reads the row at `after`, and checks the order.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) table: &'a PlannedTable,
    pub(crate) after: Option<&'a [KeyValue]>,
    pub(crate) until: Option<&'a [KeyValue]>,
    /// Whether to read from the end of the table, as samples do.
    pub(crate) descending: bool,
    pub(crate) skip: usize,
    pub(crate) limit: usize,
    has_cells: bool,
}

impl<'a> Page<'a> {
    /// The first rows of a table.
    pub(crate) fn new(table: &'a PlannedTable, limit: usize) -> Self {
        Self { table, after: None, until: None, descending: false, skip: 0, limit, has_cells: true }
    }

    /// The row keys of the first rows of a table.
    pub(crate) fn keys(table: &'a PlannedTable, limit: usize) -> Self {
        Self { has_cells: false, ..Self::new(table, limit) }
    }

    /// Whether the order of the rows is compared with the row at `after`.
    pub(crate) fn is_checked(&self) -> bool {
        self.has_cells && self.after.is_some()
    }
}

impl<DB: Dialect> QueryFragment<DB> for Page<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let Self { table, after, until, descending, skip, limit, has_cells } = self;
        let checked = after.filter(|_| self.is_checked());
        out.push_sql("SELECT ");
        push_all(table.row_key.iter().enumerate(), ", ", &mut out, |(index, column), out| {
            DB::push_key_output(column, out)?;
            out.push_sql(&format!(" AS {KEY_ALIAS}{index}"));
            Ok(())
        })?;
        for (index, column) in table.columns.iter().enumerate().filter(|_| *has_cells) {
            out.push_sql(", ");
            DB::push_cell_output(&column.name, column.is_text, &mut out)?;
            out.push_sql(&format!(" AS {CELL_ALIAS}{index}"));
        }
        if let Some(after) = checked {
            out.push_sql(", CASE WHEN ");
            push_bound(table, after, Comparison::Greater, &mut out)?;
            out.push_sql(&format!(" THEN '1' ELSE '0' END AS {BEHIND_ALIAS}"));
        }
        out.push_sql(" FROM ");
        push_rows_of(table, &mut out)?;
        out.push_sql(" AS t");
        let begin = if checked.is_some() { Comparison::AtLeast } else { Comparison::Greater };
        let bounds = [(after, begin), (until, Comparison::AtMost)];
        let bounds = bounds.into_iter().filter_map(|(bound, comparison)| Some(((*bound)?, comparison)));
        for ((bound, comparison), keyword) in bounds.zip([" WHERE ", " AND "]) {
            out.push_sql(keyword);
            push_bound(table, bound, comparison, &mut out)?;
        }
        // The columns are qualified, because `ORDER BY k0` would sort by the output, which is text on PostgreSQL.
        out.push_sql(" ORDER BY ");
        push_all(&table.row_key, ", ", &mut out, |column, out| {
            push_key_column(column, out)?;
            match (&column.operators, *descending) {
                (Some(_), false) => out.push_sql(&format!(" USING {}", column.operator(Comparison::Less))),
                (Some(_), true) => out.push_sql(&format!(" USING {}", column.operator(Comparison::Greater))),
                (None, false) => {}
                (None, true) => out.push_sql(" DESC"),
            }
            Ok(())
        })?;
        out.push_sql(&format!(" LIMIT {}", limit + usize::from(checked.is_some())));
        if *skip > 0 {
            out.push_sql(&format!(" OFFSET {skip}"));
        }
        Ok(())
    }
}

runtime_statement!(Page<'_>);

impl<DB: Dialect> QueryableByName<DB> for Row {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let mut key = Vec::new();
        let mut cells = Vec::new();
        let mut is_behind = true;
        for index in 0..row.field_count() {
            let Some(field) = diesel::row::Row::get(row, index) else { continue };
            let name = field.field_name().unwrap_or_default();
            if name.starts_with(KEY_ALIAS) {
                key.push(field.value().map_or(Ok(KeyValue::Null), DB::read_key)?);
            } else if name == BEHIND_ALIAS {
                is_behind = field.value().map(DB::read_text).transpose()?.as_deref() == Some("1");
            } else {
                cells.push(field.value().map(DB::read_cell).transpose()?);
            }
        }
        Ok(Self { key, is_behind, cells })
    }
}

/// Pushes `row key > bound`, `>=` or `<=`, in a form that an index serves.
fn push_bound<'b, DB: Dialect>(
    table: &'b PlannedTable,
    bound: &'b [KeyValue],
    comparison: Comparison,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    let columns = &table.row_key;
    let operator = columns[0].operator(comparison);
    if columns.len() == 1 || DB::ROW_VALUES && columns.iter().all(|column| column.operator(comparison) == operator) {
        out.push_sql("(");
        push_all(columns, ", ", out, push_key_column)?;
        out.push_sql(&format!(") {operator} ("));
        push_all(bound.iter().zip(columns), ", ", out, |(value, column), out| DB::push_key(value, column, out))?;
        out.push_sql(")");
        return Ok(());
    }
    // a >= x AND (a > x OR (a = x AND (b > y OR (b = y AND …)))). MySQL needs the first term to use the index.
    let (strict, inclusive) = match comparison {
        Comparison::Greater | Comparison::AtLeast => (Comparison::Greater, Comparison::AtLeast),
        _ => (Comparison::Less, Comparison::AtMost),
    };
    let compare = |index: usize, comparison: Comparison, out: &mut AstPass<'_, 'b, DB>| {
        push_key_column(&columns[index], out)?;
        out.push_sql(&format!(" {} ", columns[index].operator(comparison)));
        DB::push_key(&bound[index], &columns[index], out)
    };
    compare(0, inclusive, out)?;
    out.push_sql(" AND (");
    let last = columns.len() - 1;
    for index in 0..last {
        compare(index, strict, out)?;
        out.push_sql(" OR (");
        compare(index, Comparison::Equal, out)?;
        out.push_sql(" AND (");
    }
    compare(last, comparison, out)?;
    out.push_sql(&")".repeat(2 * last + 1));
    Ok(())
}
