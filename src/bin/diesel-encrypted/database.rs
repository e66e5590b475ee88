//! The database that a URL names: a pool of connections, and the library's calls on it.

use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};
use diesel::{Connection, ConnectionError};
use diesel_encrypted::discover::{DiscoverError, Discovered, Discovery};
use diesel_encrypted::guard::{self, GuardMigration, Way};
use diesel_encrypted::reencrypt::{
    Control, Estimate, RecordedProblems, Report, Retirement, SharedRun, StateTables, Status, Task, TaskError,
    state_tables,
};
use diesel_encrypted::{Fingerprint, Target};

use crate::cli::{Backend, DatabaseArgs};
use crate::exit::{Exit, Failure};

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
        let url = url(args.database_url.as_deref())?;
        let connections = u32::try_from(workers).ok().and_then(|workers| workers.checked_mul(2)?.checked_add(1));
        let connections = connections.ok_or_else(|| {
            Failure::usage("--workers is too large. Each worker takes two connections. Choose a smaller number.")
        })?;
        match Backend::of(url)? {
            #[cfg(feature = "cli-postgres")]
            Backend::Postgres => pool(url, connections, Exit::GaveUp).map(Self::Postgres),
            #[cfg(feature = "cli-mysql")]
            Backend::Mysql => {
                let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
                pool(&format!("mysql://{rest}"), connections, Exit::GaveUp).map(Self::Mysql)
            }
            #[cfg(feature = "cli-sqlite")]
            Backend::Sqlite => {
                let path = url.strip_prefix("sqlite://").unwrap_or(url);
                pool(&existing(path)?, connections, Exit::Usage).map(Self::Sqlite)
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
            let conn = pool.get().map_err(|error| Failure::new(Exit::GaveUp, error.to_string()));
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
    /// The backend that the scheme of a URL names.
    pub(crate) fn of(url: &str) -> Result<Self, Failure> {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("mysql" | "mariadb") => Ok(Self::Mysql),
            None | Some("sqlite" | "file") => Ok(Self::Sqlite),
            Some(scheme) => Err(Failure::usage(format!(
                "the database URL has the unknown scheme {scheme}://. Use postgres://, mysql:// or the path of an SQLite \
                 file."
            ))),
        }
    }

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

/// The URL, or a failure if none is set.
pub(crate) fn url(url: Option<&str>) -> Result<&str, Failure> {
    url.ok_or_else(|| Failure::usage("no database is named. Set DATABASE_URL, or pass --database-url."))
}

fn pool<C>(url: &str, connections: u32, if_unreachable: Exit) -> Result<Pool<ConnectionManager<C>>, Failure>
where
    C: R2D2Connection + Connection + Send + 'static,
{
    let failure =
        |exit, error: String| Failure::new(exit, format!("cannot connect to the database: {}", error.trim_end()));
    // The pool would retry. This first connection reports a wrong address at once, in the server's own words.
    let mut conn = C::establish(url).map_err(|error| match error {
        ConnectionError::InvalidConnectionUrl(_) => failure(Exit::Usage, error.to_string()),
        // The driver would quote the part that it cannot parse, which is a piece of the password.
        _ if !is_password_escaped(url) => failure(
            Exit::Usage,
            "the URL is not valid. Write special characters in the password as %XX: `@` is %40, `/` is %2F.".into(),
        ),
        _ => failure(
            if_unreachable,
            format!("{}\nCheck the database URL, then run the command again.", error.to_string().trim_end()),
        ),
    })?;
    // SQLite opens any file, and reads it only now. Any other failure, such as a lock, may pass.
    if let Err(error) = conn.ping() {
        if error.to_string().contains("not a database") {
            return Err(failure(Exit::Usage, error.to_string()));
        }
    }
    drop(conn);
    let pool = Pool::builder().max_size(connections).min_idle(Some(0)).build(ConnectionManager::new(url));
    pool.map_err(|error| failure(if_unreachable, error.to_string()))
}

/// Refuses a path where there is no database, because SQLite would create an empty one there.
#[cfg(feature = "cli-sqlite")]
fn existing(path: &str) -> Result<String, Failure> {
    if path.starts_with("file:") {
        let mut parameters = path.split(['?', '&']).skip(1);
        let separator = if path.contains('?') { '&' } else { '?' };
        let has_mode = parameters.any(|parameter| parameter.starts_with("mode="));
        return Ok(if has_mode { path.to_owned() } else { format!("{path}{separator}mode=rw") });
    }
    if std::path::Path::new(path).is_file() {
        return Ok(path.to_owned());
    }
    // The URL of a server without its scheme may hold a password, so it is not shown.
    if path.contains('@') {
        return Err(Failure::usage(
            "the database URL has no scheme, and no SQLite file has that name. Add postgres:// or mysql://.",
        ));
    }
    Err(Failure::usage(format!("there is no SQLite file {path}. Check the path: this program creates no databases.")))
}

fn is_password_escaped(url: &str) -> bool {
    let user_info = url.split_once("://").and_then(|(_, rest)| Some(rest.rsplit_once('@')?.0)).unwrap_or_default();
    let password = user_info.split_once(':').map_or("", |(_, password)| password);
    let is_plain = |character: char| character.is_alphanumeric() || "-._~!$&'()*+,;=%".contains(character);
    // The parameters after `?` may hold a password, too.
    let mut escapes = url.split('%').skip(1).map(|escape| escape.get(..2).unwrap_or_default());
    password.chars().all(is_plain) && escapes.all(|hex| hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok())
}
