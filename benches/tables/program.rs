//! Runs the program as a process.

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Environment variables that the program must not inherit.
const SETTINGS: [&str; 4] =
    ["DATABASE_URL", "DB_ENCRYPTION_KEYS", "DB_ENCRYPTION_KEYS_FILE", "PINAKES_DB_ENCRYPTION_KEYS"];

/// Starts `diesel-encrypted reencrypt` on the table of the benches.
pub(crate) fn reencrypt(url: &str, keys: &str, workers: usize) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesel-encrypted"));
    for name in SETTINGS {
        command.env_remove(name);
    }
    command
        .args(["reencrypt", "--json", "--column", "bench_people.email", "--column", "bench_people.ssn"])
        .args(["--workers", &workers.to_string()])
        .env("DATABASE_URL", url)
        .env("DB_ENCRYPTION_KEYS", keys)
        // The current directory may contain a file .env.
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The number of values that the program wrote. It must have proven that none is left.
pub(crate) fn rewritten(output: &Output) -> u64 {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["columns"].as_array().unwrap().iter().map(|column| column["rewritten"].as_u64().unwrap()).sum()
}
