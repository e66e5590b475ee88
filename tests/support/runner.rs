//! Runs the program as a process. The process only gets the settings that the test gives it. Its output is searched for
//! secrets.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Longer than any run takes. A program that hangs fails its test after this time.
const DEADLINE: Duration = Duration::from_secs(180);
/// Settings of this machine that the program must not see.
const SETTINGS: [&str; 9] = [
    "DATABASE_URL",
    "DB_ENCRYPTION_KEYS",
    "DB_ENCRYPTION_KEYS_FILE",
    "DB_ENCRYPTION_KEYS_FOLDER",
    "DB_NODE_URLS",
    "DB_REPLICA_URLS",
    "PINAKES_DB_ENCRYPTION_KEYS",
    "RUST_LOG",
    "NO_COLOR",
];

/// Exit codes of the program.
pub const PROVEN: i32 = 0;
pub const USAGE: i32 = 2;
pub const NOT_PROVEN: i32 = 3;
pub const BAD_VALUES: i32 = 4;
pub const REFUSED: i32 = 5;
pub const GAVE_UP: i32 = 7;

/// A command line of the program, with its settings.
pub struct Program {
    args: Vec<OsString>,
    settings: Vec<(String, OsString)>,
    folder: Option<PathBuf>,
    secrets: Vec<String>,
}

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { args, settings: Vec::new(), folder: None, secrets: Vec::new() }
    }

    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub fn arg(self, arg: impl Into<OsString>) -> Self {
        self.args([arg])
    }

    /// Adds an environment variable. Keys and passwords in it count as secrets.
    pub fn set(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref();
        let text = value.to_string_lossy();
        if name.ends_with("_KEYS") {
            self = self.secrets(text.split(':'));
        }
        let credentials = text.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
        self = self.secrets(credentials.map(|(credentials, _)| credentials));
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the keys. The first one is the primary key.
    pub fn keys(self, keys: &[&str]) -> Self {
        self.set("DB_ENCRYPTION_KEYS", keys.join(":"))
    }

    pub fn database(self, url: &str) -> Self {
        self.set("DATABASE_URL", url)
    }

    /// Sets the working folder. The default is an empty folder, so that no `.env` or `diesel.toml` of this machine
    /// applies.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Adds texts that the output must never contain: plaintexts, and keys that are in no setting.
    pub fn secrets<S: Into<String>>(mut self, secrets: impl IntoIterator<Item = S>) -> Self {
        self.secrets.extend(secrets.into_iter().map(Into::into));
        self
    }

    #[track_caller]
    pub fn run(self) -> Run {
        self.start().wait()
    }

    /// Runs it, and checks the exit code.
    #[track_caller]
    pub fn exits_with(self, code: i32) -> Run {
        let run = self.run();
        assert_eq!(run.code, code, "{run:#?}");
        run
    }

    #[track_caller]
    pub fn start(self) -> Running {
        for arg in &self.args {
            self.find_no_secret(&arg.to_string_lossy());
        }
        let output = tempfile::tempdir().unwrap();
        let create = |name: &str| Stdio::from(File::create(output.path().join(name)).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_diesel-encrypted"));
        for name in SETTINGS {
            command.env_remove(name);
        }
        let empty = output.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let child = command
            .args(&self.args)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.as_ref().unwrap_or(&empty))
            .stdin(Stdio::null())
            .stdout(create("stdout"))
            .stderr(create("stderr"))
            .spawn()
            .unwrap();
        Running { child, output, program: self, started: Instant::now() }
    }

    #[track_caller]
    fn find_no_secret(&self, text: &str) {
        for secret in self.secrets.iter().filter(|secret| secret.len() > 3) {
            // of a key, any part of some length
            let part = if secret.len() == 44 { 12 } else { secret.len() };
            for part in secret.as_bytes().windows(part) {
                assert!(!text.contains(&*String::from_utf8_lossy(part)), "a secret is in the output:\n{text}");
            }
        }
        // a token of this century in text form, and a raw one in hexadecimal
        for token in ["gAAAAA", "8000000000"] {
            assert!(!text.contains(token), "a token is in the output:\n{text}");
        }
    }
}

/// The program, running.
pub struct Running {
    child: Child,
    output: TempDir,
    program: Program,
    started: Instant,
}

impl Running {
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends `INT`, `TERM`, `KILL`, `STOP` or `CONT`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status().unwrap();
        assert!(sent.success());
    }

    /// Stops the process for this time, as a suspended machine does. The process does not notice it.
    pub fn suspend(&self, time: Duration) {
        let (process, seconds) = (self.child.id(), time.as_secs_f64());
        let script = format!("kill -STOP {process} && sleep {seconds}; kill -CONT {process}");
        // A thread of its own sends the signals. It waits for nothing else, in particular for no lock that the process
        // holds. An error means that the process has ended.
        std::thread::spawn(move || Command::new("sh").arg("-c").arg(script).stderr(Stdio::null()).status());
    }

    /// Waits until `condition` holds. The program must still be running then.
    #[track_caller]
    pub fn until(&mut self, mut condition: impl FnMut() -> bool) {
        while !condition() {
            assert!(self.child.try_wait().unwrap().is_none(), "ended too early: {}", self.said("stderr"));
            assert!(self.started.elapsed() < DEADLINE, "the condition did not come true");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until standard error contains this text.
    #[track_caller]
    pub fn until_it_says(&mut self, text: &str) {
        let path = self.output.path().join("stderr");
        self.until(|| std::fs::read_to_string(&path).unwrap().contains(text));
    }

    /// Waits for the end. The exit code is -1 if a signal ended the process.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > DEADLINE {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("it hangs: {}", self.said("stderr"));
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let run = Run { code: status.code().unwrap_or(-1), stdout: self.said("stdout"), stderr: self.said("stderr") };
        for text in [&run.stdout, &run.stderr] {
            self.program.find_no_secret(text);
            // There is no terminal, so there are no colours and no cursor movements.
            assert!(!text.contains(['\x1b', '\r']), "{text:?}");
        }
        run
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.output.path().join(name)).unwrap()
    }
}

impl Run {
    /// Parses standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The moment of the proof. The proof covers everything that was committed before.
    pub fn proof_moment(&self) -> OffsetDateTime {
        OffsetDateTime::parse(self.json()["proof"]["moment"].as_str().unwrap(), &Rfc3339).unwrap()
    }

    /// Checks that standard error contains this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {:?}", self.stderr);
        self
    }
}

impl Run {
    /// The last line of standard error.
    pub fn last_words(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }

    /// Parses standard error as one JSON object a line.
    #[track_caller]
    pub fn events(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        self.stderr.lines().map(parse).collect()
    }

    /// Checks that standard error contains this event, with a message that begins like this.
    #[track_caller]
    pub fn notes(&self, event: &str, message: &str) {
        let events = self.events();
        let is_it = |noted: &serde_json::Value| {
            noted["event"] == event && noted["message"].as_str().is_some_and(|text| text.starts_with(message))
        };
        assert!(events.iter().any(is_it), "no {event} that is {message:?} in {events:#?}");
    }
}

/// Writes a file that only its owner can read, and creates the folders above it.
pub fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let path = path.as_ref();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    permit(path, 0o600);
}

/// Changes the permissions of a file or folder.
#[cfg(unix)]
pub fn permit(path: impl AsRef<Path>, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
