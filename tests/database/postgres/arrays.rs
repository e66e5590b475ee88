//! PostgreSQL arrays of tokens.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Nullable, Text};
use diesel_encrypted::{Encrypted, Error};

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
