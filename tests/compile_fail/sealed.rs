//! SQL types of another crate. A re-encrypt task would not find their tokens.

use diesel_encrypted::bounds::Form;

#[derive(diesel::sql_types::SqlType)]
#[diesel(postgres_type(oid = 25, array_oid = 1009))]
struct Mine;

/// The same trait, but not sealed.
trait TokenColumn {
    const FORM: Form;
}

// refused: Sealed
impl diesel_encrypted::bounds::TokenColumn for Mine {
// compiles
impl TokenColumn for Mine {
    const FORM: Form = Form::Text;
}

fn main() {}
