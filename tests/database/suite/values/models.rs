//! `Encrypted<T>` in models: every derive macro of Diesel, and every statement that takes a model.

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_encrypted::Encrypted;

use super::people::{Person, all, create, fill, people, person, stored};
use crate::backend::{TestDatabase, conflict_on};
use crate::support::keys::keyring;

/// Borrows what it inserts.
#[derive(Insertable)]
#[diesel(table_name = people)]
struct NewPerson<'a> {
    id: i32,
    name: &'a str,
    email: &'a Encrypted<String>,
    phone: Option<&'a Encrypted<i64>>,
    photo: Option<Encrypted<Vec<u8>>>,
}

/// Changes the fields that are `Some`. An inner `None` is `NULL`.
#[derive(Default, AsChangeset)]
#[diesel(table_name = people)]
struct Patch<'a> {
    name: Option<&'a str>,
    email: Option<&'a Encrypted<String>>,
    phone: Option<Option<Encrypted<i64>>>,
}

/// Changes every field. `None` is `NULL`.
#[derive(AsChangeset)]
#[diesel(table_name = people, treat_none_as_null = true)]
struct Contact {
    email: Encrypted<String>,
    phone: Option<Encrypted<i64>>,
}

/// Plain fields in the model, encrypted in the database.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = people)]
struct PlainPerson {
    id: i32,
    name: String,
    #[diesel(serialize_as = Encrypted<String>, deserialize_as = Encrypted<String>)]
    email: String,
}

#[derive(Debug, PartialEq, QueryableByName)]
struct NamedColumns {
    #[diesel(sql_type = Text)]
    email: Encrypted<String>,
    #[diesel(sql_type = diesel::sql_types::Nullable<Text>)]
    phone: Option<Encrypted<i64>>,
}

fn email(text: &str) -> Encrypted<String> {
    Encrypted::from(text.to_string())
}

#[test]
fn inserts_owned_and_borrowed_models_and_tuples() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        diesel::insert_into(people::table).values(person(1)).execute(conn).unwrap();
        diesel::insert_into(people::table).values(&person(2)).execute(conn).unwrap();

        let Person { id, name, email, phone, photo } = person(3);
        let borrowed = NewPerson { id, name: &name, email: &email, phone: phone.as_ref(), photo };
        diesel::insert_into(people::table).values(&borrowed).execute(conn).unwrap();
        let Person { id, name, email, phone, photo } = person(4);
        let borrowed = NewPerson { id, name: &name, email: &email, phone: phone.as_ref(), photo };
        diesel::insert_into(people::table).values(borrowed).execute(conn).unwrap();

        let Person { id, name, email, phone, photo } = person(5);
        let values = (
            people::id.eq(id),
            people::name.eq(&name),
            people::email.eq(&email),
            people::phone.eq(phone.as_ref()),
            people::photo.eq(photo),
        );
        diesel::insert_into(people::table).values(values).execute(conn).unwrap();
        let Person { id, name, email, photo, .. } = person(6);
        // A nullable column accepts a value that is not an `Option`. An omitted column is `NULL`.
        let values =
            (people::id.eq(id), people::name.eq(name), people::email.eq(email), people::photo.eq(photo.unwrap()));
        diesel::insert_into(people::table).values(values).execute(conn).unwrap();

        assert_eq!(all(conn), Vec::from_iter((1..=6).map(person)));
    });
}

#[test]
fn inserts_batches() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        let people = Vec::from_iter((1..=7).map(person));
        diesel::insert_into(people::table).values(&people[..2]).execute(conn).unwrap();
        diesel::insert_into(people::table).values(people[2..4].to_vec()).execute(conn).unwrap();
        diesel::insert_into(people::table).values(&people[4..5].to_vec()).execute(conn).unwrap();
        let tuples = people[5..].iter().map(|person| {
            (
                people::id.eq(person.id),
                people::name.eq(&person.name),
                people::email.eq(&person.email),
                people::phone.eq(person.phone.as_ref()),
                people::photo.eq(person.photo.clone()),
            )
        });
        diesel::insert_into(people::table).values(Vec::from_iter(tuples)).execute(conn).unwrap();
        assert_eq!(all(conn), people);
    });
}

#[test]
fn loads_models_tuples_and_single_columns() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=2);
        let by_position: Vec<Person> = people::table.order(people::id).load(conn).unwrap();
        assert_eq!(by_position, [person(1), person(2)]);
        let tuple: (i32, Encrypted<String>, Option<Encrypted<i64>>) =
            people::table.find(2).select((people::id, people::email, people::phone)).first(conn).unwrap();
        assert_eq!(tuple, (2, person(2).email, None));
        let emails: Vec<Encrypted<String>> = people::table.order(people::id).select(people::email).load(conn).unwrap();
        assert_eq!(emails, [person(1).email, person(2).email]);
        let maybe: Option<Encrypted<String>> =
            people::table.find(1).select(people::email.nullable()).first(conn).unwrap();
        assert_eq!(maybe, Some(person(1).email));
    });
}

#[test]
fn null_reads_as_none() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=5);
        let with = people::table.filter(people::phone.is_not_null()).select(people::id).order(people::id);
        let without = people::table.filter(people::phone.is_null()).select(people::id).order(people::id);
        assert_eq!(with.load::<i32>(conn).unwrap(), [1, 3, 5]);
        assert_eq!(without.load::<i32>(conn).unwrap(), [2, 4]);
        // The database agrees: `None` is stored as `NULL`, not as a token.
        let null = stored::table.filter(stored::phone.is_null()).select(stored::id).order(stored::id);
        assert_eq!(null.load::<i32>(conn).unwrap(), [2, 4]);

        let none = None::<Encrypted<i64>>;
        diesel::update(people::table.find(1)).set(people::phone.eq(none)).execute(conn).unwrap();
        assert_eq!(without.load::<i32>(conn).unwrap(), [1, 2, 4]);
        let phones: Vec<Option<Encrypted<i64>>> =
            people::table.order(people::id).select(people::phone).load(conn).unwrap();
        let expected = [None, None, person(3).phone, None, person(5).phone];
        assert_eq!(phones, expected);
    });
}

#[test]
fn updates_columns_and_applies_changesets() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=3);
        let (mut first, third) = (person(1), person(3));

        first.email = email("owned@example.org");
        diesel::update(people::table.find(1)).set(people::email.eq(first.email.clone())).execute(conn).unwrap();
        assert_eq!(all(conn)[0], first);
        first.email = email("borrowed@example.org");
        diesel::update(people::table)
            .filter(people::id.eq(1))
            .set((people::email.eq(&first.email), people::phone.eq(Some(Encrypted::from(7i64)))))
            .execute(conn)
            .unwrap();
        first.phone = Some(Encrypted::from(7));
        assert_eq!(all(conn)[0], first);

        let patch = Patch { name: Some("Ada"), ..Patch::default() };
        diesel::update(people::table.find(1)).set(&patch).execute(conn).unwrap();
        first.name = "Ada".into();
        assert_eq!(all(conn)[0], first);
        first.email = email("patched@example.org");
        let patch = Patch { email: Some(&first.email), phone: Some(None), ..Patch::default() };
        diesel::update(people::table.find(1)).set(patch).execute(conn).unwrap();
        first.phone = None;
        assert_eq!(all(conn)[0], first);
        let patch = Patch { phone: Some(Some(Encrypted::from(8))), ..Patch::default() };
        diesel::update(people::table.find(1)).set(patch).execute(conn).unwrap();
        first.phone = Some(Encrypted::from(8));
        assert_eq!(all(conn)[0], first);

        let contact = Contact { email: email("contact@example.org"), phone: None };
        diesel::update(people::table.find(1)).set(&contact).execute(conn).unwrap();
        (first.email, first.phone) = (contact.email, contact.phone);
        assert_eq!(all(conn), [first, person(2), third]);
    });
}

#[test]
fn identifies_rows_and_saves_changes() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=3);
        let mut second = person(2);
        second.email = email("second@example.org");
        diesel::update(&second).set(&second).execute(conn).unwrap();
        assert_eq!(all(conn), [person(1), second.clone(), person(3)]);

        second.phone = Some(Encrypted::from(9));
        let saved: Person = second.save_changes(conn).unwrap();
        assert_eq!(saved, second);
        diesel::delete(&person(1)).execute(conn).unwrap();
        assert_eq!(all(conn), [second, person(3)]);
    });
}

#[test]
fn sql_queries_load_by_name() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=2);
        let loaded: Vec<NamedColumns> =
            diesel::sql_query("select phone, email from people order by id").load(conn).unwrap();
        let expected = [1, 2].map(person).map(|Person { email, phone, .. }| NamedColumns { email, phone });
        assert_eq!(loaded, expected);
    });
}

#[test]
fn plain_fields_are_encrypted_on_their_way() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        let mut ada = PlainPerson { id: 1, name: "Ada".into(), email: "ada@example.org".into() };
        diesel::insert_into(people::table).values(ada.clone()).execute(conn).unwrap();
        let load = |conn: &mut _| people::table.select(PlainPerson::as_select()).first(conn).unwrap();
        assert_eq!(load(conn), ada);
        ada.email = "countess@example.org".into();
        diesel::update(people::table.find(1)).set(ada.clone()).execute(conn).unwrap();
        assert_eq!(load(conn), ada);
        let stored: String = stored::table.select(stored::email).first(conn).unwrap();
        assert_eq!(keyring([1]).decrypt(stored.as_bytes()).unwrap(), ada.email.as_bytes());
    });
}

#[test]
fn upserts_overwrite_what_is_there() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=2);
        let changed = Person { email: email("changed@example.org"), phone: Some(Encrypted::from(1)), ..person(2) };
        for person in [&changed, &person(3)] {
            diesel::insert_into(people::table)
                .values(person)
                .on_conflict(conflict_on!(people::id))
                .do_update()
                .set(person)
                .execute(conn)
                .unwrap();
        }
        assert_eq!(all(conn), [person(1), changed.clone(), person(3)]);

        diesel::insert_into(people::table)
            .values(person(3))
            .on_conflict(conflict_on!(people::id))
            .do_update()
            .set((people::email.eq(&changed.email), people::phone.eq(None::<Encrypted<i64>>)))
            .execute(conn)
            .unwrap();
        assert_eq!(all(conn)[2], Person { email: changed.email, phone: None, ..person(3) });
    });
}
