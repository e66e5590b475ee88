//! Columns that hold plaintext and tokens: `Adopting<T>` for the way in, `Leaving<T>` for the way out.

use std::fmt::Debug;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error::{DeserializationError, SerializationError};
use diesel_encrypted::{Adopting, Encrypted, Error, Json, Keyring, Leaving};

use crate::backend::{BYTES, Conn, TEXT, TestDatabase};
use crate::support::keys::keyring;
use crate::support::own_process::in_own_process;
use crate::support::secrets::{assert_hides, everything_said};

diesel::table! {
    /// The table as the schema declares it before and after encryption, and as the database sees it.
    plain (id) {
        id -> Integer,
        text -> Text,
        number -> Nullable<Text>,
        bytes -> Binary,
        json -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    #[sql_name = "plain"]
    declared (id) {
        id -> Integer,
        text -> EncryptedText,
        number -> Nullable<EncryptedText>,
        bytes -> EncryptedBinary,
        json -> Nullable<EncryptedBinary>,
    }
}

macro_rules! model {
    ($name:ident, $table:ident, $field:ident) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Insertable, AsChangeset)]
        #[diesel(table_name = $table, treat_none_as_null = true)]
        struct $name {
            id: i32,
            text: $field<String>,
            number: Option<$field<i64>>,
            bytes: $field<Vec<u8>>,
            json: Option<$field<Json<Vec<i32>>>>,
        }

        impl $name {
            fn new(id: i32, value: &Value) -> Self {
                Self {
                    id,
                    text: value.text.to_owned().into(),
                    number: value.number.map($field::from),
                    bytes: value.bytes.to_owned().into(),
                    json: value.json.map(|json| Json(json.to_owned()).into()),
                }
            }

            fn all(conn: &mut Conn) -> Vec<Self> {
                $table::table.order($table::id).select(Self::as_select()).load(conn).unwrap()
            }

            fn insert(&self, conn: &mut Conn) -> diesel::QueryResult<usize> {
                diesel::insert_into($table::table).values(self).execute(conn)
            }
        }
    };
}

model!(Entering, plain, Adopting);
model!(EnteringDeclared, declared, Adopting);
model!(Protected, plain, Encrypted);
model!(Departing, plain, Leaving);

#[derive(Clone, Copy)]
struct Value {
    text: &'static str,
    number: Option<i64>,
    bytes: &'static [u8],
    json: Option<&'static [i32]>,
}

/// Plaintexts of every type, including some that resemble tokens.
const VALUES: [Value; 4] = [
    Value { text: "ada@example.org", number: Some(-42), bytes: b"g", json: Some(&[1, 2]) },
    Value { text: "", number: None, bytes: b"", json: None },
    Value { text: "gAAA", number: Some(i64::MAX), bytes: &[0x80, 0, 1, 0, 255], json: Some(&[]) },
    Value { text: "Zoë 🦀, gAAAA", number: Some(0), bytes: &[0x80, 0], json: None },
];

/// A row as an application wrote it that did not use this crate.
type Stored = (i32, String, Option<String>, Vec<u8>, Option<Vec<u8>>);

fn stored(id: i32, value: &Value) -> Stored {
    let json = value.json.map(|json| format!("{json:?}").replace(' ', "").into_bytes());
    (id, value.text.into(), value.number.map(|number| number.to_string()), value.bytes.into(), json)
}

fn all_stored(conn: &mut Conn) -> Vec<Stored> {
    plain::table.order(plain::id).load(conn).unwrap()
}

fn create(db: &TestDatabase) -> Conn {
    let mut conn = db.conn();
    let sql = format!(
        "create table plain (id integer primary key, text {TEXT} not null, number {TEXT}, bytes {BYTES} not null, \
         json {BYTES})"
    );
    conn.batch_execute(&sql).unwrap();
    conn
}

fn insert(conn: &mut Conn, row: &Stored) {
    let (id, text, number, bytes, json) = row;
    let (id, text, number) = (plain::id.eq(id), plain::text.eq(text), plain::number.eq(number));
    let values = (id, text, number, plain::bytes.eq(bytes), plain::json.eq(json));
    diesel::insert_into(plain::table).values(values).execute(conn).unwrap();
}

/// Writes every value three times: as plaintext, as a token under the first key, and as a token under an older key. For
/// the older key, the binary columns hold tokens as text.
fn fill(conn: &mut Conn) {
    for (value, id) in VALUES.iter().zip(0..) {
        insert(conn, &stored(id, value));
        keyring([1]).scope(|| Protected::new(id + 10, value).insert(conn).unwrap());
        let (_, text, number, bytes, json) = stored(id, value);
        let token = |bytes: &[u8]| keyring([2]).encrypt(bytes);
        let number = number.map(|number| token(number.as_bytes()));
        let json = json.map(|json| token(&json).into_bytes());
        insert(conn, &(id + 20, token(text.as_bytes()), number, token(&bytes).into_bytes(), json));
    }
}

fn ids() -> impl Iterator<Item = (i32, &'static Value)> {
    [0, 10, 20].into_iter().flat_map(|start| (start..).zip(&VALUES))
}

#[test]
fn plaintext_and_tokens_are_read_side_by_side() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    fill(conn);
    keyring([1, 2]).scope(|| {
        assert_eq!(Entering::all(conn), ids().map(|(id, value)| Entering::new(id, value)).collect::<Vec<_>>());
        let expected: Vec<_> = ids().map(|(id, value)| EnteringDeclared::new(id, value)).collect();
        assert_eq!(EnteringDeclared::all(conn), expected);
        assert_eq!(Departing::all(conn), ids().map(|(id, value)| Departing::new(id, value)).collect::<Vec<_>>());
    });
}

#[test]
fn adopting_writes_tokens() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    fill(conn);
    keyring([1, 2]).scope(|| {
        for row in Entering::all(conn).iter().filter(|row| row.id < 2) {
            diesel::update(row).set(row).execute(conn).unwrap();
        }
        for row in EnteringDeclared::all(conn).iter().filter(|row| row.id >= 2) {
            diesel::update(row).set(row).execute(conn).unwrap();
        }
        Entering::new(30, &VALUES[0]).insert(conn).unwrap();
        EnteringDeclared::new(31, &VALUES[1]).insert(conn).unwrap();
    });
    // Only tokens under the primary key are expected, in the form of the column.
    let expected = ids().chain([(30, &VALUES[0]), (31, &VALUES[1])]);
    let expected: Vec<_> = expected.map(|(id, value)| Protected::new(id, value)).collect();
    assert_eq!(keyring([1]).scope(|| Protected::all(conn)), expected);
    for (_, text, number, bytes, json) in all_stored(conn) {
        assert!(text.starts_with("gAAAA") && number.is_none_or(|number| number.starts_with("gAAAA")));
        assert!(bytes[0] == 0x80 && json.is_none_or(|json| json[0] == 0x80));
    }
}

#[test]
fn leaving_writes_plaintext() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    fill(conn);
    keyring([1, 2]).scope(|| {
        for row in &Departing::all(conn) {
            diesel::update(row).set(row).execute(conn).unwrap();
        }
        Departing::new(30, &VALUES[0]).insert(conn).unwrap();
    });
    let expected: Vec<_> = ids().chain([(30, &VALUES[0])]).map(|(id, value)| stored(id, value)).collect();
    assert_eq!(all_stored(conn), expected);
}

/// Values that look like tokens but that key 1 does not open, as text and as bytes.
fn undecided() -> Vec<Vec<u8>> {
    let raw = |token: &str| URL_SAFE.decode(token).unwrap();
    let (ours, foreign) = (keyring([1]).encrypt(b"secret"), keyring([2]).encrypt(b"secret"));
    let mut damaged = raw(&ours);
    damaged[30] ^= 1;
    let texts = ["gAAAA", "gAAAA, as she wrote", &foreign, &ours[..ours.len() - 4], &URL_SAFE.encode(&damaged)];
    let texts = texts.map(|text| text.as_bytes().to_vec());
    texts.into_iter().chain([raw(&foreign), damaged, vec![0x80, 0, 0], b"\x80\0\0 bytes".to_vec()]).collect()
}

#[track_caller]
fn assert_unreadable<T: Debug>(loaded: diesel::QueryResult<T>, column: &str, bytes: &[u8]) {
    let error = loaded.unwrap_err();
    assert!(matches!(error, DeserializationError(_)), "{error:?}");
    assert!(Error::find(&error).is_some_and(Error::is_decrypt), "{error:?}");
    assert!(error.to_string().contains(column), "{error}");
    assert!(format!("{error:?}").contains("cannot be read with this keyring"), "{error:?}");
    let said = everything_said(&error);
    assert_hides(&said, [String::from_utf8_lossy(bytes).as_ref(), &format!("{bytes:?}"), "secret"]);
}

#[test]
fn a_value_that_looks_like_a_token_but_does_not_open_is_an_error() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    insert(conn, &stored(1, &VALUES[0]));
    keyring([1]).scope(|| {
        for bytes in undecided() {
            diesel::update(plain::table).set(plain::bytes.eq(&bytes)).execute(conn).unwrap();
            let column = plain::table.select(plain::bytes);
            assert_unreadable(column.first::<Adopting<Vec<u8>>>(conn), "bytes", &bytes);
            assert_unreadable(column.first::<Leaving<Vec<u8>>>(conn), "bytes", &bytes);
            let Ok(text) = String::from_utf8(bytes.clone()) else { continue };
            diesel::update(plain::table).set(plain::text.eq(&text)).execute(conn).unwrap();
            let column = plain::table.select(plain::text);
            assert_unreadable(column.first::<Adopting<String>>(conn), "text", &bytes);
            assert_unreadable(column.first::<Leaving<String>>(conn), "text", &bytes);
        }
    });
}

#[test]
fn plaintext_that_looks_like_a_token_is_encrypted_but_never_written_as_it_is() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    insert(conn, &stored(1, &VALUES[0]));
    let ours = keyring([1]).encrypt(b"a token in a token");
    let cases = undecided().into_iter().chain([ours.clone().into_bytes(), URL_SAFE.decode(&ours).unwrap()]);
    keyring([1]).scope(|| {
        for bytes in cases {
            let sealed = plain::bytes.eq(Adopting::new(bytes.clone()));
            diesel::update(plain::table).set(sealed).execute(conn).unwrap();
            let value: Adopting<Vec<u8>> = plain::table.select(plain::bytes).first(conn).unwrap();
            assert_eq!(*value, bytes);

            let before = all_stored(conn);
            let departing = Leaving::new(bytes.clone());
            let set = diesel::update(plain::table).set(plain::bytes.eq(&departing));
            assert_not_written(set.execute(conn), &bytes);
            if let Ok(text) = String::from_utf8(bytes.clone()) {
                let set = diesel::update(plain::table).set(plain::text.eq(Leaving::from(text)));
                assert_not_written(set.execute(conn), &bytes);
            }
            assert_eq!(all_stored(conn), before);
        }
    });
}

#[track_caller]
fn assert_not_written(executed: diesel::QueryResult<usize>, bytes: &[u8]) {
    let error = executed.unwrap_err();
    assert!(matches!(error, SerializationError(_)), "{error:?}");
    let found = Error::find(&error).unwrap();
    assert!(!found.is_decrypt() && !found.is_decode() && !found.is_keyring());
    let expected = "the value cannot be stored: as plaintext it would be read back as a token";
    assert_eq!(found.to_string(), expected);
    assert_hides(&everything_said(&error), [String::from_utf8_lossy(bytes).as_ref(), &format!("{bytes:?}"), "secret"]);
}

#[test]
fn bytes_that_are_not_text_cannot_be_written_to_a_text_column() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    insert(conn, &stored(1, &VALUES[0]));
    keyring([1]).scope(|| {
        let set = diesel::update(plain::table).set(plain::text.eq(Leaving::new(vec![0xff_u8])));
        let error = set.execute(conn).unwrap_err();
        let found = Error::find(&error).unwrap().to_string();
        assert_eq!(found, "the value cannot be stored: it is not UTF-8, and the column holds text");
        // A token is text, whatever its plaintext is.
        let set = diesel::update(plain::table).set(plain::text.eq(Adopting::new(vec![0xff_u8])));
        assert_eq!(set.execute(conn), Ok(1));
    });
}

#[test]
fn plaintext_of_another_type_is_a_decode_error() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    insert(conn, &(1, "4111 1111".into(), Some("a phone".into()), vec![0xff], Some(b"{4111".to_vec())));
    keyring([1]).scope(|| {
        let number = plain::table.select(plain::number).first::<Option<Adopting<i64>>>(conn).unwrap_err();
        let json = plain::table.select(plain::json).first::<Option<Leaving<Json<i64>>>>(conn).unwrap_err();
        let text = plain::table.select(plain::bytes).first::<Adopting<String>>(conn).unwrap_err();
        for error in [number, json, text] {
            assert!(Error::find(&error).is_some_and(Error::is_decode), "{error:?}");
            assert_hides(&everything_said(&error), ["a phone", "4111", "255"]);
        }
    });
}

#[test]
fn without_a_keyring_nothing_is_read_or_written() {
    in_own_process(&[], || {
        let db = TestDatabase::new();
        let conn = &mut create(&db);
        insert(conn, &stored(1, &VALUES[0]));
        let before = all_stored(conn);
        let column = plain::table.select(plain::text);
        let errors = [
            column.first::<Adopting<String>>(conn).unwrap_err(),
            column.first::<Leaving<String>>(conn).unwrap_err(),
            Entering::new(2, &VALUES[0]).insert(conn).unwrap_err(),
            Departing::new(2, &VALUES[0]).insert(conn).unwrap_err(),
        ];
        for error in errors {
            assert!(Error::find(&error).is_some_and(|error| error.is_keyring() && error.keyring_error().is_some()));
        }
        assert_eq!(all_stored(conn), before);
    });
}

/// A model with plain fields. Only the conversion to and from the database differs.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plain)]
struct PlainFields {
    id: i32,
    #[diesel(serialize_as = Adopting<String>, deserialize_as = Leaving<String>)]
    text: String,
    bytes: Vec<u8>,
}

#[test]
fn plain_fields_of_a_model_stay_as_they_are() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let row = PlainFields { id: 1, text: "ada@example.org".into(), bytes: vec![1] };
    keyring([1]).scope(|| {
        diesel::insert_into(plain::table).values(row.clone()).execute(conn).unwrap();
        assert!(all_stored(conn)[0].1.starts_with("gAAAA"));
        assert_eq!(plain::table.select(PlainFields::as_select()).first(conn), Ok(row));
    });
}

#[test]
fn debug_output_shows_no_value() {
    let keyring: Arc<Keyring> = keyring([1]);
    keyring.scope(|| {
        let (entering, departing) = (Entering::new(1, &VALUES[0]), Departing::new(1, &VALUES[0]));
        let secrets = [VALUES[0].text, "42", "103", "1, 2"];
        type Backend = <Conn as Connection>::Backend;
        let insert = diesel::insert_into(plain::table).values(&entering);
        let said = format!("{entering:?} {:?}", diesel::debug_query::<Backend, _>(&insert));
        assert_eq!(said.matches("Adopting(..)").count(), 8, "{said}");
        assert_hides(&said, secrets);
        let update = diesel::update(plain::table).set(&departing);
        let said = format!("{departing:?} {:?}", diesel::debug_query::<Backend, _>(&update));
        assert_eq!(said.matches("Leaving(..)").count(), 8, "{said}");
        assert_hides(&said, secrets);
    });
}
