//! Tests of diesel-async, with the models of the synchronous tests.

use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncConnection, RunQueryDsl};
use diesel_encrypted::{Adopting, Decrypted, Encrypted, Error, Leaving};

use crate::backend::{AsyncConn, TestDatabase};
use crate::suite::values::people::{self as models, Person, people, person, stored};
use crate::suite::values::plaintexts;
use crate::support::counted::Counted;
use crate::support::keys::keyring;

/// Runs a test on this thread alone, because the scope of a keyring is one thread.
fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    keyring([1]).scope(|| runtime.block_on(test));
}

async fn connect(db: &TestDatabase) -> AsyncConn {
    AsyncConn::establish(&db.url()).await.unwrap()
}

async fn all(conn: &mut AsyncConn) -> Vec<Person> {
    people::table.order(people::id).select(Person::as_select()).load(conn).await.unwrap()
}

#[test]
fn inserts_loads_and_updates() {
    let db = TestDatabase::new();
    drop(models::create(&db));
    run(async {
        let conn = &mut connect(&db).await;
        for id in 1..=3 {
            diesel::insert_into(people::table).values(person(id)).execute(conn).await.unwrap();
        }
        assert_eq!(all(conn).await, [person(1), person(2), person(3)]);
        let held: Vec<(String, Option<String>, Option<Vec<u8>>)> = stored::table
            .order(stored::id)
            .select((stored::email, stored::phone, stored::photo))
            .load(conn)
            .await
            .unwrap();
        assert!(held.iter().all(|(email, _, photo)| email.starts_with("gAAAA") && photo.as_ref().unwrap()[0] == 0x80));
        assert_eq!(held[1].1, None);

        let email = Encrypted::from("new@example.org".to_string());
        let columns = (people::email.eq(&email), people::phone.eq(None::<Encrypted<i64>>));
        diesel::update(people::table.find(1)).set(columns).execute(conn).await.unwrap();
        let second = Person { email: email.clone(), ..person(2) };
        diesel::update(people::table.find(2)).set(&second).execute(conn).await.unwrap();
        assert_eq!(all(conn).await, [Person { email, phone: None, ..person(1) }, second, person(3)]);
        let without = people::table.filter(people::phone.is_null()).count();
        assert_eq!(without.get_result::<i64>(conn).await, Ok(2));
        let email: Option<Encrypted<String>> =
            people::table.find(3).select(people::email.nullable()).first(conn).await.unwrap();
        assert_eq!(email, Some(person(3).email));
    });
}

#[test]
fn unreadable_values_fail_the_load() {
    let db = TestDatabase::new();
    drop(models::create(&db));
    run(async {
        let conn = &mut connect(&db).await;
        diesel::insert_into(people::table).values(person(1)).execute(conn).await.unwrap();
        let wrong_type = people::table.select(people::email).first::<Encrypted<i64>>(conn).await.unwrap_err();
        assert!(Error::find(&wrong_type).is_some_and(Error::is_decode));
        let message = "the column email cannot be read: the value is not a decimal integer (i64)";
        assert_eq!(wrong_type.to_string(), message);

        diesel::update(stored::table).set(stored::phone.eq("plaintext")).execute(conn).await.unwrap();
        let plaintext = people::table.load::<Person>(conn).await.unwrap_err();
        assert!(Error::find(&plaintext).is_some_and(Error::is_decrypt));
        assert_eq!(plaintext.to_string(), "Error deserializing field 'phone'");
    });
}

#[test]
fn plaintext_and_tokens_are_read_side_by_side() {
    let db = TestDatabase::new();
    drop(models::create(&db));
    run(async {
        let conn = &mut connect(&db).await;
        diesel::insert_into(people::table).values(person(1)).execute(conn).await.unwrap();
        diesel::update(stored::table).set(stored::phone.eq("7")).execute(conn).await.unwrap();
        let columns = (stored::email, stored::phone);
        type Either = (Leaving<String>, Option<Adopting<i64>>);
        let (email, phone): Either = stored::table.select(columns).first(conn).await.unwrap();
        assert_eq!((&*email, phone), (&*person(1).email, Some(Adopting::from(7))));
        let set = (stored::email.eq(&email), stored::phone.eq(phone));
        diesel::update(stored::table).set(set).execute(conn).await.unwrap();
        let (email, phone): (String, Option<String>) = stored::table.select(columns).first(conn).await.unwrap();
        assert_eq!((email, phone.is_some_and(|phone| phone.starts_with("gAAAA"))), ((*person(1).email).clone(), true));
        let listed: (Decrypted<String>, Option<Decrypted<i64>>) =
            people::table.select((people::email, people::phone)).first(conn).await.unwrap();
        assert_eq!((listed.0.is_err(), listed.1.and_then(Decrypted::ok)), (true, Some(7)));
    });
}

#[test]
fn a_statement_encrypts_each_value_once() {
    use plaintexts::plaintexts::{bytes, id, table, text};

    let db = TestDatabase::new();
    drop(plaintexts::create(&db));
    run(async {
        let conn = &mut connect(&db).await;
        let value = Encrypted::from(Counted);
        // The first statement is not prepared yet. The second one comes from the cache.
        for row in [2, 3] {
            let columns = (id.eq(row), text.eq(&value), bytes.eq(&value));
            diesel::insert_into(table).values(columns).execute(conn).await.unwrap();
            assert_eq!(Counted::encoded(), 2);
            diesel::update(table.find(row)).set(text.eq(Some(&value))).execute(conn).await.unwrap();
            assert_eq!(Counted::encoded(), 1);
        }
    });
}
