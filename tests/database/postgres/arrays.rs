//! PostgreSQL arrays of tokens.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Nullable, Text};
use diesel_encrypted::{Decrypted, Encrypted, Error, Keyring};

use crate::backend::{Conn, TestDatabase};
use crate::support::keys::keyring;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    posts (id) {
        id -> Integer,
        tags -> Array<EncryptedText>,
        ratings -> Nullable<Array<Nullable<EncryptedText>>>,
        scans -> Array<EncryptedBinary>,
        plain_tags -> Array<Text>,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = posts)]
struct Post {
    id: i32,
    tags: Vec<Encrypted<String>>,
    ratings: Option<Vec<Option<Encrypted<i64>>>>,
    scans: Vec<Encrypted<Vec<u8>>>,
    plain_tags: Vec<Encrypted<String>>,
}

/// The same table as `print-schema` writes it.
mod printed {
    diesel::table! {
        use diesel::sql_types::*;
        use diesel_encrypted::sql_types::*;

        posts (id) {
            id -> Integer,
            tags -> Array<Nullable<EncryptedText>>,
            ratings -> Nullable<Array<Nullable<EncryptedText>>>,
            scans -> Array<Nullable<EncryptedBinary>>,
            plain_tags -> Array<Nullable<Text>>,
        }
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = printed::posts, check_for_backend(diesel::pg::Pg))]
struct Printed {
    id: i32,
    tags: Vec<Encrypted<String>>,
    ratings: Option<Vec<Encrypted<i64>>>,
    scans: Vec<Option<Encrypted<Vec<u8>>>>,
    plain_tags: Vec<Decrypted<String>>,
}

fn post(id: i32, tags: &[&str]) -> Post {
    let tags = Vec::from_iter(tags.iter().map(|tag| Encrypted::from(tag.to_string())));
    Post {
        id,
        ratings: (id % 2 == 1).then(|| vec![None, Some(Encrypted::from(-5))]),
        scans: vec![Encrypted::from(vec![0, 255]), Encrypted::from(vec![])],
        plain_tags: tags.clone(),
        tags,
    }
}

fn create(db: &TestDatabase) -> Conn {
    let mut conn = db.conn();
    let sql = "create table posts (id integer primary key, tags text[] not null, ratings text[], \
               scans bytea[] not null, plain_tags text[] not null)";
    conn.batch_execute(sql).unwrap();
    conn
}

fn all(conn: &mut Conn) -> Vec<Post> {
    posts::table.order(posts::id).select(Post::as_select()).load(conn).unwrap()
}

/// An array column as the database stores it.
#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = Array<Text>)]
    tags: Vec<String>,
    #[diesel(sql_type = Nullable<Array<Nullable<Text>>>)]
    ratings: Option<Vec<Option<String>>>,
    #[diesel(sql_type = Array<Binary>)]
    scans: Vec<Vec<u8>>,
    #[diesel(sql_type = Array<Text>)]
    plain_tags: Vec<String>,
}

#[test]
fn every_element_is_a_token() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let mut posts = [post(1, &["a", "b", "a"]), post(2, &[])];
    keyring([1]).scope(|| {
        diesel::insert_into(posts::table).values(&posts).execute(conn).unwrap();
        assert_eq!(all(conn), posts);
        posts[1] = post(2, &["changed"]);
        diesel::update(posts::table.find(2)).set(&posts[1]).execute(conn).unwrap();
        assert_eq!(all(conn), posts);
    });
    let stored: Vec<Stored> = diesel::sql_query("select * from posts order by id").load(conn).unwrap();
    let mut texts = Vec::new();
    for row in stored {
        assert!(row.scans.len() == 2 && row.scans.iter().all(|scan| scan[0] == 0x80));
        texts.extend(row.tags.into_iter().chain(row.plain_tags));
        texts.extend(row.ratings.into_iter().flatten().flatten());
    }
    assert!(texts.len() == 9 && texts.iter().all(|text| text.starts_with("gAAAA")));
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 9, "two elements are the same token");
}

#[test]
fn fields_load_from_what_print_schema_writes() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        let first = post(1, &["a", "b"]);
        diesel::insert_into(posts::table).values(&first).execute(conn).unwrap();
        let select = printed::posts::table.select(Printed::as_select());
        let error = select.load(conn).unwrap_err();
        assert!(error.to_string().contains("null"), "{error}"); // `ratings` has a NULL element
        diesel::update(posts::table).set(posts::ratings.eq(None::<Vec<Option<Encrypted<i64>>>>)).execute(conn).unwrap();
        let loaded: Printed = select.first(conn).unwrap();
        assert_eq!((loaded.id, &loaded.tags, loaded.ratings), (1, &first.tags, None));
        let scans: Vec<_> = loaded.scans.into_iter().map(Option::unwrap).collect();
        assert_eq!(scans, first.scans);
        assert_eq!(loaded.plain_tags[1].as_result().unwrap(), "b");
        // and back
        let tags = printed::posts::tags;
        diesel::update(printed::posts::table).set(tags.eq(vec![Encrypted::new("c")])).execute(conn).unwrap();
        assert_eq!(*all(conn)[0].tags[0], "c");
        diesel::update(printed::posts::table)
            .set(tags.eq(vec![None, Some(Encrypted::new("d"))]))
            .execute(conn)
            .unwrap();
        let loaded: Vec<Option<Encrypted<String>>> = printed::posts::table.select(tags).first(conn).unwrap();
        assert_eq!(loaded, [None, Some("d".into())]);
    });
}

/// `from_insertable` takes only Diesel's own parameter, which can be compared.
#[test]
fn copy_takes_tokens_as_text() {
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    conn.batch_execute("create table notes (id bigint primary key, line text not null)").unwrap();
    diesel::table! {
        use diesel::sql_types::*;
        use diesel_encrypted::sql_types::*;

        notes (id) {
            id -> BigInt,
            line -> EncryptedText,
        }
    }
    keyring([1]).scope(|| {
        let lines = ["one", "", "tab\tand\nline"];
        let rows = diesel::copy_from(notes::table)
            .from_raw_data((notes::id, notes::line), |copy| {
                let keyring = Keyring::current().unwrap();
                for (id, line) in lines.iter().enumerate() {
                    writeln!(copy, "{id}\t{}", keyring.encrypt(line.as_bytes())).unwrap();
                }
                diesel::QueryResult::Ok(())
            })
            .execute(conn);
        assert_eq!(rows, Ok(3));
        let loaded: Vec<Encrypted<String>> = notes::table.order(notes::id).select(notes::line).load(conn).unwrap();
        assert_eq!(loaded, lines.map(Encrypted::from));
    });
}

#[test]
fn an_unreadable_element_fails_the_load() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        diesel::insert_into(posts::table).values(post(1, &["a"])).execute(conn).unwrap();
        conn.batch_execute("update posts set tags[2] = 'plaintext'").unwrap();
        let error = posts::table.select(Post::as_select()).load(conn).unwrap_err();
        assert_eq!(error.to_string(), "Error deserializing field 'tags'");
        assert!(Error::find(&error).is_some_and(Error::is_decrypt));
    });
}
