//! Keys and plaintext are zeroed: no block of memory that is freed, or that moves because it grows, contains them.
//!
//! An allocator looks for the secrets in every such block of the process.

#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::expect_used, clippy::unwrap_used)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Job, Task};
use diesel_encrypted::{Adopting, Encrypted, Error, Json, Key, Keyring, Leaving, Plaintext};
use secrecy::SecretString;
use support::own_process::in_own_process;

#[global_allocator]
static SPY: Spy = Spy;

/// The secrets to look for, and how often each was found.
static SECRETS: [OnceLock<&[u8]>; 32] = [const { OnceLock::new() }; 32];
static FOUND: [AtomicUsize; 32] = [const { AtomicUsize::new(0) }; 32];
/// Whether a secret begins with this byte.
static FIRST_BYTES: [AtomicBool; 256] = [const { AtomicBool::new(false) }; 256];
static USED: AtomicUsize = AtomicUsize::new(0);

struct Spy;

// SAFETY: every block comes from the allocator of the system and goes back to it, with the same layout.
unsafe impl GlobalAlloc for Spy {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that the unused rest of a block shows nothing of its former life: SQLite frees memory too.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block has this size, and nobody uses it any more.
        look_into(unsafe { std::slice::from_raw_parts(block, layout.size()) });
        unsafe { System.dealloc(block, layout) }
    }

    // The default `realloc` calls the two, as if every block moved when it grows.
}

fn look_into(block: &[u8]) {
    for (index, byte) in block.iter().enumerate() {
        if !FIRST_BYTES[usize::from(*byte)].load(Ordering::Relaxed) {
            continue;
        }
        for (secret, found) in SECRETS.iter().zip(&FOUND) {
            if secret.get().is_some_and(|secret| block[index..].starts_with(secret)) {
                found.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A text or some bytes to look for from now on.
struct Watched(Vec<usize>);

impl Watched {
    /// `secret` lives for ever, so that the test itself frees no copy of it.
    fn new<'a>(secrets: impl IntoIterator<Item = &'a &'static [u8]>) -> Self {
        let watch = |secret: &&'static [u8]| {
            let index = USED.fetch_add(1, Ordering::Relaxed);
            SECRETS[index].set(secret).unwrap();
            FIRST_BYTES[usize::from(secret[0])].store(true, Ordering::Relaxed);
            index
        };
        Self(secrets.into_iter().map(watch).collect())
    }

    fn found(&self) -> Vec<usize> {
        self.0.iter().map(|index| FOUND[*index].load(Ordering::Relaxed)).collect()
    }

    #[track_caller]
    fn is_nowhere(&self, after: &str) {
        assert_eq!(self.found(), vec![0; self.0.len()], "freed memory holds a secret after {after}");
    }
}

/// The parts of a key by which it can be recognised: as text, and each half as bytes.
fn parts(key: &'static str) -> [&'static [u8]; 4] {
    let bytes: &'static [u8] = URL_SAFE.decode(key).unwrap().leak();
    [&key.as_bytes()[..20], &key.as_bytes()[22..], &bytes[..16], &bytes[16..]]
}

/// A new key as text, which the process never frees.
fn key() -> &'static str {
    let text = Key::generate().to_text();
    String::from(text.as_str()).leak()
}

#[test]
fn the_spy_sees_a_secret_that_is_freed_or_moved() {
    let secret: &'static [u8] = b"a secret that only this test has";
    let watched = Watched::new([&secret]);
    drop(secret.to_vec());
    assert_eq!(watched.found(), [1]);
    let mut moved = secret.to_vec();
    moved.reserve(1 << 20);
    assert_eq!(watched.found(), [2]);
    moved.fill(0);
    drop(moved);
    assert_eq!(watched.found(), [2]);
}

#[test]
fn keys_are_zeroed() {
    let keys: Vec<&str> = (0..3).map(|_| key()).collect();
    let list: &'static str = keys.join(":").leak();
    let wrong: &'static str = format!("{list}:{}", &keys[0][..43]).leak();
    let folder = tempfile::tempdir().unwrap();
    let [file, pipe] = ["keys", "pipe"].map(|name| folder.path().join(name));
    std::fs::write(&file, list).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let watched = Watched::new(&keys.iter().flat_map(|key| parts(key)).collect::<Vec<_>>());

    drop(Key::parse(keys[0]).unwrap().clone().to_text());
    watched.is_nowhere("Key::parse");
    let keyring = Keyring::parse(list).unwrap();
    let token = keyring.encrypt(b"value");
    keyring.decrypt(token.as_bytes()).unwrap();
    drop(keyring);
    watched.is_nowhere("Keyring::parse");
    // More keys than the keyring has room for at first.
    drop(Keyring::new(keys.iter().map(|key| Key::parse(key).unwrap()).chain((0..20).map(|_| Key::generate()))));
    watched.is_nowhere("Keyring::new");
    Keyring::parse(wrong).unwrap_err();
    Keyring::new([keys[0], keys[1], keys[0]].map(|key| Key::parse(key).unwrap())).unwrap_err();
    watched.is_nowhere("a keyring that is refused");
    drop(Keyring::from_file(&file).unwrap());
    watched.is_nowhere("Keyring::from_file");
    let mut writer = Command::new("sh").args(["-c", "cat keys > pipe"]).current_dir(&folder).spawn().unwrap();
    drop(Keyring::from_file(&pipe).unwrap());
    assert!(writer.wait().unwrap().success());
    watched.is_nowhere("Keyring::from_file with a pipe");
    let scoped = Arc::new(Keyring::parse(list).unwrap());
    scoped.scope(|| Keyring::current().unwrap());
    drop(scoped);
    watched.is_nowhere("Keyring::scope");
}

#[test]
fn keys_in_the_environment_are_zeroed() {
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    let settings = [("DB_ENCRYPTION_KEYS", KEY.as_ref()), ("PINAKES_DB_ENCRYPTION_KEYS", KEY.as_ref())];
    let found = in_own_process(&settings, || {
        let watched = Watched::new(&parts(KEY));
        drop(Keyring::from_env().unwrap());
        watched.found()
    });
    assert_eq!(found, [0; 4]);
}

#[test]
fn a_refused_setting_is_zeroed() {
    const KEY: &str = "VjFfbm90X2FfcmVhbF9rZXlfMzJieXRlc19sb25nISE=";
    // A misspelt key, and a key where a path belongs.
    for (setting, value) in [("DB_ENCRYPTION_KEYS", &KEY[..42]), ("DB_ENCRYPTION_KEYS_FILE", KEY)] {
        let found = in_own_process(&[(setting, value.as_ref())], || {
            let watched = Watched::new(&parts(KEY)[..2]);
            drop(Keyring::from_env().unwrap_err());
            watched.found()
        });
        assert_eq!(found, [0; 2], "{setting}");
    }
}

diesel::table! {
    use diesel::sql_types::*;

    notes (id) {
        id -> Integer,
        text -> Text,
    }
}

/// Stores a value as a token and as plaintext, reads it in both forms, and looks for its text.
#[track_caller]
fn value_is_zeroed<T>(text: &'static str, conn: &mut SqliteConnection, value: impl Fn() -> T)
where
    T: Plaintext + 'static,
{
    let watched = Watched::new([&text.as_bytes()]);
    let insert = diesel::insert_into(notes::table);
    insert.values((notes::id.eq(1), notes::text.eq(Encrypted::from(value())))).execute(conn).unwrap();
    watched.is_nowhere("a value was stored");
    drop(notes::table.select(notes::text).first::<Encrypted<T>>(conn).unwrap());
    drop(notes::table.select(notes::text).first::<Adopting<T>>(conn).unwrap());
    watched.is_nowhere("a value was loaded");
    diesel::update(notes::table).set(notes::text.eq(text)).execute(conn).unwrap();
    drop(notes::table.select(notes::text).first::<Adopting<T>>(conn).unwrap());
    watched.is_nowhere("plaintext was loaded");
    diesel::delete(notes::table).execute(conn).unwrap();
}

#[test]
fn plaintext_of_every_type_is_zeroed() {
    let keyring = Arc::new(Keyring::new([Key::generate()]).unwrap());
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    diesel::sql_query("create table notes (id integer primary key, text text not null)").execute(conn).unwrap();
    let moment = time::macros::datetime!(2019-07-21 15:49:38.123456789);
    keyring.scope(|| {
        let secret = "a confession, long enough that a buffer has to grow several times on its way";
        value_is_zeroed(secret, conn, || SecretString::from(secret));
        value_is_zeroed("-170141183460469231731687303715884105727", conn, || -i128::MAX);
        value_is_zeroed("0.12345678901234568", conn, || 0.12345678901234568_f64);
        value_is_zeroed("[1234567890123456789,987654321098765432]", conn, || {
            Json(vec![1_234_567_890_123_456_789_u64, 987_654_321_098_765_432])
        });
        value_is_zeroed("67e55044-10b1-426f-9247-bb680e5fe0c8", conn, || {
            uuid::Uuid::from_u128(0x67e55044_10b1_426f_9247_bb680e5fe0c8)
        });
        value_is_zeroed("2019-07-21T15:49:38.123456789", conn, || moment);
        value_is_zeroed("2018-07-21T15:49:38.123456789", conn, || {
            let day = chrono::NaiveDate::from_ymd_opt(2018, 7, 21).unwrap();
            day.and_hms_nano_opt(15, 49, 38, 123_456_789).unwrap()
        });
    });
}

/// Plaintext that owns its bytes when it is encoded.
struct Owning(&'static str);

impl Plaintext for Owning {
    fn encode(&self) -> Result<std::borrow::Cow<'_, [u8]>, Error> {
        Ok(self.0.as_bytes().to_vec().into())
    }

    fn decode(_: Vec<u8>) -> Result<Self, Error> {
        Err(Error::decode("something else"))
    }
}

#[test]
fn a_refused_value_is_zeroed() {
    let keyring = Arc::new(Keyring::new([Key::generate()]).unwrap());
    let inner: &'static str = "the plaintext of a token that somebody typed as a value";
    let token: &'static str = keyring.encrypt(inner.as_bytes()).leak();
    let lookalike: &'static str = "gAAAA, and more that is not the text of a token at all";
    let watched = Watched::new(&[inner.as_bytes(), token.as_bytes(), lookalike.as_bytes()]);
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    diesel::sql_query("create table notes (id integer primary key, text text not null)").execute(conn).unwrap();
    keyring.scope(|| {
        for text in [token, lookalike] {
            let set = notes::text.eq(Leaving::from(Owning(text)));
            diesel::insert_into(notes::table).values(set).execute(conn).unwrap_err();
        }
    });
    watched.is_nowhere("a refused Leaving");
}

/// The task reads plaintext and binds it, or opens tokens and binds their plaintext.
#[test]
fn the_task_zeroes_plaintext() {
    const ROWS: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("notes.db").display().to_string();
    let pool = Pool::new(ConnectionManager::<SqliteConnection>::new(&url)).unwrap();
    let marker: &'static str = "the marker of all secrets";
    let key: &'static str = key();
    let watched = Watched::new(&[marker.as_bytes(), parts(key)[2], parts(key)[3]]);
    // SQLite writes the rows, so that the test itself frees no plaintext.
    let fill = "with recursive n (id) as (select 1 union all select id + 1 from n where id < 300) \
                insert into notes select id, printf('%.*c the mark%s %d', id % 90, 'x', 'er of all secrets', id) from n";
    let conn = &mut pool.get().unwrap();
    diesel::sql_query("create table notes (id integer primary key, text text not null)").execute(&mut **conn).unwrap();
    assert_eq!(diesel::sql_query(fill).execute(&mut **conn).unwrap(), ROWS);
    let keyring = Arc::new(Keyring::parse(key).unwrap());
    for job in [Job::Encrypt, Job::Reencrypt, Job::Decrypt] {
        let task = Task::new(Arc::clone(&keyring)).target("notes.text".parse().unwrap()).job(job).workers(2);
        let report = task.run(&pool).unwrap();
        assert!(report.old_keys_may_go(), "{report:?}");
        watched.is_nowhere(&format!("{job:?}"));
    }
    drop(keyring);
    watched.is_nowhere("the keyring of a task");
}
