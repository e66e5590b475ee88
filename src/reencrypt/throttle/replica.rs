//! Asks a replica for its lag, on a thread of its own, because the replica may be silent for any time.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::database::failure::one_line;
use crate::database::server::tls::{NoConnection, asks_for_tls, connect};
use crate::database::{Replay, ReplicaState, ReplicationState, ServerUrl, TaskConnection};
use crate::reencrypt::report::Refusal;

/// The time between two questions.
const INTERVAL: Duration = Duration::from_secs(1);
/// An answer counts up to this age.
const VALID: Duration = Duration::from_secs(5);
/// After this time without an answer, the question is asked again on a new connection.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Replica {
    url: ServerUrl,
    ask: Ask,
    latest: Arc<Mutex<Latest>>,
    /// Dropping this ends the thread: at once, unless it waits for the replica.
    _alive: Sender<()>,
}

impl Replica {
    pub(crate) fn new<C: TaskConnection>(url: ServerUrl) -> Self {
        let ask = keep_asking::<C>;
        let (latest, alive) = spawn(&url, ask);
        Self { url, ask, latest, _alive: alive }
    }

    /// The last answer of the replica, and its time.
    pub(crate) fn standings(&mut self) -> (Instant, Vec<ReplicaState>) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match latest.answered.map(|answered| answered.elapsed()) {
            Some(age) if age <= VALID => (Instant::now() - age, latest.standings.clone()),
            Some(age) => (Instant::now(), unknown(&self.url, format!("it has not answered for {} s", age.as_secs()))),
            None => (Instant::now(), unknown(&self.url, "it has not answered yet".into())),
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

type Ask = fn(&ServerUrl, &Mutex<Latest>, &Receiver<()>);

struct Latest {
    asked: Instant,
    answered: Option<Instant>,
    standings: Vec<ReplicaState>,
}

fn spawn(url: &ServerUrl, ask: Ask) -> (Arc<Mutex<Latest>>, Sender<()>) {
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

fn keep_asking<C: TaskConnection>(url: &ServerUrl, latest: &Mutex<Latest>, ended: &Receiver<()>) {
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

fn ask<C: TaskConnection>(url: &ServerUrl, conn: &mut Option<C>) -> Vec<ReplicaState> {
    let answer = match conn {
        Some(conn) => C::Backend::replica(conn),
        None => match connect::<C>(url.expose()) {
            Ok(new) => C::Backend::replica(conn.insert(new)),
            Err(NoConnection::Failed(error)) => return unknown(url, one_line(error)),
            Err(NoConnection::NoTls) => {
                return unknown(url, "the connection is not encrypted, although its URL asks for TLS".into());
            }
        },
    };
    match answer {
        Ok(standings) if standings.is_empty() => unknown(url, "it is not a replica".into()),
        Ok(standings) => standings
            .into_iter()
            .map(|ReplicaState { name: channel, replay }| {
                let suffix = if channel.is_empty() { String::new() } else { format!(" ({channel})") };
                ReplicaState { name: format!("{}{suffix}", url.name()), replay }
            })
            .collect(),
        Err(error) => {
            *conn = None;
            unknown(url, one_line(error))
        }
    }
}

/// Refuses a replica that answers without the TLS that its URL asks for. It may be unreachable now.
pub(crate) fn check_tls<C: TaskConnection>(url: &ServerUrl) -> Result<(), Refusal> {
    if !asks_for_tls(url.expose()) {
        return Ok(());
    }
    match connect::<C>(url.expose()) {
        Err(NoConnection::NoTls) => Err(Refusal::NoTls { server: url.name().to_owned() }),
        _ => Ok(()),
    }
}

fn unknown(url: &ServerUrl, reason: String) -> Vec<ReplicaState> {
    vec![ReplicaState { name: url.name().to_owned(), replay: Replay::Unknown(reason) }]
}
