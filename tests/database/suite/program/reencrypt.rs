//! `reencrypt`: its output for every outcome, for people and as JSON.

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::vault::{Row, Vault};
use super::{cells, fingerprint, is_recent, statement};
use crate::backend::QUOTING_TRIGGER;

const OLD: u8 = 1;
const NEW: u8 = 2;
const UNKNOWN: u8 = 3;

/// Returns the entry of a column, with its counts in the order of the table.
fn column(vault: &Vault, name: &str, counts: [u64; 7]) -> Value {
    let [scanned, rewritten, current, null, raced, busy, bad] = counts;
    json!({
        "table": vault.name(), "column": name, "scanned": scanned, "rewritten": rewritten, "current": current,
        "exempt": 0, "null": (null), "raced": raced, "busy": busy, "bad": bad,
    })
}

#[test]
fn proven() {
    let vault = Vault::sealed(OLD, 1..=30);
    vault.insert(&[Row::new(31, None, None), Row::sealed(32, NEW)]);
    let run = vault.program(&["reencrypt", "--json"], &[NEW, OLD]).exits_with(0);
    let mut json = run.json();
    let moment = json["proof"]["moment"].take();
    assert!(is_recent(&moment), "{moment}");
    let expected = json!({
        "outcome": "proven",
        "primary": fingerprint(NEW),
        "passes": 1,
        "columns": [
            column(&vault, "photo", [32, 20, 21, 11, 0, 0, 0]),
            column(&vault, "secret", [32, 30, 31, 1, 0, 0, 0]),
        ],
        "problems": [],
        "problems_omitted": 0,
        "proof": { "moment": null, "values": 52 },
        "doubt": null,
    });
    assert_eq!(json, expected);
    vault.program(&["status"], &[NEW]).exits_with(0);
}

#[test]
fn proven_as_people_see_it() {
    let vault = Vault::sealed(OLD, 1..=30);
    let run = vault.program(&["reencrypt"], &[NEW, OLD, UNKNOWN]).exits_with(0);
    let expected = [
        ["column", "scanned", "rewritten", "current", "null", "raced", "busy", "bad"],
        [&format!("{}.photo", vault.name()), "30", "20", "20", "10", "0", "0", "0"],
        [&format!("{}.secret", vault.name()), "30", "30", "30", "0", "0", "0", "0"],
    ];
    assert_eq!(cells(&run.stdout), expected);
    let expected = format!(
        "At TIME, on the clock of the database, every value of {} (photo, secret) was under the primary key {}: 50 \
         values. Every transaction that began before that time has ended.",
        vault.name(),
        fingerprint(NEW)
    );
    assert_eq!(statement(&run.stdout), expected);
    let advice = format!(
        "proven: every value is under the primary key {}. Once no application writes with another primary key, you can \
         remove these from the keyring: {}, {}.",
        fingerprint(NEW),
        fingerprint(OLD),
        fingerprint(UNKNOWN)
    );
    assert_eq!(run.last_words(), advice);

    let run = vault.program(&["reencrypt"], &[NEW]).exits_with(0);
    assert_eq!(run.last_words(), format!("proven: every value is under the primary key {}", fingerprint(NEW)));
}

/// The values of a column are aligned with its heading.
#[test]
fn the_table_is_aligned() {
    let vault = Vault::sealed(OLD, 1..=3);
    let run = vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    let name = format!("{}.secret", vault.name());
    let width = name.len();
    let expected = format!(
        "{:width$}  scanned  rewritten  current  null  raced  busy  bad\n\
         {:width$}  3        2          2        1     0      0     0\n\
         {:width$}  3        3          3        0     0      0     0\n\n",
        "column",
        format!("{}.photo", vault.name()),
        name
    );
    assert!(run.stdout.starts_with(&expected), "{}", run.stdout);
}

#[test]
fn proven_except_for_bad_values() {
    let vault = Vault::sealed(OLD, 1..=30);
    let mut damaged = Row::sealed(40, OLD);
    let photo = damaged.photo.as_mut().unwrap();
    *photo.last_mut().unwrap() ^= 1;
    let bad = [damaged, Row::sealed(7_000, UNKNOWN), Row::new(41, Some("plaintext of 41"), Some(b"plaintext of 41"))];
    vault.insert(&bad);

    let run = vault.program(&["reencrypt", "--json"], &[NEW, OLD]).exits_with(4);
    let problem = |column: &str, row: i64, kind: &str| json!({ "table": vault.name(), "column": column, "row": format!("id={row}"), "kind": kind });
    let json = run.json();
    let columns =
        [column(&vault, "photo", [33, 20, 20, 10, 0, 0, 3]), column(&vault, "secret", [33, 31, 31, 0, 0, 0, 2])];
    assert_eq!((&json["outcome"], &json["columns"]), (&json!("proven"), &json!(columns)));
    let problems = [
        problem("photo", 40, "unreadable"),
        problem("photo", 41, "plaintext"),
        problem("photo", 7_000, "unreadable"),
        problem("secret", 41, "plaintext"),
        problem("secret", 7_000, "unreadable"),
    ];
    assert_eq!((&json["problems"], &json["proof"]["values"]), (&json!(problems), &json!(56)));

    let run = vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(4);
    let lines = cells(&run.stdout);
    let (secret, photo) = (format!("{}.secret", vault.name()), format!("{}.photo", vault.name()));
    let expected = [
        vec![],
        vec!["column", "row", "problem"],
        vec![&photo, "id=40", "unreadable"],
        vec![&photo, "id=41", "plaintext"],
        vec![&photo, "id=7000", "unreadable"],
        vec![&secret, "id=41", "plaintext"],
        vec![&secret, "id=7000", "unreadable"],
    ];
    assert_eq!(lines[3..], expected);
    let except = format!("under the primary key {}, except for 5 that are listed: 56 values.", fingerprint(NEW));
    assert!(statement(&run.stdout).contains(&except), "{}", run.stdout);
    let advice = format!(
        "proven: every value is under the primary key {}, except for the listed ones, which are unchanged.",
        fingerprint(NEW)
    );
    assert!(run.last_words().starts_with(&advice), "{}", run.stderr);
    // Unreadable values stay unchanged.
    let rows = vault.rows();
    assert_eq!(rows.iter().find(|row| row.id == 41), Some(&bad[2]));
    assert_eq!(rows.iter().find(|row| row.id == 7_000), Some(&bad[1]));
    assert_eq!(rows.iter().find(|row| row.id == 40).unwrap().photo, bad[0].photo);
}

#[test]
fn a_dry_run_writes_nothing_and_proves_nothing() {
    let vault = Vault::sealed(OLD, 1..=30);
    let before = vault.rows();
    let run = vault.program(&["reencrypt", "--dry-run", "--json"], &[NEW, OLD]).exits_with(3);
    let json = run.json();
    let columns = [column(&vault, "photo", [30, 0, 0, 10, 0, 0, 0]), column(&vault, "secret", [30, 0, 0, 0, 0, 0, 0])];
    assert_eq!((&json["outcome"], &json["columns"]), (&json!("incomplete"), &json!(columns)));
    assert_eq!((&json["proof"], &json["doubt"]), (&Value::Null, &Value::Null));
    let run = vault.program(&["reencrypt", "--dry-run"], &[NEW, OLD]).exits_with(3);
    assert!(
        statement(&run.stdout).starts_with("Nothing was proven: a dry run reads everything once"),
        "{}",
        run.stdout
    );
    let advice = format!(
        "dry run: nothing was written. A run would re-encrypt 50 values under the primary key {}.",
        fingerprint(NEW)
    );
    assert_eq!(run.last_words(), advice);
    assert_eq!(vault.rows(), before);

    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    // A dry run that finds nothing to do is not a proof either.
    let run = vault.program(&["reencrypt", "--dry-run", "--json"], &[NEW, OLD]).exits_with(3);
    assert_eq!(run.json()["outcome"], "incomplete");
    assert!(run.stderr.contains("nothing is left to write. Run without --dry-run to prove it"), "{}", run.stderr);
}

#[test]
fn a_wrong_keyring_is_refused_and_nothing_written() {
    let vault = Vault::sealed(OLD, 1..=30);
    let before = vault.rows();
    let run = vault.program(&["reencrypt", "--json"], &[NEW, UNKNOWN]).exits_with(5);
    let json = run.json();
    assert_eq!((&json["outcome"], &json["columns"], &json["problems"]), (&json!("refused"), &json!([]), &json!([])));
    run.notes("failed", "this keyring does not belong to this data");
    let run = vault.program(&["reencrypt_database"], &[NEW, UNKNOWN]).exits_with(5);
    assert_eq!(run.stdout, "");
    run.says("this keyring does not belong to this data").says("The others were not touched");
    assert_eq!(vault.rows(), before);
}

#[test]
fn workers_and_batch_sizes_change_nothing_but_the_time() {
    let vault = Vault::sealed(OLD, 1..=500);
    for (number, args) in [["--workers", "3"], ["--batch-size", "1"], ["--batch-size", "1000000"]].iter().enumerate() {
        let (new, old) = (NEW + number as u8, OLD + number as u8);
        let run = vault.program(&["reencrypt", "--json"], &[new, old]).args(args).exits_with(0);
        assert_eq!(run.json()["columns"][1], column(&vault, "secret", [500, 500, 500, 0, 0, 0, 0]));
        vault.assert_readable(&[new], 500);
    }
}

/// Even the most detailed log contains no secrets, and no colours in a file.
#[test]
fn the_log() {
    let vault = Vault::sealed(OLD, 1..=30);
    vault.insert(&[Row::sealed(31, UNKNOWN), Row::new(32, Some("plaintext of 32"), None)]);
    let run = vault.program(&["reencrypt"], &[NEW, OLD]).set("RUST_LOG", "trace").exits_with(4);
    // Events of every thread carry the span of this run.
    let run = run.says("diesel_encrypted::reencrypt::conduct::conductor: pass ended pass=1 rows=32 rewritten=50\n");
    let run = run
        .says("diesel_encrypted::reencrypt::conduct::conductor: everything was read for the proof values=53 left=0\n");
    let run = run.says("diesel_encrypted::reencrypt::conduct::conductor: run ended outcome=Proven passes=1\n");
    let run = run.says(&format!("range claimed table={} pass=1 claim=1\n", vault.name()));
    let span = format!(" reencrypt{{job=re-encrypting primary={}", fingerprint(NEW));
    let events: Vec<_> = run.stderr.lines().filter(|line| line.contains(": diesel_encrypted::reencrypt::")).collect();
    assert!(events.len() >= 4 && events.iter().all(|event| event.contains(&span)), "{events:#?}");
    // By default the log contains the essentials: the estimate, a summary and the result.
    let run = vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(4);
    assert_eq!(run.stderr.lines().count(), 3, "{}", run.stderr);
}

/// The program shows messages of the database, but hides tokens in them.
#[test]
fn a_message_of_the_database_that_quotes_tokens() {
    let vault = Vault::sealed(OLD, 1..=30);
    vault.db.conn().batch_execute(QUOTING_TRIGGER).unwrap();
    let refused = vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(5);
    refused.says(". To let them fire, add --accept-triggers\n");
    let program = vault.program(&["reencrypt", "--accept-triggers"], &[NEW, OLD]).set("RUST_LOG", "trace");
    program.exits_with(3).says("refused (a token) and (a token)");
    vault.assert_readable(&[OLD], 30);
}

/// The program shows the estimate before it begins, to people and as JSON. A dry run shows it, too.
#[test]
fn the_estimate() {
    let vault = Vault::sealed(OLD, 1..=30);
    let start = format!("{}, if every row is rewritten: ", vault.name());
    for args in [&["reencrypt", "--dry-run"][..], &["reencrypt"]] {
        let run = vault.program(args, &[NEW, OLD]).run();
        assert!(run.stderr.starts_with(&start), "{}", run.stderr);
    }
    let run = vault.program(&["reencrypt", "--json"], &[NEW, OLD]).exits_with(0);
    let estimate = &run.events()[0];
    assert_eq!((&estimate["event"], &estimate["table"]), (&json!("estimate"), &json!(vault.name())));
    assert!(estimate["rewritten"].as_u64() > Some(0), "{estimate}");
}
