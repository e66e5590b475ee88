//! Comparisons with an encrypted value. Each stands in a function of its own, because the compiler reports only one of
//! several.

use schema::*;

fn main() {
    // refused: an encrypted value cannot be compared in SQL
    // refused: two encryptions of the same value differ
    // refused: keep a keyed hash of it in a second column and compare that
    let _ = people::table.filter(people::email.eq(email()));
    // compiles
    let _ = people::table.filter(people::name.eq("Ada"));
}

fn eq_borrowed() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::email.eq(&email()));
    // compiles
    let _ = people::table.filter(people::name.eq(&"Ada"));
}

fn ne() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::email.ne(email()));
    // compiles
    let _ = people::table.filter(people::name.ne("Ada"));
}

fn lt() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::email.lt(email()));
    // compiles
    let _ = people::table.filter(people::name.lt("Ada"));
}

fn eq_any() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::email.eq_any([email()]));
    // compiles
    let _ = people::table.filter(people::name.eq_any(["Ada"]));
}

fn between() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::email.between(email(), email()));
    // compiles
    let _ = people::table.filter(people::name.between("A", "B"));
}

fn is_not_distinct_from() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::email.is_not_distinct_from(email()));
    // compiles
    let _ = people::table.filter(people::name.is_not_distinct_from("Ada"));
}

fn and() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::id.eq(1).and(people::email.eq(email())));
    // compiles
    let _ = people::table.filter(people::id.eq(1).and(people::name.eq("Ada")));
}

fn or() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::id.eq(1).or(people::email.eq(email())));
    // compiles
    let _ = people::table.filter(people::id.eq(1).or(people::name.eq("Ada")));
}

fn negated() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(diesel::dsl::not(people::email.eq(email())));
    // compiles
    let _ = people::table.filter(diesel::dsl::not(people::name.eq("Ada")));
}

fn nullable() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::phone.eq(Encrypted::from(5)));
    // compiles
    let _ = people::table.filter(people::phone.is_null());
}

fn binary() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::photo.eq(Encrypted::from(vec![0])));
    // compiles
    let _ = people::table.filter(people::photo.is_not_null());
}

fn plain_column_with_tokens() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::secret_name.eq(email()));
    // compiles
    let _ = people::table.filter(people::secret_name.eq("Ada"));
}

fn adopting() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.filter(people::secret_name.eq(Adopting::from("Ada".to_string())));
    // compiles
    let _ = people::table.filter(people::secret_name.eq("Ada"));
}

fn leaving() {
    // refused: an encrypted value cannot be compared in SQL
    // refused: this can never match a token
    let _ = people::table.filter(people::secret_name.ne(&Leaving::from("Ada".to_string())));
    // compiles
    let _ = people::table.filter(people::secret_name.ne("Ada"));
}

fn or_filter() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.or_filter(people::email.eq(email()));
    // compiles
    let _ = people::table.or_filter(people::name.eq("Ada"));
}

fn boxed() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.into_boxed::<Pg>().filter(people::email.eq(email()));
    // compiles
    let _ = people::table.into_boxed::<Pg>().filter(people::name.eq("Ada"));
}

fn select() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.select(people::email.eq(email()));
    // compiles
    let _ = people::table.select(people::name.eq("Ada"));
}

fn order() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = people::table.order(people::email.eq(email()));
    // compiles
    let _ = people::table.order(people::name.eq("Ada"));
}

fn delete() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = diesel::delete(people::table.filter(people::email.eq(email())));
    // compiles
    let _ = diesel::delete(people::table.filter(people::name.eq("Ada")));
}

fn update() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = diesel::update(people::table.filter(people::email.eq(email()))).set(people::name.eq("Ada"));
    // compiles
    let _ = diesel::update(people::table.filter(people::name.eq("Ada"))).set(people::name.eq("Ada"));
}

fn find() {
    // refused: an encrypted value cannot be compared in SQL
    let _ = sessions::table.find(email());
    // compiles
    let _ = people::table.find(1);
}
