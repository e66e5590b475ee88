//! `encrypt` and `decrypt` convert plaintext to tokens and tokens to plaintext, but only on explicit request.

use diesel::connection::SimpleConnection;
use serde_json::json;

use super::vault::{Row, Vault, plaintext};
use super::{assert_is_report, cells, fingerprint, statement};
use crate::backend::QUOTING_TRIGGER;
use crate::support::keys::keyring;
use crate::support::secrets::PLAINTEXT;

const OLD: u8 = 1;
const NEW: u8 = 2;

/// Thirty rows from before encryption, and three whose values are already tokens.
fn vault() -> Vault {
    let vault = Vault::new();
    let plain = |id| {
        let photo = plaintext(id).into_bytes();
        Row::new(id, Some(&plaintext(id)), (id % 3 > 0).then_some(photo.as_slice()))
    };
    vault.insert(&(1..=30).map(plain).collect::<Vec<_>>());
    vault.insert(&(31..=33).map(|id| Row::sealed(id, OLD)).collect::<Vec<_>>());
    vault
}

const CONFIRMED: [&str; 4] = ["--write-plaintext", "vault.secret", "--write-plaintext", "vault.photo"];

#[test]
fn in_and_out_again() {
    let vault = vault();
    let before = vault.rows();
    let run = vault.program(&["encrypt", "--dry-run", "--accept-tokens"], &[NEW, OLD]).exits_with(3);
    let advice = format!(
        "dry run: nothing was written. A run would encrypt 55 values under the primary key {}.",
        fingerprint(NEW)
    );
    assert!(run.stderr.contains(&advice), "{}", run.stderr);
    assert_eq!(vault.rows(), before);

    let json = vault.program(&["encrypt", "--json", "--accept-tokens"], &[NEW, OLD]).exits_with(0).json();
    assert_is_report(&json, "proven");
    assert_eq!(json["columns"][1]["rewritten"], json!(33));
    vault.assert_readable(&[NEW], 33);
    vault.program(&["status"], &[NEW]).exits_with(0);
    // It proves the same as `reencrypt`.
    vault.program(&["reencrypt"], &[NEW]).exits_with(0);

    let run = vault.program(&["decrypt"], &[NEW]).args(CONFIRMED).exits_with(0);
    let table = vault.name();
    let expected = format!("every value of {table} (photo, secret) was plaintext: 55 values.");
    assert!(statement(&run.stdout).contains(&expected), "{}", run.stdout);
    assert_eq!(cells(&run.stdout)[2], [&format!("{table}.secret"), "33", "33", "33", "0", "0", "0", "0"]);
    let run = vault.program(&["decrypt", "--json"], &[NEW]).args(CONFIRMED).exits_with(0);
    assert_eq!(run.json()["columns"][1]["rewritten"], json!(0));
    assert_eq!(vault.rows()[..30], before[..30]);
    assert!(vault.rows()[30..].iter().all(|row| row.secret.as_ref() == Some(&plaintext(row.id))));
}

/// Nobody decrypts a column by accident.
#[test]
fn plaintext_is_written_only_to_columns_that_are_named_for_it() {
    let vault = Vault::sealed(OLD, 1..=5);
    let before = vault.rows();
    vault.program(&["decrypt"], &[OLD]).exits_with(2);
    let refusal = |confirmed: &[&str], expected: &str| {
        let run = vault.program(&["decrypt"], &[OLD]).args(confirmed.to_vec()).exits_with(5);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
        let args = [&["--json"], confirmed].concat();
        assert_eq!(vault.program(&["decrypt"], &[OLD]).args(args).exits_with(5).json()["outcome"], "refused");
    };
    let photo =
        "`decrypt` would write plaintext into vault.photo without your confirmation. Add --write-plaintext vault.photo";
    refusal(&CONFIRMED[..2], photo);
    let third = ["--write-plaintext", "vault.note"];
    refusal(
        &[&CONFIRMED[..], &third].concat(),
        "--write-plaintext names vault.note, which is not one of the selected columns. Add --column vault.note",
    );
    assert_eq!(vault.rows(), before);
}

#[test]
fn values_that_look_like_tokens() {
    let first = Vault::new();
    first.insert(&[Row::new(1, Some("gAAAAB comes before the first token"), None)]);
    let refused = first.program(&["encrypt"], &[OLD]).exits_with(5);
    refused
        .says(". If these values are plaintext that looks like tokens, name the column with --token-like-plaintext\n");
    let vault = vault();
    let lookalike = "gAAAAB is what this ticket is called";
    vault.insert(&[Row::new(40, Some(lookalike), None)]);
    let run = vault.program(&["encrypt", "--accept-tokens"], &[NEW, OLD]).exits_with(4);
    let problem = [&format!("{}.secret", vault.name()), "id=40", "unreadable"];
    assert!(cells(&run.stdout).contains(&problem.to_vec()), "{}", run.stdout);
    let choice = ["--token-like-plaintext", "vault.secret"];
    vault.program(&["encrypt", "--accept-tokens"], &[NEW, OLD]).args(choice).exits_with(0);
    let sealed = vault.rows()[33].secret.clone().unwrap();
    assert_eq!(keyring([NEW]).decrypt(sealed.as_bytes()).unwrap(), lookalike.as_bytes());
    vault.program(&["decrypt"], &[NEW]).args(CONFIRMED).exits_with(4);
    vault.program(&["decrypt"], &[NEW]).args(CONFIRMED).args(choice).exits_with(0);
    assert_eq!(vault.rows()[33].secret.as_deref(), Some(lookalike));
}

/// A user of the application may have stored them.
#[test]
fn tokens_that_nothing_explains() {
    let vault = vault();
    let before = vault.rows();
    let name = vault.name();
    for args in
        [&["encrypt", "--dry-run"][..], &["encrypt"], &["encrypt", "--accept-tokens-since", "2100-01-01T00:00:00Z"]]
    {
        let run = vault.program(args, &[NEW, OLD]).exits_with(5);
        run.says(&format!("the column {name}.photo already holds tokens that this keyring opens (2, dated 20")).says(
            "If the application or an interrupted run did, add --accept-tokens-since with the time before it began",
        );
    }
    let json = vault.program(&["encrypt", "--json"], &[NEW, OLD]).exits_with(5).json();
    assert_eq!((&json["outcome"], &json["columns"]), (&json!("refused"), &json!([])));
    assert_eq!(vault.rows(), before);
    vault
        .program(&["encrypt", "--accept-tokens-since", "yesterday"], &[NEW, OLD])
        .exits_with(2)
        .says("expected a time");
    let since = ["encrypt", "--accept-tokens-since", "2020-01-01T00:00:00+01:00"];
    vault.program(&since, &[NEW, OLD]).exits_with(0);
    vault.assert_readable(&[NEW], 33);
}

/// Triggers may quote anything. Nothing shows where a quoted plaintext begins and ends.
#[test]
fn a_message_of_the_database_that_quotes_plaintext() {
    for (args, start) in
        [(&["encrypt", "--accept-tokens"][..], vault()), (&["decrypt", "--write-plaintext", "vault.secret"], sealed())]
    {
        start.db.conn().batch_execute(QUOTING_TRIGGER).unwrap();
        let before = start.rows();
        let program = start.bare_program(args, &[OLD]).args(["--column", "vault.secret", "--accept-triggers"]);
        let run = program.set("RUST_LOG", "trace").exits_with(3);
        run.says("Its message is not shown, because it could quote the value");
        assert_eq!(start.rows(), before);
    }
}

fn sealed() -> Vault {
    Vault::sealed(OLD, 1..=30)
}

/// Some servers quote the value that they refuse.
#[test]
fn a_refused_value_is_not_shown() {
    let vault = Vault::new();
    let token = || keyring([OLD]).encrypt(format!("{PLAINTEXT}'two' rows").as_bytes());
    let sql = format!(
        "create table accounts (id bigint not null primary key, secret varchar(200) unique);
         insert into accounts values (1, '{}'), (2, '{}')",
        token(),
        token()
    );
    vault.db.conn().batch_execute(&sql).unwrap();
    let args = ["--column", "accounts.secret", "--write-plaintext", "accounts.secret"];
    let run = vault.bare_program(&["decrypt"], &[OLD]).args(args).exits_with(3);
    assert!(run.stderr.contains("row left for the next pass"), "{}", run.stderr);
    assert!(run.stderr.contains("1 values are still tokens"), "{}", run.stderr);
}
