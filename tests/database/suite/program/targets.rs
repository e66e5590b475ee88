//! The targets of the program: named columns, or the columns of a schema file.

use diesel::connection::SimpleConnection;

use super::super::sql::text;
use super::vault::{Vault, is_under};
use crate::backend::{QUOTE, TEXT};
use crate::support::keys::keyring;
use crate::support::runner::{Run, write};

const OLD: u8 = 1;
const NEW: u8 = 2;

const SCHEMA: &str = r#"
    // @generated automatically by Diesel CLI.

    diesel::table! {
        use diesel::sql_types::*;
        use diesel_encrypted::sql_types::*;

        vault (id) {
            id -> Int8,
            note -> Text,
            secret -> Nullable<EncryptedText>,
            photo -> Nullable<EncryptedBinary>,
        }
    }
"#;

/// Returns the columns of a report.
fn columns(run: &Run) -> Vec<String> {
    let json = run.json();
    let columns = json["columns"].as_array().unwrap().iter();
    columns.map(|column| format!("{}.{}", column["table"], column["column"]).replace('"', "")).collect()
}

#[test]
fn only_the_columns_that_are_named() {
    let vault = Vault::sealed(OLD, 1..=10);
    let before = vault.rows();
    let reencrypt =
        |args: &[&str]| vault.bare_program(&["reencrypt", "--json"], &[NEW, OLD]).args(args.iter().copied());
    let run = reencrypt(&["--column", "vault.photo"]).exits_with(0);
    assert_eq!(columns(&run), [format!("{}.photo", vault.name())]);
    for (now, before) in vault.rows().iter().zip(&before) {
        assert_eq!(now.secret, before.secret);
        assert_eq!(now.photo == before.photo, now.photo.is_none());
    }
    // A column that is named twice counts once.
    let run = reencrypt(&["--column=vault.secret", "--column=vault.photo", "--column=vault.secret"]).exits_with(0);
    assert_eq!(columns(&run), ["photo", "secret"].map(|column| format!("{}.{column}", vault.name())));
    vault.assert_readable(&[NEW], 10);
}

#[test]
fn a_table_named_with_its_schema() {
    let vault = Vault::sealed(OLD, 1..=10);
    let schema = if vault.db.schema().is_empty() { "main.".into() } else { vault.db.schema() };
    let column = format!("{schema}vault.secret");
    let run = vault.bare_program(&["reencrypt", "--json", "--column", &column], &[NEW, OLD]).exits_with(0);
    assert_eq!(columns(&run), [column]);
}

#[test]
fn the_columns_of_a_schema_file() {
    let vault = Vault::sealed(OLD, 1..=10);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some where/schema.rs");
    write(&path, SCHEMA);
    let run = vault.bare_program(&["reencrypt", "--json", "--schema"], &[NEW, OLD]).arg(&path).exits_with(0);
    assert_eq!(columns(&run), ["photo", "secret"].map(|column| format!("{}.{column}", vault.name())));
    vault.assert_readable(&[NEW], 10);
}

#[test]
fn the_schema_file_of_diesel_toml_here_or_above() {
    let vault = Vault::sealed(OLD, 1..=10);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("diesel.toml"), "[print_schema]\nfile = \"src/schema.rs\"\n");
    write(folder.path().join("src/schema.rs"), SCHEMA);
    let below = folder.path().join("src/bin");
    std::fs::create_dir_all(&below).unwrap();
    for (number, folder) in [folder.path(), &below].iter().enumerate() {
        let (new, old) = (NEW + number as u8, OLD + number as u8);
        vault.bare_program(&["status"], &[new, old]).folder(folder).exits_with(3);
        vault.bare_program(&["reencrypt"], &[new, old]).folder(folder).exits_with(0);
        vault.assert_readable(&[new], 10);
    }
}

#[test]
fn a_database_by_any_of_its_urls() {
    let vault = Vault::sealed(OLD, 1..=10);
    for url in vault.db.other_urls() {
        vault.program(&["status"], &[NEW, OLD]).database(&url).exits_with(3);
    }
}

/// The settings for the database come from `.env`, like the keys.
#[test]
fn everything_from_files() {
    let vault = Vault::sealed(OLD, 1..=10);
    let folder = tempfile::tempdir().unwrap();
    let keys = [NEW, OLD].map(super::key_text);
    write(folder.path().join("diesel.toml"), "[print_schema]\nfile = \"schema.rs\"\n");
    write(folder.path().join("schema.rs"), SCHEMA);
    write(
        folder.path().join(".env"),
        format!("DATABASE_URL={}\nDB_ENCRYPTION_KEYS={}\n", vault.db.url(), keys.join(":")),
    );
    let run = crate::support::runner::Program::new(["reencrypt"]).folder(folder.path()).secrets(keys).exits_with(0);
    assert!(run.last_words().starts_with("proven: "));
    assert!(is_under(&mut vault.db.conn(), 1, NEW));
}

/// Quotes a name for SQL.
fn quoted(name: &str) -> String {
    format!("{QUOTE}{}{QUOTE}", name.replace(QUOTE, &format!("{QUOTE}{QUOTE}")))
}

/// Names that contain a dot, quotes and blanks, quoted as in SQL.
#[test]
fn odd_names() {
    const TABLE: &str = "odd.\"table\" name";
    const COLUMN: &str = "e`mail's ?";
    let vault = Vault::new();
    let conn = &mut vault.db.conn();
    let (table, column, key) = (quoted(TABLE), quoted(COLUMN), quoted("the.id"));
    conn.batch_execute(&format!("create table {table} ({key} bigint primary key, {column} {TEXT} not null)")).unwrap();
    let token = keyring([OLD]).encrypt(b"plaintext of 1");
    conn.batch_execute(&format!("insert into {table} values (1, '{token}')")).unwrap();

    let named = format!("\"{}\".\"{COLUMN}\"", TABLE.replace('"', "\"\""));
    vault.bare_program(&["status", "--column", &named], &[NEW, OLD]).exits_with(3);
    vault.bare_program(&["reencrypt", "--column", &named], &[NEW, OLD]).exits_with(0);
    let cell = text(conn, &format!("select {column} from {table}"));
    assert_eq!(keyring([NEW]).decrypt(cell.as_bytes()).unwrap(), b"plaintext of 1");

    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.rs");
    let declaration = format!(
        "diesel::table! {{ #[sql_name = {TABLE:?}] odd (id) {{ #[sql_name = \"the.id\"] id -> BigInt, #[sql_name = {COLUMN:?}] mail -> EncryptedText, }} }}"
    );
    write(&schema, declaration);
    vault.bare_program(&["status", "--schema"], &[NEW, OLD]).arg(&schema).exits_with(0);
    conn.batch_execute(&format!("drop table {table}")).unwrap();
    vault.bare_program(&["status", "--schema"], &[NEW, OLD]).arg(&schema).exits_with(5);
}
