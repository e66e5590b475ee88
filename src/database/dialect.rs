//! The differences between the databases: one trait for each concern, and one file for each concern and database.

use diesel::deserialize;
use diesel::query_builder::AstPass;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::catalogue::{Catalogue, CatalogueColumn, KeyColumn, Relation};
use crate::database::checkpoint::Checkpoint;
use crate::database::error_class::{ErrorClass, Wording};
use crate::database::estimate::TableEstimate;
use crate::database::guard_kind::GuardKind;
use crate::database::plan::{PlannedColumn, PlannedTable};
use crate::database::replication::{Primary, ReplicaState, Replication};
use crate::database::row::{Cell, Change, KeyValue};
use crate::database::server::cluster::Membership;
use crate::database::server::identity::Server;
use crate::database::sql::{Conn, TextRows};
use crate::database::swap::DigestChange;
use crate::database::words::Flavor;
use crate::fields::TokenBackend;
use crate::targets::TableName;

/// A backend on which the task runs: Diesel's `Pg`, `Mysql` and `Sqlite`, each with its feature. Sealed, as
/// [`TokenBackend`] is.
pub trait Dialect:
    Language
    + SessionSettings
    + Poolers
    + Locks
    + CatalogueReader
    + OwnTables
    + GuardLookup
    + RowFormat
    + SwapRows
    + Snapshots
    + Identity
    + Clusters
    + ReplicationState
    + Cost
    + Effects
    + Conversion
{
}

/// How the database spells SQL.
pub trait Language: TokenBackend {
    const FLAVOR: Flavor;
    /// The schemes of the URLs of its servers.
    const SCHEMES: &'static [&'static str];
    /// The quote around names.
    const QUOTE: char;
    /// Whether names that differ only in case are the same name.
    const FOLDS_CASE: bool;
    /// Whether an index serves `(a, b) > (x, y)`.
    const ROW_VALUES: bool;
    /// The expression for the current time, in whole milliseconds since 1970.
    const NOW: &'static str;
    /// The type for a text of any length.
    const TEXT: &'static str;
    /// What stands at the end of a `CREATE TABLE`.
    const TABLE_OPTIONS: &'static str = "";
}

pub trait SessionSettings: TokenBackend {
    /// The settings of a session of the task, with their values. The task skips names that the server does not know.
    const SETTINGS: &'static [(&'static str, &'static str)];
    /// The setting for how long to wait for locks, and its value for the task's own tables.
    const PATIENT: (&'static str, &'static str);

    /// The current values of the [`SETTINGS`](Self::SETTINGS) that the server knows, and that outlast a transaction.
    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>>;

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()>;

    /// A setting of the server, in words for the operator, that makes the writes of a session of the task impossible.
    fn forbids_writes<C: Conn<Self>>(_conn: &mut C) -> QueryResult<Option<String>> {
        Ok(None)
    }

    /// Whether the connection is encrypted. `None` if the client library keeps what the URL asks for.
    fn is_encrypted<C: Conn<Self>>(_conn: &mut C) -> QueryResult<Option<bool>> {
        Ok(None)
    }

    /// Runs `query` on a connection that is not a session of the task, so that names in it mean what they mean in a
    /// session, and no limit of the session hides rows. PostgreSQL finds operators and functions by a path, and MySQL
    /// reads quotes by its `sql_mode`.
    fn pinned<C: Conn<Self>, T, E: From<DieselError>>(
        conn: &mut C,
        query: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        query(conn)
    }

    /// Runs `query` with the settings of the task, in a session that has those which outlast a transaction.
    fn with_settings<C: Conn<Self>, T>(
        conn: &mut C,
        is_patient: bool,
        query: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        if !is_patient {
            return query(conn);
        }
        let (name, patient) = Self::PATIENT;
        let usual = Self::SETTINGS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        Self::set(conn, name, patient)?;
        let value = query(conn)?;
        Self::set(conn, name, usual.unwrap_or(patient))?;
        Ok(value)
    }
}

/// Poolers between the task and the server.
pub trait Poolers: TokenBackend {
    const HAS_POOLERS: bool;

    /// The session of the server that serves this connection, in words. In a transaction it stays the same.
    fn serving<C: Conn<Self>>(conn: &mut C) -> QueryResult<String>;

    /// Runs `query` in a transaction, on a connection that does not have the settings of the task.
    fn in_plain_transaction<C: Conn<Self>, T>(
        conn: &mut C,
        query: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        conn.transaction(query)
    }

    /// The name of the pooler in front of this connection, if it gives itself away.
    fn name_of_pooler<C: Conn<Self>>(_conn: &mut C) -> Option<String> {
        None
    }
}

/// The locks of writers, and how the database reports a conflict.
pub trait Locks: TokenBackend {
    /// Whether writers lock rows rather than the whole database.
    const LOCKS_ROWS: bool;
    /// Whether processes share a run through tables in the database by default.
    const SHARES: bool;

    /// How messages begin in the language of the server's source.
    const MESSAGES: &'static [(ErrorClass, &'static str)];
    /// Whether the server may use another language, which a session of the task cannot change.
    const TRANSLATES: bool = false;

    /// How this server words its errors. Provokes them with one or two connections that are in no transaction.
    fn learn<C: Conn<Self>>(_conn: &mut C, _other: Option<&mut C>) -> Vec<Wording> {
        Vec::new()
    }

    /// Whether a swap on this server waits for locked rows unless it skips them.
    fn waits_for_rows<C: Conn<Self>>(_conn: &mut C) -> QueryResult<bool> {
        Ok(false)
    }
}

pub trait CatalogueReader: TokenBackend {
    /// Describes a table. Returns `None` if there is no such table.
    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>>;

    /// Describes the tables and views of the user in every schema, in any order. MySQL and MariaDB read only the connected
    /// database and `schemas`.
    fn relations<C: Conn<Self>>(conn: &mut C, schemas: &[&str]) -> QueryResult<Vec<Relation>>;
}

/// The tables of the task itself.
pub trait OwnTables: TokenBackend {
    /// The schema in which the application creates tables, if a statement has to name it.
    fn schema_for_new<C: Conn<Self>>(_conn: &mut C) -> QueryResult<Option<String>> {
        Ok(None)
    }

    /// Why the task must not use this table as its own, in words for the operator: somebody without the right to do so
    /// made it, or the task's writes to it would run code.
    fn distrust<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<String>>;
}

pub trait GuardLookup: TokenBackend {
    /// The guard that keeps plaintext out of a column.
    fn guard<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>>;
}

/// How statements send row keys and cells, and how rows return them.
pub trait RowFormat: TextRows {
    /// Pushes a column of the row key for a select list.
    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;

    /// Pushes an encrypted column for a select list.
    fn push_cell_output(column: &PlannedColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;

    /// Pushes a value of the row key as a parameter.
    fn push_key<'b>(value: &'b KeyValue, column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()>;

    /// Pushes two texts for a select list: the length of a value in bytes and, if the value begins as a token does, its
    /// beginning in hexadecimal.
    fn push_sampled(column: &CatalogueColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;

    /// Whether a value of a row key has a form in which this database returns one, and takes it back.
    fn is_key(value: &KeyValue) -> bool;

    fn read_key(value: Self::RawValue<'_>) -> deserialize::Result<KeyValue>;

    fn read_cell(value: Self::RawValue<'_>) -> deserialize::Result<Cell>;
}

/// Writing a batch.
pub trait SwapRows: TokenBackend {
    /// The number of rows of a page, and therefore of a batch.
    const BATCH: usize;
    /// The most values that a statement can bind.
    const MAX_BINDS: usize;

    /// The setting that limits the length of a statement with its values, for messages.
    const STATEMENT_LIMIT: &'static str;
    /// Whether [`swap_by_digest`](Self::swap_by_digest) is of use.
    const SWAPS_BY_DIGEST: bool = false;

    /// The most bytes of a statement with its values, on this connection.
    fn longest_statement<C: Conn<Self>>(conn: &mut C) -> QueryResult<u64>;

    /// Writes one value whose row still holds the old one, as [`swap`](Self::swap) does, but sends only the SHA-256 of the
    /// old value. The server computes that of the present value under the lock of the update, so no other value passes.
    fn swap_by_digest<C: Conn<Self>>(
        _conn: &mut C,
        _table: &PlannedTable,
        _change: &DigestChange<'_>,
        _checkpoint: Option<&Checkpoint>,
    ) -> QueryResult<Option<usize>> {
        Err(DieselError::QueryBuilderError("this database compares whole values".into()))
    }

    /// Writes each change whose row still holds the old tokens, byte for byte, together with the checkpoint. Returns how
    /// many rows it wrote. Returns `None` and writes nothing if another process has taken over the checkpoint's claim.
    ///
    /// It never waits for a locked row: it fails, or skips such rows if `skips_locked`.
    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<&Checkpoint>,
        skips_locked: bool,
    ) -> QueryResult<Option<usize>>;
}

/// Reading one state of the database, and waiting for earlier transactions.
pub trait Snapshots: TokenBackend {
    /// The number of fences to wait for, one after the other, until all transactions that began before the first one
    /// have ended.
    const FENCES: usize = 1;

    /// Whether a transaction that read a value before a snapshot can still write the value after it.
    const OUTLIVES_SNAPSHOTS: bool = true;

    /// Begins a transaction that reads one snapshot: `shared`, or a new one. Returns the name of a new snapshot if other
    /// sessions can share it. Nobody can replace the tables or change their columns until the transaction ends. The
    /// locks that prevent it come before the snapshot: a table that is rewritten after the snapshot reads as empty.
    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        tables: &[PlannedTable],
        shared: Option<&str>,
    ) -> QueryResult<Option<String>>;

    /// The number of rows of a table in the snapshot of this transaction, counted without any index that the walk uses.
    fn count<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<u64>;

    /// A point in time for [`older_than`](Self::older_than).
    fn fence<C: Conn<Self>>(conn: &mut C) -> QueryResult<String>;

    /// The open transactions that began before the fence, in words for the operator.
    fn older_than<C: Conn<Self>>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>>;
}

/// What the server is.
pub trait Identity: TokenBackend {
    /// What the server of this connection reports about itself.
    fn server<C: Conn<Self>>(conn: &mut C) -> QueryResult<Server>;

    /// Why this session cannot write, if it cannot.
    fn read_only<C: Conn<Self>>(_conn: &mut C) -> QueryResult<Option<String>> {
        Ok(None)
    }

    /// What writes to these tables on behalf of transactions of other servers, in words for the operator.
    fn feeds<C: Conn<Self>>(_conn: &mut C, _tables: &[PlannedTable]) -> QueryResult<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Clusters in which every node can write.
pub trait Clusters: TokenBackend {
    /// How this node sees its cluster. `None` if the server is on its own.
    fn membership<C: Conn<Self>>(_conn: &mut C) -> QueryResult<Option<Membership>> {
        Ok(None)
    }
}

/// The lag of replicas.
pub trait ReplicationState: TokenBackend {
    /// Which servers know how far replicas are behind.
    const REPLICATION: Replication;

    /// The end of the log, and the connected replicas; `None` if the server does not know them.
    fn primary<C: Conn<Self>>(_conn: &mut C) -> QueryResult<Option<Primary>> {
        Ok(None)
    }

    /// The state that a replica reports about itself, for each channel from which it replicates.
    fn replica<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<ReplicaState>>;
}

/// The cost of a task.
pub trait Cost: TokenBackend {
    /// Estimates the cost of rewriting every row of the table. Reads no row.
    fn estimate<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<TableEstimate>;

    /// The number of rows of a table. Counts them if the catalogue has no estimate.
    fn rows<C: Conn<Self>>(_conn: &mut C, table: &PlannedTable) -> QueryResult<Option<u64>> {
        Ok(table.rows)
    }
}

/// The triggers and rules that an update of a table's encrypted columns sets off.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SideEffects {
    /// The names of the triggers that would fire.
    pub(crate) triggers: Vec<String>,
    /// The names of the rules, which PostgreSQL does not combine with the task's statement.
    pub(crate) rules: Vec<String>,
    /// Whether the server may hide triggers from this user.
    pub(crate) may_be_hidden: bool,
    /// The owner of the table, if the owner's code would run with the rights of a superuser.
    pub(crate) lesser_owner: Option<String>,
}

/// Other effects of the task's writes.
pub trait Effects: TokenBackend {
    /// How to re-encrypt a table without its triggers, as an instruction to the operator.
    const WITHOUT_TRIGGERS: &'static str;

    /// The triggers and rules that an update of the table's encrypted columns sets off in this session.
    fn side_effects<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<SideEffects>;
}

/// Turning a column of plaintext into a column of tokens, or back.
pub trait Conversion: TokenBackend {
    /// Foreign keys and generated columns, which depend on the values of the columns. They are described for the
    /// operator.
    fn ties<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Vec<String>>;

    /// Whether any value of the column begins as a token does. If none does, this reads every row.
    fn has_tokens<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &PlannedColumn) -> QueryResult<bool>;

    /// The length in bytes of the column's longest value that does not begin as a token does. Reads every row.
    fn longest_plaintext<C: Conn<Self>>(
        conn: &mut C,
        table: &TableName,
        column: &PlannedColumn,
    ) -> QueryResult<Option<u64>>;
}
