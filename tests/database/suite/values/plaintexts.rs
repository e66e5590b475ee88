//! Every type that `Encrypted<_>` holds, in both kinds of column.

use std::borrow::Cow;
use std::fmt::Debug;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::{Encrypted, Error, Plaintext};

use crate::backend::{BYTES, Conn, TEXT, TestDatabase};
use crate::support::counted::Counted;
use crate::support::keys::keyring;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    plaintexts (id) {
        id -> Integer,
        text -> Nullable<EncryptedText>,
        bytes -> Nullable<EncryptedBinary>,
    }
}

/// Creates a table with one row, and returns a connection.
pub fn create(db: &TestDatabase) -> Conn {
    let mut conn = db.conn();
    let sql = format!("create table plaintexts (id integer primary key, text {TEXT}, bytes {BYTES})");
    conn.batch_execute(&sql).unwrap();
    diesel::insert_into(plaintexts::table).values(plaintexts::id.eq(1)).execute(&mut conn).unwrap();
    conn
}

/// Stores a value in both columns and reads it back.
fn stored_and_loaded<T: Plaintext + 'static>(conn: &mut Conn, value: T) -> [T; 2] {
    let value = Encrypted::from(value);
    let columns = (plaintexts::text.eq(&value), plaintexts::bytes.eq(&value));
    assert_eq!(diesel::update(plaintexts::table).set(columns).execute(conn).unwrap(), 1);
    let loaded: (Option<Encrypted<T>>, Option<Encrypted<T>>) =
        plaintexts::table.select((plaintexts::text, plaintexts::bytes)).first(conn).unwrap();
    [loaded.0.unwrap().into_inner(), loaded.1.unwrap().into_inner()]
}

#[track_caller]
fn survives<T: Plaintext + Clone + PartialEq + Debug + 'static>(conn: &mut Conn, value: T) {
    assert_eq!(stored_and_loaded(conn, value.clone()), [value.clone(), value]);
}

#[test]
fn strings_bytes_numbers_bool_and_char() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        survives(conn, String::new());
        survives(conn, "Zoë \u{0}\u{1F980}".to_string());
        survives(conn, "long ".repeat(4000));
        survives(conn, Vec::<u8>::new());
        survives(conn, Vec::from_iter(0..=u8::MAX));
        survives(conn, i8::MIN);
        survives(conn, i16::MIN);
        survives(conn, i32::MIN);
        survives(conn, i64::MIN);
        survives(conn, i128::MIN);
        survives(conn, isize::MIN);
        survives(conn, u8::MAX);
        survives(conn, u16::MAX);
        survives(conn, u32::MAX);
        survives(conn, u64::MAX);
        survives(conn, u128::MAX);
        survives(conn, usize::MAX);
        survives(conn, 0.1f32);
        survives(conn, f64::NEG_INFINITY);
        survives(conn, true);
        survives(conn, 'ß');
    });
}

#[cfg(feature = "chrono")]
#[test]
fn dates_and_times_of_chrono() {
    use chrono::{FixedOffset, NaiveDate};

    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let moment = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap().and_hms_nano_opt(15, 49, 38, 500_000_001).unwrap();
    keyring([1]).scope(|| {
        survives(conn, moment);
        survives(conn, moment.date());
        survives(conn, moment.time());
        survives(conn, moment.and_utc());
        survives(conn, moment.and_local_timezone(FixedOffset::west_opt(3600).unwrap()).unwrap());
    });
}

#[cfg(feature = "time")]
#[test]
fn dates_and_times_of_time() {
    use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset};

    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let moment = OffsetDateTime::UNIX_EPOCH + Duration::new(1_795_448_978, 500_000_001);
    let moment = moment.to_offset(UtcOffset::from_hms(-1, 0, 0).unwrap());
    keyring([1]).scope(|| {
        survives(conn, moment);
        survives(conn, moment.date());
        survives(conn, moment.time());
        survives(conn, PrimitiveDateTime::new(moment.date(), moment.time()));
        survives(conn, Date::MAX);
    });
}

#[cfg(feature = "uuid")]
#[test]
fn uuids() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| survives(conn, uuid::Uuid::from_u128(0x67e55044_10b1_426f_9247_bb680e5fe0c8)));
}

#[cfg(feature = "secrecy")]
#[test]
fn secret_strings() {
    use secrecy::{ExposeSecret, SecretString};

    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        for loaded in stored_and_loaded(conn, SecretString::from("ada@example.org")) {
            assert_eq!(loaded.expose_secret(), "ada@example.org");
        }
    });
}

#[cfg(feature = "json")]
#[test]
fn json() {
    use diesel_encrypted::Json;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Address {
        street: String,
        lines: Vec<Option<i64>>,
    }

    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let address = Address { street: "Rua \"Augusta\"".into(), lines: vec![None, Some(-1)] };
    keyring([1]).scope(|| {
        survives(conn, Json(address.clone()));
        survives(conn, Json(Some(address)));
        survives(conn, Json(serde_json::Value::Null));
    });
}

/// A type that the application defines.
#[derive(Debug, Clone, PartialEq)]
struct Iban(String);

impl Plaintext for Iban {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        self.0.encode()
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        String::decode(bytes).map(Self)
    }
}

#[test]
fn types_of_the_application() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| survives(conn, Iban("PT50 0002 0123".into())));
}

#[test]
fn a_statement_encrypts_each_value_once() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        let value = Encrypted::from(Counted);
        // The first statement is not prepared yet. The second one comes from the cache.
        for id in [2, 3] {
            let columns = (plaintexts::id.eq(id), plaintexts::text.eq(&value), plaintexts::bytes.eq(&value));
            diesel::insert_into(plaintexts::table).values(columns).execute(conn).unwrap();
            assert_eq!(Counted::encoded(), 2);
            let update = diesel::update(plaintexts::table.find(id)).set(plaintexts::text.eq(Some(&value)));
            update.execute(conn).unwrap();
            assert_eq!(Counted::encoded(), 1);
        }
    });
}
