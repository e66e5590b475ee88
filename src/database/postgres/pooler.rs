//! Poolers in front of PostgreSQL.

use diesel::pg::Pg;
use diesel::result::QueryResult;

use crate::database::{Conn, Poolers, Sql};

impl Poolers for Pg {
    const HAS_POOLERS: bool = true;

    fn serving<C: Conn<Self>>(conn: &mut C) -> QueryResult<String> {
        Sql::new(SERVING).first(conn).map(Option::unwrap_or_default)
    }

    fn name_of_pooler<C: Conn<Self>>(conn: &mut C) -> Option<String> {
        // PgBouncer since 1.21, PgCat and Odyssey give the prepared statements of their clients other names.
        let renamed = conn.transaction(|conn| Sql::new(RENAMED).first(conn)).ok().flatten();
        renamed.or_else(|| conn.batch_execute("SHOW pool_version").ok().map(|()| "Pgpool-II".to_owned()))
    }
}

/// The start of the server distinguishes processes of two servers.
const SERVING: &str = "\
    SELECT pg_catalog.format('the process %s of the server that has run since %s', \
                             pg_catalog.pg_backend_pid(), pg_catalog.pg_postmaster_start_time())";

const RENAMED: &str = "\
    SELECT CASE WHEN pg_catalog.starts_with(name, 'PGBOUNCER_') THEN 'PgBouncer' \
                WHEN pg_catalog.starts_with(name, 'PGCAT_') THEN 'PgCat' \
                WHEN pg_catalog.starts_with(name, 'odyssey_') THEN 'Odyssey' END AS pooler \
    FROM pg_catalog.pg_prepared_statements WHERE NOT from_sql ORDER BY pooler LIMIT 1";
