//! The guards of the shipped migrations: an encrypted column accepts tokens and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind::NotNullViolation;
use diesel::result::Error::DatabaseError;
use diesel_encrypted::{raw_token_len, token_len};

use super::migrations::{everyone, migrated};
use crate::backend::{Conn, TestDatabase};
use crate::shipped::{guard, is_check_violation};
use crate::support::keys::keyring;

diesel::table! {
    /// The table for a program that knows nothing of encryption.
    #[sql_name = "people"]
    plain (id) {
        id -> BigInt,
        name -> Text,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        photo -> Nullable<Binary>,
    }
}

/// The length of the shorter text column, on databases where columns have lengths.
const PHONE: usize = token_len(31) + 1;

/// A column, and the result of storing a value in it.
pub type Attempt = (&'static str, QueryResult<usize>);

/// Returns a token of a plaintext of this length.
pub fn token(plaintext: usize) -> String {
    keyring([1]).encrypt(&vec![b'x'; plaintext])
}

/// The same token as bytes.
pub fn raw(token: &str) -> Vec<u8> {
    URL_SAFE.decode(token).unwrap()
}

/// Creates a database with one row to update.
pub fn with_a_row() -> TestDatabase {
    let db = migrated();
    let row = (plain::name.eq("old"), plain::email.eq(token(0)));
    diesel::insert_into(plain::table).values(row).execute(&mut db.conn()).unwrap();
    db
}

/// Stores the value in every text column that is long enough, with an `INSERT` and with an `UPDATE`.
pub fn store_text(conn: &mut Conn, value: &str) -> Vec<Attempt> {
    let (email, phone) = (plain::email.eq(value), plain::phone.eq(value));
    let row = (plain::name.eq("new"), plain::email.eq(token(0)));
    let mut attempts = vec![
        ("email", diesel::insert_into(plain::table).values((plain::name.eq("new"), email)).execute(conn)),
        ("email", diesel::update(plain::table.find(1)).set(email).execute(conn)),
    ];
    if value.len() <= PHONE {
        attempts.push(("phone", diesel::insert_into(plain::table).values((row, phone)).execute(conn)));
        attempts.push(("phone", diesel::update(plain::table.find(1)).set(phone).execute(conn)));
    }
    attempts
}

/// Stores the value in the binary column, with an `INSERT` and with an `UPDATE`.
pub fn store_bytes(conn: &mut Conn, value: &[u8]) -> Vec<Attempt> {
    let photo = plain::photo.eq(value);
    let row = (plain::name.eq("new"), plain::email.eq(token(0)));
    vec![
        ("photo", diesel::insert_into(plain::table).values((row, photo)).execute(conn)),
        ("photo", diesel::update(plain::table.find(1)).set(photo).execute(conn)),
    ]
}

/// Checks that a guard refused every attempt. The error must name the guard, and must not show the value.
pub fn assert_refused(value: &[u8], attempts: Vec<Attempt>) {
    let shown = String::from_utf8_lossy(value);
    for (column, result) in attempts {
        let Err(DatabaseError(kind, error)) = result else { panic!("{column} = {shown:?}: {result:?}") };
        assert!(is_check_violation(kind), "{kind:?}");
        assert!(error.message().contains(&guard(column)), "{}", error.message());
        let said = format!("{} {:?} {:?}", error.message(), error.details(), error.hint());
        assert!(value.len() < 2 || !said.contains(&*shown), "{said}");
    }
}

/// Checks that neither a text column nor the binary column accepts the value.
fn assert_text_refused(conn: &mut Conn, value: &str) {
    assert_refused(value.as_bytes(), store_text(conn, value));
    assert_refused(value.as_bytes(), store_bytes(conn, value.as_bytes()));
}

fn assert_stored(attempts: Vec<Attempt>) {
    for (column, result) in attempts {
        assert_eq!(result, Ok(1), "{column}");
    }
}

fn assert_unchanged(conn: &mut Conn) {
    let names: Vec<String> = plain::table.select(plain::name).load(conn).unwrap();
    assert_eq!(names, ["old"]);
}

#[test]
fn every_token_passes() {
    let db = with_a_row();
    let conn = &mut db.conn();
    for plaintext in 0..=200 {
        let token = token(plaintext);
        assert_stored(store_text(conn, &token));
        assert_stored(store_bytes(conn, &raw(&token)));
        assert_stored(store_bytes(conn, token.as_bytes()));
    }
    // The values are complete, and readable in either form.
    keyring([1]).scope(|| {
        let photos = everyone(&db).into_iter().filter_map(|person| person.photo);
        let lengths: Vec<usize> = photos.map(|photo| photo.len()).collect();
        let updated_then_inserted: Vec<usize> = (0..=200).flat_map(|plaintext| [plaintext; 2]).collect();
        assert_eq!((lengths[0], &lengths[1..]), (200, updated_then_inserted.as_slice()));
    });
}

#[test]
fn null_passes_where_the_column_takes_it() {
    let db = with_a_row();
    let conn = &mut db.conn();
    let nulls = || (plain::phone.eq(None::<String>), plain::photo.eq(None::<Vec<u8>>));
    let row = (plain::name.eq("new"), plain::email.eq(token(0)), nulls());
    assert_eq!(diesel::insert_into(plain::table).values(row).execute(conn), Ok(1));
    assert_eq!(diesel::update(plain::table.find(1)).set(nulls()).execute(conn), Ok(1));
    let nulled = diesel::update(plain::table.find(1)).set(plain::email.eq(None::<String>)).execute(conn);
    assert!(matches!(nulled, Err(DatabaseError(NotNullViolation, _))), "{nulled:?}");
}

#[test]
fn plaintext_is_refused() {
    let db = with_a_row();
    let conn = &mut db.conn();
    let long = "ada@example.org ".repeat(7);
    for value in ["", " ", "gAAAA", "ada@example.org", &long, &"=".repeat(100), &"A".repeat(100)] {
        assert_text_refused(conn, value);
    }
    for value in [[].as_slice(), &[0; 73], &[0x80], &[0x80, 0, 0], &[255; 73], &[0x80; 73]] {
        assert_refused(value, store_bytes(conn, value));
    }
    assert_unchanged(conn);
}

#[test]
fn a_character_that_no_token_has_is_refused() {
    let db = with_a_row();
    let conn = &mut db.conn();
    // A token with two `=`, and one with one.
    for token in [token(0), token(16)] {
        let end = token.find('=').unwrap();
        for stranger in [" ", "\n", "\r", "+", "/", "=", ".", "%", "\\", "'", "[", "^", "\u{7f}"] {
            for position in [0, 4, 5, 50, end - 1] {
                assert_text_refused(conn, &format!("{}{stranger}{}", &token[..position], &token[position + 1..]));
            }
            assert_text_refused(conn, &format!("{token}{stranger}"));
        }
        assert_text_refused(conn, &format!("\n{token}"));
        assert_text_refused(conn, &token[..end]);
        assert_text_refused(conn, &format!("{}gAAAA{}", &token[5..end], &token[end..]));
        assert_text_refused(conn, &token.replacen("gAAAA", "GAAAA", 1));
        assert_text_refused(conn, &token.replacen("gAAAA", "gaaaa", 1));
    }
    // A regular expression may accept a line break at the end. This text has the length of a token without `=`.
    assert_text_refused(conn, &format!("{}\n", &token(32)[..139]));
    assert_unchanged(conn);
}

#[test]
fn a_nul_or_a_character_beyond_ascii_is_refused() {
    let db = with_a_row();
    let conn = &mut db.conn();
    for stranger in ["\0", "é", "ſ", "\u{212a}", "Ａ", "🔑"] {
        // These texts have the length of a token, one in bytes and the other in characters.
        for value in [100 - stranger.len(), 99].map(|rest| format!("gAAAA{stranger}{}==", "A".repeat(rest - 7))) {
            // If a text column cannot hold the value, the server refuses it before it checks the guard.
            for (column, result) in store_text(conn, &value) {
                assert!(matches!(result, Err(DatabaseError(..))), "{column}: {result:?}");
                assert!(!format!("{result:?}").contains(&value), "{result:?}");
            }
            assert_refused(value.as_bytes(), store_bytes(conn, value.as_bytes()));
        }
    }
    // A function that stops at the NUL does not see the `=` at the end.
    for value in [token(0).replace("==", "\0="), token(0).replace("==", "\0x"), token(16).replace('=', "\0")] {
        assert_refused(value.as_bytes(), store_bytes(conn, value.as_bytes()));
    }
    for stranger in 128..=255 {
        let mut value = token(0).into_bytes();
        value[50] = stranger;
        assert_refused(&value, store_bytes(conn, &value));
    }
    assert_unchanged(conn);
}

#[test]
fn the_guards_accept_the_lengths_of_tokens_only() {
    let db = with_a_row();
    let conn = &mut db.conn();
    let tokens: Vec<(usize, usize)> =
        (0..300).map(|plaintext| (token_len(plaintext), raw_token_len(plaintext))).collect();
    for length in 8..=300 {
        for padding in 0..=3 {
            let value = format!("gAAAA{}{}", "A".repeat(length - padding - 5), "=".repeat(padding));
            if length % 4 == 0 && tokens.contains(&(length, (length / 4 * 3).saturating_sub(padding))) {
                assert_stored(store_text(conn, &value));
                assert_stored(store_bytes(conn, value.as_bytes()));
            } else {
                assert_text_refused(conn, &value);
            }
        }
        let value = [[0x80].as_slice(), &vec![0; length - 1]].concat();
        if tokens.iter().any(|(_, raw)| *raw == length) {
            assert_stored(store_bytes(conn, &value));
        } else {
            assert_refused(&value, store_bytes(conn, &value));
        }
    }
}

/// Truncation is noticed at every length, except for one in 64 for text and one in 16 for bytes.
#[test]
fn a_truncated_token_is_refused() {
    let db = with_a_row();
    let conn = &mut db.conn();
    for plaintext in [0, 16, 32, 48, 64, 80, 128, 200] {
        let token = token(plaintext);
        for cut in 0..token.len() {
            let value = &token[..cut];
            // The lengths of tokens without `=`: 140, 204, 268, …
            if cut >= 140 && cut % 64 == 12 {
                assert_stored(store_text(conn, value));
                assert_stored(store_bytes(conn, value.as_bytes()));
            } else {
                assert_text_refused(conn, value);
            }
        }
        let raw = raw(&token);
        for cut in 0..raw.len() {
            let value = &raw[..cut];
            if cut >= 73 && cut % 16 == 9 {
                assert_stored(store_bytes(conn, value));
            } else {
                assert_refused(value, store_bytes(conn, value));
            }
        }
    }
}
