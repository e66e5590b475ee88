//! Invalid keys: the program exits with code 2. It names the setting and the position, but never repeats the text.

use super::{A, B, fingerprint};
use crate::support::runner::{Program, Run, write};

/// Checks that every command that needs keys refuses for this reason, before it looks for a database.
#[track_caller]
fn refused(program: impl Fn() -> Program, reason: &str) {
    let commands = [&["keys"][..], &["status"], &["reencrypt"], &["reencrypt_database", "--json"]];
    for command in commands {
        let Run { code, stdout, stderr } = program().args(command.iter().copied()).run();
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        let expected = match command.contains(&"--json") {
            true => format!(r#"{{"event":"failed","message":"{reason}"#),
            false => format!("diesel-encrypted: {reason}"),
        };
        assert!(stderr.starts_with(&expected), "{stderr:?} does not start with {expected:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr:?}");
    }
}

fn none() -> Program {
    Program::new([""; 0])
}

#[test]
fn no_keys() {
    let reason = "no encryption key is configured: set DB_ENCRYPTION_KEYS or DB_ENCRYPTION_KEYS_FILE";
    refused(none, &format!("{reason}. `diesel-encrypted keygen` generates a key"));
}

#[test]
fn texts_that_are_not_keys() {
    let zero = format!("{}=", "A".repeat(43));
    // The first 16 bytes sign, and the last 16 encrypt.
    let alike = format!("{}{}", &A[..22], &B[22..]);
    let cases = [
        (":".into(), ": key 1 of 2 is empty"),
        (format!("{A}:"), ": key 2 of 2 is empty"),
        (format!("{A}::{B}"), ": key 2 of 3 is empty"),
        (format!("{A}: :{B}"), ": key 2 of 3 is empty"),
        (format!("{A}:{B}:{A}"), ": key 3 repeats key 1"),
        (format!("{A}:{alike}"), ": key 2 has the same signing half (its first 16 bytes) as key 1"),
        (format!("{B}:{alike}:{A}"), ": key 3 has the same signing half (its first 16 bytes) as key 2"),
        (format!("{A}:{}", &B[..42]), ": key 2 of 2 is 42 characters long, not 44"),
        (format!("{A}:{}", &B[1..]), ": key 2 of 2 is 43 characters long, not 44"),
        (format!("\"{A}"), ": key 1 of 1 contains a quotation mark: remove it"),
        (format!("{A} {B}"), ": key 1 of 1 contains a blank: separate keys with `:`"),
        (format!("export DB_ENCRYPTION_KEYS={A}"), ": key 1 of 1 contains a blank"),
        ("${KEYS}".into(), ": key 1 of 1 contains `$` or a brace: a variable was not replaced by its value"),
        ("0123456789abcdef".repeat(4), ": key 1 of 1 is 64 hexadecimal digits"),
        (format!("{A}{B}"), ": key 1 of 1 is 88 characters long, not 44"),
        (format!("{A},{B}"), ": key 1 of 1 contains a comma: separate keys with `:`"),
        (
            format!("{B}:{}", A.replace('_', "/").replace('-', "+")),
            ": key 2 of 2 is written in the standard base64 alphabet",
        ),
        (format!("{A}:{}", B.replace('V', "!")), ": key 2 of 2 is not base64url"),
        (format!("{B}:{zero}"), ": key 2 of 2 is the all-zero key"),
    ];
    for (value, reason) in &cases {
        for setting in ["DB_ENCRYPTION_KEYS", "PINAKES_DB_ENCRYPTION_KEYS"] {
            refused(|| none().set(setting, value), &format!("{setting}{reason}"));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        write(&file, value);
        let with_file = || none().set("DB_ENCRYPTION_KEYS_FILE", &file).secrets([A, B]);
        refused(with_file, &format!("DB_ENCRYPTION_KEYS_FILE{reason}"));
    }
}

#[test]
fn sources_that_disagree() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    write(&file, B);
    let pinakes = |keys: &str| none().keys(&[A, B]).set("PINAKES_DB_ENCRYPTION_KEYS", keys);
    let differ = "DB_ENCRYPTION_KEYS and PINAKES_DB_ENCRYPTION_KEYS are both set and hold different keys";
    refused(|| pinakes(A), differ);
    // A different order counts as a difference, because the first key encrypts.
    refused(|| pinakes(&format!("{B}:{A}")), differ);
    let differ = "DB_ENCRYPTION_KEYS and DB_ENCRYPTION_KEYS_FILE are both set and hold different keys";
    refused(|| none().keys(&[A]).set("DB_ENCRYPTION_KEYS_FILE", &file), differ);
    // A valid second setting does not excuse an invalid first one.
    refused(
        || none().set("DB_ENCRYPTION_KEYS", ":").set("DB_ENCRYPTION_KEYS_FILE", &file),
        "DB_ENCRYPTION_KEYS: key 1 of 2 is empty",
    );
}

#[test]
fn a_key_file_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for setting in ["DB_ENCRYPTION_KEYS_FILE", "DB_ENCRYPTION_KEYS_FOLDER"] {
        let reason = format!("{setting}: cannot read the key file {}: ", missing.display());
        refused(|| none().set(setting, &missing), &reason);
        let reason = format!("{setting}: the folder {} holds no file whose name is a number", folder.path().display());
        refused(|| none().set(setting, folder.path()), &reason);
    }
    let empty = folder.path().join("empty");
    write(&empty, "\n");
    refused(|| none().set("DB_ENCRYPTION_KEYS_FILE", &empty), "DB_ENCRYPTION_KEYS_FILE holds no key");
    let binary = folder.path().join("binary");
    write(&binary, [0xff; 32]);
    let reason = format!("DB_ENCRYPTION_KEYS_FILE: cannot read the key file {}: ", binary.display());
    refused(|| none().set("DB_ENCRYPTION_KEYS_FILE", &binary), &reason);
}

#[test]
fn a_key_where_the_name_of_a_file_belongs() {
    // The last text is a key without its padding, which is invalid.
    for keys in [A.to_owned(), format!("{A}:{B}"), format!(" {B}\n"), format!("\"{A}\""), A[..43].to_owned()] {
        let reason =
            "DB_ENCRYPTION_KEYS_FILE: cannot read the key file (its path is not shown because it looks like a key)";
        refused(|| none().set("DB_ENCRYPTION_KEYS_FILE", &keys).secrets([A, &A[..43], B]), reason);
    }
}

#[cfg(unix)]
#[test]
fn keys_that_are_not_text() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(&[0xff; 44]);
    refused(|| none().set("DB_ENCRYPTION_KEYS", value), "DB_ENCRYPTION_KEYS is not valid Unicode");
}

/// `docker compose` sets a variable to nothing if its value is missing.
#[test]
fn a_setting_that_holds_nothing_is_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    write(&file, A);
    for nothing in ["", " ", "\"\"", "''", "\u{feff}", "\r\n"] {
        let only = || none().set("DB_ENCRYPTION_KEYS", nothing);
        let reason = "no encryption key is configured, because DB_ENCRYPTION_KEYS holds nothing: set it or another of ";
        refused(only, reason);
        let keys = |program: Program| program.arg("keys").exits_with(0);
        keys(only().set("DB_ENCRYPTION_KEYS_FILE", &file));
        for other in ["DB_ENCRYPTION_KEYS_FILE", "DB_ENCRYPTION_KEYS_FOLDER", "PINAKES_DB_ENCRYPTION_KEYS"] {
            keys(none().keys(&[A]).set(other, nothing));
        }
        let of_urls = none().keys(&[A]).set("DATABASE_URL", nothing).arg("status").args(["--column", "a.b"]);
        of_urls.exits_with(2).says("no database is named. Set DATABASE_URL");
    }
    write(folder.path().join(".env"), format!("DB_ENCRYPTION_KEYS={B}\n"));
    let run = none().set("DB_ENCRYPTION_KEYS", "").folder(folder.path()).secrets([B]).arg("keys").exits_with(0);
    assert!(run.stdout.contains(&fingerprint(B)), "{run:?}");
}

/// A line that is not ours stops no command. One that matters is named.
#[test]
fn a_broken_line_in_dot_env() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join(".env");
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let here = || none().folder(&below).secrets([A, B, "tiger"]);
    let foreign = [
        "NICE_NAME=My Service",
        "just some words",
        "KEY S=tiger",
        "APP_MOTTO=it's a tiger",
        "KEYS='never closed",
        "export",
        "a: yaml",
        "[section]",
        "=",
        "\u{feff}# a comment",
        "PATH_TO={{ template }}",
        "if [ -f x ]; then",
    ];
    for line in foreign {
        for text in [
            format!("{line}\nDB_ENCRYPTION_KEYS={A}\n"),
            format!("DB_ENCRYPTION_KEYS={A}\r\n{line}\r\n"),
            format!("\u{feff}DB_ENCRYPTION_KEYS=\"{A}\"\n{line}\n{line}"),
        ] {
            write(&env, &text);
            let run = here().arg("keys").exits_with(0);
            assert!(run.stdout.contains(&fingerprint(A)), "{text:?}: {run:?}");
        }
    }
    let ours = [
        format!("DB_ENCRYPTION_KEYS={A} {B}"),
        format!("DB_ENCRYPTION_KEYS='{A}"),
        format!("export DB_ENCRYPTION_KEYS {A}"),
        format!("DB_ENCRYPTION_KEYS: {A}"),
        format!("{B} is no setting"),
        "DATABASE_URL=postgres://scott:tiger@db/app to the database".to_owned(),
    ];
    for line in ours {
        write(&env, format!("# first\n{line}\nX=1\n"));
        let reason = format!("line 2 of the file {} ", env.display());
        refused(here, &reason);
        // These need no settings.
        for command in [&["keygen"][..], &["--help"], &["--version"], &["completions", "bash"], &["man"]] {
            here().args(command.iter().copied()).exits_with(0).says("");
        }
    }
    // What is set otherwise does not matter.
    write(&env, format!("DB_ENCRYPTION_KEYS={A} {B}\n"));
    here().keys(&[B]).arg("keys").exits_with(0);
}

#[test]
fn a_dot_env_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join(".env");
    write(&env, [b"DB_ENCRYPTION_KEYS=", &A.as_bytes()[..20], &[0xff], &A.as_bytes()[20..]].concat());
    let here = || none().folder(folder.path()).secrets([&A[..20], &A[20..]]);
    refused(here, &format!("line 1 of the file {} ", env.display()));
    write(&env, [b"GREETING=caf\xe9\nDB_ENCRYPTION_KEYS=", A.as_bytes(), b"\n"].concat());
    here().arg("keys").exits_with(0);
    // As PowerShell writes it.
    let wide = format!("\u{feff}DB_ENCRYPTION_KEYS={A}\r\n");
    write(&env, wide.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    here().arg("keys").exits_with(0);
}

/// A value in quotes may have several lines.
#[test]
fn a_value_of_several_lines_in_dot_env() {
    let folder = tempfile::tempdir().unwrap();
    let here = || none().folder(folder.path()).secrets([A, B]);
    for text in [
        format!("CERTIFICATE=\"one\ntwo\"\nDB_ENCRYPTION_KEYS=\"{A}\n{B}\"\n"),
        format!("DB_ENCRYPTION_KEYS='{A}\n{B}\n'\n"),
    ] {
        write(folder.path().join(".env"), &text);
        let run = here().arg("keys").exits_with(0);
        assert!([A, B].iter().all(|key| run.stdout.contains(&fingerprint(key))), "{text:?}: {run:?}");
    }
}

/// Somebody else could have written the file.
#[cfg(unix)]
#[test]
fn a_dot_env_that_others_can_write() {
    use crate::support::runner::permit;

    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join(".env");
    let keys = || none().folder(folder.path()).secrets([A, B]);
    write(&env, format!("DB_ENCRYPTION_KEYS={A}\nGREETING=hello\n"));
    keys().arg("keys").exits_with(0).says("");
    let cases = [(&env, 0o602, 0o600), (&env, 0o666, 0o600), (&folder.path().to_owned(), 0o707, 0o700)];
    for (path, open, closed) in cases {
        permit(path, open);
        let reason = format!("the file {} sets DB_ENCRYPTION_KEYS, but others can write to ", env.display());
        refused(keys, &reason);
        // Variables that are set count, so nothing in the file does.
        keys().keys(&[B]).arg("keys").exits_with(0);
        permit(path, closed);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    permit(elsewhere.path(), 0o707);
    let linked = elsewhere.path().join("linked");
    std::fs::rename(&env, &linked).unwrap();
    std::os::unix::fs::symlink(&linked, &env).unwrap();
    refused(keys, &format!("the file {} sets DB_ENCRYPTION_KEYS, but others can write to ", env.display()));
    permit(&linked, 0o602);
    write(&linked, "GREETING=hello\n");
    refused(keys, "no encryption key is configured");
    // A private group, as most systems create one for each user.
    permit(elsewhere.path(), 0o770);
    write(&linked, format!("DB_ENCRYPTION_KEYS={A}\n"));
    permit(&linked, 0o660);
    let ids = |path| {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid())
    };
    let (user, group) = ids(&linked);
    keys().arg("keys").exits_with(if user == group { 0 } else { 2 });
    if user == 0 {
        std::os::unix::fs::chown(&linked, None, Some(12345)).unwrap();
        refused(keys, &format!("the file {} sets DB_ENCRYPTION_KEYS, but others can write to ", env.display()));
        std::os::unix::fs::chown(&linked, Some(12345), Some(0)).unwrap();
        permit(&linked, 0o600);
        let reason = format!("the file {} sets DB_ENCRYPTION_KEYS, but {0} belongs to another user", env.display());
        refused(keys, &reason);
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_or_write() {
    use crate::support::runner::permit;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    write(&file, format!("{A}\n"));
    let keys = || none().arg("keys").set("DB_ENCRYPTION_KEYS_FILE", &file).secrets([A]);
    for (mode, is_shared) in
        [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true), (0o602, true)]
    {
        permit(&file, mode);
        let run = keys().exits_with(0);
        let warnings = run.stderr.matches("can read or write the key file").count();
        assert_eq!(warnings, usize::from(is_shared), "{mode:o}: {}", run.stderr);
    }
}
