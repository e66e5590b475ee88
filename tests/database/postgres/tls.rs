//! libpq keeps what a URL asks for, so nothing has to be checked after it.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::support::keys::key;
use crate::support::private_server::PrivateServer;
use crate::support::runner::{GAVE_UP, Program};

#[test]
fn tls_that_was_asked_for_is_tls_or_an_error() {
    let server = PrivateServer::postgres(&["ssl=off"]);
    let url = server.url("postgres");
    let conn = &mut PgConnection::establish(&url).unwrap();
    conn.batch_execute("create table t (id int primary key, secret text)").unwrap();
    let status = |query: &str| {
        let program = Program::new(["status", "--column", "t.secret"]).keys(&[&key(1).to_text()]);
        program.database(&format!("{url}?{query}"))
    };
    for query in ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "ssl=true"] {
        let run = status(query).exits_with(GAVE_UP);
        assert!(run.stderr.contains("SSL") || run.stderr.contains("root certificate"), "{query}: {}", run.stderr);
    }
    for query in ["sslmode=disable", "sslmode=prefer"] {
        status(query).exits_with(0);
    }
}
