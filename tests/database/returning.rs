//! `RETURNING` and `excluded`, which MySQL does not have.

use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_encrypted::Encrypted;

use crate::backend::TestDatabase;
use crate::suite::values::people::{Person, all, create, fill, people, person};
use crate::support::keys::keyring;

#[test]
fn statements_return_what_they_wrote() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        let inserted: Person = diesel::insert_into(people::table)
            .values(person(1))
            .returning(Person::as_returning())
            .get_result(conn)
            .unwrap();
        assert_eq!(inserted, person(1));
        let inserted: (i32, Encrypted<String>, Option<Encrypted<i64>>) = diesel::insert_into(people::table)
            .values(&person(2))
            .returning((people::id, people::email, people::phone))
            .get_result(conn)
            .unwrap();
        assert_eq!(inserted, (2, person(2).email, None));

        let email = Encrypted::from("new@example.org".to_string());
        let updated: Encrypted<String> = diesel::update(people::table.find(1))
            .set(people::email.eq(&email))
            .returning(people::email)
            .get_result(conn)
            .unwrap();
        assert_eq!(updated, email);
        let deleted: Person = diesel::delete(people::table.find(2)).get_result(conn).unwrap();
        assert_eq!(deleted, person(2));
        assert_eq!(all(conn), [Person { email, ..person(1) }]);
    });
}

#[test]
fn upserts_overwrite_with_what_was_excluded() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=2);
        let changed = Person { email: "changed@example.org".to_string().into(), ..person(2) };
        for person in [&changed, &person(3)] {
            diesel::insert_into(people::table)
                .values(person)
                .on_conflict(people::id)
                .do_update()
                .set((people::email.eq(excluded(people::email)), people::phone.eq(excluded(people::phone))))
                .execute(conn)
                .unwrap();
        }
        assert_eq!(all(conn), [person(1), changed, person(3)]);
    });
}
