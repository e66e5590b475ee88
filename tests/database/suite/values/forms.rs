//! The stored form: text columns hold tokens as text, binary columns hold raw bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::{Encrypted, raw_token_len, token_len};

use super::super::sql;
use crate::backend::{BYTES, Conn, TEXT, TestDatabase};
use crate::support::keys::keyring;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    forms (id) {
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

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = forms)]
struct Forms {
    id: i32,
    text: Encrypted<String>,
    text_or_null: Option<Encrypted<String>>,
    bytes: Encrypted<String>,
    bytes_or_null: Option<Encrypted<String>>,
    plain_text: Encrypted<String>,
    plain_text_or_null: Option<Encrypted<String>>,
    plain_bytes: Encrypted<String>,
    plain_bytes_or_null: Option<Encrypted<String>>,
}

/// A row as the database stores it, read without this crate.
#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    text_or_null: Option<String>,
    #[diesel(sql_type = diesel::sql_types::Binary)]
    bytes: Vec<u8>,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Binary>)]
    bytes_or_null: Option<Vec<u8>>,
    #[diesel(sql_type = diesel::sql_types::Text)]
    plain_text: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    plain_text_or_null: Option<String>,
    #[diesel(sql_type = diesel::sql_types::Binary)]
    plain_bytes: Vec<u8>,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Binary>)]
    plain_bytes_or_null: Option<Vec<u8>>,
}

impl Stored {
    fn load(conn: &mut Conn) -> Vec<Self> {
        diesel::sql_query("select * from forms order by id").load(conn).unwrap()
    }

    fn texts(&self) -> Vec<&String> {
        [&self.text, &self.plain_text].into_iter().chain(&self.text_or_null).chain(&self.plain_text_or_null).collect()
    }

    fn bytes(&self) -> Vec<&Vec<u8>> {
        [&self.bytes, &self.plain_bytes]
            .into_iter()
            .chain(&self.bytes_or_null)
            .chain(&self.plain_bytes_or_null)
            .collect()
    }

    /// Returns the tokens of all columns as text.
    fn tokens(&self) -> Vec<String> {
        let texts = self.texts().into_iter().cloned();
        texts.chain(self.bytes().into_iter().map(|bytes| URL_SAFE.encode(bytes))).collect()
    }
}

/// Returns a row with the same value in every column.
fn forms(id: i32, value: &str) -> Forms {
    let value = Encrypted::from(value.to_string());
    Forms {
        id,
        text: value.clone(),
        text_or_null: Some(value.clone()),
        bytes: value.clone(),
        bytes_or_null: Some(value.clone()),
        plain_text: value.clone(),
        plain_text_or_null: Some(value.clone()),
        plain_bytes: value.clone(),
        plain_bytes_or_null: Some(value),
    }
}

fn with_nulls(id: i32, value: &str) -> Forms {
    Forms {
        text_or_null: None,
        bytes_or_null: None,
        plain_text_or_null: None,
        plain_bytes_or_null: None,
        ..forms(id, value)
    }
}

fn create(db: &TestDatabase) -> Conn {
    let mut conn = db.conn();
    let sql = format!(
        "create table forms (id integer primary key,
            text {TEXT} not null, text_or_null {TEXT}, bytes {BYTES} not null, bytes_or_null {BYTES},
            plain_text {TEXT} not null, plain_text_or_null {TEXT},
            plain_bytes {BYTES} not null, plain_bytes_or_null {BYTES})"
    );
    conn.batch_execute(&sql).unwrap();
    conn
}

fn insert(conn: &mut Conn, rows: &[Forms]) {
    diesel::insert_into(forms::table).values(rows).execute(conn).unwrap();
}

fn all(conn: &mut Conn) -> Vec<Forms> {
    forms::table.order(forms::id).select(Forms::as_select()).load(conn).unwrap()
}

#[test]
fn every_column_holds_a_token_in_its_form() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let lengths = [0, 15, 16, 1000];
    let values = lengths.map(|length| "é".repeat(length / 2) + &"x".repeat(length % 2));
    let rows: Vec<Forms> = values.iter().zip(1..).map(|(value, id)| forms(id, value)).collect();
    keyring([1]).scope(|| insert(conn, &rows));

    let stored = Stored::load(conn);
    assert_eq!(stored.len(), rows.len());
    for (stored, value) in stored.iter().zip(&values) {
        assert_eq!((stored.texts().len(), stored.bytes().len()), (4, 4));
        for text in stored.texts() {
            assert!(text.starts_with("gAAAA"), "{text}");
            assert_eq!(text.len(), token_len(value.len()));
        }
        for bytes in stored.bytes() {
            assert_eq!(bytes[0], 0x80);
            assert_eq!(bytes.len(), raw_token_len(value.len()));
            assert!(bytes.len() * 4 <= stored.text.len() * 3, "not a quarter smaller");
        }
        for token in stored.tokens() {
            assert_eq!(keyring([1]).decrypt(token.as_bytes()).unwrap(), value.as_bytes());
        }
    }
    // SQLite would keep bytes in a text column. Bytes equal no text, and `replace` returns text.
    let as_text = "select count(*) from forms \
        where text = replace(text, 'g', 'g') and plain_text = replace(plain_text, 'g', 'g')";
    assert_eq!(sql::number(conn, as_text), rows.len() as i64);
    assert_eq!(keyring([1]).scope(|| all(conn)), rows);
}

#[test]
fn null_is_null_in_every_column() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let rows = [forms(1, "x"), with_nulls(2, "x")];
    keyring([1]).scope(|| {
        insert(conn, &rows);
        assert_eq!(all(conn), rows);
    });
    let stored = &Stored::load(conn)[1];
    assert_eq!((stored.texts().len(), stored.bytes().len()), (2, 2));
}

#[test]
fn updates_write_the_form_of_the_column() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        insert(conn, &[forms(1, "before")]);
        let after = forms(1, "after");
        diesel::update(forms::table).set(&after).execute(conn).unwrap();
        assert_eq!(all(conn), [after]);
        let value = Encrypted::from("column by column".to_string());
        let columns = (
            (forms::text.eq(&value), forms::text_or_null.eq(&value)),
            (forms::bytes.eq(&value), forms::bytes_or_null.eq(Some(&value))),
            (forms::plain_text.eq(&value), forms::plain_text_or_null.eq(value.clone())),
            (forms::plain_bytes.eq(&value), forms::plain_bytes_or_null.eq(Some(value.clone()))),
        );
        diesel::update(forms::table).set(columns).execute(conn).unwrap();
        assert_eq!(all(conn), [forms(1, &value)]);
    });
    let stored = &Stored::load(conn)[0];
    assert_eq!((stored.texts().len(), stored.bytes().len()), (4, 4));
    assert!(stored.texts().iter().all(|text| text.starts_with("gAAAA")));
    assert!(stored.bytes().iter().all(|bytes| bytes[0] == 0x80));
}

#[test]
fn a_value_written_twice_is_two_tokens() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let same = [forms(1, "the same"), forms(2, "the same")];
    keyring([1]).scope(|| insert(conn, &same));
    let mut tokens: Vec<String> = Stored::load(conn).iter().flat_map(Stored::tokens).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 16);
}

#[test]
fn a_binary_column_with_text_tokens_is_readable() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        insert(conn, &[forms(1, "before")]);
        let token = keyring([1]).encrypt(b"as text");
        diesel::sql_query(format!("update forms set bytes = '{token}'")).execute(conn).unwrap();
        diesel::update(forms::table).set(forms::plain_bytes.eq(token.into_bytes())).execute(conn).unwrap();
        let value = Encrypted::from("as text".to_string());
        let expected = Forms { bytes: value.clone(), plain_bytes: value, ..forms(1, "before") };
        assert_eq!(all(conn), [expected]);
        let stored = &Stored::load(conn)[0];
        assert!(stored.bytes.starts_with(b"gAAAA") && stored.plain_bytes.starts_with(b"gAAAA"));
    });
}
