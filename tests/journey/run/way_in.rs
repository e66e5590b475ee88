//! The way into encryption, with every possible mistake.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel_encrypted::Keyring;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::account::{COLUMNS, LOOKALIKE, account, create};
use super::checker;
use super::program::{
    IS_PAUSED, PauseFile, command, decrypt, encrypt as encrypt_columns, guards, job, migrate, never_proves, on, slowly,
    tokens,
};
use super::stages::Stage;
use super::world::{LAST, World};
use crate::backend::{SHARES, TestDatabase, WIDEN};
use crate::support::keys::{FOREIGN, NEW, OLD, key};
use crate::support::runner::{BAD_VALUES, NOT_PROVEN, PROVEN, Program, REFUSED, Run};
use crate::support::secrets::PLAINTEXT;

/// The length for numbers of up to 20 bytes: `token_len(20) + 1`.
const WIDTH: &str = "121";

/// The application reads plaintext and tokens, and still writes plaintext.
pub fn prepare(world: &World) {
    world.settle();
    world.deploy(Stage::Leaving);
    if !SHARES {
        command(&world.db, &["migration", "state", "--dir"], &[OLD]).arg(world.migrations.path()).exits_with(PROVEN);
        migrate(world).unwrap();
    }
}

/// A user has stored a token of another column while the instances wrote plaintext. Nothing is encrypted until it is
/// gone. From then on, no instance stores such a value.
pub fn planted(world: &World) {
    world.in_quiet(|| {
        let conn = &mut world.db.conn();
        let row = account::table.find(LOOKALIKE);
        let former: String = row.select(account::email).first(conn).unwrap();
        let token = Keyring::new([key(OLD)]).unwrap().encrypt(former.as_bytes());
        let mut store = |value: &str| {
            let set = (account::email.eq(value), account::updated_at.eq(account::updated_at));
            diesel::update(row).set(set).execute(conn).unwrap();
        };
        store(&token);
        for args in [&["encrypt"][..], &["encrypt", "--dry-run"]] {
            let run = on(world, &COLUMNS, args, &[OLD]).exits_with(REFUSED);
            assert!(run.stderr.contains("account.email already holds tokens"), "{}", run.stderr);
        }
        store(&former);
    });
    let rehearsal = ["encrypt", "--dry-run", "--token-like-plaintext", "account.email"];
    on(world, &COLUMNS, &rehearsal, &[OLD]).exits_with(NOT_PROVEN);
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    world.reads_tokens.set(now).unwrap();
}

/// A column for numbers is too short for tokens. It is made longer while the application writes.
pub fn make_room(world: &World) {
    let Some(widen) = WIDEN else { return };
    let run = job(world, "encrypt", &[OLD]).exits_with(REFUSED);
    let needed = format!("Make it at least {WIDTH} long");
    assert!(run.stderr.contains("account.phone is too short") && run.stderr.contains(&needed), "{}", run.stderr);
    assert_eq!(tokens(world), 0, "nothing was written");
    world.db.conn().batch_execute(&widen.replace("{}", WIDTH)).unwrap();
    world.settle();
}

/// A guard before the proof: the program writes no migration, and the database refuses the guard.
pub fn too_early(world: &World) {
    let run = guard_migration(world, &world.db).exits_with(REFUSED);
    assert!(run.stderr.contains("values that are not tokens"), "{}", run.stderr);
    // On an empty table, nothing prevents the guard.
    let twin = TestDatabase::new();
    create(&mut twin.conn()).unwrap();
    WIDEN.iter().for_each(|widen| twin.conn().batch_execute(&widen.replace("{}", WIDTH)).unwrap());
    let written = guard_migration(world, &twin).exits_with(PROVEN).stdout;
    let error = migrate(world).expect_err("the database accepts a guard that its values violate");
    assert!(!error.to_string().contains(PLAINTEXT), "{error}");
    assert_eq!(guards(world), [None; 3]);
    world.in_quiet(|| checker::as_many_as_in_the_ledger(world, &mut world.db.conn()));
    world.settle();
    written.lines().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
}

fn guard_migration(world: &World, db: &TestDatabase) -> Program {
    let args = [&["migration", "guard"], &COLUMNS[..]].concat();
    command(db, &args, &[OLD]).arg("--dir").arg(world.migrations.path())
}

/// All instances but the last write tokens. While the last one writes plaintext, nothing is proven.
pub fn one_left_behind(world: &World) {
    world.deploy_but_last(Stage::Adopting);
    assert_eq!(world.instances[LAST].stage(), Stage::Leaving);
    let phone = || encrypt_columns(world, &COLUMNS[1..2], &["--json"], &[OLD]);
    never_proves(world, phone, "still plaintext", |stored| !stored.starts_with("gAAAA"));
    // Now there are tokens that reveal a wrong keyring.
    let run = encrypt_columns(world, &COLUMNS, &["--json"], &[FOREIGN]).exits_with(REFUSED);
    assert!(run.stderr.contains("this keyring does not belong to this data"), "{}", run.stderr);
    world.deploy(Stage::Adopting);
}

/// Several processes encrypt. One of them is killed, and another job is refused meanwhile. A value that looks like a
/// token stays unchanged until the operator confirms that it is plaintext.
pub fn encrypt(world: &World) {
    let job = |args: &[&str]| encrypt_columns(world, &COLUMNS, &[&["--lease", "1"], args].concat(), &[OLD]);
    job(&["--dry-run"]).exits_with(NOT_PROVEN);
    let pause = PauseFile::new();
    let first = job(&[]).arg("--pause-file").arg(pause.path());
    let mut first = slowly(world, first).start();
    first.until_it_says(IS_PAUSED);
    let run = decrypt(world, &COLUMNS, &[OLD]).exits_with(REFUSED);
    assert!(run.stderr.contains("is encrypting this database"), "{}", run.stderr);
    let second = slowly(world, job(&["--json"])).start();
    pause.remove();
    first.until(|| tokens(world) > world.rows / 3);
    first.signal("KILL");
    assert_eq!(first.wait().code, -1);
    let third = slowly(world, job(&["--json"])).start();
    for process in [second, third] {
        let run = process.wait();
        assert_eq!((run.code, problems(&run)), (BAD_VALUES, vec![lookalike(world)]), "{run:#?}");
    }
    let decided = || job(&["--json", "--token-like-plaintext", "account.email"]);
    for process in [decided().start(), decided().start()] {
        let run = process.wait();
        assert_eq!((run.code, problems(&run)), (PROVEN, Vec::new()), "{run:#?}");
    }
    on(world, &COLUMNS, &["status"], &[OLD]).exits_with(PROVEN);
}

fn problems(run: &Run) -> Vec<serde_json::Value> {
    run.json()["problems"].as_array().unwrap().clone()
}

fn lookalike(world: &World) -> serde_json::Value {
    let (table, row) = (format!("{}account", world.db.schema()), format!("id={LOOKALIKE}"));
    json!({ "table": table, "column": "email", "row": row, "kind": "unreadable" })
}

/// The database accepts tokens only, and the models expect nothing else.
pub fn guard(world: &World) {
    guard_migration(world, &world.db).exits_with(PROVEN);
    migrate(world).unwrap();
    assert!(guards(world).iter().all(Option::is_some), "{:?}", guards(world));
    world.deploy(Stage::Encrypted);
    let past_the_application = (
        account::id.eq(LOOKALIKE - 1),
        account::note.eq("a console"),
        account::counter.eq(0),
        account::updated_at.eq("2001-02-03 04:05:06"),
        account::email.eq(format!("{PLAINTEXT}a slip")),
    );
    let refused = diesel::insert_into(account::table).values(past_the_application).execute(&mut world.db.conn());
    let Err(Error::DatabaseError(_, refusal)) = refused else { panic!("plaintext was stored: {refused:?}") };
    let refusal = format!("{} {:?} {:?}", refusal.message(), refusal.details(), refusal.hint());
    assert!(refusal.contains("is_encrypted") && !refusal.contains(PLAINTEXT), "{refusal}");
}

/// Introduces a new key. Every instance reads with it before the first one writes with it.
pub fn rotate(world: &World) {
    let deploy = |numbers: &[u8]| {
        Keyring::new(numbers.iter().map(|number| key(*number))).unwrap().replace();
        world.settle();
    };
    deploy(&[OLD, NEW]);
    deploy(&[NEW, OLD]);
    job(world, "reencrypt", &[NEW, OLD]).exits_with(PROVEN);
    let old = key(OLD).fingerprint().to_string();
    on(world, &COLUMNS, &["retire", &old], &[NEW, OLD]).exits_with(PROVEN);
    deploy(&[NEW]);
}
