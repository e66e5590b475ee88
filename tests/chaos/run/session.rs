//! A connection that comes back.

use std::thread;
use std::time::{Duration, Instant};

use diesel::QueryResult;

use super::super::backend::{Conn, connect};

/// Longer than a server needs to be there again, and than any lock lasts.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Session {
    url: String,
    conn: Option<Conn>,
}

impl Session {
    pub fn new(url: String) -> Self {
        Self { url, conn: None }
    }

    /// Runs `query` until it succeeds, on a new connection after every error.
    pub fn run<T>(&mut self, mut query: impl FnMut(&mut Conn) -> QueryResult<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.once(&mut query) {
                Ok(value) => return value,
                Err(error) => assert!(Instant::now() < deadline, "the application cannot go on: {error}"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn once<T>(&mut self, query: impl FnOnce(&mut Conn) -> QueryResult<T>) -> Result<T, String> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect(&self.url).map_err(|error| error.to_string())?,
        };
        let value = query(&mut conn).map_err(|error| error.to_string())?;
        self.conn = Some(conn);
        Ok(value)
    }
}
