//! Exit code 5: the program does not begin work that it cannot do faithfully.

use diesel::connection::SimpleConnection;

use super::vault::Vault;
use crate::backend::TEXT;
use crate::support::runner::{Program, write};

const OLD: u8 = 1;
const NEW: u8 = 2;

/// Checks that `status` and `reencrypt` refuse in the same words, and that nothing changes.
#[track_caller]
fn refused(vault: &Vault, reason: &str, with: impl Fn(Program) -> Program) {
    let before = vault.rows();
    for command in ["status", "reencrypt"] {
        let run = with(vault.bare_program(&[command], &[NEW, OLD])).exits_with(5);
        assert_eq!(run.stdout, "");
        let expected = format!("diesel-encrypted: {reason}");
        assert!(run.stderr.starts_with(&expected), "{:?} does not start with {expected:?}", run.stderr);
    }
    assert_eq!(vault.rows(), before);
}

#[test]
fn an_unknown_table_or_column() {
    let vault = Vault::sealed(OLD, 1..=5);
    let name = vault.name();
    let column =
        |name: &'static str| move |program: Program| program.args(["--column", "vault.secret", "--column", name]);
    refused(&vault, "there is no table volt: check the name", column("volt.secret"));
    refused(&vault, "there is no table nowhere.vault: check the name", column("nowhere.vault.secret"));
    let reason = format!("the table {name} has no column secrets; it has id, note, secret, photo");
    refused(&vault, &reason, column("vault.secrets"));
}

#[test]
fn a_column_that_holds_no_tokens() {
    let vault = Vault::sealed(OLD, 1..=5);
    vault.db.conn().batch_execute("alter table vault add amount integer").unwrap();
    let reason = format!("the column {}.amount cannot be a target: its type is ", vault.name());
    refused(&vault, &reason, |program| program.args(["--column", "vault.amount"]));
}

#[test]
fn a_column_that_is_a_row_key() {
    let vault = Vault::sealed(OLD, 1..=5);
    vault.db.conn().batch_execute("create table slugs (slug varchar(200) not null primary key)").unwrap();
    let reason = format!("the column {}slugs.slug cannot be a target: it is part of the row key", vault.db.schema());
    refused(&vault, &reason, |program| program.args(["--column", "slugs.slug"]));
}

#[test]
fn a_view() {
    let vault = Vault::sealed(OLD, 1..=5);
    vault.db.conn().batch_execute("create view secrets as select id, secret from vault").unwrap();
    let reason = format!("the table {}secrets cannot be a target: it is not a", vault.db.schema());
    refused(&vault, &reason, |program| program.args(["--column", "secrets.secret"]));
}

#[test]
fn no_targets() {
    let vault = Vault::sealed(OLD, 1..=5);
    refused(
        &vault,
        "no column is selected, because there is no diesel.toml in this folder or above. Pass --schema PATH",
        |program| program,
    );

    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.rs");
    let nothing = "there is nothing to work on: no column is named and the schema declares no encrypted column";
    for text in ["", &format!("diesel::table! {{ vault (id) {{ id -> BigInt, secret -> {TEXT}, }} }}")] {
        write(&schema, text);
        refused(&vault, nothing, |program| program.arg("--schema").arg(&schema));
    }
}

/// One invalid target stops the run, because a rotation that forgets a column is not complete.
#[test]
fn a_column_of_the_schema_that_the_database_does_not_have() {
    let vault = Vault::sealed(OLD, 1..=5);
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.rs");
    write(
        &schema,
        "diesel::table! { vault (id) { id -> BigInt, secret -> EncryptedText, phone -> Nullable<EncryptedText>, } }",
    );
    let reason = format!("the table {} has no column phone; it has ", vault.name());
    refused(&vault, &reason, |program| program.arg("--schema").arg(&schema));
}
