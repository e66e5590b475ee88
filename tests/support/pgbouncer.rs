//! PgBouncer, which a test starts in front of its database. It listens on loopback. Dropping it ends it.

use std::fs;
use std::net::TcpStream;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::private_server::{Folder, find, free_port};
use super::proxy::at_port;

/// How long to wait until it listens.
const DEADLINE: Duration = Duration::from_secs(20);

pub struct PgBouncer {
    url: String,
    process: Child,
    _folder: Folder,
}

impl PgBouncer {
    /// Starts it for the database of this URL: in `transaction`, `statement` or `session` mode, with more settings such
    /// as `default_pool_size = 1`. `PGBOUNCER` may name another version than the installed one.
    pub fn start(database: &str, mode: &str, settings: &[&str]) -> Self {
        let folder = Folder::new();
        let port = free_port();
        fs::write(folder.path("ini"), ini(database, port, mode, settings)).unwrap();
        folder.give_away("ini");
        let program = std::env::var_os("PGBOUNCER").unwrap_or_else(|| find("pgbouncer").into());
        let mut process = folder.command(program).args(["-q", "ini"]).spawn().unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let has_ended = process.try_wait().unwrap().is_some();
            if has_ended || started.elapsed() > DEADLINE {
                let _ = process.kill();
                panic!("PgBouncer did not start: {}", fs::read_to_string(folder.path("log")).unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Self { url: at_port(database, port), process, _folder: folder }
    }

    /// The URL of the database through it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ini(url: &str, port: u16, mode: &str, settings: &[&str]) -> String {
    let rest = url.split_once("://").unwrap().1;
    let (credentials, rest) = rest.split_once('@').unwrap();
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (server, name) = rest.split_once('/').unwrap();
    let (host, server_port) = server.split_once(':').unwrap_or((server, "5432"));
    let password = password.replace("%40", "@");
    format!(
        "[databases]\n{name} = host={host} port={server_port} dbname={name} user={user} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = {mode}\nmax_client_conn = 200\nlogfile = log\npidfile = pid\n\
         ignore_startup_parameters = extra_float_digits\n{}\n",
        settings.join("\n")
    )
}
