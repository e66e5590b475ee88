//! From a URL to a pool of connections, and what is done with it.

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

use crate::cli::{Backend, Server};
use crate::exit::{Exit, Failure};

/// Does the same with the pool of any backend.
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
    /// Two connections for each worker, one to keep in touch with other processes.
    pub(crate) fn connect(server: &Server, workers: usize) -> Result<Self, Failure> {
        let url = url(server.database_url.as_deref())?;
        let connections = workers.checked_mul(2).and_then(|count| count.checked_add(1));
        let connections =
            connections.and_then(|count| u32::try_from(count).ok()).ok_or_else(|| usage("too many workers"))?;
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

    /// Who is at work.
    pub(crate) fn run(&self) -> Result<Option<SharedRun>, TaskError> {
        on_pool!(self, pool => Control::new(pool).run())
    }

    pub(crate) fn problems(&self, give_up_after: Duration) -> Result<RecordedProblems, TaskError> {
        on_pool!(self, pool => Control::new(pool).give_up_after(give_up_after).problems())
    }

    /// The migrations that guard these columns.
    pub(crate) fn guard(&self, columns: &[Target], way: Way) -> Result<Vec<GuardMigration>, Failure> {
        on_pool!(self, pool => {
            let conn = pool.get().map_err(|error| Failure::new(Exit::GaveUp, error.to_string()));
            Ok(guard::migrations(&mut *conn?, columns, way)?)
        })
    }

    /// Asks the processes that are at work.
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

/// What processes can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Pause,
    Resume,
    Stop,
}

impl Backend {
    /// The one that the scheme of a URL names.
    pub(crate) fn of(url: &str) -> Result<Self, Failure> {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("mysql" | "mariadb") => Ok(Self::Mysql),
            None | Some("sqlite" | "file") => Ok(Self::Sqlite),
            Some(scheme) => Err(usage(&format!(
                "unknown database scheme {scheme}: use postgres://, mysql:// or the path of an SQLite file"
            ))),
        }
    }

    /// The statements for the tables of the task.
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
        usage(&format!("this program was built without {name}: install it with `--features cli-{name}`"))
    }
}

/// The URL that was given.
pub(crate) fn url(url: Option<&str>) -> Result<&str, Failure> {
    url.ok_or_else(|| usage("no database: set DATABASE_URL, or give --database-url"))
}

fn pool<C>(url: &str, connections: u32, if_unreachable: Exit) -> Result<Pool<ConnectionManager<C>>, Failure>
where
    C: R2D2Connection + Connection + Send + 'static,
{
    let failure =
        |exit, error: String| Failure::new(exit, format!("cannot connect to the database: {}", error.trim_end()));
    // Once, to tell a wrong address at once and in the server's own words.
    let mut conn = C::establish(url).map_err(|error| match error {
        ConnectionError::InvalidConnectionUrl(_) => failure(Exit::Usage, error.to_string()),
        // The driver would quote the part that puzzles it, which is a piece of the password.
        _ if !is_password_escaped(url) => failure(
            Exit::Usage,
            "the URL is not valid: write special characters of the password as %XX (`@` is %40, `/` is %2F)".into(),
        ),
        _ => failure(if_unreachable, error.to_string()),
    })?;
    // SQLite opens any file, and looks into it only now. Anything else, such as a lock, may be over in a moment.
    match conn.ping() {
        Err(error) if error.to_string().contains("not a database") => {
            return Err(failure(Exit::Usage, error.to_string()));
        }
        _ => drop(conn),
    }
    let pool = Pool::builder().max_size(connections).min_idle(Some(0)).build(ConnectionManager::new(url));
    pool.map_err(|error| failure(if_unreachable, error.to_string()))
}

/// SQLite would make a new, empty database of a mistyped path.
#[cfg(feature = "cli-sqlite")]
fn existing(path: &str) -> Result<String, Failure> {
    if path.starts_with("file:") {
        let mut parameters = path.split(['?', '&']).skip(1);
        let separator = if path.contains('?') { '&' } else { '?' };
        return Ok(match parameters.any(|parameter| parameter.starts_with("mode=")) {
            true => path.to_owned(),
            false => format!("{path}{separator}mode=rw"),
        });
    }
    if std::path::Path::new(path).is_file() {
        return Ok(path.to_owned());
    }
    // Not repeated if it may be a server's URL, password and all, that lost its scheme.
    Err(usage(&match path.contains('@') {
        true => "the database URL has no scheme, such as postgres://, and there is no SQLite file of that name".into(),
        false => format!("there is no SQLite file {path}"),
    }))
}

fn usage(message: &str) -> Failure {
    Failure::new(Exit::Usage, message.to_owned())
}

fn is_password_escaped(url: &str) -> bool {
    let user_info = url.split_once("://").and_then(|(_, rest)| Some(rest.rsplit_once('@')?.0)).unwrap_or_default();
    let password = user_info.split_once(':').map_or("", |(_, password)| password);
    let is_plain = |character: char| character.is_alphanumeric() || "-._~!$&'()*+,;=%".contains(character);
    // Those of other parts, too: there may be a password among the parameters.
    let mut escapes = url.split('%').skip(1).map(|escape| escape.get(..2).unwrap_or_default());
    password.chars().all(is_plain) && escapes.all(|hex| hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok())
}
