//! `keygen` and `keys`.

use diesel_encrypted::Keyring;
use serde_json::json;

use super::{A, B, fingerprint};
use crate::support::python;
use crate::support::runner::{Program, write};

fn keygen(command: &str) -> String {
    let run = Program::new([command]).exits_with(0);
    assert_eq!(run.stderr, "");
    let key = run.stdout.strip_suffix('\n').unwrap();
    assert_eq!(key.len(), 44);
    assert!(key.ends_with('=') && key[..43].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    key.to_owned()
}

#[test]
fn keygen_prints_a_new_key_and_nothing_else() {
    let keys = ["keygen", "keygen", "generate_encryption_key"].map(keygen);
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key));
        let token = python::seal(&[(key, 0, b"sealed by Python")]).remove(0);
        assert_eq!(Keyring::parse(key).unwrap().decrypt(token.as_bytes()).unwrap(), b"sealed by Python");
    }
}

#[test]
fn keys_shows_fingerprints_in_order() {
    let run = Program::new(["keys"]).keys(&[A, B]).exits_with(0);
    let expected = format!(
        "position  role       fingerprint\n\
         1         primary    {}\n\
         2         secondary  {}\n",
        fingerprint(A),
        fingerprint(B)
    );
    assert_eq!((run.stdout, run.stderr), (expected, String::new()));

    let run = Program::new(["keys", "--json"]).keys(&[B, A]).exits_with(0);
    let keys = json!([
        { "position": 1, "role": "primary", "fingerprint": fingerprint(B) },
        { "position": 2, "role": "secondary", "fingerprint": fingerprint(A) },
    ]);
    assert_eq!(run.json(), json!({ "keys": keys }));
}

/// Returns the lines that `keys` prints.
fn shown(program: Program) -> Vec<String> {
    let json = program.args(["keys", "--json"]).exits_with(0).json();
    let keys = json["keys"].as_array().unwrap().iter();
    keys.map(|key| key["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn keys_come_from_any_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    write(&file, format!("{A}\n{B}\n"));
    let none = || Program::new([""; 0]);
    let expected = [A, B].map(fingerprint);

    assert_eq!(shown(none().set("PINAKES_DB_ENCRYPTION_KEYS", format!("{A}:{B}"))), expected);
    assert_eq!(shown(none().set("DB_ENCRYPTION_KEYS_FILE", &file)), expected);
    let all = none().keys(&[A, B]).set("PINAKES_DB_ENCRYPTION_KEYS", format!("{A}:{B}"));
    assert_eq!(shown(all.set("DB_ENCRYPTION_KEYS_FILE", &file)), expected);
}

#[test]
fn keys_come_from_a_file_dot_env_here_or_above() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join(".env"), format!("# keys\nDB_ENCRYPTION_KEYS={A}:{B}\n"));
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    for folder in [folder.path(), &below] {
        let here = || Program::new([""; 0]).folder(folder).secrets([A, B]);
        assert_eq!(shown(here()), [A, B].map(fingerprint));
        // `.env` does not override a variable that is already set.
        assert_eq!(shown(here().keys(&[B])), [fingerprint(B)]);
    }
}

/// The ways in which other tools hand over a key that can mean only one key.
#[test]
fn keys_in_the_forms_of_other_tools() {
    use base64::Engine;
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let none = || Program::new([""; 0]).secrets([A, B]);
    let expected = [A, B].map(fingerprint);
    for text in [
        format!("\u{feff}{A}\r\n{B}\r\n"),
        format!("\"{A}:{B}\"\n"),
        format!("b'{A}'\nb'{B}'\n"),
        format!("{}:{}", &A[..43], &B[..43]),
        encoded(&format!("{A}:{B}\n")),
        format!("{}:{}", encoded(A), encoded(&format!("{B}\n"))),
    ] {
        write(&file, &text);
        assert_eq!(shown(none().set("DB_ENCRYPTION_KEYS_FILE", &file)), expected, "{text:?}");
        assert_eq!(shown(none().set("DB_ENCRYPTION_KEYS", &text)), expected, "{text:?}");
    }
    let wide: Vec<u8> = format!("\u{feff}{A}\r\n{B}\r\n").encode_utf16().flat_map(u16::to_be_bytes).collect();
    write(&file, wide);
    assert_eq!(shown(none().set("DB_ENCRYPTION_KEYS_FILE", &file)), expected);
    assert_eq!(shown(none().set("DB_ENCRYPTION_KEYS_FILE", format!("\"{}\"\r", file.display()))), expected);
}

/// Keystone's folder of keys.
#[test]
fn keys_come_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (name, key) in [("0", B), ("10", A)] {
        write(folder.path().join(name), key);
    }
    let none = || Program::new([""; 0]).secrets([A, B]);
    for setting in ["DB_ENCRYPTION_KEYS_FOLDER", "DB_ENCRYPTION_KEYS_FILE"] {
        assert_eq!(shown(none().set(setting, folder.path())), [A, B].map(fingerprint));
    }
    write(folder.path().join("11"), B);
    let refused = none().set("DB_ENCRYPTION_KEYS_FOLDER", folder.path()).arg("keys").exits_with(2);
    refused.says("DB_ENCRYPTION_KEYS_FOLDER: key 3 repeats key 1");
}
