//! Comparisons with an encrypted value that the compiler accepts.
//!
//! It refuses nearly all of them; see `tests/compile_fail`. For the ones here, Diesel requires no more than for an
//! assignment. A comparison with a fresh token is true for no row, and its negation is true for every row.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_encrypted::Encrypted;

use super::people::{all, create, fill, people, person};
use crate::backend::TestDatabase;
use crate::support::keys::keyring;

#[test]
fn an_option_in_a_filter_matches_no_row() {
    // Diesel binds an `Option<_>` itself, and accepts it in comparisons.
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=3);
        let phone = person(1).phone;
        assert!(phone.is_some());
        let rows = |conn: &mut _| people::table.filter(people::phone.eq(&phone)).count().get_result::<i64>(conn);
        assert_eq!(rows(conn), Ok(0));
        let owned = people::table.filter(people::phone.eq(phone)).count();
        assert_eq!(owned.get_result::<i64>(conn), Ok(0));
        let any = people::table.filter(people::phone.eq_any([phone])).count();
        assert_eq!(any.get_result::<i64>(conn), Ok(0));
        // The result has both rows with a phone, including the row with this phone.
        let others = people::table.filter(people::phone.ne(phone)).select(people::id).order(people::id);
        assert_eq!(others.load::<i32>(conn), Ok(vec![1, 3]));
    });
}

#[test]
fn filters_of_update_and_delete_match_no_row() {
    // `update(table).filter(..)` and `delete(table).filter(..)` only require that the value may appear in the
    // statement, as `set` does. `update(table.filter(..))` and `delete(table.filter(..))` are refused.
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=3);
        let email = person(1).email;
        let update = diesel::update(people::table).filter(people::email.eq(&email)).set(people::name.eq("changed"));
        assert_eq!(update.execute(conn), Ok(0));
        assert_eq!(diesel::delete(people::table).filter(people::email.eq(&email)).execute(conn), Ok(0));
        assert_eq!(all(conn), [person(1), person(2), person(3)]);

        // The negation is true for every row.
        let update = diesel::update(people::table).filter(people::email.ne(&email)).set(people::name.eq("changed"));
        assert_eq!(update.execute(conn), Ok(3));
    });
}

#[test]
fn having_and_on_match_no_row() {
    // Diesel does not check these two for aggregates.
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=3);
        let email = person(1).email;
        let groups = people::table.group_by(people::email).select(count_star());
        assert_eq!(groups.load::<i64>(conn), Ok(vec![1, 1, 1]));
        assert_eq!(groups.having(people::email.eq(&email)).load::<i64>(conn), Ok(vec![]));
        let others = diesel::alias!(people as others);
        let pairs = people::table.inner_join(others.on(people::email.eq(&email))).select(people::id);
        assert_eq!(pairs.load::<i32>(conn), Ok(vec![]));
    });
}

#[test]
fn equal_values_are_distinct_to_the_database() {
    // Only columns can appear in these.
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    keyring([1]).scope(|| {
        fill(conn, 1..=3);
        let same = Encrypted::from("same@example.org".to_string());
        for id in 1..=3 {
            diesel::update(people::table.find(id)).set(people::email.eq(&same)).execute(conn).unwrap();
        }
        let distinct = people::table.select(people::email).distinct();
        assert_eq!(distinct.load::<Encrypted<String>>(conn), Ok(vec![same.clone(), same.clone(), same]));
        let groups = people::table.group_by(people::email).select(count_star());
        assert_eq!(groups.load::<i64>(conn), Ok(vec![1, 1, 1]));
    });
}
