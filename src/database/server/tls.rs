//! TLS that the URL of a connection asks for. Some client libraries connect without it.
//!
//! | client library | `sslmode` or `ssl_mode` | what it does |
//! |---|---|---|
//! | libpq | `require`, `verify-ca`, `verify-full` | keeps it, except on Unix sockets |
//! | libmysqlclient | `required`, `verify_ca`, `verify_identity` | keeps it |
//! | libmariadb | any | ignores it; TLS begins with `ssl_ca`, if the server offers it |
//!
//! So a connection to MySQL or MariaDB is asked whether it is encrypted.

use diesel::ConnectionError;
use diesel::result::QueryResult;

use crate::database::connection::DialectConnection;
use crate::database::dialect::SessionSettings;

/// Why there is no connection.
pub(crate) enum NoConnection {
    /// The server does not answer, or refuses.
    Failed(ConnectionError),
    /// The connection is not encrypted, although the URL asks for it.
    NoTls,
}

/// Connects. If the URL asks for TLS, a connection without it is an error.
pub(crate) fn connect<C: DialectConnection>(url: &str) -> Result<C, NoConnection> {
    let mut conn = C::establish(url).map_err(NoConnection::Failed)?;
    match lacks_tls(&mut conn, url) {
        Ok(false) => Ok(conn),
        Ok(true) => Err(NoConnection::NoTls),
        Err(error) => Err(NoConnection::Failed(ConnectionError::BadConnection(error.to_string()))),
    }
}

/// Whether the connection is not encrypted, although its URL asks for it.
pub(crate) fn lacks_tls<C: DialectConnection>(conn: &mut C, url: &str) -> QueryResult<bool> {
    Ok(asks_for_tls(url) && C::Backend::is_encrypted(conn)? == Some(false))
}

/// Whether the URL of a MySQL server asks for TLS, in any spelling that Diesel accepts. A certificate asks for it too.
pub(crate) fn asks_for_tls(url: &str) -> bool {
    // As Diesel's parser does.
    let url: String = url.chars().filter(|character| !['\t', '\n', '\r'].contains(character)).collect();
    let without_fragment = url.split('#').next().unwrap_or_default();
    let query = without_fragment.split_once('?').map_or("", |(_, query)| query);
    let parameters = query.split('&').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (unescaped(name), unescaped(value).to_lowercase())
    });
    let mut mode = None;
    let mut has_certificate = false;
    for (name, value) in parameters {
        match name.as_str() {
            "ssl_mode" if ["disabled", "preferred"].contains(&value.as_str()) => mode = mode.or(Some(false)),
            // If it stands there twice, the stricter one counts.
            "ssl_mode" => mode = Some(true),
            "ssl_ca" | "ssl_cert" | "ssl_key" => has_certificate = true,
            _ => {}
        }
    }
    mode.unwrap_or(has_certificate)
}

/// A part of a query with its escapes replaced. No name or value that counts here holds anything but ASCII.
fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    let next = || {
        let character = characters.next()?;
        let hex = characters.as_str().get(..2).filter(|_| character == '%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                characters.nth(1);
                Some(char::from(byte))
            }
            None => Some(if character == '+' { ' ' } else { character }),
        }
    };
    std::iter::from_fn(next).collect()
}

/// Host and port of a URL, without user and password.
pub(crate) fn server(url: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_whole = !rest[authority.len()..].contains('@');
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._:[]%".contains(character);
    let is_name = is_whole && !server.is_empty() && server.chars().all(is_plain);
    if is_name { server.to_owned() } else { "the database".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_asks_for_tls() {
        for query in [
            "?ssl_mode=required",
            "?ssl_mode=REQUIRED",
            "?ssl_mode=verify_ca",
            "?ssl_mode=Verify_Identity",
            "?unix_socket=/run/x&ssl_mode=required",
            "?ssl_mode=%72equired",
            "?ssl%5Fmode=required",
            "?ssl_mo\nde=requ\tired",
            "?ssl_mode=required#fragment",
            "?ssl_mode=disabled&ssl_mode=required",
            "?ssl_mode=required&ssl_mode=disabled",
            "?ssl_ca=/etc/ca.pem",
            "?ssl_cert=/etc/cert.pem",
            "?ssl_key=/etc/key.pem",
            // Diesel refuses it. If it did not, it would ask for something.
            "?ssl_mode=VERIFY-FULL",
        ] {
            assert!(asks_for_tls(&format!("mysql://u:p@host:3306/db{query}")), "{query}");
        }
        for query in [
            "",
            "?",
            "?ssl_mode=disabled",
            "?ssl_mode=PREFERRED",
            "?ssl_mode=preferred&ssl_ca=/etc/ca.pem",
            "?unix_socket=/ssl_mode=required",
            "#?ssl_mode=required",
        ] {
            assert!(!asks_for_tls(&format!("mysql://u:p@host:3306/db{query}")), "{query}");
        }
    }

    #[test]
    fn a_server_is_named_without_its_password() {
        for (url, name) in [
            ("mysql://u:p@10.0.0.7:3306/db?ssl_mode=required", "10.0.0.7:3306"),
            ("mysql://u:se@cret@[::1]:3306/db", "[::1]:3306"),
            ("mysql://u:se/cret@host/db", "the database"),
            ("host=10.0.0.7 password=secret", "the database"),
            ("mysql://u:p@/db", "the database"),
        ] {
            assert_eq!(server(url), name);
        }
    }
}
