//! Out of encryption again.

use super::account::COLUMNS;
use super::program::{decrypt, guards, in_vain, on, revert};
use super::stages::Stage;
use super::world::World;
use crate::support::keys::NEW;
use crate::support::runner::{BAD_VALUES, PROVEN, REFUSED, USAGE};

/// The application reads either, and the database takes plaintext again; the program does not write it before.
pub fn lift_guard(world: &World) {
    world.deploy(Stage::Adopting);
    on(world, &COLUMNS, &["decrypt"], &[NEW]).exits_with(USAGE);
    let run = decrypt(world, &COLUMNS, &[NEW]).exits_with(REFUSED);
    assert!(run.stderr.contains("has a guard, which lets no plaintext in"), "{}", run.stderr);
    revert(world).unwrap();
    assert_eq!(guards(world), [None; 3]);
    world.settle();
}

/// All but one instance write plaintext: as long as that one writes tokens, nothing is proven.
pub fn one_left_behind(world: &World) {
    world.deploy_but_last(Stage::Leaving);
    let phone = || decrypt(world, &COLUMNS[1..2], &[NEW]);
    in_vain(world, phone, "token", |stored| stored.starts_with("gAAAA"));
    world.deploy(Stage::Leaving);
}

/// What looks like a token would be taken for one, and stays in its token until somebody says what it is.
pub fn leave(world: &World) {
    let run = decrypt(world, &COLUMNS, &[NEW]).exits_with(BAD_VALUES);
    let problems = &run.json()["problems"];
    assert_eq!((problems.as_array().unwrap().len(), &problems[0]["kind"]), (1, &"nested".into()), "{problems}");
    decrypt(world, &COLUMNS, &[NEW]).args(["--token-like-plaintext", "account.email"]).exits_with(PROVEN);
    world.deploy(Stage::Plain);
}
