//! Asks a replica for its lag, on a thread of its own, because the replica may be silent for any time.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::database::tls::{NoConnection, asks_for_tls, connect};
use crate::database::{Replay, ReplicaState, ReplicationState, TaskConnection};
use crate::reencrypt::report::Refusal;

/// The time between two questions.
const INTERVAL: Duration = Duration::from_secs(1);
/// An answer counts up to this age.
const VALID: Duration = Duration::from_secs(5);
/// After this time without an answer, the question is asked again on a new connection.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Replica {
    url: ReplicaUrl,
    ask: Ask,
    latest: Arc<Mutex<Latest>>,
    /// Dropping this ends the thread: at once, unless it waits for the replica.
    _alive: Sender<()>,
}

impl Replica {
    pub(crate) fn new<C: TaskConnection>(url: ReplicaUrl) -> Self {
        let ask = keep_asking::<C>;
        let (latest, alive) = spawn(&url, ask);
        Self { url, ask, latest, _alive: alive }
    }

    /// The last answer of the replica, and its time.
    pub(crate) fn standings(&mut self) -> (Instant, Vec<ReplicaState>) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match latest.answered.map(|answered| answered.elapsed()) {
            Some(age) if age <= VALID => (Instant::now() - age, latest.standings.clone()),
            Some(age) => (Instant::now(), self.url.unknown(format!("it has not answered for {} s", age.as_secs()))),
            None => (Instant::now(), self.url.unknown("it has not answered yet".into())),
        };
        let is_silent = latest.asked.elapsed() > PATIENCE;
        drop(latest);
        if is_silent {
            // The old thread ends when its connection does.
            (self.latest, self._alive) = spawn(&self.url, self.ask);
        }
        answer
    }
}

type Ask = fn(&ReplicaUrl, &Mutex<Latest>, &Receiver<()>);

struct Latest {
    asked: Instant,
    answered: Option<Instant>,
    standings: Vec<ReplicaState>,
}

fn spawn(url: &ReplicaUrl, ask: Ask) -> (Arc<Mutex<Latest>>, Sender<()>) {
    let latest = Arc::new(Mutex::new(Latest { asked: Instant::now(), answered: None, standings: Vec::new() }));
    let (alive, ended) = mpsc::channel();
    let url = url.clone();
    let shared = Arc::clone(&latest);
    let thread = thread::Builder::new().name("replica".into()).spawn(move || ask(&url, &shared, &ended));
    if let Err(error) = thread {
        // The lag stays unknown.
        tracing::warn!(%error, "cannot start a thread that asks a replica for its lag");
    }
    (latest, alive)
}

fn keep_asking<C: TaskConnection>(url: &ReplicaUrl, latest: &Mutex<Latest>, ended: &Receiver<()>) {
    let lock = || latest.lock().unwrap_or_else(PoisonError::into_inner);
    let mut conn = None;
    loop {
        lock().asked = Instant::now();
        let standings = ask::<C>(url, &mut conn);
        let mut latest = lock();
        latest.answered = Some(Instant::now());
        latest.standings = standings;
        drop(latest);
        if ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn ask<C: TaskConnection>(url: &ReplicaUrl, conn: &mut Option<C>) -> Vec<ReplicaState> {
    let answer = match conn {
        Some(conn) => C::Backend::replica(conn),
        None => match connect::<C>(&url.url) {
            Ok(new) => C::Backend::replica(conn.insert(new)),
            Err(NoConnection::Failed(error)) => return url.unknown(one_line(error)),
            Err(NoConnection::NoTls) => {
                return url.unknown("the connection is not encrypted, although its URL asks for TLS".into());
            }
        },
    };
    match answer {
        Ok(standings) if standings.is_empty() => url.unknown("it is not a replica".into()),
        Ok(standings) => standings
            .into_iter()
            .map(|ReplicaState { name: channel, replay }| {
                let suffix = if channel.is_empty() { String::new() } else { format!(" ({channel})") };
                ReplicaState { name: format!("{}{suffix}", url.name), replay }
            })
            .collect(),
        Err(error) => {
            *conn = None;
            url.unknown(one_line(error))
        }
    }
}

fn one_line(error: impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `scheme://user:password@host:port/database`. Messages show only host and port.
#[derive(Clone)]
pub(crate) struct ReplicaUrl {
    url: String,
    name: String,
}

impl ReplicaUrl {
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

    /// Refuses a replica that answers without the TLS that its URL asks for. It may be unreachable now.
    pub(crate) fn check_tls<C: TaskConnection>(&self) -> Result<(), Refusal> {
        if !asks_for_tls(&self.url) {
            return Ok(());
        }
        match connect::<C>(&self.url) {
            Err(NoConnection::NoTls) => Err(Refusal::NoTls { server: self.name.clone() }),
            _ => Ok(()),
        }
    }

    fn unknown(&self, reason: String) -> Vec<ReplicaState> {
        vec![ReplicaState { name: self.name.clone(), replay: Replay::Unknown(reason) }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_known_by_host_and_port() {
        for (url, name) in [
            ("postgres://u:p@10.0.0.7:5433/db", "10.0.0.7:5433"),
            ("mysql://u:p%40ss@replica-2.example.org/db?ssl_mode=required", "replica-2.example.org"),
            ("postgres://u:p@[::1]:5432/db", "[::1]:5432"),
            ("postgres://[::1]/db", "[::1]"),
            ("postgres://%2Frun%2Fpostgresql/db", "%2Frun%2Fpostgresql"),
            ("postgres:///db", "localhost"),
        ] {
            assert_eq!(ReplicaUrl::parse(url).map(|url| url.name).as_deref(), Some(name));
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
            assert!(ReplicaUrl::parse(url).is_none(), "{url}");
        }
    }
}
