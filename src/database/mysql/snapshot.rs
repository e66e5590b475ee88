//! Snapshots of MySQL and MariaDB, and their open transactions.

use std::thread;
use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::mysql::Mysql;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::mysql::cluster::after_other_nodes;
use crate::database::mysql::settings::without_limit;
use crate::database::quote::quoted_table;
use crate::database::{Conn, Fields, PlannedTable, Snapshots, Sql};

/// The server refreshes its list of transactions when nobody has read it for a tenth of a second.
const FRESH: Duration = Duration::from_millis(120);
/// How often to look for an up-to-date list. The pauses grow, so that two processes that do this do not prevent each
/// other from seeing one.
const LOOKS: u32 = 15;

impl Snapshots for Mysql {
    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        tables: &[PlannedTable],
        _shared: Option<&str>,
    ) -> QueryResult<Option<String>> {
        after_other_nodes(conn, |conn| {
            conn.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
            conn.batch_execute("START TRANSACTION READ ONLY")
        })?;
        let names: Vec<String> = tables.iter().map(|table| quoted_table::<Self>(&table.name)).collect();
        // Opening a table takes its metadata lock. Reading no row, it takes no snapshot: the first row that is read does.
        for name in &names {
            conn.batch_execute(&format!("SELECT 1 FROM {name} WHERE 1 = 0"))?;
        }
        if let Some(name) = names.first() {
            conn.batch_execute(&format!("SELECT 1 FROM {name} LIMIT 1"))?;
        }
        Ok(None)
    }

    fn count<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<u64> {
        let name = quoted_table::<Self>(&table.name);
        // Without an index, the server reads the rows themselves.
        without_limit(conn, |conn| {
            Sql::new(format!("SELECT CAST(COUNT(*) AS CHAR) FROM {name} USE INDEX ()")).number(conn)
        })
    }

    /// Returns the start times of the open transactions. A transaction keeps its time when it gets a number, or when
    /// another connection takes it over to commit it.
    ///
    /// The list is current once it contains a transaction that this function begins for this purpose.
    fn fence<C: Conn<Self>>(conn: &mut C) -> QueryResult<String> {
        wait_for_list(conn, false)?;
        // What begins on this node after this statement reads what the other nodes have committed before it.
        after_other_nodes(conn, |conn| conn.batch_execute("START TRANSACTION WITH CONSISTENT SNAPSHOT"))?;
        let others = wait_for_list(conn, true);
        conn.batch_execute("COMMIT")?;
        Ok(others?.join(","))
    }

    fn older_than<C: Conn<Self>>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>> {
        let older = unless_hidden(Sql::new(OLDER).bind(fence).column(conn))?;
        let unknown = || vec!["one whose statement contains bytes, so that MySQL cannot show the list".to_owned()];
        Ok(older.unwrap_or_else(unknown))
    }
}

/// Waits until the list contains a transaction of this connection, or until it contains none if `has_own` is false.
/// Returns the start times of the other transactions.
fn wait_for_list<C: Conn<Mysql>>(conn: &mut C, has_own: bool) -> QueryResult<Vec<String>> {
    let mut reason = "";
    for look in 1..=LOOKS {
        reason = match unless_hidden(Sql::new(LIST).load::<Fields>(conn))? {
            Some(mut rows) => {
                let others: Vec<String> = rows.iter_mut().filter_map(|row| row.take(0)).collect();
                if (others.len() < rows.len()) == has_own {
                    return Ok(others);
                }
                "information_schema.innodb_trx stays out of date because other sessions read it all the time"
            }
            None => "MySQL cannot show information_schema.innodb_trx while a statement that contains bytes runs",
        };
        thread::sleep(FRESH * look);
    }
    Err(DieselError::QueryBuilderError(reason.into()))
}

/// `None` while MySQL cannot show the list. Its error message would quote the beginning of a statement.
fn unless_hidden<T>(list: QueryResult<T>) -> QueryResult<Option<T>> {
    match list {
        Err(DieselError::DatabaseError(_, error)) if error.message().starts_with("Cannot convert string") => Ok(None),
        list => list.map(Some),
    }
}

/// The start times of the transactions; `NULL` for the transaction of this connection.
const LIST: &str = "\
    SELECT DISTINCT CASE WHEN trx_mysql_thread_id <> CONNECTION_ID() THEN CAST(trx_started AS CHAR) END \
    FROM information_schema.innodb_trx";

/// After a restart of the server, prepared transactions have the time of the restart. They belong to no connection.
const OLDER: &str = "\
    SELECT CONCAT('connection ', trx_mysql_thread_id, ', since ', trx_started, ' (server time)') \
    FROM information_schema.innodb_trx \
    WHERE (FIND_IN_SET(CAST(trx_started AS CHAR), ?) OR trx_mysql_thread_id = 0) \
      AND trx_mysql_thread_id <> CONNECTION_ID()";
