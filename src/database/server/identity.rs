//! Which server a connection leads to, what it is, and whether all connections of a task lead to the same one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::database::failure::Failure;

/// What a server reports about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What no other server has, in words for the operator. It survives a restart.
    pub(crate) identity: String,
    /// The time of the start, if servers with the same identity can exist: a standby has the identity of its primary.
    pub(crate) started: Option<String>,
    /// Why other servers may have transactions that this one does not show: it is a standby, for instance.
    pub(crate) standby: Option<String>,
    /// The name that a product gives itself, if it is not known to show all of its transactions.
    pub(crate) stranger: Option<String>,
}

/// The server of the first connection of a task. All other connections of the task have to lead to it, too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Anchor(Arc<Mutex<Ground>>);

#[derive(Debug, Default)]
struct Ground {
    server: Option<Server>,
    /// Why nothing may be done on these connections any more.
    conflict: Option<String>,
    restarts: u64,
}

impl Anchor {
    /// Compares the server of a connection with the server of the first one.
    ///
    /// # Errors
    ///
    /// [`Failure::OtherServer`] from the first difference on, because the connections cannot be told apart later.
    pub(crate) fn check(&self, server: Server) -> Result<(), Failure> {
        let mut ground = self.ground();
        let Ground { server: first, conflict, restarts } = &mut *ground;
        match first {
            Some(first) if !first.is_same(&server) => {
                conflict.get_or_insert_with(|| format!("one leads to {first}, another to {server}"));
            }
            Some(first) if *first != server => {
                *restarts += 1;
                *first = server;
            }
            Some(_) => {}
            None => *first = Some(server),
        }
        match conflict {
            Some(conflict) => Err(Failure::OtherServer(conflict.clone())),
            None => Ok(()),
        }
    }

    /// The server of the connections so far.
    pub(crate) fn server(&self) -> Option<Server> {
        self.ground().server.clone()
    }

    /// How often a server with the same identity had another start time. If this number changes, the server was restarted,
    /// or connections lead to copies of one server.
    pub(crate) fn restarts(&self) -> u64 {
        self.ground().restarts
    }

    fn ground(&self) -> MutexGuard<'_, Ground> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    fn is_same(&self, other: &Self) -> bool {
        self.identity == other.identity && self.standby == other.standby && self.stranger == other.stranger
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.identity)?;
        self.standby.as_ref().map_or(Ok(()), |standby| write!(f, " ({standby})"))
    }
}

/// Words that are not a number: `10.11.6-MariaDB-log` has `mariadb` and `log`.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn only_has_words(text: &str, known: &[&str]) -> bool {
    let words = text.split(|character: char| !character.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    text.is_ascii() && words.into_iter().all(|word| known.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(identity: &str, started: &str) -> Server {
        Server { identity: identity.into(), started: Some(started.into()), standby: None, stranger: None }
    }

    #[test]
    fn a_second_server_is_noticed_and_never_forgotten() {
        let anchor = Anchor::default();
        anchor.check(server("a", "1")).unwrap();
        anchor.check(server("a", "1")).unwrap();
        let error = anchor.check(server("b", "1")).unwrap_err();
        assert!(matches!(error, Failure::OtherServer(seen) if seen == "one leads to a, another to b"));
        assert!(anchor.clone().check(server("a", "1")).is_err(), "the first server is no better than the second");
    }

    #[test]
    fn a_primary_that_becomes_a_standby_is_another_server() {
        let anchor = Anchor::default();
        anchor.check(server("a", "1")).unwrap();
        let standby = Server { standby: Some("in recovery".into()), ..server("a", "1") };
        let error = anchor.check(standby).unwrap_err();
        assert!(matches!(error, Failure::OtherServer(seen) if seen == "one leads to a, another to a (in recovery)"));
    }

    #[test]
    fn restarts_are_counted() {
        let anchor = Anchor::default();
        for (started, restarts) in [("1", 0), ("1", 0), ("2", 1), ("2", 1), ("1", 2)] {
            anchor.check(server("a", started)).unwrap();
            assert_eq!(anchor.restarts(), restarts, "{started}");
        }
    }

    #[test]
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    fn words_of_a_version() {
        assert!(only_has_words("10.11.6-MariaDB-0+deb12u1", &["mariadb", "deb", "u"]));
        assert!(!only_has_words("8.0.11-TiDB-v7.5.0", &["v"]));
        assert!(!only_has_words("8.0.11-Tïdb", &["t", "db"]));
    }
}
