//! Python's `cryptography`: the peer that exchanges tokens with this crate, and an independent checker.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A plaintext, and the time of its token in seconds since 1970.
pub type Dated = (Vec<u8>, u64);

/// Encrypts plaintexts. Each value is a key, a time and a plaintext.
pub fn seal(values: &[(&str, u64, &[u8])]) -> Vec<String> {
    let values: Vec<Value> =
        values.iter().map(|(key, date, plaintext)| json!([key, date, STANDARD.encode(plaintext)])).collect();
    let tokens = ask(&json!({ "seal": values }));
    serde_json::from_value(tokens).unwrap()
}

/// Decrypts tokens in text or raw form. Returns `None` for each that this key does not decrypt.
pub fn open<T: AsRef<[u8]>>(key: &str, cells: &[T]) -> Vec<Option<Dated>> {
    let cells: Vec<String> = cells.iter().map(|cell| STANDARD.encode(cell)).collect();
    let opened = ask(&json!({ "open": cells, "key": key }));
    let opened: Vec<Option<(String, u64)>> = serde_json::from_value(opened).unwrap();
    let decode = |(plaintext, date)| (STANDARD.decode::<String>(plaintext).unwrap(), date);
    opened.into_iter().map(|value| value.map(decode)).collect()
}

/// Runs a script in `tests/` and returns its standard output.
pub fn run(script: &str, stdin: &[u8]) -> Vec<u8> {
    let python = std::env::var("PYTHON_WITH_CRYPTOGRAPHY")
        .expect("PYTHON_WITH_CRYPTOGRAPHY names no python3 that has the package cryptography: use bin/with-servers");
    let path = format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(&python)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("PYTHON_WITH_CRYPTOGRAPHY={python}: {error}"));
    // Python reads all its input before it writes.
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script} failed, see above");
    output.stdout
}

fn ask(request: &Value) -> Value {
    serde_json::from_slice(&run("support/fernet.py", request.to_string().as_bytes())).unwrap()
}
