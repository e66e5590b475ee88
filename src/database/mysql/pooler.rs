//! Poolers in front of MySQL and MariaDB.

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::{Conn, Poolers, Sql};

impl Poolers for Mysql {
    const HAS_POOLERS: bool = true;

    /// ProxySQL itself answers `SELECT CONNECTION_ID()`, and keeps a connection to itself after a `@`.
    fn serving<C: Conn<Self>>(conn: &mut C) -> QueryResult<String> {
        let serving = Sql::new("SELECT CONCAT('the connection ', CONNECTION_ID(), ' of the server')");
        serving.first(conn).map(Option::unwrap_or_default)
    }

    /// With another `completion_type`, a plain COMMIT would begin a transaction, or close the connection.
    fn in_plain_transaction<C: Conn<Self>, T>(
        conn: &mut C,
        query: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        conn.batch_execute("START TRANSACTION")?;
        let value = query(conn);
        conn.batch_execute("ROLLBACK AND NO CHAIN NO RELEASE")?;
        value
    }

    fn name_of_pooler<C: Conn<Self>>(conn: &mut C) -> Option<String> {
        // A server reports a syntax error.
        conn.batch_execute("PROXYSQL INTERNAL SESSION").ok().map(|()| "ProxySQL".to_owned())
    }
}
