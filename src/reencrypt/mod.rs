//! The re-encrypt task: rewrites every token under the primary key, while the application keeps running.
//!
//! With another [`Job`] the same task turns plaintext into tokens, or tokens back into plaintext.
//!
//! # What it does
//!
//! The task walks the [targets](crate::Target) in pages, in the order of the row key. Of each page it opens every
//! token, seals the plaintext of those under a secondary key again under the primary key, dated as before, and
//! writes the page back with one statement that is a *compare and swap*: a value changes only if it still is, byte
//! for byte, the token that was read. What the application writes meanwhile is never overwritten; the page is read
//! again instead. Rows that somebody has locked are left for a further pass. When no pass leaves any, the task waits for
//! the transactions that are open, and reads everything once more, as it was at one moment: that reading is the proof.
//!
//! * Values under the primary key are not written, `NULL` stays `NULL`, other columns are not touched: `ON UPDATE`
//!   columns of MySQL keep their value. A table with triggers that these writes would set off is refused, since one that
//!   keeps an `updated_at` would set it; [`Task::accept_triggers`] lets them fire.
//! * Plaintext and unreadable values are left alone, listed by table, column and row key, and counted. (Plaintext is what
//!   [`Job::Encrypt`] is for.) What looks like a token and opens under no key is never taken for plaintext, unless
//!   [the operator says so](Task::token_like_plaintext) of its column.
//! * It can [spare the database](Task#sparing-the-database): a rate, rests, the lag of replicas, a file that pauses it.
//! * The data is the state: a task that was stopped or killed is run again, and goes on with what is left.
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
//! // The new key in front: from now on it encrypts, and the old one still decrypts.
//! let new = Key::generate();
//! Keyring::new([new.clone(), old])?.replace();
//!
//! let report = Task::new(Keyring::current()?).target(Target::of(users::table)?).run(&pool)?;
//! assert!(report.is_proven() && report.problems().is_empty());
//!
//! // Proven, and no problems: the old key may go.
//! Keyring::new([new])?.replace();
//! let email: Encrypted<String> = users::table.select(users::email).first(&mut pool.get()?)?;
//! assert_eq!(*email, "ada@example.org");
//! # Ok(())
//! # }
//! ```

// Without a backend there is no dialect, and nothing that the dialects call is used.
#![cfg_attr(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")), allow(dead_code))]

pub(crate) mod conduct;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod task;
pub(crate) mod throttle;
pub(crate) mod walk;

pub use crate::database::dialect::Dialect;
pub use crate::database::estimate::{Estimate, TableEstimate};
pub use crate::database::stop::StopHandle;
pub use crate::startup::check::{StartupCheck, StartupReport};
pub use report::error::TaskError;
pub use report::job::Job;
pub use report::outcome::{ColumnReport, Doubt, Outcome, Problem, ProblemKind, Proof, Report};
pub use report::progress::{Progress, TableProgress};
pub use report::retire::Retirement;
pub use report::status::{ColumnStatus, KeyStatus, Status};
pub use run::state::{StateTables, state_tables};
pub use task::control::{Control, RecordedProblems, SharedRun};
pub use task::migration::ReencryptMigration;
pub use task::settings::Task;
