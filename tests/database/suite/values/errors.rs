//! Errors about unreadable and unwritable values: they name the column and repeat no value.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::prelude::*;
use diesel::result::Error::{DeserializationError, SerializationError};
use diesel_encrypted::{Encrypted, Error};

use super::people::{Person, create, fill, people, person, stored};
use crate::backend::{Conn, TestDatabase};
use crate::support::keys::{key, keyring};
use crate::support::own_process::in_own_process;
use crate::support::secrets::{assert_hides, everything_said};

/// A plaintext in the first row that no message may contain.
const PLAINTEXT: &str = "1@example.org";

/// Returns a token of `PLAINTEXT` in text form.
fn token(key: u8) -> String {
    keyring([key]).encrypt(PLAINTEXT.as_bytes())
}

/// Values that are not readable tokens, as text and as bytes.
fn unreadable() -> Vec<(&'static str, String, Vec<u8>)> {
    let raw = |token: &str| URL_SAFE.decode(token).unwrap();
    let (good, foreign) = (token(1), token(2));
    let mut cases = vec![
        ("plaintext", PLAINTEXT.into(), PLAINTEXT.into()),
        ("empty", String::new(), Vec::new()),
        ("unknown key", foreign.clone(), raw(&foreign)),
        ("truncated", good[..good.len() - 20].into(), raw(&good)[..60].into()),
        ("truncated by one", good[..good.len() - 1].into(), raw(&good)[..raw(&good).len() - 1].into()),
    ];
    // Flips one bit in each part: version, time, IV, ciphertext, HMAC.
    for byte in [0, 8, 9, 25, 72] {
        let mut flipped = raw(&good);
        flipped[byte] ^= 1;
        cases.push(("flipped bit", URL_SAFE.encode(&flipped), flipped));
    }
    cases
}

#[track_caller]
fn assert_names_the_column_only(error: &diesel::result::Error, column: &str, secrets: &[&str]) {
    assert!(matches!(error, DeserializationError(_)), "{error:?}");
    let found = Error::find(error).unwrap().to_string();
    // Diesel shows the reason of a field without `Option`, and the name of the column otherwise.
    let message = error.to_string();
    let names_it = message == format!("Error deserializing field '{column}'");
    assert!(
        names_it || message == found && found.starts_with(&format!("the column {column} cannot be read: ")),
        "{message}"
    );
    // `main` prints this.
    let printed = format!("{error:?}");
    assert!(printed.contains(column) && printed.contains(&found), "{printed}");
    let said = everything_said(error);
    assert_hides(&said, secrets);
    assert_hides(&said, [PLAINTEXT, &key(1).to_text(), &key(2).to_text()]);
}

fn load(conn: &mut Conn) -> diesel::result::Error {
    people::table.order(people::id).select(Person::as_select()).load(conn).unwrap_err()
}

#[test]
fn unreadable_text_fails_the_load() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=2);
        for (case, text, _) in unreadable() {
            let assert_fails = |conn: &mut Conn, column: &str| {
                let error = load(conn);
                assert!(Error::find(&error).is_some_and(Error::is_decrypt), "{case}: {error:?}");
                assert_names_the_column_only(&error, column, &[&text]);
            };
            diesel::update(stored::table.find(2)).set(stored::phone.eq(&text)).execute(conn).unwrap();
            assert_fails(conn, "phone");
            diesel::update(stored::table.find(1)).set(stored::email.eq(&text)).execute(conn).unwrap();
            assert_fails(conn, "email");
            diesel::delete(people::table).execute(conn).unwrap();
            fill(conn, 1..=2);
        }
        assert_eq!(people::table.load::<Person>(conn).unwrap().len(), 2);
    });
}

#[test]
fn unreadable_bytes_fail_the_load() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=1);
        for (case, text, bytes) in unreadable() {
            diesel::update(stored::table).set(stored::photo.eq(&bytes)).execute(conn).unwrap();
            let error = load(conn);
            assert!(Error::find(&error).is_some_and(Error::is_decrypt), "{case}: {error:?}");
            let (as_list, as_hex) = (format!("{bytes:?}"), format!("{bytes:x?}"));
            let quoted = |list: &str| if list.len() > 8 { list[1..list.len() - 1].to_string() } else { text.clone() };
            assert_names_the_column_only(&error, "photo", &[&text, &quoted(&as_list), &quoted(&as_hex)]);
        }
    });
}

#[test]
fn every_way_of_loading_finds_the_error() {
    #[derive(QueryableByName)]
    #[diesel(table_name = people)]
    struct ByName {
        #[expect(dead_code, reason = "it is never loaded")]
        email: Encrypted<String>,
    }
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([2]).scope(|| fill(conn, 1..=1));
    keyring([1]).scope(|| {
        let column = people::table.select(people::email).load::<Encrypted<String>>(conn).err().unwrap();
        let pair = (people::id, people::email);
        let tuple = people::table.select(pair).first::<(i32, Encrypted<String>)>(conn).err().unwrap();
        for error in [column, tuple] {
            assert!(Error::find(&error).is_some_and(Error::is_decrypt));
            assert_names_the_column_only(&error, "email", &[]);
        }
        // Diesel does not name the column if a query selects by name.
        let by_name = diesel::sql_query("select email from people").load::<ByName>(conn).err().unwrap();
        assert!(Error::find(&by_name).is_some_and(Error::is_decrypt));
        assert!(matches!(by_name, DeserializationError(_)));
        assert_hides(&everything_said(&by_name), [PLAINTEXT]);
    });
}

#[test]
fn a_value_of_another_type_is_a_decode_error() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=1);
        let error = people::table.select(people::email).first::<Encrypted<i64>>(conn).unwrap_err();
        let found = Error::find(&error).unwrap();
        assert!(found.is_decode() && !found.is_decrypt() && !found.is_keyring());
        assert_eq!(found.to_string(), "the column email cannot be read: the value is not a decimal integer (i64)");
        assert_eq!(error.to_string(), found.to_string());
        assert_names_the_column_only(&error, "email", &[]);

        // These bytes are not text.
        let error = people::table.select(people::photo).first::<Option<Encrypted<String>>>(conn).unwrap_err();
        assert!(Error::find(&error).is_some_and(Error::is_decode));
        assert_names_the_column_only(&error, "photo", &["0, 255, 128", "00ff80"]);
    });
}

#[test]
fn null_in_a_field_that_has_no_option_is_an_error() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, [2]);
        let phone = people::phone.assume_not_null();
        let error = people::table.select(phone).first::<Encrypted<i64>>(conn).unwrap_err();
        assert!(matches!(error, DeserializationError(_)));
        assert!(Error::find(&error).is_none());
    });
}

#[test]
fn a_value_that_cannot_be_encoded_is_not_stored() {
    /// A value that cannot be encoded.
    struct Unwritable;
    impl diesel_encrypted::Plaintext for Unwritable {
        fn encode(&self) -> Result<std::borrow::Cow<'_, [u8]>, Error> {
            Err(Error::encode("it is for this test"))
        }
        fn decode(_: Vec<u8>) -> Result<Self, Error> {
            Ok(Self)
        }
    }
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        let values = (people::id.eq(1), people::name.eq("x"), people::email.eq(Encrypted::new(Unwritable)));
        let error = diesel::insert_into(people::table).values(values).execute(conn).unwrap_err();
        assert!(matches!(error, SerializationError(_)));
        let found = Error::find(&error).unwrap().to_string();
        assert_eq!(found, "the value cannot be stored: it is for this test");
        assert_eq!(stored::table.count().get_result::<i64>(conn).unwrap(), 0);
    });
}

#[test]
fn without_a_keyring_nothing_is_stored_or_loaded() {
    in_own_process(&[], || {
        let db = TestDatabase::new();
        let conn = &mut create(&db);
        let assert_is_keyring = |error: &diesel::result::Error| {
            let found = Error::find(error).unwrap();
            assert!(found.is_keyring() && !found.is_decrypt() && !found.is_decode());
            assert!(found.keyring_error().unwrap().is_missing());
            let message = error.to_string();
            assert!(message.contains("no encryption key is configured: set DB_ENCRYPTION_KEYS or "), "{message}");
            assert_hides(&everything_said(error), [PLAINTEXT]);
        };
        keyring([1]).scope(|| fill(conn, 1..=1));
        let before: Vec<(i32, String)> = stored::table.select((stored::id, stored::email)).load(conn).unwrap();

        let insert = diesel::insert_into(people::table).values(person(2)).execute(conn).unwrap_err();
        let changed = people::email.eq(Encrypted::from("changed@example.org".to_string()));
        let update = diesel::update(people::table).set(changed).execute(conn).unwrap_err();
        for error in [insert, update] {
            assert!(matches!(error, SerializationError(_)), "{error:?}");
            assert_is_keyring(&error);
        }
        let error = load(conn);
        assert!(matches!(error, DeserializationError(_)), "{error:?}");
        assert_is_keyring(&error);

        let after: Vec<(i32, String)> = stored::table.select((stored::id, stored::email)).load(conn).unwrap();
        assert_eq!(after, before);
        // `NULL` needs no keyring.
        assert_eq!(diesel::update(people::table).set(people::phone.eq(None::<Encrypted<i64>>)).execute(conn), Ok(1));
    });
}
