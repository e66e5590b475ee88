//! The URL of a server, of which messages show only a part.

/// `scheme://user:password@host:port/database`. Messages show only host and port.
#[derive(Clone)]
pub(crate) struct ServerUrl {
    url: String,
    name: String,
}

impl ServerUrl {
    /// `None` if a driver could read the URL differently and quote a part of the password in its messages.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        if rest[authority.len()..].contains(['@', '#']) {
            return None;
        }
        let (user_info, server) = authority.rsplit_once('@').unwrap_or(("", authority));
        let is_word = |text: &str, others: &str| {
            text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
        };
        let mut escapes = rest.split('%').skip(1).map(|escape| escape.get(..2).unwrap_or_default());
        let is_escaped = escapes.all(|hex| hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok());
        // `[::1]:5432` has colons in its host.
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (server, "0"),
        };
        let is_host = is_word(host, "-._%") || (host.starts_with('[') && host.ends_with(']') && is_word(host, ":.[]"));
        let is_valid = is_word(user_info, "-._~!$&'()*+,;=%:") && is_escaped && is_host && port.parse::<u16>().is_ok();
        let name = if server.is_empty() { "localhost" } else { server };
        is_valid.then(|| Self { url: url.to_owned(), name: name.to_owned() })
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
        ] {
            assert_eq!(ServerUrl::parse(url).map(|url| url.name).as_deref(), Some(name));
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
        ] {
            assert!(ServerUrl::parse(url).is_none(), "{url}");
        }
    }
}
