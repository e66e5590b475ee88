//! The URL of a server, of which messages show only a part.

use std::net::Ipv6Addr;

use crate::database::dialect::Language;

/// `scheme://user:password@host:port/database`. Messages show only host and port.
#[derive(Clone)]
pub(crate) struct ServerUrl {
    url: String,
    name: String,
}

/// Why a URL cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadUrl {
    /// A driver could read it differently, and quote a part of the password in its messages.
    Ambiguous,
    /// Its scheme is that of another kind of database. A driver would quote the whole URL.
    OtherScheme,
}

impl ServerUrl {
    /// The URL of a server of this kind.
    pub(crate) fn parse<DB: Language>(url: &str) -> Result<Self, BadUrl> {
        let name = server_name(url).ok_or(BadUrl::Ambiguous)?;
        let scheme = url.split("://").next().unwrap_or_default();
        if !DB::SCHEMES.contains(&scheme) {
            return Err(BadUrl::OtherScheme);
        }
        Ok(Self { url: url.to_owned(), name: name.to_owned() })
    }

    /// What a driver gets.
    pub(crate) fn expose(&self) -> &str {
        &self.url
    }

    /// Host and port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether every driver reads the URL of a server in the same way, so that no message of a driver quotes a part of its
/// password.
///
/// ```
/// use diesel_encrypted::reencrypt::is_unambiguous;
///
/// assert!(is_unambiguous("postgres://app:p%40ss@db.example.org:5432/app"));
/// assert!(!is_unambiguous("postgres://app:p@ss@db.example.org:5432/app"));
/// ```
#[must_use]
pub fn is_unambiguous(url: &str) -> bool {
    server_name(url).is_some()
}

/// Hosts and ports of a URL that every driver reads in the same way.
fn server_name(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let tail = &rest[authority.len()..];
    if tail.contains(['@', '#']) {
        return None;
    }
    let (user_info, servers) = authority.rsplit_once('@').unwrap_or(("", authority));
    let is_word = |text: &str, others: &str| {
        text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
    };
    let mut escapes = rest.split('%').skip(1).map(|escape| escape.get(..2).unwrap_or_default());
    // A driver quotes the value in which it finds a zero byte.
    let is_escape = |hex: &str| hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok_and(|byte| byte != 0);
    let is_server = |server: &str| {
        // `[::1]:5432` has colons in its host.
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (server, "0"),
        };
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = address.map_or(is_word(host, "-._%"), |address| address.parse::<Ipv6Addr>().is_ok());
        is_host && port.parse::<u16>().is_ok()
    };
    let parameters = tail.split_once('?').map_or("", |(_, parameters)| parameters);
    let is_parameter = |parameter: &str| parameter.is_empty() || parameter.matches('=').count() == 1;
    let is_valid = is_word(user_info, "-._~!$&'()*+,;=%:")
        && escapes.all(is_escape)
        && servers.split(',').all(is_server)
        && parameters.split('&').all(is_parameter);
    is_valid.then_some(if servers.is_empty() { "localhost" } else { servers })
}

/// The message without the passwords of URLs and connection strings in it. Drivers, servers and foreign data wrappers
/// quote them.
///
/// ```
/// use diesel_encrypted::reencrypt::hide_passwords;
///
/// assert_eq!(hide_passwords("cannot reach mysql://app:secret@db/x"), "cannot reach mysql://(not shown)@db/x");
/// assert_eq!(hide_passwords("host=db password='se cret' user=app"), "host=db password=(not shown) user=app");
/// ```
#[must_use]
pub fn hide_passwords(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(position) = rest.find("://") {
        let (before, tail) = rest.split_at(position + 3);
        shown += before;
        let end = tail.find(|character: char| character.is_whitespace() || "\"'`<>".contains(character));
        let (url, next) = tail.split_at(end.unwrap_or(tail.len()));
        match url.rsplit_once('@') {
            Some((_, server)) => shown.extend(["(not shown)@", server]),
            None if may_hide_a_password(url, next) => shown += "(not shown)",
            None => shown += url,
        }
        rest = next;
    }
    without_values(&(shown + rest))
}

/// Whether a URL that ends at a blank or a quote may end within its password.
fn may_hide_a_password(url: &str, next: &str) -> bool {
    let authority = url.split(['/', '?']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| port.parse::<u16>().is_err() && !port.ends_with(']')) || next.contains('@')
}

/// The text without the values of `password=…` and its synonyms.
fn without_values(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('=') {
        let (before, after) = rest.split_at(position + 1);
        shown += before;
        rest = after;
        let name = before[..position].trim_end().to_ascii_lowercase();
        if !["password", "passwd", "pwd"].iter().any(|password| name.ends_with(password)) {
            continue;
        }
        let value = after.trim_start();
        let closing = value.chars().next().and_then(|quote| match quote {
            '\'' | '"' => Some(quote),
            '{' => Some('}'),
            _ => None,
        });
        let length = match closing {
            Some(closing) => value[1..].find(closing).map(|length| length + 2),
            None => value.find(|character: char| character.is_whitespace() || "\"'`;&,)".contains(character)),
        };
        shown += "(not shown)";
        rest = &value[length.unwrap_or(value.len())..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_host_and_port() {
        for (url, name) in [
            ("postgres://u:p@10.0.0.7:5433/db", "10.0.0.7:5433"),
            ("mysql://u:p%40ss@replica-2.example.org/db?ssl_mode=required", "replica-2.example.org"),
            ("postgres://u:p@[::1]:5432/db", "[::1]:5432"),
            ("postgres://[::1]/db", "[::1]"),
            ("postgres://%2Frun%2Fpostgresql/db", "%2Frun%2Fpostgresql"),
            ("postgres:///db", "localhost"),
            ("postgres://u:p@one:5432,two:5433/db?target_session_attrs=any", "one:5432,two:5433"),
        ] {
            assert_eq!(server_name(url), Some(name));
        }
    }

    /// Messages would show the wrong part of these URLs as the host.
    #[test]
    fn a_url_that_could_show_its_password_is_refused() {
        for url in [
            "host=10.0.0.7 password=secret",
            "user:secret@10.0.0.7/db",
            "postgres://user:se/cret@10.0.0.7/db",
            "postgres://user:se?cret@10.0.0.7/db",
            "postgres://user:se#cret@10.0.0.7/db",
            "postgres://user:se cret@10.0.0.7/db",
            "postgres://user:se%cret@10.0.0.7/db",
            "postgres://user:se@cret@10.0.0.7/db",
            "postgres://user:secret/db",
            "postgres://host/db?password=sec@ret",
            "postgres://host/db?password=se%cret",
            "postgres://host/db?password=se=cret",
            "postgres://host/db?user=x&secret",
            "postgres://user:se%00cret@host/db",
            "postgres://user:secret@[::1/db",
            "postgres://user:secret@[]/db",
            "postgres://user:secret@[::1]x/db",
            "postgres://user:secret@[::1]:port/db",
        ] {
            assert!(!is_unambiguous(url), "{url}");
        }
    }

    #[test]
    #[cfg(all(feature = "postgres", feature = "mysql"))]
    fn a_url_of_another_kind_of_database_is_refused() {
        use diesel::{mysql::Mysql, pg::Pg};
        let of_mysql = "mysql://user:secret@10.0.0.7:3306/db";
        assert!(ServerUrl::parse::<Mysql>(of_mysql).is_ok());
        assert_eq!(ServerUrl::parse::<Pg>(of_mysql).err(), Some(BadUrl::OtherScheme));
        for url in ["postgres://u:p@h/db", "postgresql://h"] {
            assert!(ServerUrl::parse::<Pg>(url).is_ok());
            assert_eq!(ServerUrl::parse::<Mysql>(url).err(), Some(BadUrl::OtherScheme));
        }
        assert_eq!(ServerUrl::parse::<Pg>("se:cret@host").err(), Some(BadUrl::Ambiguous));
    }

    #[test]
    fn messages_lose_their_passwords() {
        for (message, shown) in [
            ("in URI: \"postgres://app:hunter2@[::1/app\"", "in URI: \"postgres://(not shown)@[::1/app\""),
            ("a mysql://app:hunter2@h/x, b redis://:hunter2@r", "a mysql://(not shown)@h/x, b redis://(not shown)@r"),
            ("postgres://app:hun@ter2@h/x", "postgres://(not shown)@h/x"),
            ("postgres://app:hun ter2", "postgres://(not shown) ter2"),
            ("postgres://h:5432/x", "postgres://h:5432/x"),
            ("postgres://[::1]/x and https://example.org", "postgres://[::1]/x and https://example.org"),
            ("Server=db;Uid=scott;Pwd=hunter2;Port=1", "Server=db;Uid=scott;Pwd=(not shown);Port=1"),
            ("Server=db;Password = {hun;ter2};x", "Server=db;Password =(not shown);x"),
            ("host=db PASSWORD='hun ter2' user=x", "host=db PASSWORD=(not shown) user=x"),
            ("host=db sslpassword=hunter2", "host=db sslpassword=(not shown)"),
            ("?password=hunter2&user=x", "?password=(not shown)&user=x"),
            ("(using password: YES), a = b", "(using password: YES), a = b"),
        ] {
            assert_eq!(hide_passwords(message), shown);
        }
    }
}
