//! Features of PostgreSQL only: the guards are types, so arrays and functions can use them.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind::CheckViolation;
use diesel::result::Error::DatabaseError;
use diesel::sql_query;
use diesel::sql_types::{Array, Text};
use diesel_encrypted::Encrypted;

use crate::schema::people;
use crate::suite::guards::{assert_refused, store_text, token, with_a_row};
use crate::suite::migrations::{ada, everyone, migrated};
use crate::support::keys::keyring;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    notes (id) {
        id -> BigInt,
        lines -> Array<EncryptedText>,
    }
}

#[test]
fn an_array_holds_tokens_and_nothing_else() {
    let db = migrated();
    let conn = &mut db.conn();
    conn.batch_execute("CREATE TABLE notes (id bigint PRIMARY KEY, lines encrypted_text[] NOT NULL)").unwrap();
    let lines: Vec<Encrypted<String>> = ["one", "", "three"].map(|line| line.to_owned().into()).into();
    keyring([1]).scope(|| {
        diesel::insert_into(notes::table).values((notes::id.eq(1), notes::lines.eq(&lines))).execute(conn).unwrap();
        diesel::insert_into(notes::table)
            .values((notes::id.eq(2), notes::lines.eq(&lines[..0])))
            .execute(conn)
            .unwrap();
        let loaded: Vec<Vec<Encrypted<String>>> =
            notes::table.order(notes::id).select(notes::lines).load(conn).unwrap();
        assert_eq!(loaded, [lines, vec![]]);
    });
    for values in [vec!["ada@example.org".to_owned()], vec![token(0), "ada@example.org".into()], vec![String::new()]] {
        let update = sql_query("UPDATE notes SET lines = $1").bind::<Array<Text>, _>(&values);
        assert_refused(b"ada@example.org", vec![("lines", update.execute(conn))]);
    }
}

/// The reason why the guards are domains. This tests the server, not the crate.
#[test]
fn the_check_of_a_table_shows_what_it_refused_and_a_domain_does_not() {
    let db = with_a_row();
    let conn = &mut db.conn();
    assert_refused(b"ada@example.org", store_text(conn, "ada@example.org"));
    conn.batch_execute("CREATE TABLE checked (email text CHECK (email LIKE 'gAAAA%'))").unwrap();
    let result = sql_query("INSERT INTO checked VALUES ('ada@example.org')").execute(conn);
    let Err(DatabaseError(CheckViolation, error)) = result else { panic!("{result:?}") };
    assert_eq!(error.details(), Some("Failing row contains (ada@example.org)."));
}

#[test]
fn the_domains_may_be_in_any_schema() {
    let db = with_a_row();
    let conn = &mut db.conn();
    conn.batch_execute("CREATE SCHEMA elsewhere; ALTER DOMAIN encrypted_text SET SCHEMA elsewhere").unwrap();
    assert_refused(b"ada@example.org", store_text(conn, "ada@example.org"));
    keyring([1]).scope(|| {
        diesel::insert_into(people::table).values(&ada()).execute(conn).unwrap();
        assert_eq!(everyone(&db)[1], ada());
    });
}
