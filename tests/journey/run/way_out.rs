//! The way out of encryption.

use super::account::COLUMNS;
use super::program::{decrypt, guards, never_proves, on, revert};
use super::stages::Stage;
use super::world::World;
use crate::support::keys::NEW;
use crate::support::runner::{BAD_VALUES, PROVEN, REFUSED, USAGE};

/// The application reads plaintext and tokens, and the database accepts plaintext again. Before that, the program
/// refuses to write it.
pub fn lift_guard(world: &World) {
    world.deploy(Stage::Adopting);
    on(world, &COLUMNS, &["decrypt"], &[NEW]).exits_with(USAGE);
    let run = decrypt(world, &COLUMNS, &[NEW]).exits_with(REFUSED);
    assert!(run.stderr.contains("has a guard, which refuses plaintext"), "{}", run.stderr);
    // A guard may have two migrations: one that adds it, and one that validates it.
    while guards(world) != [None; 3] {
        revert(world).unwrap();
    }
    world.settle();
}

/// All instances but the last write plaintext. While the last one writes tokens, nothing is proven.
pub fn one_left_behind(world: &World) {
    world.deploy_but_last(Stage::Leaving);
    let phone = || decrypt(world, &COLUMNS[1..2], &[NEW]);
    never_proves(world, phone, "token", |stored| stored.starts_with("gAAAA"));
    world.deploy(Stage::Leaving);
}

/// A value that looks like a token would be taken for one. It stays encrypted until the operator confirms that it is
/// plaintext.
pub fn leave(world: &World) {
    let run = decrypt(world, &COLUMNS, &[NEW]).exits_with(BAD_VALUES);
    let problems = &run.json()["problems"];
    assert_eq!((problems.as_array().unwrap().len(), &problems[0]["kind"]), (1, &"nested".into()), "{problems}");
    decrypt(world, &COLUMNS, &[NEW]).args(["--token-like-plaintext", "account.email"]).exits_with(PROVEN);
    world.deploy(Stage::Plain);
}
