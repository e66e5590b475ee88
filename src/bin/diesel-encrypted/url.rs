//! The URLs of databases. Nothing here repeats a URL, because it may hold a password.

use crate::cli::Backend;
use crate::exit::Failure;

impl Backend {
    /// The backend that the scheme of a URL names.
    pub(crate) fn of(url: &str) -> Result<Self, Failure> {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("mysql" | "mariadb") => Ok(Self::Mysql),
            None | Some("sqlite" | "file") => Ok(Self::Sqlite),
            Some(_) => Err(Failure::usage(
                "the database URL has an unknown scheme. Use postgres://, mysql:// or the path of an SQLite file.",
            )),
        }
    }
}

/// The URL, or a failure if none is set. A variable that is set to nothing is not set.
pub(crate) fn named(url: Option<&str>) -> Result<&str, Failure> {
    let url = url.map(bare).filter(|url| !url.is_empty());
    url.ok_or_else(|| Failure::usage("no database is named. Set DATABASE_URL, or pass --database-url."))
}

/// The text without blanks and quotes around it, which some tools hand over with the value of a variable.
pub(crate) fn bare(text: &str) -> &str {
    let text = text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
    let unquoted = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    unquoted.map_or(text, str::trim)
}

/// The URL of a server in the spelling of its driver.
///
/// Refuses a URL that asks for more than the client library does: libmariadb ignores `ssl_mode`, and verifies the server
/// only against the authority that `ssl_ca` names.
pub(crate) fn for_driver(url: &str) -> Result<String, Failure> {
    let url = match url.strip_prefix("mariadb://") {
        Some(rest) => format!("mysql://{rest}"),
        None => url.to_owned(),
    };
    let query = url.split_once('?').map_or("", |(_, query)| query).to_lowercase();
    if !HONOURS_SSL_MODE && url.starts_with("mysql://") {
        if query.contains("verify_identity") {
            return Err(Failure::refused(
                "the URL asks for ssl_mode=verify_identity, but this program was built with libmariadb, which does not \
                 verify the name of a server. Use ssl_mode=verify_ca with ssl_ca=PATH, or build the program with \
                 libmysqlclient.",
            ));
        }
        if query.contains("verify_ca") && !query.contains("ssl_ca=") {
            return Err(Failure::refused(
                "the URL asks for ssl_mode=verify_ca, but names no authority, and this program was built with \
                 libmariadb, which then verifies nothing. Add ssl_ca=PATH, the certificate of the authority.",
            ));
        }
    }
    Ok(url)
}

#[cfg(feature = "cli-mysql")]
const HONOURS_SSL_MODE: bool = mysqlclient_sys::SUPPORTS_MYSQL_SSL_MODE;
#[cfg(not(feature = "cli-mysql"))]
const HONOURS_SSL_MODE: bool = true;

/// Refuses a path where there is no database, because SQLite would create an empty one there.
#[cfg(feature = "cli-sqlite")]
pub(crate) fn existing(path: &str) -> Result<String, Failure> {
    if path.starts_with("file:") {
        let mut parameters = path.split(['?', '&']).skip(1);
        let separator = if path.contains('?') { '&' } else { '?' };
        let has_mode = parameters.any(|parameter| parameter.starts_with("mode="));
        return Ok(if has_mode { path.to_owned() } else { format!("{path}{separator}mode=rw") });
    }
    if std::path::Path::new(path).is_file() {
        return Ok(path.to_owned());
    }
    if !is_path(path) {
        return Err(Failure::usage(
            "the database URL has no scheme, and no SQLite file has that name. It is not shown, because it may hold a \
             password. Use postgres://…, mysql://… or the path of an SQLite file.",
        ));
    }
    Err(Failure::usage(format!("there is no SQLite file {path}. Check the path: this program creates no databases.")))
}

/// Whether a text is a path that may be shown, and not the URL or the parameters of a server without a scheme, or a key.
#[cfg(feature = "cli-sqlite")]
fn is_path(text: &str) -> bool {
    let is_plain = |character: char| character.is_alphanumeric() || "/\\._-~ +,".contains(character);
    // `C:\\app.db`
    let without_drive = match text.split_once(':') {
        Some((drive, rest)) if drive.len() == 1 => rest,
        _ => text,
    };
    without_drive.chars().all(is_plain) && !text.split(['/', '\\']).any(crate::arguments::may_be_secret)
}
