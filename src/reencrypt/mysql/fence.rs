//! Which transactions are open on MySQL and MariaDB.

use std::thread;
use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::connection::{Connection, LoadConnection};
use diesel::mysql::Mysql;
use diesel::result::{Error as DieselError, QueryResult};

use super::super::sql::{Fields, Sql};

/// The server brings its list of transactions up to date when nobody has read it for a tenth of a second.
const FRESH: Duration = Duration::from_millis(120);
/// How often to look for a list that is up to date. The pauses grow, so that two who do this do not keep each other
/// from it.
const LOOKS: u32 = 15;

/// When those transactions began that run now. A transaction keeps its time when it gets a number, or another connection
/// takes it over to commit it.
///
/// A list is known to be of now when a transaction is in it that was begun for that purpose.
pub(super) fn fence<C>(conn: &mut C) -> QueryResult<String>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    wait_for_list(conn, |own| own.is_none())?;
    conn.batch_execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
    let list = wait_for_list(conn, |own| own.is_some()).and_then(|()| Sql::new(STARTED).load::<Fields>(conn));
    conn.batch_execute("COMMIT")?;
    Ok(list?.into_iter().filter_map(|mut row| row.take(0)).collect::<Vec<_>>().join(","))
}

pub(super) fn older_than<C>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    let rows: Vec<Fields> = Sql::new(OLDER).bind(fence).load(conn)?;
    Ok(rows.into_iter().filter_map(|mut row| row.take(0)).collect())
}

/// Waits until the list has, or has not, a transaction of this connection.
fn wait_for_list<C>(conn: &mut C, is_it: impl Fn(Option<String>) -> bool) -> QueryResult<()>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    for look in 1..=LOOKS {
        if is_it(Sql::new(OWN).first(conn)?) {
            return Ok(());
        }
        thread::sleep(FRESH * look);
    }
    let reason = "information_schema.innodb_trx stays out of date while others read it all the time";
    Err(DieselError::QueryBuilderError(reason.into()))
}

// The list has the statements, too, and in a strict mode MySQL fails to convert those that are not all text.

const OWN: &str = "\
    SELECT /*+ SET_VAR(sql_mode = '') */ CAST(trx_mysql_thread_id AS CHAR) FROM information_schema.innodb_trx \
    WHERE trx_mysql_thread_id = CONNECTION_ID()";

const STARTED: &str = "\
    SELECT /*+ SET_VAR(sql_mode = '') */ DISTINCT CAST(trx_started AS CHAR) FROM information_schema.innodb_trx \
    WHERE trx_mysql_thread_id <> CONNECTION_ID()";

const OLDER: &str = "\
    SELECT /*+ SET_VAR(sql_mode = '') */ CONCAT('connection ', trx_mysql_thread_id, ', since ', trx_started, ' (server time)') \
    FROM information_schema.innodb_trx \
    WHERE FIND_IN_SET(CAST(trx_started AS CHAR), ?) AND trx_mysql_thread_id <> CONNECTION_ID()";
