//! The connections that this crate works with.

use diesel::connection::{Connection, LoadConnection};
use diesel::r2d2::R2D2Connection;

use crate::database::dialect::Dialect;

/// A connection to any database that this crate supports.
pub trait DialectConnection: Connection<Backend: Dialect> + LoadConnection {}

impl<C: Connection<Backend: Dialect> + LoadConnection> DialectConnection for C {}

/// A connection that a task takes from a pool: `PgConnection`, `MysqlConnection` or `SqliteConnection`.
pub trait TaskConnection: DialectConnection + R2D2Connection + 'static {}

impl<C: DialectConnection + R2D2Connection + 'static> TaskConnection for C {}
