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
    let list = wait_for_list(conn, |own| own.is_some()).and_then(|()| read(conn, || Sql::new(STARTED)));
    conn.batch_execute("COMMIT")?;
    Ok(list?.join(","))
}

pub(super) fn older_than<C>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    read(conn, || Sql::new(OLDER).bind(fence))
}

/// Waits until the list has, or has not, a transaction of this connection.
fn wait_for_list<C>(conn: &mut C, is_it: impl Fn(Option<String>) -> bool) -> QueryResult<()>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    for look in 1..=LOOKS {
        if is_it(read(conn, || Sql::new(OWN))?.pop()) {
            return Ok(());
        }
        thread::sleep(FRESH * look);
    }
    let reason = "information_schema.innodb_trx stays out of date while others read it all the time";
    Err(DieselError::QueryBuilderError(reason.into()))
}

/// The first field of each row of the list. MySQL cannot show it while a statement runs that is not all text, as one with
/// bytes in it: it is read again then.
fn read<'a, C>(conn: &mut C, sql: impl Fn() -> Sql<'a>) -> QueryResult<Vec<String>>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    for look in 1..=LOOKS {
        match sql().load::<Fields>(conn) {
            // The message shows the beginning of the statement.
            Err(DieselError::DatabaseError(_, error)) if error.message().starts_with("Cannot convert string") => {
                thread::sleep(FRESH * look);
            }
            rows => return Ok(rows?.into_iter().filter_map(|mut row| row.take(0)).collect()),
        }
    }
    let reason = "MySQL cannot show information_schema.innodb_trx while a statement runs that has bytes in it";
    Err(DieselError::QueryBuilderError(reason.into()))
}

const OWN: &str = "\
    SELECT CAST(trx_mysql_thread_id AS CHAR) FROM information_schema.innodb_trx \
    WHERE trx_mysql_thread_id = CONNECTION_ID()";

const STARTED: &str = "\
    SELECT DISTINCT CAST(trx_started AS CHAR) FROM information_schema.innodb_trx \
    WHERE trx_mysql_thread_id <> CONNECTION_ID()";

const OLDER: &str = "\
    SELECT CONCAT('connection ', trx_mysql_thread_id, ', since ', trx_started, ' (server time)') \
    FROM information_schema.innodb_trx \
    WHERE FIND_IN_SET(CAST(trx_started AS CHAR), ?) AND trx_mysql_thread_id <> CONNECTION_ID()";
