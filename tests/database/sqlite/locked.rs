//! A database that another connection has locked.

use diesel::connection::SimpleConnection;

use crate::suite::program::vault::Vault;

#[test]
fn a_database_that_stays_locked() {
    let vault = Vault::sealed(1, 1..=50);
    let mut other = vault.db.conn();
    other.batch_execute("begin immediate; update vault set note = note").unwrap();
    // The task waits five seconds for a lock, and retries if there is time.
    let reencrypt = |time: &str| vault.program(&["reencrypt", "--json", "--give-up-after", time], &[2, 1]);
    let run = reencrypt("6")
        .exits_with(7)
        .says("database is locked")
        .says("Completed work is safe: run the task again to continue");
    run.notes("failed", "the database failed: database is locked.");
    let events = run.events();
    // After ten seconds the program reports its progress.
    assert!(events.iter().any(|event| event["event"] == "progress" && event["rewritten"] == 0), "{events:#?}");
    assert!(events.iter().any(|event| event["level"] == "WARN" && event["message"].is_string()), "{events:#?}");
    assert_eq!(run.json()["outcome"], "failed");
    // Reading does not block writing.
    vault.program(&["status"], &[2, 1]).exits_with(3);
    other.batch_execute("commit").unwrap();
    vault.assert_readable(&[1], 50);
    reencrypt("6").exits_with(0);
    vault.assert_readable(&[2], 50);
}
