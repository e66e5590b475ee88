//! Detects a pooler that serves one connection with several sessions of the server, or several connections with one.
//!
//! Such a pooler hands a session of the server on after every transaction. The settings of the task would then apply to
//! the statements of the application.

use std::time::Duration;

use diesel::connection::TransactionManager;
use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};
use diesel::result::QueryResult;

use crate::database::connection::TaskConnection;
use crate::database::dialect::Poolers;
use crate::database::failure::Failure;

/// How often to look. Once is enough for an idle pooler. A busy one may return the same session several times.
const ROUNDS: usize = 8;
/// How long to wait for the second connection.
const SPARE: Duration = Duration::from_secs(1);
/// The names of Diesel's prepared statements begin like this.
const STATEMENT: &str = "__diesel_stmt_";

/// A pooler, and how the task noticed it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pooler {
    /// Its name, if it gave itself away.
    pub(crate) name: Option<String>,
    /// What was seen.
    pub(crate) seen: String,
}

/// Looks for a pooler between this pool and the server. Changes no setting.
///
/// With a session of its own, a connection always sees the same session of the server, and no other connection sees it.
/// So the first connection runs transactions, each followed by one of the second connection. During that one, a pooler
/// has to serve the first connection with another session. If the pool spares only one connection, it must see one
/// session.
pub(crate) fn detect<C: TaskConnection>(
    pool: &Pool<ConnectionManager<C>>,
    patience: Duration,
) -> Result<Option<Pooler>, Failure> {
    let mut first = match take(pool, patience)? {
        Taken::Connection(conn) => conn,
        Taken::Pooler(pooler) => return Ok(Some(pooler)),
    };
    let mut second = match take(pool, if pool.max_size() > 1 { SPARE.min(patience) } else { Duration::ZERO }) {
        Ok(Taken::Connection(conn)) => Some(conn),
        Ok(Taken::Pooler(pooler)) => return Ok(Some(pooler)),
        // The pool has only one connection, or the application holds all others.
        Err(_) => None,
    };
    match compare(&mut *first, second.as_deref_mut()) {
        Ok(None) => Ok(None),
        Ok(Some(seen)) => Ok(Some(Pooler { name: C::Backend::name_of_pooler(&mut *first), seen })),
        Err(error) => {
            // They may be broken. The pool closes them in this state.
            for mut conn in std::iter::once(first).chain(second) {
                C::TransactionManager::transaction_manager_status_mut(&mut *conn).set_in_error();
            }
            let closes = || match take(pool, patience) {
                Ok(Taken::Connection(mut conn)) => closes(&mut *conn),
                _ => false,
            };
            if !(0..ROUNDS).all(|_| closes()) {
                return Err(Failure::database(error));
            }
            let seen = "whenever a transaction begins, the connection is closed, as PgBouncer does in statement mode";
            Ok(Some(Pooler { name: None, seen: seen.into() }))
        }
    }
}

/// Whether a transaction breaks a working connection.
fn closes<C: TaskConnection>(conn: &mut C) -> bool {
    conn.ping().is_ok() && C::Backend::in_plain_transaction(conn, C::Backend::serving).is_err() && conn.ping().is_err()
}

enum Taken<C: TaskConnection> {
    Connection(PooledConnection<ConnectionManager<C>>),
    Pooler(Pooler),
}

fn take<C: TaskConnection>(pool: &Pool<ConnectionManager<C>>, patience: Duration) -> Result<Taken<C>, Failure> {
    let error = match pool.get_timeout(SPARE.min(patience)) {
        Ok(conn) => return Ok(Taken::Connection(conn)),
        Err(error) => error.to_string(),
    };
    // The check of the connection failed: a statement of this name belongs to somebody else, or is somewhere else.
    if error.contains(STATEMENT) {
        return Ok(Taken::Pooler(Pooler { name: None, seen: format!("a prepared statement was mixed up: {}", error) }));
    }
    pool.get_timeout(patience.saturating_sub(SPARE)).map(Taken::Connection).map_err(Failure::database)
}

/// Returns in words what cannot be without a pooler.
fn compare<C: TaskConnection>(first: &mut C, mut second: Option<&mut C>) -> QueryResult<Option<String>> {
    let serving = |conn: &mut C| C::Backend::in_plain_transaction(conn, C::Backend::serving);
    let own = serving(first)?;
    for _ in 0..ROUNDS {
        let again = match &mut second {
            None => serving(first)?,
            Some(second) => {
                let second: &mut C = second;
                let both = C::Backend::in_plain_transaction(second, |second| {
                    let other = C::Backend::serving(second)?;
                    // If it is the same, a pooler would let the first connection wait for this transaction.
                    if other == own { Ok(None) } else { serving(first).map(Some) }
                })?;
                let Some(again) = both else {
                    return Ok(Some(format!("two connections, open at the same time, were both served by {own}")));
                };
                again
            }
        };
        if again != own {
            return Ok(Some(format!("one connection was served by {own} and then by {again}")));
        }
    }
    Ok(None)
}
