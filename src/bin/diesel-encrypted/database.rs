//! The database that a URL names: a pool of connections, and the library's calls on it.

use std::time::Duration;

use diesel::connection::LoadConnection;
use diesel::r2d2::{self, ConnectionManager, CustomizeConnection, Pool, R2D2Connection};
use diesel::{Connection, ConnectionError};
use diesel_encrypted::discover::{DiscoverError, Discovered, Discovery};
use diesel_encrypted::guard::{self, GuardMigration, Way};
use diesel_encrypted::reencrypt::{
    Control, Dialect, Estimate, RecordedProblems, Report, Retirement, SharedRun, StateTables, Status, Task, TaskError,
    check_tls, hide_passwords, is_unambiguous, state_tables,
};
use diesel_encrypted::{Fingerprint, Target};

use crate::cli::{Backend, DatabaseArgs};
use crate::exit::{Exit, Failure};
use crate::url;

/// Evaluates an expression with the pool of the backend.
macro_rules! on_pool {
    ($database:expr, $pool:ident => $does:expr) => {
        match $database {
            #[cfg(feature = "cli-postgres")]
            Self::Postgres($pool) => $does,
            #[cfg(feature = "cli-mysql")]
            Self::Mysql($pool) => $does,
            #[cfg(feature = "cli-sqlite")]
            Self::Sqlite($pool) => $does,
        }
    };
}

pub(crate) enum Database {
    #[cfg(feature = "cli-postgres")]
    Postgres(Pool<ConnectionManager<diesel::PgConnection>>),
    #[cfg(feature = "cli-mysql")]
    Mysql(Pool<ConnectionManager<diesel::MysqlConnection>>),
    #[cfg(feature = "cli-sqlite")]
    Sqlite(Pool<ConnectionManager<diesel::SqliteConnection>>),
}

impl Database {
    /// Opens a pool with two connections for each worker, and one for the heartbeat.
    pub(crate) fn connect(args: &DatabaseArgs, workers: usize) -> Result<Self, Failure> {
        let url = url::named(args.database_url.as_deref())?;
        let connections = u32::try_from(workers).ok().and_then(|workers| workers.checked_mul(2)?.checked_add(1));
        let connections = connections.ok_or_else(|| {
            Failure::usage("--workers is too large. Each worker takes two connections. Choose a smaller number.")
        })?;
        let backend = Backend::of(url)?;
        match backend {
            #[cfg(feature = "cli-postgres")]
            Backend::Postgres => pool(url, connections, Exit::GaveUp).map(Self::Postgres),
            #[cfg(feature = "cli-mysql")]
            Backend::Mysql => pool(&url::for_driver(url)?, connections, Exit::GaveUp).map(Self::Mysql),
            #[cfg(feature = "cli-sqlite")]
            Backend::Sqlite => {
                let path = url.strip_prefix("sqlite://").unwrap_or(url);
                pool(&url::existing(path)?, connections, Exit::Usage).map(Self::Sqlite)
            }
            #[allow(unreachable_patterns)]
            missing => Err(missing.not_built_in()),
        }
    }

    pub(crate) fn status(&self, task: Task<'_>) -> Result<Status, TaskError> {
        on_pool!(self, pool => task.status(pool))
    }

    pub(crate) fn estimate(&self, task: &Task<'_>) -> Result<Estimate, TaskError> {
        on_pool!(self, pool => task.estimate(pool))
    }

    pub(crate) fn reencrypt(&self, task: Task<'_>) -> Result<Report, TaskError> {
        on_pool!(self, pool => task.run(pool))
    }

    pub(crate) fn retire(&self, task: Task<'_>, key: Fingerprint) -> Result<Retirement, TaskError> {
        on_pool!(self, pool => task.retire(key, pool))
    }

    pub(crate) fn discover(&self, discovery: Discovery) -> Result<Discovered, DiscoverError> {
        on_pool!(self, pool => discovery.run(pool))
    }

    /// The active run, if any.
    pub(crate) fn run(&self) -> Result<Option<SharedRun>, TaskError> {
        on_pool!(self, pool => Control::new(pool).run())
    }

    pub(crate) fn problems(&self, give_up_after: Duration) -> Result<RecordedProblems, TaskError> {
        on_pool!(self, pool => Control::new(pool).give_up_after(give_up_after).problems())
    }

    /// The migrations that add guards to these columns.
    pub(crate) fn guard(&self, columns: &[Target], way: Way) -> Result<Vec<GuardMigration>, Failure> {
        on_pool!(self, pool => {
            let conn = pool.get().map_err(|error| Failure::new(Exit::GaveUp, one_line(error)));
            Ok(guard::migrations(&mut *conn?, columns, way)?)
        })
    }

    /// Sends a request to the running processes.
    pub(crate) fn ask(&self, request: Request, give_up_after: Duration) -> Result<SharedRun, TaskError> {
        on_pool!(self, pool => {
            let control = Control::new(pool).give_up_after(give_up_after);
            match request {
                Request::Pause => control.pause(),
                Request::Resume => control.resume(),
                Request::Stop => control.stop(),
            }
        })
    }
}

/// A request to the running processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Pause,
    Resume,
    Stop,
}

impl Backend {
    /// The SQL for the state tables.
    pub(crate) fn state_tables(self) -> Result<StateTables, Failure> {
        match self {
            #[cfg(feature = "cli-postgres")]
            Self::Postgres => Ok(state_tables::<diesel::pg::Pg>()),
            #[cfg(feature = "cli-mysql")]
            Self::Mysql => Ok(state_tables::<diesel::mysql::Mysql>()),
            #[cfg(feature = "cli-sqlite")]
            Self::Sqlite => Ok(state_tables::<diesel::sqlite::Sqlite>()),
            #[allow(unreachable_patterns)]
            missing => Err(missing.not_built_in()),
        }
    }

    #[allow(dead_code)]
    fn not_built_in(self) -> Failure {
        let name = match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
        };
        Failure::usage(format!("this program was built without {name}. Install it again with `--features cli-{name}`."))
    }
}

fn pool<C>(url: &str, connections: u32, if_unreachable: Exit) -> Result<Pool<ConnectionManager<C>>, Failure>
where
    C: Connection<Backend: Dialect> + LoadConnection + R2D2Connection + Send + 'static,
{
    let failure =
        |exit, error: String| Failure::new(exit, format!("cannot connect to the database: {}", error.trim_end()));
    // The pool would retry. This first connection reports a wrong address at once, in the server's own words.
    let mut conn = C::establish(url).map_err(|error| match error {
        ConnectionError::InvalidConnectionUrl(_) => failure(Exit::Usage, one_line(error)),
        // The driver would quote the part that it cannot parse, which is a piece of the password.
        _ if url.contains("://") && !url.starts_with("file:") && !is_unambiguous(url) => failure(
            Exit::Usage,
            "the URL is not valid. Write special characters in the password as %XX: `@` is %40, `/` is %2F.".into(),
        ),
        _ => {
            failure(if_unreachable, format!("{}\nCheck the database URL, then run the command again.", one_line(error)))
        }
    })?;
    // SQLite opens any file, and reads it only now. Any other failure, such as a lock, may pass.
    if let Err(error) = conn.ping() {
        if error.to_string().contains("not a database") {
            return Err(failure(Exit::Usage, error.to_string()));
        }
    }
    check_tls(&mut conn, url)?;
    drop(conn);
    let tls = Box::new(CheckTls(url.to_owned()));
    let pool = Pool::builder().max_size(connections).min_idle(Some(0)).connection_customizer(tls);
    pool.build(ConnectionManager::new(url)).map_err(|error| failure(if_unreachable, one_line(error)))
}

/// Lets no connection without the TLS that its URL asks for into the pool: another server may answer the next one.
#[derive(Debug)]
struct CheckTls(String);

impl<C> CustomizeConnection<C, r2d2::Error> for CheckTls
where
    C: Connection<Backend: Dialect> + LoadConnection + R2D2Connection + 'static,
{
    fn on_acquire(&self, conn: &mut C) -> Result<(), r2d2::Error> {
        check_tls(conn, &self.0)
            .map_err(|error| r2d2::Error::ConnectionError(ConnectionError::BadConnection(error.to_string())))
    }
}

/// The lines of a message as one, because a server could add lines that look like those of this program.
fn one_line(error: impl std::fmt::Display) -> String {
    hide_passwords(&error.to_string()).split_whitespace().collect::<Vec<_>>().join(" ")
}
