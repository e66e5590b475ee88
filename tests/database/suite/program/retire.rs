//! `retire`: whether a key may be removed.

use serde_json::{Value, json};

use super::vault::{Row, Vault};
use super::{cells, fingerprint, is_recent, key_text, statement};
use crate::support::runner::Program;

const OLD: u8 = 1;
const NEW: u8 = 2;
const UNKNOWN: u8 = 3;

fn retire(vault: &Vault, key: u8) -> Program {
    vault.program(&["retire", &fingerprint(key)], &[NEW, OLD])
}

#[test]
fn a_key_that_is_in_use_and_then_is_not() {
    let vault = Vault::sealed(OLD, 1..=30);
    vault.insert(&[Row::sealed(31, NEW)]);
    let run = retire(&vault, OLD).exits_with(3);
    let columns = ["photo", "secret"].map(|column| format!("{}.{column}", vault.name()));
    let expected = [["column", "values under the key"], [&columns[0], "20"], [&columns[1], "30"]];
    assert_eq!(cells(&run.stdout), expected);
    let (old, name) = (fingerprint(OLD), vault.name());
    let in_use = format!(
        "At TIME, on the clock of the database, 50 of 52 values of {name} (photo, secret) were under the key {old}."
    );
    assert_eq!(statement(&run.stdout), in_use);
    run.says(&format!(
        "no: 50 values are under {old}. Run `diesel-encrypted reencrypt`, then run this command again.\n"
    ));

    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    let run = retire(&vault, OLD).exits_with(0);
    let expected = [["column", "values under the key"], [&columns[0], "0"], [&columns[1], "0"]];
    assert_eq!(cells(&run.stdout), expected);
    let free = format!(
        "At TIME, on the clock of the database, none of 52 values of {name} (photo, secret) was under the key {old}. \
         Every transaction that began before that time has ended. This remains true as long as no application \
         encrypts with it."
    );
    assert_eq!(statement(&run.stdout), free);
    run.says(&format!("yes: you can remove {old} from the keyring once no application encrypts with it."));
}

/// Plaintext is under no key, but only tokens may still need one.
#[test]
fn values_that_open_under_no_key() {
    let vault = Vault::sealed(NEW, 1..=4);
    vault.insert(&[Row::sealed(5, UNKNOWN), Row { secret: Some("plaintext".into()), ..Row::sealed(6, NEW) }]);
    let unreadable = 1 + usize::from(vault.rows()[4].photo.is_some());
    let run = retire(&vault, OLD).exits_with(0);
    let (opens, are) =
        if unreadable == 1 { ("1 value opens", "1 value is") } else { ("2 values open", "2 values are") };
    let (old, says) = (fingerprint(OLD), format!("yes, and {opens} under no key: you can remove "));
    assert!(run.last_words().starts_with(&format!("{says}{old} from the keyring")), "{}", run.last_words());
    assert!(run.last_words().contains("or may need it to repair those values."), "{}", run.last_words());
    let keep = format!("{are} under no key of the keyring: keep this key if it may help to repair them.");
    assert!(run.stdout.contains(&keep), "{}", run.stdout);
}

#[test]
fn as_json() {
    let vault = Vault::sealed(OLD, 1..=30);
    let with = |outcome: &str, photo: u64, secret: u64| {
        let column = |column: &str, values: u64| json!({ "table": vault.name(), "column": column, "values": values });
        json!({
            "outcome": outcome, "key": fingerprint(OLD), "primary": fingerprint(NEW), "moment": null,
            "columns": [column("photo", photo), column("secret", secret)], "doubt": null,
        })
    };
    let without_moment = |mut json: Value| {
        assert!(is_recent(&json["moment"].take()), "{json}");
        json
    };
    let run = retire(&vault, OLD).args(["--json"]).exits_with(3);
    run.notes("ended", "no: 50 values are under");
    assert_eq!(without_moment(run.json()), with("incomplete", 20, 30));
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    let run = retire(&vault, OLD).args(["--json"]).exits_with(0);
    assert_eq!(without_moment(run.json()), with("proven", 0, 0));
    let run = retire(&vault, NEW).args(["--json"]).exits_with(5);
    assert_eq!((&run.json()["outcome"], &run.json()["columns"]), (&json!("refused"), &json!([])));
}

#[test]
fn a_key_that_cannot_be_judged() {
    let vault = Vault::sealed(NEW, 1..=5);
    let primary = retire(&vault, NEW).exits_with(5);
    assert_eq!(primary.stdout, "");
    primary.says(&format!("{} is the primary key", fingerprint(NEW)));
    let unknown = retire(&vault, UNKNOWN).exits_with(5);
    unknown.says(&format!(
        "{} is not in the keyring ({}, {})",
        fingerprint(UNKNOWN),
        fingerprint(NEW),
        fingerprint(OLD)
    ));
}

/// A user who passes the key itself shows it to all users of the machine. But the log must not repeat it.
#[test]
fn a_text_that_is_not_a_fingerprint_is_not_repeated() {
    let vault = Vault::sealed(NEW, 1..=5);
    let key = key_text(UNKNOWN);
    let run = vault.program(&["retire", &key], &[NEW, OLD]).exits_with(2);
    assert!(!run.stderr.contains(&key[..12]), "{}", run.stderr);
    run.says("the key is not a fingerprint: write 16 hexadecimal digits, as `diesel-encrypted keys` shows them");
}

/// No key opens an unreadable value, unless the value is damaged.
#[test]
fn bad_values_are_reported() {
    let vault = Vault::sealed(NEW, 1..=5);
    vault.insert(&[Row::new(6, Some("plaintext of 6"), None), Row::sealed(7, UNKNOWN)]);
    let run = retire(&vault, OLD).exits_with(0);
    let expected = " 2 values are under no key of the keyring: keep this key if it may help to repair them.";
    assert!(statement(&run.stdout).ends_with(expected), "{}", run.stdout);
}
