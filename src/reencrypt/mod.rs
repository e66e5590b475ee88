//! The re-encrypt task: rewrites every token under the primary key while the application keeps running.
//!
//! With another [`Job`] the same task replaces plaintext by tokens, or tokens by plaintext.
//!
//! # What it does
//!
//! The task reads the [targets](crate::Target) in batches, in the order of the row key. In each batch, it decrypts the
//! tokens that are under a secondary key and encrypts them under the primary key, with their old dates. It writes the
//! batch with one statement that is a *compare and swap*: a value changes only if it still equals, byte for byte, the
//! token that the task read. So the task never overwrites a change of the application. It reads such rows again. It
//! skips locked rows and leaves them to a later pass. After the last pass, it waits until the open transactions have
//! ended. Then it reads every value once more, from one snapshot. That is the proof.
//!
//! * The task does not write values that are under the primary key, `NULL`s, or other columns: `ON UPDATE` columns of
//!   MySQL keep their value. It refuses a table if its writes would set off triggers: a trigger that maintains
//!   `updated_at` would change it in every row. [`Task::accept_triggers`] lets the triggers fire.
//! * It leaves plaintext and unreadable values unchanged, counts them, and lists them by table, column and row key.
//!   ([`Job::Encrypt`] encrypts plaintext.) The task never treats a value that looks like a token as plaintext,
//!   even if no key opens it, unless [you declare its column](Task::token_like_plaintext). It never encrypts a value that
//!   holds a token inside, such as a token in quotes. You can declare [where plaintext is right](Task::plaintext_where).
//! * It can [limit the load](Task#limiting-the-load) on the database: by a rate, by pauses, by the lag of replicas, or
//!   by a file that pauses it.
//! * The data is the state. If a task was stopped or killed, run it again: it continues the remaining work.
//!
//! # Running it
//!
#![cfg_attr(all(feature = "cli-sqlite", feature = "reencrypt"), doc = "```")]
#![cfg_attr(not(all(feature = "cli-sqlite", feature = "reencrypt")), doc = "```ignore")]
//! use diesel::prelude::*;
//! use diesel::r2d2::{ConnectionManager, Pool};
//! use diesel_encrypted::reencrypt::Task;
//! use diesel_encrypted::{Encrypted, Key, Keyring, Target};
//!
//! diesel::table! {
//!     use diesel::sql_types::*;
//!     use diesel_encrypted::sql_types::*;
//!
//!     users (id) {
//!         id -> Integer,
//!         email -> EncryptedText,
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let url = folder.path().join("db.sqlite").display().to_string();
//! let pool = Pool::builder().max_size(2).build(ConnectionManager::<SqliteConnection>::new(url))?;
//! let old = Key::generate();
//! Keyring::new([old.clone()])?.install()?;
//! # diesel::sql_query("create table users (id integer primary key, email text not null)").execute(&mut pool.get()?)?;
//! diesel::insert_into(users::table)
//!     .values(users::email.eq(Encrypted::from("ada@example.org".to_string())))
//!     .execute(&mut pool.get()?)?;
//!
//! // The new key comes first in the keyring: from now on it encrypts, and the old one still decrypts.
//! let new = Key::generate();
//! Keyring::new([new.clone(), old])?.replace();
//!
//! let report = Task::new(Keyring::current()?).target(Target::of(users::table)?).run(&pool)?;
//! assert!(report.old_keys_may_go());
//!
//! // No value needs the old key any more.
//! Keyring::new([new])?.replace();
//! let email: Encrypted<String> = users::table.select(users::email).first(&mut pool.get()?)?;
//! assert_eq!(*email, "ada@example.org");
//! # Ok(())
//! # }
//! ```

// Without a backend there is no dialect, and the code that dialects call is unused.
#![cfg_attr(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")), allow(dead_code))]

pub(crate) mod conduct;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod task;
pub(crate) mod throttle;
pub(crate) mod walk;

pub use crate::database::dialect::Dialect;
pub use crate::database::estimate::{Estimate, TableEstimate};
pub use crate::database::server::url::{hide_passwords, is_unambiguous};
pub use crate::database::stop::StopHandle;
pub use report::column::ColumnReport;
pub use report::doubt::Doubt;
pub use report::error::TaskError;
pub use report::job::Job;
pub use report::outcome::{Outcome, Proof, Report};
pub use report::problem::{Problem, ProblemKind};
pub use report::progress::{Progress, TableProgress};
pub use report::refusal::Refusal;
pub use report::remedy::Remedy;
pub use report::retire::Retirement;
pub use report::status::{ColumnStatus, KeyStatus, Status};
pub use run::state::{StateTables, state_tables};
pub use task::control::{Control, RecordedProblems, SharedRun};
pub use task::migration::ReencryptMigration;
pub use task::settings::Task;
pub use task::tls::check_tls;
