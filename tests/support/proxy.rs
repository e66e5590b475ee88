//! A proxy for a database server, whose connections a test can cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Listens on a port of its own and forwards data in both directions. Dropping it closes the port.
pub struct Proxy {
    url: String,
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    /// The addresses of the servers, which take turns.
    servers: Mutex<Vec<String>>,
    streams: Mutex<Vec<TcpStream>>,
    is_stalled: AtomicBool,
    is_closed: AtomicBool,
}

impl Proxy {
    pub fn to(url: &str) -> Self {
        Self::start(url, vec![address(url)], None)
    }

    /// Spreads the connections over two servers that have the same accounts.
    pub fn spreading(urls: [&str; 2]) -> Self {
        Self::start(urls[0], urls.map(address).into(), None)
    }

    /// Replaces a text in the answers of the server by another one of the same length.
    pub fn disguising(url: &str, from: &'static str, to: &'static str) -> Self {
        assert_eq!(from.len(), to.len(), "messages must keep their lengths");
        Self::start(url, vec![address(url)], Some((from, to)))
    }

    fn start(url: &str, servers: Vec<String>, disguise: Option<(&'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self { url: url.to_owned(), port: listener.local_addr().unwrap().port(), shared: Arc::default() };
        *this.shared.servers.lock().unwrap() = servers;
        let shared = Arc::clone(&this.shared);
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                if shared.is_closed.load(Relaxed) {
                    return; // Returning closes the port.
                }
                let servers = shared.servers.lock().unwrap().clone();
                // The server is down: close the client's connection, too.
                let Ok(server) = TcpStream::connect(&servers[number % servers.len()]) else { continue };
                let client = client.unwrap();
                shared.connections.fetch_add(1, Relaxed);
                for (from, to, disguise) in [(&client, &server, None), (&server, &client, disguise)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    to.set_nodelay(true).unwrap();
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || pass_on(from, to, disguise, &shared));
                }
                shared.streams.lock().unwrap().extend([client, server]);
            }
        });
        this
    }

    /// The URL of the database through the proxy.
    pub fn url(&self) -> String {
        at_port(&self.url, self.port)
    }

    /// How many connections there have been so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Relaxed)
    }

    /// Breaks all connections, and accepts new ones.
    pub fn hang_up(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            // An error means that the connection is broken already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Leads new connections to another server that has the same accounts, and breaks the old ones.
    pub fn fail_over_to(&self, url: &str) {
        *self.shared.servers.lock().unwrap() = vec![address(url)];
        self.hang_up();
    }

    /// Keeps the connections open, but forwards nothing.
    pub fn stall(&self) {
        self.shared.is_stalled.store(true, Relaxed);
    }

    /// Forwards again, beginning with the data that came in meanwhile.
    pub fn resume(&self) {
        self.shared.is_stalled.store(false, Relaxed);
    }

    /// Breaks all connections and refuses new ones.
    pub fn close(&self) {
        self.shared.is_closed.store(true, Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // Wakes the listener up.
        self.hang_up();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, disguise: Option<(&str, &str)>, shared: &Shared) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        while shared.is_stalled.load(Relaxed) && !shared.is_closed.load(Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        let data = &mut buffer[..length];
        if let Some((before, after)) = disguise {
            let starts: Vec<usize> =
                (0..data.len()).filter(|start| data[*start..].starts_with(before.as_bytes())).collect();
            for start in starts {
                data[start..start + after.len()].copy_from_slice(after.as_bytes());
            }
        }
        if to.write_all(data).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Returns the URL with another port on this machine.
pub fn at_port(url: &str, port: u16) -> String {
    let (head, tail) = around(url);
    format!("{head}127.0.0.1:{port}{tail}")
}

/// Returns the address at which the server of a URL listens.
fn address(url: &str) -> String {
    let (head, tail) = around(url);
    let server = &url[head.len()..url.len() - tail.len()];
    match server.contains(':') {
        true => server.to_owned(),
        false => format!("{server}:{}", if url.starts_with("mysql") { 3306 } else { 5432 }),
    }
}

/// Splits off the parts of a URL before and after the server's name and port.
fn around(url: &str) -> (&str, &str) {
    let start = url.find('@').map_or_else(|| url.find("://").unwrap() + 3, |at| at + 1);
    let length = url[start..].find(['/', '?']).unwrap_or(url.len() - start);
    (&url[..start], &url[start + length..])
}
