//! Printing and serializing values and keys.

use schema::*;

// an error about a field is shown at the `derive`
// refused: Encrypted<
// refused: SerializeOnlyWithExpose
#[derive(serde::Serialize)] struct Answer { email: Encrypted<String> }
// compiles
#[derive(serde::Serialize)] struct Answer { #[serde(with = "diesel_encrypted::expose")] email: Encrypted<String> }

// refused: Encrypted<
// refused: Serialize
#[derive(serde::Serialize)] struct Maybe { email: Option<Encrypted<String>> }
// compiles
#[derive(serde::Serialize)] struct Maybe { #[serde(with = "diesel_encrypted::expose")] email: Option<Encrypted<String>> }

// refused: Adopting<
// refused: SerializeOnlyWithExpose
#[derive(serde::Serialize)] struct OnItsWay { email: Adopting<String> }
// compiles
#[derive(serde::Serialize)] struct OnItsWay { #[serde(with = "diesel_encrypted::expose")] email: Adopting<String> }

// refused: Leaving<
// refused: SerializeOnlyWithExpose
#[derive(serde::Serialize)] struct OnItsWayOut { email: Leaving<String> }
// compiles
#[derive(serde::Serialize)] struct OnItsWayOut { #[serde(with = "diesel_encrypted::expose")] email: Leaving<String> }

fn serialized(_: &impl serde::Serialize) {}

fn main() {
    let (email, key) = (email(), Key::generate());
    let keyring = Keyring::new([key.clone()]).unwrap();

    // refused: doesn't implement `std::fmt::Display`
    println!("{email}");
    // compiles
    println!("{email:?} {}", *email);

    // refused: is not printed by accident
    // refused: dereference it to show the plaintext on purpose
    let _ = email.to_string();
    // compiles
    let _ = (*email).to_string();

    // refused: doesn't implement `std::fmt::Display`
    println!("{key}");
    // compiles
    println!("{key:?} {}", key.fingerprint());

    // refused: doesn't implement `std::fmt::Display`
    println!("{keyring}");
    // compiles
    println!("{keyring:?} {}", keyring.primary());

    // refused: Serialize
    serialized(&email);
    // compiles
    serialized(&*email);

    // refused: Serialize
    serialized(&key);
    // compiles
    serialized(&key.fingerprint().to_string());

    // refused: Serialize
    serialized(&keyring);
    // compiles
    serialized(&keyring.primary().to_string());
}
