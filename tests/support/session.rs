//! A connection that reconnects.

use std::thread;
use std::time::{Duration, Instant};

use diesel::{ConnectionResult, QueryResult};

/// Longer than a server takes to restart, and than any lock lasts.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Session<C> {
    connect: fn(&str) -> ConnectionResult<C>,
    url: String,
    conn: Option<C>,
}

impl<C> Session<C> {
    pub fn new(connect: fn(&str) -> ConnectionResult<C>, url: String) -> Self {
        Self { connect, url, conn: None }
    }

    /// Runs `query` until it succeeds, on a new connection after every error.
    pub fn run<T>(&mut self, mut query: impl FnMut(&mut C) -> QueryResult<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.once(&mut query) {
                Ok(value) => return value,
                Err(error) => assert!(Instant::now() < deadline, "the application cannot continue: {error}"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn once<T>(&mut self, query: impl FnOnce(&mut C) -> QueryResult<T>) -> Result<T, String> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => (self.connect)(&self.url).map_err(|error| error.to_string())?,
        };
        let value = query(&mut conn).map_err(|error| error.to_string())?;
        self.conn = Some(conn);
        Ok(value)
    }
}
