//! `status`: what it counts, what it shows, and its exit codes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::prelude::*;
use serde_json::json;

use super::vault::{Row, Vault, plaintext, vault};
use super::{cells, fingerprint, is_recent, key_text, statement};
use crate::support::python;

const OLD: u8 = 1;
const NEW: u8 = 2;
const UNKNOWN: u8 = 3;

fn raw(token: &str) -> Vec<u8> {
    URL_SAFE.decode(token).unwrap()
}

/// Tokens that Python made. Rows 1 to 3 are readable, the others are not.
fn mixed() -> Vault {
    let keys = [OLD, NEW, UNKNOWN].map(key_text);
    let [old, new, unknown] = keys.each_ref().map(String::as_str);
    let values = [
        (1, old, 1_000_000_000),
        (1, old, 0),
        (2, new, 2_000_000_000),
        (2, new, 253_402_300_799),
        (3, new, 1_500_000_000),
        (4, unknown, 10),
        (5, new, 20),
        (6, new, 30),
    ];
    let plaintexts = values.map(|(id, ..)| plaintext(id).into_bytes());
    let values = values.iter().zip(&plaintexts).map(|((_, key, date), text)| (*key, *date, text.as_slice()));
    let tokens = python::seal(&values.collect::<Vec<_>>());
    let [old_1, old_0, new_2, new_9999, new_3, unknown, damaged, flipped] = tokens.try_into().unwrap();

    let damaged: String = damaged.replace("gAAAAAAAA", "gAAAAAAAB");
    let mut flipped = raw(&flipped);
    flipped[40] ^= 1;
    let vault = Vault::new();
    vault.insert(&[
        Row::new(1, Some(&old_1), Some(&raw(&old_0))),
        Row::new(2, Some(&new_2), Some(new_9999.as_bytes())),
        Row::new(3, Some(&new_3), None),
        Row::new(4, Some(&unknown), Some(&raw(&unknown))),
        Row::new(5, Some(&damaged), Some(&flipped)),
        Row::new(6, Some("plaintext of 6"), Some(&flipped[..50])),
        Row::new(7, Some(""), Some(b"\x00plaintext of 7\xff")),
        Row::new(8, None, None),
    ]);
    vault
}

fn delete(vault: &Vault, ids: &[i64]) {
    diesel::delete(vault::table.filter(vault::id.eq_any(ids))).execute(&mut vault.db.conn()).unwrap();
}

#[test]
fn status_counts_what_the_columns_hold() {
    let vault = mixed();
    let before = vault.rows();
    let keys = |new: u64, old: u64| {
        json!([
            { "fingerprint": fingerprint(NEW), "role": "primary", "values": new, "misshapen": 0 },
            { "fingerprint": fingerprint(OLD), "role": "secondary", "values": old, "misshapen": 0 },
        ])
    };
    let run = vault.program(&["status", "--json"], &[NEW, OLD]).exits_with(4);
    let mut json = run.json();
    let moment = json["moment"].take();
    assert!(is_recent(&moment), "{moment}");
    let expected = json!({
        "outcome": "read",
        "primary": fingerprint(NEW),
        "moment": null,
        "columns": [
            {
                "table": vault.name(), "column": "photo", "rows": 8, "null": 2, "plaintext": 1, "unreadable": 3,
                "misshapen": 0, "exempt": 0,
                "keys": keys(1, 1), "oldest": "1970-01-01T00:00:00Z", "newest": "9999-12-31T23:59:59Z",
            },
            {
                "table": vault.name(), "column": "secret", "rows": 8, "null": 1, "plaintext": 2, "unreadable": 2,
                "misshapen": 0, "exempt": 0,
                "keys": keys(2, 1), "oldest": "2001-09-09T01:46:40Z", "newest": "2033-05-18T03:33:20Z",
            },
        ],
        "run": null,
    });
    assert_eq!(json, expected);

    let run = vault.program(&["status"], &[NEW, OLD]).exits_with(4);
    let key = |new: u64, old: u64| format!("{}={new} {}={old}", fingerprint(NEW), fingerprint(OLD));
    let expected = [
        ["column", "rows", "null", "plaintext", "unreadable", "values per key", "oldest and newest token"],
        [
            &format!("{}.photo", vault.name()),
            "8",
            "2",
            "1",
            "3",
            &key(1, 1),
            "1970-01-01T00:00:00Z 9999-12-31T23:59:59Z",
        ],
        [
            &format!("{}.secret", vault.name()),
            "8",
            "1",
            "2",
            "2",
            &key(2, 1),
            "2001-09-09T01:46:40Z 2033-05-18T03:33:20Z",
        ],
    ];
    assert_eq!(cells(&run.stdout), expected);
    let expected = format!(
        "At TIME, on the clock of the database, 13 values were read of {} (photo, secret): 3 under the primary key {}, 2 \
         under secondary keys, 3 plaintext, 5 not readable. Values that open transactions had written by then were not \
         read.",
        vault.name(),
        fingerprint(NEW)
    );
    assert_eq!(statement(&run.stdout), expected);
    assert_eq!(run.stderr, "");
    assert_eq!(vault.rows(), before);
}

/// Problems take precedence over values under secondary keys, and these over success.
#[test]
fn the_exit_code_reports_the_worst() {
    let vault = mixed();
    vault.program(&["status"], &[NEW, OLD]).exits_with(4);
    delete(&vault, &[4, 5]);
    vault.program(&["status"], &[NEW, OLD]).exits_with(4);
    delete(&vault, &[6, 7]);
    vault.program(&["status"], &[NEW, OLD]).exits_with(3);
    // Another primary key, and a keyring without the old one.
    vault.program(&["status"], &[OLD, NEW]).exits_with(3);
    vault.program(&["status"], &[NEW]).exits_with(4);
    delete(&vault, &[1]);
    vault.program(&["status"], &[NEW, OLD]).exits_with(0);
    vault.program(&["status"], &[NEW]).exits_with(0);
}

/// `status` has to work with a keyring that reads nothing, because it shows that fact.
#[test]
fn status_works_with_a_wrong_keyring() {
    let vault = Vault::sealed(OLD, 1..=200);
    let run = vault.program(&["status", "--json"], &[UNKNOWN]).exits_with(4);
    assert_eq!(run.json()["columns"][1]["unreadable"], 200);
}

#[test]
fn an_empty_table_is_done() {
    let vault = Vault::new();
    let run = vault.program(&["status"], &[NEW]).exits_with(0);
    let empty = |column: &str| {
        let values = format!("{}=0", fingerprint(NEW));
        [format!("{}.{column}", vault.name()), "0".into(), "0".into(), "0".into(), "0".into(), values, "- -".into()]
    };
    assert_eq!(cells(&run.stdout)[1..], [empty("photo"), empty("secret")]);
}
