//! `#[derive(MultiConnection)]` over all three databases.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod support;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::{Adopting, Decrypted, Encrypted, Error, Json, Leaving};

use support::counted::Counted;
use support::keys::keyring;
use support::{mysql, postgres, sqlite};

#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Mysql(MysqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

diesel_encrypted::multi_backend!(MultiBackend);

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    notes (id) {
        id -> Integer,
        text -> EncryptedText,
        text_or_null -> Nullable<EncryptedText>,
        bytes -> EncryptedBinary,
        bytes_or_null -> Nullable<EncryptedBinary>,
        plain_text -> Text,
        plain_text_or_null -> Nullable<Text>,
        plain_bytes -> Binary,
        plain_bytes_or_null -> Nullable<Binary>,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Insertable, AsChangeset)]
#[diesel(table_name = notes, treat_none_as_null = true)]
struct Note {
    id: i32,
    text: Encrypted<String>,
    text_or_null: Option<Encrypted<i64>>,
    bytes: Encrypted<Vec<u8>>,
    bytes_or_null: Option<Encrypted<Json<Vec<i32>>>>,
    plain_text: Encrypted<String>,
    plain_text_or_null: Option<Encrypted<bool>>,
    plain_bytes: Encrypted<Vec<u8>>,
    plain_bytes_or_null: Option<Encrypted<char>>,
}

/// A note. Its nullable fields are `None` if `id` is even.
fn note(id: i32) -> Note {
    let odd = id % 2 == 1;
    Note {
        id,
        text: format!("text {id}").into(),
        text_or_null: odd.then(|| i64::from(id).into()),
        bytes: vec![0, 255].into(),
        bytes_or_null: odd.then(|| Json(vec![id]).into()),
        plain_text: "plain".to_string().into(),
        plain_text_or_null: odd.then(|| true.into()),
        plain_bytes: vec![].into(),
        plain_bytes_or_null: odd.then(|| 'é'.into()),
    }
}

/// A row as the database holds it.
type Stored = (String, Option<String>, Vec<u8>, Option<Vec<u8>>);

diesel::table! {
    #[sql_name = "notes"]
    stored (id) {
        id -> Integer,
        text -> Text,
        text_or_null -> Nullable<Text>,
        bytes -> Binary,
        bytes_or_null -> Nullable<Binary>,
    }
}

fn round_trip(conn: &mut AnyConnection, text: &str, bytes: &str) {
    let sql = format!(
        "create table notes (id integer primary key,
            text {text} not null, text_or_null {text}, bytes {bytes} not null, bytes_or_null {bytes},
            plain_text {text} not null, plain_text_or_null {text},
            plain_bytes {bytes} not null, plain_bytes_or_null {bytes})"
    );
    conn.batch_execute(&sql).unwrap();
    let all = |conn: &mut AnyConnection| -> Vec<Note> {
        notes::table.order(notes::id).select(Note::as_select()).load(conn).unwrap()
    };

    for id in 1..=3 {
        diesel::insert_into(notes::table).values(note(id)).execute(conn).unwrap();
    }
    assert_eq!(all(conn), [note(1), note(2), note(3)]);
    assert_eq!(notes::table.filter(notes::text_or_null.is_null()).count().get_result(conn), Ok(1i64));

    let stored = (stored::text, stored::text_or_null, stored::bytes, stored::bytes_or_null);
    let stored: Vec<Stored> = stored::table.order(stored::id).select(stored).load(conn).unwrap();
    for (row, (text, text_or_null, bytes, bytes_or_null)) in stored.into_iter().enumerate() {
        assert!(text.starts_with("gAAAA") && bytes[0] == 0x80);
        let nullable = (text_or_null.map(|text| text.starts_with("gAAAA")), bytes_or_null.map(|bytes| bytes[0]));
        assert_eq!(nullable, if row == 1 { (None, None) } else { (Some(true), Some(0x80)) });
    }

    let changed = Note { id: 1, ..note(4) };
    diesel::update(&changed).set(&changed).execute(conn).unwrap();
    let text = Encrypted::from("by column".to_string());
    let columns = (notes::text.eq(&text), notes::plain_bytes_or_null.eq(None::<Encrypted<char>>));
    diesel::update(notes::table.find(3)).set(columns).execute(conn).unwrap();
    assert_eq!(all(conn), [changed, note(2), Note { text, plain_bytes_or_null: None, ..note(3) }]);

    let counted = Encrypted::from(Counted);
    diesel::update(notes::table.find(3)).set(notes::text.eq(&counted)).execute(conn).unwrap();
    assert_eq!(Counted::encoded(), 1);
    let error = notes::table.select(notes::text).first::<Encrypted<i64>>(conn).unwrap_err();
    assert!(Error::find(&error).is_some_and(Error::is_decode));
    other_field_types(conn);
}

/// Expects a table with the rows 1, 2 and 3.
fn other_field_types(conn: &mut AnyConnection) {
    let plain: (String, Vec<u8>) = ("plain".into(), vec![1, 2]);
    let (text, bytes) = (notes::plain_text, notes::plain_bytes);
    let set = (text.eq(&plain.0), bytes.eq(&plain.1));
    diesel::update(notes::table.find(1)).set(set).execute(conn).unwrap();
    type Either = (Adopting<String>, Leaving<Vec<u8>>);
    let (adopting, leaving): Either = notes::table.find(1).select((text, bytes)).first(conn).unwrap();
    assert_eq!((&*adopting, &*leaving), (&plain.0, &plain.1));
    let tokens: Either = notes::table.find(2).select((text, bytes)).first(conn).unwrap();
    assert_eq!((tokens.0.into_inner(), tokens.1.into_inner()), ("plain".to_string(), vec![]));

    let set = (notes::text.eq(&adopting), notes::bytes_or_null.eq(Some(Adopting::from(5))), bytes.eq(&leaving));
    diesel::update(notes::table.find(2)).set(set).execute(conn).unwrap();
    let set = text.eq(Leaving::from("no token".to_string()));
    diesel::update(notes::table.find(3)).set(set).execute(conn).unwrap();
    let token: Encrypted<String> = notes::table.find(2).select(notes::text).first(conn).unwrap();
    assert_eq!(token.into_inner(), plain.0);
    let number: Option<Encrypted<i32>> = notes::table.find(2).select(notes::bytes_or_null).first(conn).unwrap();
    assert_eq!(number, Some(Encrypted::from(5)));
    assert_eq!(notes::table.find(2).select(bytes).first::<Vec<u8>>(conn), Ok(plain.1));
    assert_eq!(notes::table.find(3).select(text).first::<String>(conn), Ok("no token".into()));

    let texts: Vec<Decrypted<String>> = notes::table.order(notes::id).select(text).load(conn).unwrap();
    assert_eq!(texts.iter().map(Decrypted::is_ok).collect::<Vec<_>>(), [false, true, false]);
    let bytes: Vec<Option<Decrypted<i32>>> =
        notes::table.order(notes::id).select(notes::bytes_or_null).load(conn).unwrap();
    let read = bytes.iter().map(|value| value.as_ref().map(Decrypted::is_ok)).collect::<Vec<_>>();
    assert_eq!(read, [None, Some(true), Some(false)]);
}

#[test]
fn every_database_of_a_multi_connection() {
    let (on_mysql, on_postgres) = (mysql::TestDatabase::new(), postgres::TestDatabase::new());
    let on_sqlite = sqlite::TestDatabase::new();
    keyring([1]).scope(|| {
        let conn = &mut AnyConnection::Mysql(on_mysql.conn());
        round_trip(conn, mysql::TEXT, mysql::BYTES);
        let conn = &mut AnyConnection::Postgres(on_postgres.conn());
        round_trip(conn, postgres::TEXT, postgres::BYTES);
        let conn = &mut AnyConnection::Sqlite(on_sqlite.conn());
        round_trip(conn, sqlite::TEXT, sqlite::BYTES);
    });
}
