//! SQLite has no server, and so no pooler.

use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::{Conn, Poolers};

impl Poolers for Sqlite {
    const HAS_POOLERS: bool = false;

    fn serving<C: Conn<Self>>(_conn: &mut C) -> QueryResult<String> {
        Ok(String::new())
    }
}
