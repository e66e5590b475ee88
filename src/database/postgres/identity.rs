//! What a PostgreSQL server is, by its own account.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::result::QueryResult;

use crate::database::server::identity::only_has_words;
use crate::database::{Clusters, Conn, Fields, Identity, PlannedTable, Server, Sql};

impl Clusters for Pg {}

impl Identity for Pg {
    fn server<C: Conn<Self>>(conn: &mut C) -> QueryResult<Server> {
        let version = Sql::new("SELECT pg_catalog.version()").first(conn)?.unwrap_or_default();
        if !is_known(&version) {
            // Nothing else is known about its functions.
            let identity = version.clone();
            return Ok(Server { identity, started: None, standby: None, stranger: Some(version) });
        }
        let rows: Vec<Fields> = Sql::new(SERVER).load(conn)?;
        let mut row = rows.into_iter().next();
        let mut field = |index| row.as_mut().and_then(|row| row.take(index)).unwrap_or_default();
        let [recovers, started, database, shows_system, shows_itself, extensions] = std::array::from_fn(&mut field);
        let is_true = |text: String| text == "true";
        let identity = if is_true(shows_system) {
            let system = Sql::new(SYSTEM).first(conn)?.unwrap_or_default();
            format!("the system {system}, database {database}")
        } else {
            format!("the server that was started at {started} µs, database {database}")
        };
        let stranger = if !extensions.is_empty() {
            Some(format!("PostgreSQL with {extensions}"))
        } else if !is_true(shows_itself) {
            Some(format!("{version}, without the transaction of this session in pg_locks"))
        } else {
            None
        };
        let standby = is_true(recovers).then(|| "a standby: pg_is_in_recovery() is true".to_owned());
        Ok(Server { identity, started: Some(started), standby, stranger })
    }

    fn read_only<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<String>> {
        let setting = Sql::new("SELECT pg_catalog.current_setting('default_transaction_read_only')").first(conn)?;
        Ok((setting.as_deref() == Some("on")).then(|| "default_transaction_read_only is on".into()))
    }

    fn feeds<C: Conn<Self>>(conn: &mut C, tables: &[PlannedTable]) -> QueryResult<Vec<String>> {
        let mut feeds = Vec::new();
        for table in tables {
            let schema = table.name.schema().unwrap_or_default();
            let sql = Sql::new(SUBSCRIPTIONS).bind(schema).bind(table.name.name());
            let subscriptions = sql.column(conn)?;
            feeds
                .extend(subscriptions.iter().map(|name| format!("the subscription {name:?} writes to {}", table.name)));
        }
        Ok(feeds)
    }
}

/// The extensions share tables with other servers, whose transactions `pg_locks` does not show.
const SERVER: &str = "\
    SELECT pg_catalog.pg_is_in_recovery()::pg_catalog.text, \
           pg_catalog.int8(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) \
                           OPERATOR(pg_catalog.*) 1000000)::pg_catalog.text, \
           d.oid::pg_catalog.text, \
           pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')::pg_catalog.text, \
           EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype OPERATOR(pg_catalog.=) 'virtualxid' \
                   AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())::pg_catalog.text, \
           (SELECT pg_catalog.string_agg(e.extname::pg_catalog.text, ', ') FROM pg_catalog.pg_extension e \
            WHERE e.extname OPERATOR(pg_catalog.=) ANY ('{bdr,citus,pgactive,pglogical,spock}'::pg_catalog.name[])) \
    FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

/// By default every user may call this function.
const SYSTEM: &str = "SELECT s.system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system() s";

/// The subscriptions that write to a table or to one of its partitions. One that is disabled may be enabled later, and then
/// it goes on from where it was. The view shows the names to every user; the catalogue below it does not on old versions.
const SUBSCRIPTIONS: &str = "\
    SELECT DISTINCT s.subname::pg_catalog.text FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
    JOIN pg_catalog.pg_subscription_rel r ON r.srrelid OPERATOR(pg_catalog.=) c.oid \
        OR EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid::pg_catalog.regclass) p \
                   WHERE p.relid::pg_catalog.oid OPERATOR(pg_catalog.=) r.srrelid) \
    JOIN pg_catalog.pg_stat_subscription s ON s.subid OPERATOR(pg_catalog.=) r.srsubid \
    WHERE n.nspname OPERATOR(pg_catalog.=) ?::pg_catalog.name \
      AND c.relname OPERATOR(pg_catalog.=) ?::pg_catalog.name \
    ORDER BY 1";

/// Whether `version()` is that of PostgreSQL itself: `PostgreSQL 15.6 (Debian 15.6-0+deb12u1) on x86_64-pc-linux-gnu,
/// compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit`. Other products change the number, the package or the end.
fn is_known(version: &str) -> bool {
    let Some(rest) = version.strip_prefix("PostgreSQL ") else { return false };
    let Some((number, _)) = rest.split_once([' ', ',']) else { return false };
    let before_compiler = rest.split_once(" compiled by ").map(|(before, _)| before);
    let package = before_compiler.map(|before| before.split_once(" on ").map_or(before, |(package, _)| package));
    let is_whole = version.ends_with(", 64-bit") || version.ends_with(", 32-bit");
    is_whole
        && number.starts_with(|first: char| first.is_ascii_digit())
        && only_has_words(number, &["devel", "beta", "rc"])
        && package.is_some_and(|package| only_has_words(package, PACKAGES))
}

/// The words in the packages of PostgreSQL.
const PACKAGES: &[&str] = &[
    "beta",
    "debian",
    "deb",
    "devel",
    "distribution",
    "pgdg",
    "percona",
    "rc",
    "server",
    "u",
    "ubuntu",
    "homebrew",
    "postgres",
    "app",
    "build",
    "bpo",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_postgresql_and_nothing_else() {
        for version in [
            "PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14+deb12u1) \
             12.2.0, 64-bit",
            "PostgreSQL 16.2 (Ubuntu 16.2-1.pgdg22.04+1) on x86_64-pc-linux-gnu, compiled by gcc (Ubuntu 11.4.0), 64-bit",
            "PostgreSQL 15.2 on x86_64-pc-linux-musl, compiled by gcc (Alpine 12.2.1_git20220924) 12.2.1 20220924, 64-bit",
            "PostgreSQL 14.10 - Percona Distribution on x86_64-pc-linux-gnu, compiled by gcc (GCC) 8.5.0, 64-bit",
            "PostgreSQL 15.2, compiled by Visual C++ build 1914, 64-bit",
            "PostgreSQL 18beta1 on aarch64-apple-darwin, compiled by Apple clang version 15.0.0, 64-bit",
            "PostgreSQL 14.9 (Homebrew) on aarch64-apple-darwin22, compiled by Apple clang version 14, 64-bit",
        ] {
            assert!(is_known(version), "{version}");
        }
        for version in [
            "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27 01:53:43, go1.19.10)",
            "PostgreSQL 11.2-YB-2.18.0.1-b0 on x86_64-pc-linux-gnu, compiled by clang version 15.0.3, 64-bit",
            "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift \
             1.0.56242",
            "PostgreSQL 12.12 (Greenplum Database 7.0.0 build commit:0a7a3566873325aca1789ae6f818c80f17a9402d) on \
             x86_64-pc-linux-gnu, compiled by gcc (GCC) 8.5.0, 64-bit compiled on Sep 22 2023",
            "PostgreSQL 9.4.26 (Greenplum Database 6.25.3) on x86_64-unknown-linux-gnu, compiled by gcc 6.4.0, 64-bit",
            "PostgreSQL 16",
            "PostgreSQL 9.5.0 on x86_64-unknown-linux-gnu (Materialize v0.68.0)",
            "PostgreSQL 15.2 (Somebody's Database) on x86_64, compiled by gcc, 64-bit",
            "",
        ] {
            assert!(!is_known(version), "{version}");
        }
    }
}
