//! Operations that encrypted columns refuse, and encrypted values that other columns refuse.

use diesel::dsl::{max, min};
use schema::*;

fn main() {
    // refused: Encrypted<{integer}>: AsExpression<
    let _ = diesel::update(people::table).set(people::id.eq(Encrypted::from(1)));
    // compiles
    let _ = diesel::update(people::table).set(people::id.eq(1));

    // refused: the method `like` exists for struct `email`, but its trait bounds were not satisfied
    let _ = people::table.filter(people::email.like("ada%"));
    // compiles
    let _ = people::table.filter(people::name.like("ada%"));

    // refused: the method `concat` exists for struct `email`, but its trait bounds were not satisfied
    let _ = people::table.select(people::email.concat("x"));
    // compiles
    let _ = people::table.select(people::name.concat("x"));

    // refused: EncryptedText
    let _ = people::table.select(max(people::email));
    // compiles
    let _ = people::table.select(max(people::name));

    // refused: EncryptedText
    let _ = people::table.select(min(people::phone));
    // compiles
    let _ = people::table.select(min(people::name));

    // refused: Integer` cannot hold an `Encrypted<_>` value
    // refused: declare the column as `EncryptedText` or `EncryptedBinary`
    let _ = Target::column(people::id);
    // compiles
    let _ = Target::column(people::secret_name);
}
