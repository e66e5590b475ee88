//! Database servers that a test starts for itself, from installed binaries. They listen on loopback, and a test may
//! stop and restart them. Dropping one stops it.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The user with all privileges, and its password: encoded for a URL, and plain.
const USER: &str = "diesel_encrypted";
const PASSWORD_IN_URL: &str = "pass%40word";
pub const PASSWORD: &str = "pass@word";

/// How long to wait until a server listens.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server with a directory of its own.
pub struct PrivateServer {
    scheme: &'static str,
    port: u16,
    command: Vec<String>,
    folder: Folder,
    running: Option<Child>,
}

impl PrivateServer {
    /// Starts a PostgreSQL server, with settings such as `wal_level=logical`.
    pub fn postgres(settings: &[&str]) -> Self {
        let folder = Folder::new();
        fs::write(folder.path("password"), PASSWORD).unwrap();
        folder.give_away("password");
        let arguments = ["-D", "data", "-U", USER, "--pwfile=password", "--auth=scram-sha-256", "--encoding=UTF8"];
        folder.run(postgres_program("initdb"), &[&arguments[..], &["--no-locale", "--no-sync"]].concat());
        Self::postgres_in(folder, settings)
    }

    /// Starts a streaming replica of a PostgreSQL server.
    pub fn postgres_replica(primary: &Self, settings: &[&str]) -> Self {
        let folder = Folder::new();
        let source = primary.url("postgres");
        let arguments = ["-D", "data", "-d", &source, "-R", "-c", "fast", "--no-sync"];
        folder.run(postgres_program("pg_basebackup"), &arguments);
        Self::postgres_in(folder, settings)
    }

    /// Starts the nodes of a Galera cluster, one after the other. Each joins with the data of the ones before.
    pub fn galera(nodes: usize) -> Vec<Self> {
        let ports: Vec<u16> = std::iter::repeat_with(free_port).take(nodes).collect();
        let cluster: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let options = |port: u16| {
            [
                "--binlog-format=ROW".into(),
                "--innodb-autoinc-lock-mode=2".into(),
                "--innodb-flush-log-at-trx-commit=0".into(),
                "--wsrep-on=ON".into(),
                format!("--wsrep-provider={}", galera_library().display()),
                format!("--wsrep-cluster-address=gcomm://{}", cluster.join(",")),
                format!("--wsrep-node-address=127.0.0.1:{port}"),
                "--wsrep-sst-method=rsync".into(),
                format!("--wsrep-sst-receive-address=127.0.0.1:{}", free_port()),
                format!(
                    "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{port};\
                     ist.recv_addr=127.0.0.1:{};gcache.size=32M",
                    free_port()
                ),
            ]
        };
        let mut servers = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let mut options: Vec<String> = options(*port).into();
            if number == 0 {
                options.push("--wsrep-new-cluster".into());
            }
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            servers.push(Self::mysql(&options));
        }
        servers
    }

    /// Starts a MariaDB server, with options such as `--log-bin`. If `MYSQLD` names a MySQL server, that one is
    /// started.
    pub fn mysql(options: &[&str]) -> Self {
        let folder = Folder::new();
        // The server reads this file on every start. Replicas use the account too.
        let accounts = format!(
            "CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        fs::write(folder.path("init.sql"), accounts).unwrap();
        folder.give_away("init.sql");
        let data = format!("--datadir={}", folder.path("data").display());
        let size = "--innodb-log-file-size=8M";
        let (program, more) = match std::env::var("MYSQLD") {
            Ok(program) => {
                folder.run(&program, &["--no-defaults", &data, "--initialize-insecure"]);
                (program, vec!["--secure-file-priv=NULL", "--mysqlx=OFF"])
            }
            Err(_) => {
                folder.run(find("mariadb-install-db"), &["--no-defaults", &data, "--skip-test-db", size]);
                (find("mariadbd").display().to_string(), vec![size])
            }
        };
        let port = free_port();
        let mut command = vec![program, "--no-defaults".into(), data];
        command.extend(more.into_iter().map(String::from));
        command.extend(["--bind-address=127.0.0.1".into(), format!("--port={port}"), "--socket=socket".into()]);
        command.extend(["--pid-file=pid", "--skip-name-resolve", "--character-set-server=utf8mb4"].map(String::from));
        command.push(format!("--init-file={}", folder.path("init.sql").display()));
        command.extend(options.iter().map(|option| (*option).to_owned()));
        Self { scheme: "mysql", port, command, folder, running: None }.started()
    }

    /// The URL of a database, for the user with all privileges.
    pub fn url(&self, database: &str) -> String {
        self.url_as(USER, database)
    }

    /// The URL of a database, for another user with the same password.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!("{}://{user}:{PASSWORD_IN_URL}@{}/{database}", self.scheme, self.address())
    }

    /// The address, such as `127.0.0.1:25000`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once and keeps its data. The next start recovers them.
    pub fn stop(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        // SIGKILL would leave child processes of PostgreSQL running.
        let _ = Command::new("sh").arg("-c").arg(format!("kill -QUIT {}", child.id())).status();
        let _ = child.wait();
    }

    /// Starts the server again on the same port, and waits until it answers.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "it runs");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path("log")).unwrap();
        let mut command = self.folder.command(&self.command[0]);
        command.args(&self.command[1..]).stdout(log.try_clone().unwrap()).stderr(log);
        self.running = Some(command.spawn().unwrap());
        let started = Instant::now();
        while !self.answers() {
            let ended = self.running.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some());
            if ended || started.elapsed() > DEADLINE {
                let log = fs::read_to_string(self.folder.path("log")).unwrap_or_default();
                self.stop();
                panic!("the server did not start: {log}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn postgres_in(folder: Folder, settings: &[&str]) -> Self {
        let port = free_port();
        let program = postgres_program("postgres").display().to_string();
        let mut command = vec![program, "-D".into(), "data".into(), "-h".into(), "127.0.0.1".into(), "-p".into()];
        command.extend([port.to_string(), "-k".into(), ".".into()]);
        for setting in ["fsync=off", "full_page_writes=off"].iter().chain(settings) {
            command.extend(["-c".into(), (*setting).to_owned()]);
        }
        Self { scheme: "postgres", port, command, folder, running: None }.started()
    }

    fn started(mut self) -> Self {
        self.start();
        self
    }

    /// PostgreSQL refuses connections while it starts. MariaDB listens only when it is ready.
    fn answers(&self) -> bool {
        if self.scheme == "mysql" {
            return TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        }
        let mut command = Command::new(postgres_program("pg_isready"));
        command.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command.status().is_ok_and(|status| status.success())
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An empty folder that belongs to the user of the servers. PostgreSQL refuses to run as root.
pub(super) struct Folder {
    folder: TempDir,
    /// User and group, if the test runs as root.
    nobody: Option<(u32, u32)>,
}

impl Folder {
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("diesel-encrypted.").tempdir().unwrap();
        let id = |option| {
            let output = Command::new("id").args([option, "nobody"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
        };
        let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
        let this = Self { folder, nobody: is_root.then(|| (id("-u"), id("-g"))) };
        this.give_away("");
        this
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn give_away(&self, name: &str) {
        if let Some((user, group)) = self.nobody {
            chown(self.path(name), Some(user), Some(group)).unwrap();
        }
    }

    /// Prepares a program that runs in the folder, as the folder's owner.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self.nobody {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
                command.arg(program);
                command
            }
        };
        command.current_dir(self.folder.path()).env("TMPDIR", self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) {
        let output = self.command(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Finds a program of PostgreSQL. Debian does not put them into the PATH.
pub fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut programs: Vec<_> = versions.map(|version| version.path().join("bin").join(name)).collect();
    programs.sort();
    programs.retain(|program| is_program(program));
    programs.pop().unwrap_or_else(|| find(name))
}

/// The library that makes a MariaDB server a node of a cluster.
fn galera_library() -> PathBuf {
    let folders = ["/usr/lib/galera", "/usr/lib64/galera-4", "/usr/lib64/galera"];
    let mut libraries = folders.iter().map(|folder| Path::new(folder).join("libgalera_smm.so"));
    let library = libraries.find(|path| path.exists());
    library.expect("there is no Galera: this test starts a cluster of its own (Debian: galera-4, rsync)")
}

pub(super) fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/local/sbin".into(), "/usr/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join(name));
    programs.find(|program| is_program(program)).unwrap_or_else(|| {
        panic!(
            "there is no {name}: these tests start servers of their own (Debian: postgresql, mariadb-server, pgbouncer)"
        )
    })
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Finds a port below the range from which the kernel assigns ports.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = std::process::id() as u16 % 100 * 100 + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        let port = 20_000 + offset;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
