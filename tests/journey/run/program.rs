//! Runs the program and Diesel's migrations on the table.

use std::path::Path;

use diesel::migration::Result as MigrationResult;
use diesel::prelude::*;
use diesel_encrypted::TableName;
use diesel_encrypted::guard::{self, GuardKind};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use super::account::{COLUMNS, HOT, LOOKALIKE, account};
use super::world::World;
use crate::backend::TestDatabase;
use crate::support::keys::key;
use crate::support::runner::{NOT_PROVEN, PROVEN, Program};
use crate::support::secrets::PLAINTEXT;

/// A process prints this word while a pause file stops it.
pub const IS_PAUSED: &str = "exists";

/// A command with these keys, the primary key first. It must not show any plaintext.
pub fn command(db: &TestDatabase, args: &[&str], keys: &[u8]) -> Program {
    let keys: Vec<String> = keys.iter().map(|number| key(*number).to_text().to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Program::new(args.iter().copied()).keys(&keys).database(&db.url()).secrets([PLAINTEXT])
}

/// A command on these columns.
pub fn on(world: &World, columns: &[&str], args: &[&str], keys: &[u8]) -> Program {
    command(&world.db, args, keys).args(columns.iter().flat_map(|column| ["--column", column]))
}

/// A job on all columns. The lease is short, so that the job soon takes over from a killed process.
pub fn job(world: &World, name: &str, keys: &[u8]) -> Program {
    on(world, &COLUMNS, &[name, "--json", "--lease", "1"], keys)
}

/// `encrypt`, which accepts the tokens that the application has written since its instances read tokens.
pub fn encrypt(world: &World, columns: &[&str], args: &[&str], keys: &[u8]) -> Program {
    let since = world.reads_tokens.get().expect("every instance reads tokens");
    on(world, columns, &[&["encrypt", "--accept-tokens-since", since], args].concat(), keys)
}

/// `decrypt` with its confirmations.
pub fn decrypt(world: &World, columns: &[&str], keys: &[u8]) -> Program {
    let confirmed = columns.iter().flat_map(|column| ["--write-plaintext", column]);
    on(world, columns, &["decrypt", "--json", "--lease", "1"], keys).args(confirmed)
}

/// Runs a job while one instance undoes its work in the hot row as fast as it can. The job must not end with a proof.
/// If a proof succeeds by luck, it must be true for its moment. On a busy machine luck can last for a while.
pub fn never_proves(world: &World, job: impl Fn() -> Program, doubt: &str, is_left: impl Fn(&str) -> bool) {
    const MOST: usize = 200;
    world.while_hot(|| {
        for _ in 0..MOST {
            let run = job().run();
            if world.is_over() {
                return;
            }
            match run.code {
                NOT_PROVEN => {
                    let reason = run.json()["doubt"].as_str().unwrap_or_default().to_owned();
                    assert!(reason.contains(doubt), "{reason}");
                    return;
                }
                PROVEN => world.in_quiet(|| {
                    let hot: Option<String> =
                        account::table.find(HOT).select(account::phone).first(&mut world.db.conn()).unwrap();
                    let moment = (run.proof_moment().unix_timestamp_nanos() / 1_000_000) as i64;
                    let commit = world.hot_commit();
                    if is_left(&hot.unwrap()) && commit < moment {
                        world.fail(format!("proven for {moment}, but undone at {commit}: {}", run.stdout));
                    }
                }),
                code => panic!("exit code {code}: {run:#?}"),
            }
        }
        panic!("proven {MOST} times, although an instance undid the work all the time");
    });
}

/// A pause file. Dropping or removing it lets the processes continue.
pub struct PauseFile(tempfile::NamedTempFile);

impl PauseFile {
    pub fn new() -> Self {
        Self(tempfile::NamedTempFile::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn remove(self) {
        self.0.close().unwrap();
    }
}

/// Limits the rate, so that there is time to kill the process even if there are few rows.
pub fn slowly(world: &World, program: Program) -> Program {
    program.args(["--max-rows-per-second".to_owned(), (world.rows / 2).max(500).to_string()])
}

/// Returns the number of e-mail addresses that are tokens.
pub fn tokens(world: &World) -> i64 {
    let tokens = account::table.filter(account::email.like("gAAAA%").and(account::id.ne(LOOKALIKE)));
    tokens.count().get_result(&mut world.db.conn()).unwrap()
}

/// Runs the migrations that the program wrote, as the application would.
pub fn migrate(world: &World) -> MigrationResult<()> {
    let migrations = FileBasedMigrations::from_path(world.migrations.path())?;
    world.db.conn().run_pending_migrations(migrations).map(drop)
}

/// Reverts the last migration.
pub fn revert(world: &World) -> MigrationResult<()> {
    let migrations = FileBasedMigrations::from_path(world.migrations.path())?;
    world.db.conn().revert_last_migration(migrations).map(drop)
}

/// The guards of the columns.
pub fn guards(world: &World) -> Vec<Option<GuardKind>> {
    let conn = &mut world.db.conn();
    let columns = COLUMNS.iter().map(|column| column.rsplit('.').next().unwrap_or_default());
    columns.map(|column| guard::of(conn, &TableName::new("account"), column).unwrap()).collect()
}
