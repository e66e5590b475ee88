//! Traits that no type implements. Each carries the compiler's message about a mistake.

/// No type implements this trait. It carries the compiler's message about a field that is printed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not printed by accident",
    label = "this would show the plaintext",
    note = "dereference it to show the plaintext on purpose: `(*value).to_string()`"
)]
pub trait PrintedByAccident {}

/// No type implements this trait. Its name in the compiler's message is the advice for a field that is serialized: put
/// `#[serde(with = "diesel_encrypted::expose")]` on the field. Serde's own message hides any other.
#[cfg(feature = "serde")]
pub trait SerializeOnlyWithExpose {}

/// No type implements this trait. It carries the compiler's message about an encrypted value that is compared in SQL.
#[diagnostic::on_unimplemented(
    message = "an encrypted value cannot be compared in SQL",
    label = "this can never match a token: two encryptions of the same value differ",
    note = "you can store (`insert_into(..).values(..)`, `update(..).set(..)`) and load an `Encrypted<_>`, `Adopting<_>` or `Leaving<_>`",
    note = "to find rows by an encrypted value, keep a keyed hash of it in a second column and compare that"
)]
pub trait ComparableInSql {}

/// No backend implements this trait. It carries the compiler's message about plaintext for an encrypted column.
#[diagnostic::on_unimplemented(
    message = "an encrypted column does not take plaintext",
    label = "this would store plaintext",
    note = "encrypt the value: `Encrypted::new(value)`, and in the model a field of the type `Encrypted<_>`"
)]
pub trait TakesPlaintext {}
