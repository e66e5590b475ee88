//! The keyring of the process: installed, replaced, read from the environment on first use.

#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::unwrap_used)]

mod support;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

use diesel_encrypted::{Keyring, KeyringError};
use support::own_process::in_own_process;
use support::secrets::{assert_hides, everything_said};

const A: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const B: &str = "VjFfbm90X2FfcmVhbF9rZXlfMzJieXRlc19sb25nISE=";

const KEYS: &str = "DB_ENCRYPTION_KEYS";
const PINAKES_KEYS: &str = "PINAKES_DB_ENCRYPTION_KEYS";
const KEYS_FILE: &str = "DB_ENCRYPTION_KEYS_FILE";

fn keyring(keys: &[&str]) -> Keyring {
    Keyring::parse(&keys.join(":")).unwrap()
}

/// A file with this content. Dropping it removes the file.
fn file(content: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

/// The fingerprints of a keyring. For an error: its message, and everything that a log could contain of it.
fn outcome(keyring: Result<Arc<Keyring>, KeyringError>) -> Result<Vec<String>, (String, String)> {
    match keyring {
        Ok(keyring) => Ok(fingerprints(&keyring)),
        Err(error) => Err((error.to_string(), everything_said(&error))),
    }
}

fn fingerprints(keyring: &Keyring) -> Vec<String> {
    keyring.fingerprints().map(|fingerprint| fingerprint.to_string()).collect()
}

#[test]
fn a_keyring_is_installed_once() {
    in_own_process(&[], || {
        keyring(&[A]).install().unwrap();
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
        let error = keyring(&[B]).install().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the process already has a keyring (installed, or read from the environment on first use). \
             Install yours earlier, or replace the keyring with `Keyring::replace`"
        );
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
        thread::scope(|threads| {
            threads.spawn(|| assert_eq!(*Keyring::current().unwrap(), keyring(&[A])));
        });
    });
}

#[test]
fn an_installed_keyring_needs_no_environment() {
    in_own_process(&[(KEYS, OsStr::new("no key"))], || {
        keyring(&[A]).install().unwrap();
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
    });
}

#[test]
fn installing_after_the_first_use_is_too_late() {
    in_own_process(&[(KEYS, OsStr::new(A))], || {
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
        assert!(keyring(&[B]).install().is_err());
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
    });
}

#[test]
fn replacing_returns_what_was_in_force() {
    in_own_process(&[(KEYS, OsStr::new(A))], || {
        // There was no keyring yet. `replace` installs this one, and nothing reads the environment any more.
        assert!(keyring(&[B]).replace().is_none());
        assert!(keyring(&[A]).install().is_err());
        let held = Keyring::current().unwrap();
        assert_eq!(*held, keyring(&[B]));

        assert_eq!(keyring(&[A, B]).replace().unwrap(), held);
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A, B]));
        // Code that holds the old keyring continues to use it.
        let token = held.encrypt(b"value");
        assert_eq!(Keyring::current().unwrap().decrypt(token.as_bytes()).unwrap(), b"value");
        thread::scope(|threads| {
            threads.spawn(|| assert_eq!(*Keyring::current().unwrap(), keyring(&[A, B])));
        });
    });
}

#[test]
fn replacing_what_was_read_from_the_environment() {
    in_own_process(&[(KEYS, OsStr::new(A))], || {
        let held = Keyring::current().unwrap();
        assert_eq!(*keyring(&[B, A]).replace().unwrap(), *held);
        assert_eq!(*Keyring::current().unwrap(), keyring(&[B, A]));
    });
}

#[test]
fn only_one_of_many_installations_wins() {
    in_own_process(&[(KEYS, OsStr::new(A))], || {
        let start = &Barrier::new(8);
        let seen: Vec<(bool, Arc<Keyring>)> = thread::scope(|threads| {
            let install = |number: usize| {
                start.wait();
                // Every other thread only uses the keyring, which then comes from the environment.
                let installed = number % 2 == 0 && keyring(&[B]).install().is_ok();
                (installed, Keyring::current().unwrap())
            };
            let threads = Vec::from_iter((0..8).map(|number| threads.spawn(move || install(number))));
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners = seen.iter().filter(|(installed, _)| *installed).count();
        let first = &seen[0].1;
        assert!(seen.iter().all(|(_, keyring)| Arc::ptr_eq(keyring, first)));
        assert_eq!(winners, usize::from(**first == keyring(&[B])));
    });
}

/// Some threads replace the keyring while others use it.
#[test]
fn replacing_is_atomic() {
    const WRITERS: usize = 4;
    const READERS: usize = 4;
    const ROUNDS: usize = 500;
    in_own_process(&[], || {
        // Every keyring in this test holds both keys, as in a rotation.
        keyring(&[A, B]).install().unwrap();
        let first = Keyring::current().unwrap();
        let start = &Barrier::new(WRITERS + READERS);
        let replaced: Vec<Arc<Keyring>> = thread::scope(|threads| {
            let write = || {
                start.wait();
                let rounds = 0..ROUNDS;
                Vec::from_iter(rounds.map(|round| {
                    let order = if round % 2 == 0 { [B, A] } else { [A, B] };
                    keyring(&order).replace().unwrap()
                }))
            };
            let read = || {
                start.wait();
                for round in 0..ROUNDS {
                    let value = round.to_string();
                    let token = Keyring::current().unwrap().encrypt(value.as_bytes());
                    assert_eq!(Keyring::current().unwrap().decrypt(token.as_bytes()).unwrap(), value.as_bytes());
                    let with = [A, B].map(|key| keyring(&[key]).decrypt(token.as_bytes()).is_ok());
                    assert!(with[0] != with[1], "sealed with one of the two keys");
                }
            };
            let readers = Vec::from_iter((0..READERS).map(|_| threads.spawn(read)));
            let writers = Vec::from_iter((0..WRITERS).map(|_| threads.spawn(write)));
            readers.into_iter().for_each(|reader| reader.join().unwrap());
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        // Each keyring was in force once: every `replace` returned another one, and the last one is in force now.
        let last = Keyring::current().unwrap();
        let distinct: HashSet<*const Keyring> = replaced.iter().chain([&last]).map(Arc::as_ptr).collect();
        assert_eq!(distinct.len(), WRITERS * ROUNDS + 1);
        assert!(distinct.contains(&Arc::as_ptr(&first)));
    });
}

#[test]
fn the_first_use_reads_the_environment() {
    let both = format!("{A}:{B}");
    let lines = file(format!("{A}\n{B}\n"));
    let (both, path) = (OsStr::new(&both), lines.path().as_os_str());
    let empty = OsStr::new("");
    let cases: [&[(&str, &OsStr)]; 8] = [
        &[(KEYS, both)],
        &[(PINAKES_KEYS, both)],
        &[(KEYS_FILE, path)],
        &[(KEYS, both), (PINAKES_KEYS, both)],
        &[(PINAKES_KEYS, both), (KEYS_FILE, path)],
        &[(KEYS, both), (PINAKES_KEYS, both), (KEYS_FILE, path)],
        // A setting that holds nothing is not set.
        &[(KEYS, empty), (PINAKES_KEYS, empty), (KEYS_FILE, path)],
        &[(KEYS, both), (PINAKES_KEYS, empty), (KEYS_FILE, empty)],
    ];
    for settings in cases {
        let found = in_own_process(settings, || {
            assert!(Arc::ptr_eq(&Keyring::current().unwrap(), &Keyring::current().unwrap()), "read twice");
            outcome(Keyring::current())
        });
        assert_eq!(found, Ok(fingerprints(&keyring(&[A, B]))), "{settings:?}");
    }
}

#[test]
fn errors_about_invalid_settings_say_why() {
    let [a, b, empty, blank, colon] = [A, B, "", " \n", ":"].map(OsStr::new);
    let (ab, ba, short) = (format!("{A}:{B}"), format!("{B}:{A}"), format!("{A}:{}", &B[1..]));
    let standard = A.replace(['-', '_'], "+");
    let [ab, ba, short, standard] = [&ab, &ba, &short, &standard].map(OsStr::new);
    let (of_b, of_nothing, of_bytes) = (file(B), file("\n"), file([0xff, 0xff]));
    let [of_b, of_nothing, of_bytes] = [&of_b, &of_nothing, &of_bytes].map(|file| file.path().as_os_str());

    let disagree = |one: &str, other: &str| {
        format!(
            "{one} and {other} are both set and hold different keys. \
             Unset one of them, or set both to the same keys in the same order"
        )
    };
    let unreadable = |path: &OsStr, why: &str| {
        format!(
            "DB_ENCRYPTION_KEYS_FILE: cannot read the key file {}: {why}. \
             Name a text file that holds the keys and that this process may read",
            Path::new(path).display()
        )
    };
    let missing = "no encryption key is configured: set DB_ENCRYPTION_KEYS or DB_ENCRYPTION_KEYS_FILE";
    let nothing = |setting: &str| {
        format!(
            "no encryption key is configured, because {setting} holds nothing: set it or another of \
             DB_ENCRYPTION_KEYS, DB_ENCRYPTION_KEYS_FILE and DB_ENCRYPTION_KEYS_FOLDER"
        )
    };
    let no_key = "holds no key. Put at least one key there";
    let none = OsStr::new("/no/such/file");
    let no_such_file = fs::read(none).unwrap_err().to_string();

    let cases: Vec<(Vec<(&str, &OsStr)>, String)> = vec![
        (vec![], missing.into()),
        (vec![(KEYS, empty)], nothing(KEYS)),
        (vec![(PINAKES_KEYS, blank)], nothing(PINAKES_KEYS)),
        (vec![(KEYS_FILE, blank)], nothing(KEYS_FILE)),
        (vec![(KEYS_FILE, of_nothing)], format!("DB_ENCRYPTION_KEYS_FILE {no_key}")),
        (
            vec![(KEYS, short)],
            "DB_ENCRYPTION_KEYS: key 2 of 2 is 43 characters long, not 44 (a key is 32 bytes in padded base64url). \
             Replace it with a valid key"
                .into(),
        ),
        (
            vec![(PINAKES_KEYS, standard)],
            "PINAKES_DB_ENCRYPTION_KEYS: key 1 of 1 is written in the standard base64 alphabet: \
             replace `+` with `-` and `/` with `_`. Replace it with a valid key"
                .into(),
        ),
        (vec![(KEYS, a), (PINAKES_KEYS, b)], disagree(KEYS, PINAKES_KEYS)),
        (vec![(KEYS, ab), (PINAKES_KEYS, ba)], disagree(KEYS, PINAKES_KEYS)),
        (vec![(KEYS, a), (KEYS_FILE, of_b)], disagree(KEYS, KEYS_FILE)),
        (vec![(PINAKES_KEYS, a), (KEYS_FILE, of_b)], disagree(PINAKES_KEYS, KEYS_FILE)),
        (vec![(KEYS, a), (PINAKES_KEYS, a), (KEYS_FILE, of_b)], disagree(KEYS, KEYS_FILE)),
        (
            vec![(KEYS_FILE, ab)],
            format!(
                "DB_ENCRYPTION_KEYS_FILE: cannot read the key file (its path is not shown because it looks like a \
                 key): {no_such_file}. Name a file that holds the keys, or put the keys in DB_ENCRYPTION_KEYS"
            ),
        ),
        // A valid setting does not excuse an invalid one.
        (
            vec![(KEYS, a), (PINAKES_KEYS, colon)],
            "PINAKES_DB_ENCRYPTION_KEYS: key 1 of 2 is empty. Remove the extra separator".into(),
        ),
        (vec![(KEYS, a), (KEYS_FILE, none)], unreadable(none, &no_such_file)),
        (vec![(KEYS_FILE, of_bytes)], unreadable(of_bytes, "it is not UTF-8 text")),
    ];
    for (settings, expected) in cases {
        let (message, said) = in_own_process(&settings, || outcome(Keyring::current())).unwrap_err();
        assert_eq!(message, expected);
        assert_hides(&said, [A, B]);
    }
}

#[cfg(unix)]
#[test]
fn errors_about_settings_that_are_not_unicode_say_so() {
    use std::os::unix::ffi::OsStrExt;

    let keys = [A.as_bytes(), b"\xff"].concat();
    for setting in [KEYS, PINAKES_KEYS] {
        let settings = [(setting, OsStr::from_bytes(&keys))];
        let (message, said) = in_own_process(&settings, || outcome(Keyring::current())).unwrap_err();
        assert_eq!(message, format!("{setting} is not valid Unicode. Set it to keys in base64url"));
        assert_hides(&said, [A]);
    }
}

/// A file name may be any name that the system accepts.
#[cfg(target_os = "linux")]
#[test]
fn the_path_of_the_file_need_not_be_unicode() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"\xff"));
    fs::write(&path, A).unwrap();
    let found = in_own_process(&[(KEYS_FILE, path.as_os_str())], || outcome(Keyring::current()));
    assert_eq!(found, Ok(fingerprints(&keyring(&[A]))));
}

#[test]
fn a_failed_use_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    in_own_process(&[(KEYS_FILE, path.as_os_str())], || {
        let path = std::path::PathBuf::from(std::env::var_os(KEYS_FILE).unwrap());
        let failed = |error: KeyringError| assert!(!error.is_missing() && error.position().is_none());
        failed(Keyring::current().unwrap_err());
        failed(Keyring::current().unwrap_err());
        fs::write(&path, "no key").unwrap();
        assert_eq!(Keyring::current().unwrap_err().position(), Some(1));
        fs::write(&path, A).unwrap();
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
        // The file is read only once.
        fs::write(&path, B).unwrap();
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
    });
}

#[test]
fn a_failed_use_permits_an_installation() {
    in_own_process(&[], || {
        assert!(Keyring::current().unwrap_err().is_missing());
        let scoped = Arc::new(keyring(&[B]));
        scoped.scope(|| assert_eq!(Keyring::current().unwrap(), scoped));
        assert!(Keyring::current().unwrap_err().is_missing());
        keyring(&[A]).install().unwrap();
        assert_eq!(*Keyring::current().unwrap(), keyring(&[A]));
    });
}
