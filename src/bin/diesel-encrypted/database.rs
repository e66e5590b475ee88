//! From a URL to a pool of connections.

use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};
use diesel::{Connection, ConnectionError};
use diesel_encrypted::reencrypt::{Report, Status, Task, TaskError};

use crate::cli::Walk;
use crate::exit::{Exit, Failure};

pub(crate) enum Database {
    #[cfg(feature = "cli-postgres")]
    Postgres(Pool<ConnectionManager<diesel::PgConnection>>),
    #[cfg(feature = "cli-mysql")]
    Mysql(Pool<ConnectionManager<diesel::MysqlConnection>>),
    #[cfg(feature = "cli-sqlite")]
    Sqlite(Pool<ConnectionManager<diesel::SqliteConnection>>),
}

impl Database {
    pub(crate) fn connect(walk: &Walk) -> Result<Self, Failure> {
        let Some(url) = walk.database_url.as_deref() else {
            return Err(usage("no database: set DATABASE_URL, or give --database-url"));
        };
        // One more, for the checks of the limits.
        let connections = u32::try_from(walk.workers.get()).ok().and_then(|workers| workers.checked_add(1));
        let connections = connections.ok_or_else(|| usage("too many workers"))?;
        match url.split_once("://") {
            #[cfg(feature = "cli-postgres")]
            Some(("postgres" | "postgresql", _)) => pool(url, connections, Exit::GaveUp).map(Self::Postgres),
            #[cfg(feature = "cli-mysql")]
            Some(("mysql" | "mariadb", rest)) => {
                pool(&format!("mysql://{rest}"), connections, Exit::GaveUp).map(Self::Mysql)
            }
            #[cfg(feature = "cli-sqlite")]
            Some(("sqlite", path)) => pool(&existing(path)?, connections, Exit::Usage).map(Self::Sqlite),
            #[cfg(feature = "cli-sqlite")]
            None | Some(("file", _)) => pool(&existing(url)?, connections, Exit::Usage).map(Self::Sqlite),
            other => {
                let scheme = other.map_or("sqlite", |(scheme, _)| scheme);
                let feature = match scheme {
                    "postgres" | "postgresql" => "cli-postgres",
                    "mysql" | "mariadb" => "cli-mysql",
                    "sqlite" => "cli-sqlite",
                    _ => {
                        return Err(usage(&format!(
                            "unknown database scheme {scheme}: use postgres://, mysql:// or the path of an SQLite file"
                        )));
                    }
                };
                Err(usage(&format!("this program was built without {scheme}: install it with `--features {feature}`")))
            }
        }
    }

    pub(crate) fn status(&self, task: Task<'_>) -> Result<Status, TaskError> {
        match self {
            #[cfg(feature = "cli-postgres")]
            Self::Postgres(pool) => task.status(pool),
            #[cfg(feature = "cli-mysql")]
            Self::Mysql(pool) => task.status(pool),
            #[cfg(feature = "cli-sqlite")]
            Self::Sqlite(pool) => task.status(pool),
        }
    }

    pub(crate) fn reencrypt(&self, task: Task<'_>) -> Result<Report, TaskError> {
        match self {
            #[cfg(feature = "cli-postgres")]
            Self::Postgres(pool) => task.run(pool),
            #[cfg(feature = "cli-mysql")]
            Self::Mysql(pool) => task.run(pool),
            #[cfg(feature = "cli-sqlite")]
            Self::Sqlite(pool) => task.run(pool),
        }
    }
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
    let mut escapes = password.split('%').skip(1).map(|escape| escape.get(..2).unwrap_or_default());
    password.chars().all(is_plain) && escapes.all(|hex| hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok())
}
