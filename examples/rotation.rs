//! A complete key rotation on an embedded SQLite:
//!
//! ```sh
//! cargo run --example rotation --features sqlite,reencrypt
//! ```

use std::error::Error;

use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Progress, Task};
use diesel_encrypted::{Encrypted, Key, Keyring, Target};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use indicatif::{ProgressBar, ProgressStyle};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

// `diesel print-schema` writes this. A column is encrypted if its type is `EncryptedText` or `EncryptedBinary`.
diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    people (id) {
        id -> BigInt,
        name -> Text,
        email -> EncryptedText,
        phone -> Nullable<EncryptedText>,
        updated_at -> Timestamp,
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = people)]
struct Person {
    name: String,
    email: Encrypted<String>,
    phone: Option<Encrypted<String>>,
}

#[derive(Insertable)]
#[diesel(table_name = people)]
struct NewPerson {
    name: String,
    email: Encrypted<String>,
    phone: Option<Encrypted<String>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    // The application installs one keyring, early in `main`. In production, leave this out:
    // the first use then reads the keyring from DB_ENCRYPTION_KEYS.
    let first = Key::generate();
    Keyring::new([first.clone()])?.install()?;

    let folder = tempfile::tempdir()?;
    let url = folder.path().join("people.db").display().to_string();
    let pool = Pool::builder().max_size(3).build(ConnectionManager::<SqliteConnection>::new(url))?;
    let conn = &mut pool.get()?;
    conn.run_pending_migrations(MIGRATIONS).map_err(|error| error.to_string())?;

    heading("Write through the model, as with any other column");
    let people: Vec<NewPerson> = (1..=50_000).map(new_person).collect();
    conn.transaction(|conn| {
        let mut batches = people.chunks(1000);
        batches.try_for_each(|batch| diesel::insert_into(people::table).values(batch).execute(conn).map(drop))
    })?;
    let ada: Person = people::table.select(Person::as_select()).first(conn)?;
    println!("the model returns  {}, {}", ada.name, *ada.email);
    println!("Debug prints       {:?}", ada.email);
    println!("the database holds {}…", &raw_email(conn)?[..60]);

    heading("Make a new key the primary key");
    let second = Key::generate();
    Keyring::new([second.clone(), first.clone()])?.replace();
    println!("primary   {}  encrypts and decrypts", second.fingerprint());
    println!("secondary {}  only decrypts", first.fingerprint());

    heading("Re-encrypt while the application keeps running");
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template("[{bar:40}] {pos}/{len} rows {msg}")?);
    let report = Task::new(Keyring::current()?)
        .target(Target::of(people::table)?)
        .workers(2)
        .on_progress(|progress| show(&bar, progress))
        .run(&pool)?;
    bar.finish_and_clear();
    for column in report.columns() {
        println!("{}.{}: {} values rewritten, {} NULL", column.table, column.column, column.rewritten, column.null);
    }
    assert!(report.old_keys_may_go());
    println!("proven: every value is under the key {}", report.primary());

    heading("Remove the old key, and read everything back");
    Keyring::new([second])?.replace();
    let read: Vec<Person> = people::table.order(people::id).select(Person::as_select()).load(conn)?;
    let same = read
        .iter()
        .zip(&people)
        .all(|(read, written)| read.name == written.name && read.email == written.email && read.phone == written.phone);
    assert!(same && read.len() == people.len());
    println!("{} people, and every value is unchanged", read.len());
    println!("the database holds {}…", &raw_email(conn)?[..60]);
    Ok(())
}

fn new_person(number: u32) -> NewPerson {
    NewPerson {
        name: format!("Person {number}"),
        email: Encrypted::from(format!("person-{number}@example.org")),
        phone: (number % 3 == 0).then(|| Encrypted::from(format!("+351 555 {number:06}"))),
    }
}

/// The stored value, read without the model.
fn raw_email(conn: &mut SqliteConnection) -> QueryResult<String> {
    use diesel::dsl::sql;
    use diesel::sql_types::Text;
    people::table.select(sql::<Text>("email")).first(conn)
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.rows_estimated.unwrap_or(progress.rows));
    bar.set_position(progress.rows);
    bar.set_message(format!("in pass {}", progress.pass));
}

fn heading(text: &str) {
    println!("\n── {text}");
}
