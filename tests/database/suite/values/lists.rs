//! `Decrypted<T>`: one bad row does not fail the whole list.

use diesel::prelude::*;
use diesel_encrypted::{Decrypted, Error};

use super::people::{create, fill, people, person, stored};
use crate::backend::{Conn, TestDatabase};
use crate::support::keys::keyring;
use crate::support::own_process::in_own_process;
use crate::support::secrets::{assert_hides, everything_said};

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = people)]
struct Listed {
    id: i32,
    email: Decrypted<String>,
    phone: Option<Decrypted<i64>>,
    photo: Option<Decrypted<Vec<u8>>>,
}

#[derive(QueryableByName)]
#[diesel(table_name = people)]
struct ByName {
    email: Decrypted<String>,
}

fn all(conn: &mut Conn) -> Vec<Listed> {
    people::table.order(people::id).select(Listed::as_select()).load(conn).unwrap()
}

#[test]
fn a_value_that_cannot_be_read_fails_by_itself() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| fill(conn, 1..=3));
    keyring([2]).scope(|| fill(conn, 4..=4));
    diesel::update(stored::table.find(1)).set(stored::phone.eq("plaintext")).execute(conn).unwrap();
    diesel::update(stored::table.find(2)).set(stored::photo.eq(b"gAAAA".to_vec())).execute(conn).unwrap();
    let no_number = keyring([1]).encrypt(b"no number");
    diesel::update(stored::table.find(3)).set(stored::phone.eq(no_number)).execute(conn).unwrap();
    keyring([1]).scope(|| {
        let listed = all(conn);
        assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
        for (row, id) in listed.iter().take(3).zip(1..) {
            assert_eq!(row.email.as_result().unwrap(), &*person(id).email);
            assert!(row.email.is_ok() && !row.email.is_err());
        }
        assert_eq!(listed[0].photo.clone().unwrap().ok(), person(1).photo.map(|photo| photo.into_inner()));
        assert!(listed[1].phone.is_none(), "NULL is no error");

        let errors = [
            listed[0].phone.clone().unwrap().into_result().unwrap_err(),
            listed[1].photo.clone().unwrap().into_result().unwrap_err(),
            listed[3].email.clone().into_result().unwrap_err(),
        ];
        assert!(errors.iter().all(Error::is_decrypt));
        let wrong_type = listed[2].phone.clone().unwrap();
        assert!(wrong_type.as_result().is_err_and(Error::is_decode) && wrong_type.is_err());
        assert!(wrong_type.ok().is_none());

        let by_name: Vec<ByName> = diesel::sql_query("select email from people order by id").load(conn).unwrap();
        assert_eq!(by_name.iter().filter(|row| row.email.is_ok()).count(), 3);
        let column: Vec<Decrypted<String>> = people::table.select(people::email).load(conn).unwrap();
        assert_eq!(column.iter().filter(|email| email.is_err()).count(), 1);
    });
}

#[test]
fn debug_output_shows_no_value() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=1);
        diesel::update(stored::table).set(stored::phone.eq("plaintext")).execute(conn).unwrap();
        let listed = all(conn);
        let [Listed { email, phone, photo, .. }] = &listed[..] else { panic!("one row") };
        let shown = format!("{email:?}, {phone:?}");
        let expected = "Decrypted(Ok(..)), Some(Decrypted(Err(this value cannot be read with this keyring: ";
        assert!(shown.starts_with(expected), "{shown}");
        let said = format!("{listed:?} {}", everything_said(phone.as_ref().unwrap().as_result().unwrap_err()));
        let photo = format!("{:?}", photo.as_ref().unwrap().as_result().unwrap());
        assert_hides(&said, [&**person(1).email, "plaintext", &photo[1..photo.len() - 1]]);
    });
}

#[test]
fn without_a_keyring_the_load_fails_as_a_whole() {
    in_own_process(&[], || {
        let db = TestDatabase::new();
        let conn = &mut create(&db);
        keyring([1]).scope(|| fill(conn, 1..=2));
        let error = people::table.select(Listed::as_select()).load(conn).unwrap_err();
        assert!(Error::find(&error).is_some_and(Error::is_keyring), "{error:?}");
    });
}
