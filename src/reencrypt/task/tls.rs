//! Whether a connection has the TLS that its URL asks for.

use crate::database::server::tls::{lacks_tls, server};
use crate::database::{DialectConnection, Failure};
use crate::reencrypt::report::{Refusal, TaskError};

/// Refuses a connection that is not encrypted, although its URL asks for TLS.
///
/// | client library | asks for TLS | what the library does |
/// |---|---|---|
/// | libpq | `sslmode=require`, `verify-ca`, `verify-full` | keeps it, except on Unix sockets |
/// | libmysqlclient | `ssl_mode=required`, `verify_ca`, `verify_identity` | keeps it |
/// | libmariadb | `ssl_ca=PATH` | begins TLS if the server offers it, and verifies the authority; ignores `ssl_mode` |
///
/// So this asks a connection to MySQL or MariaDB for its cipher, and trusts libpq. An attacker on the way can forge the
/// answer: only a verified certificate keeps attackers out.
///
/// # Errors
///
/// [`Refusal::NoTls`], or [`TaskError::is_database`] if the connection fails.
///
#[cfg_attr(all(feature = "cli-sqlite", feature = "reencrypt"), doc = "```")]
#[cfg_attr(not(all(feature = "cli-sqlite", feature = "reencrypt")), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel_encrypted::reencrypt::check_tls;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = ":memory:";
/// check_tls(&mut SqliteConnection::establish(url)?, url)?;
/// # Ok(())
/// # }
/// ```
pub fn check_tls<C: DialectConnection>(conn: &mut C, url: &str) -> Result<(), TaskError> {
    match lacks_tls(conn, url) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Refusal::NoTls { server: server(url) }.into()),
        Err(error) => Err(Failure::database(error).into()),
    }
}
