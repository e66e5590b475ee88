//! A connection of the task: its settings, and the retries when it fails.

use std::ops::DerefMut;
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::TransactionManager;
use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError, QueryResult};

use crate::database::connection::TaskConnection;
use crate::database::dialect::{Identity, Locks, Poolers, SessionSettings, Snapshots, SwapRows};
use crate::database::error_class::{ErrorClass, Wording, class_of};
use crate::database::failure::Failure;
use crate::database::plan::PlannedTable;
use crate::database::server::identity::Anchor;
use crate::database::server::pooler::{self, Pooler};
use crate::database::stop::StopHandle;

/// The pause before the first retry. Each further retry doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two retries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long an additional worker waits for a connection before it leaves the work to the others.
const SPARE: Duration = Duration::from_secs(1);

/// What the database says about an error.
pub(crate) type Info = dyn DatabaseErrorInformation + Send + Sync;

/// A pooled connection with the settings of the task. On PostgreSQL they last for one transaction. Elsewhere the
/// connection gets its former settings back before it returns to the pool, or is closed.
pub(crate) struct Session<'a, C: TaskConnection> {
    pool: &'a Pool<ConnectionManager<C>>,
    give_up_after: Duration,
    stop: StopHandle,
    anchor: Option<Anchor>,
    conn: Option<Configured<C>>,
    learned: Option<Vec<Wording>>,
}

impl<'a, C: TaskConnection> Session<'a, C> {
    pub(crate) fn new(pool: &'a Pool<ConnectionManager<C>>, give_up_after: Duration, stop: StopHandle) -> Self {
        Self { pool, give_up_after, stop, anchor: None, conn: None, learned: None }
    }

    /// Refuses connections that do not lead to the server of the other sessions with this anchor.
    pub(crate) fn at(self, anchor: &Anchor) -> Self {
        Self { anchor: Some(anchor.clone()), ..self }
    }

    /// Looks for a pooler that shares connections, before the first setting is changed. If the database fails, tries
    /// again until it is time to give up.
    pub(crate) fn find_pooler(&self) -> Result<Option<Pooler>, Failure> {
        if !C::Backend::HAS_POOLERS {
            return Ok(None);
        }
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match pooler::detect(self.pool, self.patience()) {
                Err(error) if !self.has_paused(&error, started, &mut pause) => return Err(error),
                Err(_) => {}
                found => return found,
            }
        }
    }

    /// Runs `query` with a longer wait for locks. Nobody holds the locks of the task's own tables for long.
    pub(crate) fn patiently<T>(&mut self, query: impl FnMut(&mut C) -> QueryResult<T>) -> Result<T, Failure> {
        self.retry(true, query, |info, _| info.message().to_owned())
    }

    /// Runs `query`. If the database fails, runs it again on a fresh connection until it is time to give up.
    ///
    /// `query` must be safe to repeat even if it succeeded and only the answer was lost. Reads are safe, and so is a
    /// compare and swap.
    pub(crate) fn run<T>(&mut self, query: impl FnMut(&mut C) -> QueryResult<T>) -> Result<T, Failure> {
        self.retry(false, query, |info, _| info.message().to_owned())
    }

    /// As [`run`](Self::run), but shows only a part of an error message.
    pub(crate) fn run_hiding<T>(
        &mut self,
        query: impl FnMut(&mut C) -> QueryResult<T>,
        shown: impl Fn(&Info, ErrorClass) -> String,
    ) -> Result<T, Failure> {
        self.retry(false, query, shown)
    }

    fn retry<T>(
        &mut self,
        is_patient: bool,
        mut query: impl FnMut(&mut C) -> QueryResult<T>,
        shown: impl Fn(&Info, ErrorClass) -> String,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut is_second_look = false;
        loop {
            let was_pinned = self.conn.as_ref().is_some_and(|conn| conn.is_pinned);
            let error = match self.attempt(is_patient, &mut query) {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(
                    error @ (DieselError::DatabaseError(..)
                    | DieselError::BrokenTransactionManager
                    | DieselError::RollbackErrorOnCommit { .. }),
                )) => self.failure(error, &shown)?,
                // A value cannot be read. A fresh connection may help once, because a prepared statement describes its
                // columns wrongly after a change of the schema.
                Ok(Err(error)) if is_second_look => return Err(Failure::internal(chain(&error))),
                Ok(Err(error)) => {
                    is_second_look = true;
                    Failure::internal(chain(&error))
                }
                Err(error @ (Failure::OtherServer(_) | Failure::Denied(_))) => return Err(error),
                Err(error) => error,
            };
            self.conn = None;
            // After a snapshot, a fresh connection would see another one.
            if was_pinned || !self.has_paused(&error, started, &mut pause) {
                return Err(error);
            }
        }
    }

    /// The class of an error. The first one that is not known lets the session learn how the server words its errors.
    pub(crate) fn class(&mut self, error: &DieselError) -> ErrorClass {
        let class = class_of(error, C::Backend::MESSAGES, self.learned.as_deref().unwrap_or_default());
        let is_unknown = matches!(error, DieselError::DatabaseError(DatabaseErrorKind::Unknown, _));
        if class != ErrorClass::Other || !is_unknown || !C::Backend::TRANSLATES || self.learned.is_some() {
            return class;
        }
        if self.conn.as_ref().is_none_or(|conn| !conn.is_pinned) {
            self.conn = None;
        }
        // Without a connection, the next error is another chance.
        let Ok(mut conn) = self.pool.get_timeout(SPARE.min(self.pool.connection_timeout())) else { return class };
        let state = self.pool.state();
        let is_likely = state.idle_connections > 0 || state.connections < self.pool.max_size();
        let mut other =
            if is_likely { self.pool.get_timeout(SPARE.min(self.pool.connection_timeout())).ok() } else { None };
        let learned = self.learned.insert(C::Backend::learn(&mut *conn, other.as_deref_mut()));
        class_of(error, &[], learned)
    }

    /// What an error means for the statement that caused it: a failure that can pass, or `Err` for one that cannot.
    fn failure(&mut self, error: DieselError, shown: impl Fn(&Info, ErrorClass) -> String) -> Result<Failure, Failure> {
        let class = self.class(&error);
        let message = match error {
            DieselError::DatabaseError(_, info) => shown(&*info, class),
            error => error.to_string(),
        };
        if class == ErrorClass::Denied { Err(Failure::denied(message)) } else { Ok(Failure::database(message)) }
    }

    /// Runs a statement that the database may refuse to this user, and that only a lock or a broken connection can
    /// otherwise make fail.
    pub(crate) fn ask<T>(&mut self, mut query: impl FnMut(&mut C) -> QueryResult<T>) -> Result<T, Failure> {
        match self.once(&mut query)? {
            Ok(answer) => Ok(answer),
            Err(error) if self.is_connected() && !self.class(&error).can_pass() => Err(Failure::denied(error)),
            Err(_) => self.run(query),
        }
    }

    /// Runs `query` once. If the connection broke, the next use gets a fresh one.
    pub(crate) fn once<T>(&mut self, query: impl FnOnce(&mut C) -> QueryResult<T>) -> Result<QueryResult<T>, Failure> {
        let result = self.attempt(false, query)?;
        if result.is_err() && self.conn.as_mut().is_some_and(|conn| conn.conn.ping().is_err()) {
            self.conn = None;
        }
        Ok(result)
    }

    fn attempt<T>(
        &mut self,
        is_patient: bool,
        query: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> Result<QueryResult<T>, Failure> {
        let is_pinned = self.conn.as_ref().is_some_and(|conn| conn.is_pinned);
        let conn = self.connection()?;
        // The transaction of a snapshot has the settings already.
        Ok(if is_pinned { query(conn) } else { C::Backend::with_settings(conn, is_patient, query) })
    }

    /// Pauses before the next attempt, unless it is time to give up.
    fn has_paused(&self, error: &Failure, started: Instant, pause: &mut Duration) -> bool {
        if started.elapsed() + *pause > self.give_up_after || self.is_stopped() {
            return false;
        }
        tracing::warn!(%error, "trying again in {pause:?}");
        self.pause(*pause);
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        true
    }

    /// Begins a transaction that reads one snapshot of the database: `shared`, if another session has begun it. Returns
    /// the name by which other sessions can share it, if they can. From then on the session retries nothing.
    pub(crate) fn pin(&mut self, tables: &[PlannedTable], shared: Option<&str>) -> Result<Option<String>, Failure> {
        let conn = self.connection()?;
        let name = C::Backend::begin_snapshot(conn, tables, shared);
        if let Some(conn) = &mut self.conn {
            conn.is_pinned = true;
            // On MySQL, the level of isolation for the next transaction may be left.
            conn.must_close = name.is_err();
        }
        let name = match name {
            Ok(name) => name,
            Err(error) => {
                let failure = self.failure(error, |info, _| info.message().to_owned());
                return Err(failure.unwrap_or_else(|denied| denied));
            }
        };
        let anchor = self.anchor.clone();
        // Something between may send this transaction to another server than single statements.
        let server = C::Backend::server(self.connection()?).map_err(Failure::database)?;
        anchor.map_or(Ok(()), |anchor| anchor.check(server))?;
        Ok(name)
    }

    /// Checks that single statements and transactions reach the server of the other sessions.
    pub(crate) fn survey(&mut self) -> Result<(), Failure> {
        let servers = self.run(|conn| Ok([C::Backend::server(conn)?, conn.transaction(C::Backend::server)?]))?;
        let Some(anchor) = &self.anchor else { return Ok(()) };
        servers.into_iter().try_for_each(|server| anchor.check(server))
    }

    /// The most bytes of a statement with its values, on the connection that the next statement uses.
    pub(crate) fn longest_statement(&mut self) -> Result<u64, Failure> {
        if self.conn.is_none() {
            self.run(|_| Ok(()))?;
        }
        Ok(self.conn.as_ref().map_or(0, |conn| conn.longest_statement))
    }

    /// Returns the connection to the pool. The next use takes one again.
    pub(crate) fn release(&mut self) {
        self.conn = None;
    }

    /// Gives up at the first failure from now on.
    pub(crate) fn hurry(&mut self) {
        self.give_up_after = Duration::ZERO;
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.conn.is_some()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    /// Sleeps, unless the task is stopped.
    pub(crate) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(FIRST_PAUSE));
        }
    }

    /// Takes a connection if the pool has a free one soon.
    pub(crate) fn is_available(&mut self) -> bool {
        let conn = self.pool.get_timeout(SPARE.min(self.pool.connection_timeout()));
        self.conn = conn.ok().and_then(|conn| Configured::new(conn, self.anchor.as_ref()).ok());
        self.conn.is_some()
    }

    fn connection(&mut self) -> Result<&mut C, Failure> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                let conn = self.pool.get_timeout(self.patience());
                Configured::new(conn.map_err(Failure::database)?, self.anchor.as_ref())?
            }
        };
        Ok(&mut *self.conn.insert(conn).conn)
    }

    /// How long to wait for a connection.
    fn patience(&self) -> Duration {
        self.give_up_after.max(SPARE).min(self.pool.connection_timeout())
    }
}

struct Configured<C: TaskConnection> {
    conn: PooledConnection<ConnectionManager<C>>,
    former: Vec<(String, String)>,
    longest_statement: u64,
    /// Whether it is in a transaction. The transaction must end before anybody else gets the connection.
    is_pinned: bool,
    /// Whether it may have a setting that cannot be restored, or be broken.
    must_close: bool,
}

impl<C: TaskConnection> Configured<C> {
    fn new(conn: PooledConnection<ConnectionManager<C>>, anchor: Option<&Anchor>) -> Result<Self, Failure> {
        let mut this = Self { conn, former: Vec::new(), longest_statement: 0, is_pinned: false, must_close: true };
        if let Some(anchor) = anchor {
            anchor.check(C::Backend::server(&mut *this.conn).map_err(Failure::database)?)?;
        }
        this.configure().map_err(Failure::database)?;
        this.must_close = false;
        Ok(this)
    }

    fn configure(&mut self) -> QueryResult<()> {
        let conn: &mut C = self.conn.deref_mut();
        self.former = C::Backend::settings(conn)?;
        for (name, value) in C::Backend::SETTINGS {
            if self.former.iter().any(|(known, _)| known == name) {
                C::Backend::set(conn, name, value)?;
            }
        }
        self.longest_statement = C::Backend::longest_statement(conn)?;
        Ok(())
    }
}

impl<C: TaskConnection> Drop for Configured<C> {
    fn drop(&mut self) {
        let conn: &mut C = self.conn.deref_mut();
        let mut is_restored = !self.must_close;
        if self.is_pinned {
            is_restored &= conn.batch_execute("ROLLBACK").is_ok();
        }
        for (name, value) in &self.former {
            is_restored &= C::Backend::set(conn, name, value).is_ok();
        }
        if !is_restored {
            // The pool closes a connection in this state. The application must not get it back as it is.
            C::TransactionManager::transaction_manager_status_mut(conn).set_in_error();
        }
    }
}

/// An error with its sources. No error of this crate or of Diesel carries data.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
