//! The tables that a task reads and writes, in the order of its plan.

use crate::database::catalogue::KeyColumn;
use crate::database::row::KeyValue;
use crate::targets::TableName;

/// Follows the name of such a column in the description of a table.
const TOKEN_LIKE: &str = " (with token-like plaintext)";

/// The tables of a task, sorted by name so that every process of a run has the same order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    tables: Vec<PlannedTable>,
}

/// A table that the task can read and write.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    pub(crate) name: TableName,
    pub(crate) row_key: Vec<KeyColumn>,
    /// The index of the row key, if a statement has to name the index that the database should use.
    pub(crate) index: Option<String>,
    pub(crate) columns: Vec<PlannedColumn>,
    /// Columns that the database would change by itself on any update of the row. The task keeps their values.
    pub(crate) keep: Vec<String>,
    /// The number of rows, if the database can estimate it.
    pub(crate) rows: Option<u64>,
    /// What distinguishes the table from another one that gets its name, if the database has such a thing.
    pub(crate) identity: Option<String>,
    /// Whether other tables could inherit from it. Their rows are not its rows.
    pub(crate) only: bool,
}

/// An encrypted column.
#[derive(Debug, Clone)]
pub struct PlannedColumn {
    pub(crate) name: String,
    /// As in [`CatalogueColumn`](crate::database::catalogue::CatalogueColumn).
    pub(crate) number: Option<i64>,
    pub(crate) is_text: bool,
    /// Whether it is an array, in which each element is a value. Only PostgreSQL has arrays.
    pub(crate) is_array: bool,
    /// Whether a value that looks like a token is plaintext if no key opens it. The operator declares this.
    pub(crate) token_like_plaintext: bool,
    /// In which rows plaintext is right, as a condition in SQL. The operator declares this.
    pub(crate) plaintext_where: Option<String>,
    /// As in [`CatalogueColumn`](crate::database::catalogue::CatalogueColumn).
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), expect(dead_code))]
    pub(crate) character_set: Option<String>,
    pub(crate) room: Room,
}

/// The length that a column can hold.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// As in [`CatalogueColumn`](crate::database::catalogue::CatalogueColumn).
    pub(crate) limit: Option<u64>,
    pub(crate) is_padded: bool,
    /// The type in the database's words, for messages.
    pub(crate) type_name: String,
}

impl Plan {
    /// Sorts the tables and their columns.
    pub(crate) fn new(mut tables: Vec<PlannedTable>) -> Self {
        for table in &mut tables {
            table.columns.sort_by(|a, b| a.name.cmp(&b.name));
        }
        tables.sort_by_key(|table| table.name.to_string());
        Self { tables }
    }

    pub(crate) fn tables(&self) -> &[PlannedTable] {
        &self.tables
    }

    pub(crate) fn tables_mut(&mut self) -> &mut [PlannedTable] {
        &mut self.tables
    }

    pub(crate) fn table(&self, position: usize) -> &PlannedTable {
        &self.tables[position]
    }

    /// The columns of all tables, each with its table.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&PlannedTable, &PlannedColumn)> {
        self.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)))
    }

    /// The position of a table's first column among the columns of all tables.
    pub(crate) fn offset(&self, table: usize) -> usize {
        self.tables[..table].iter().map(|table| table.columns.len()).sum()
    }
}

impl PlannedTable {
    /// The most rows of a statement that binds every row key and, for each column, the old and the new token.
    pub(crate) fn max_rows(&self, max_binds: usize) -> usize {
        (max_binds / (self.row_key.len() + 2 * self.columns.len())).max(1)
    }

    /// Whether a reading of this table is a reading of the other one: the same table, in the same order, with the same
    /// columns. The length of the columns may differ.
    pub(crate) fn reads_as(&self, other: &Self) -> bool {
        let columns = |table: &Self| {
            table
                .columns
                .iter()
                .map(|column| (column.number, column.name.clone(), column.is_text, column.is_array))
                .collect()
        };
        let (mine, theirs): (Vec<_>, Vec<_>) = (columns(self), columns(other));
        (&self.identity, &self.row_key, &self.index, self.only)
            == (&other.identity, &other.row_key, &other.index, other.only)
            && mine == theirs
    }

    /// `public.users (id): email, phone`
    pub(crate) fn describe(&self) -> String {
        let keys: Vec<&str> = self.row_key.iter().map(|column| column.name.as_str()).collect();
        let columns = self.columns.iter().map(|column| {
            let suffix = if column.token_like_plaintext { TOKEN_LIKE } else { "" };
            format!("{}{suffix}", column.name)
        });
        format!("{} ({}): {}", self.name, keys.join(", "), columns.collect::<Vec<_>>().join(", "))
    }

    /// `plaintext is right in public.users.email where …`, for each column with such a condition
    pub(crate) fn describe_conditions(&self) -> impl Iterator<Item = String> {
        self.columns.iter().filter_map(|column| {
            let condition = column.plaintext_where.as_ref()?;
            Some(format!("plaintext is right in {}.{} where {condition}", self.name, column.name))
        })
    }

    /// The columns in a [description](Self::describe) of this table, whichever they are. There are none in that of
    /// another table, and a name with a comma is not found.
    pub(crate) fn described_columns<'t>(&self, description: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
        let keys: Vec<&str> = self.row_key.iter().map(|column| column.name.as_str()).collect();
        let columns = description.strip_prefix(&format!("{} ({}): ", self.name, keys.join(", ")));
        let columns = columns.map(|columns| columns.split(", ")).into_iter().flatten();
        columns.map(|column| column.strip_suffix(TOKEN_LIKE).unwrap_or(column))
    }

    /// A row key for the operator's eyes: `id=7`, `tenant=1, slug=a`.
    pub(crate) fn label(&self, key: &[KeyValue]) -> String {
        let pairs = self.row_key.iter().zip(key).map(|(column, value)| match column.text(value) {
            Some(text) => format!("{}={}", column.name, text.escape_debug()),
            None => format!("{}={value}", column.name),
        });
        pairs.collect::<Vec<_>>().join(", ")
    }
}
