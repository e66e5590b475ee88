//! Runs a test in a process of its own. A process has one keyring and one environment.

use std::env;
use std::ffi::OsStr;
use std::process::{self, Command};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The variable that marks the child.
const CHILD: &str = "DIESEL_ENCRYPTED_TEST_CHILD";
/// The child prints this before its result.
const RESULT: &str = "\nresult of the child: ";
/// The settings of the keyring. A child only has those that the test gives it.
const SETTINGS: [&str; 3] = ["DB_ENCRYPTION_KEYS", "PINAKES_DB_ENCRYPTION_KEYS", "DB_ENCRYPTION_KEYS_FILE"];

/// Returns the result of `body` in a new process with these settings of the keyring. If `body` panics there, the caller
/// panics.
///
/// The new process is this test binary. It runs the calling test, reaches this function again, runs `body` and exits.
/// Therefore a test may contain only one call, with a closure written in the test itself. The call may stand in a loop,
/// and may use parameters.
#[track_caller]
pub fn in_own_process<R, F>(settings: &[(&str, &OsStr)], body: F) -> R
where
    R: Serialize + DeserializeOwned,
    F: FnOnce() -> R,
{
    if env::var_os(CHILD).is_some() {
        let result = serde_json::to_string(&body()).unwrap();
        println!("{RESULT}{result}");
        process::exit(0);
    }
    // For example `crate::module::test::{{closure}}`.
    let closure = std::any::type_name::<F>();
    let test = closure.split_once("::").and_then(|(_, path)| path.strip_suffix("::{{closure}}"));
    let test = test.expect("in_own_process takes a closure, which tells the name of the test");
    let mut child = Command::new(env::current_exe().unwrap());
    for setting in SETTINGS {
        child.env_remove(setting);
    }
    let output = child
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .envs(settings.iter().copied())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let result = stdout.split_once(RESULT).and_then(|(_, result)| result.lines().next());
    match result {
        Some(result) if output.status.success() => serde_json::from_str(result).unwrap(),
        _ => panic!("in the child: {stdout}\n{}", String::from_utf8_lossy(&output.stderr)),
    }
}
