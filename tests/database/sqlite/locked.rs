//! A database that somebody else holds on to.

use diesel::connection::SimpleConnection;

use super::suite::program::vault::Vault;

#[test]
fn a_database_that_stays_locked() {
    let vault = Vault::sealed(1, 1..=50);
    let mut other = vault.db.conn();
    other.batch_execute("begin immediate; update vault set note = note").unwrap();
    // It waits five seconds for a lock, and tries again if there is time.
    let reencrypt = || vault.program(&["reencrypt", "--json", "--give-up-after", "6"], &[2, 1]);
    let run = reencrypt().exits_with(7).says("database is locked").says("Nothing is lost: run the task again to go on");
    // After ten seconds people hear where it is.
    let run = run.says("re-encrypting vault, pass 1: 0 of ~50 rows, 0 rewritten, 0 rows/s\n");
    assert_eq!(run.json()["outcome"], "failed");
    // Reading is not in the way of writing.
    vault.program(&["status"], &[2, 1]).exits_with(3);
    other.batch_execute("commit").unwrap();
    vault.assert_readable(&[1], 50);
    reencrypt().exits_with(0);
    vault.assert_readable(&[2], 50);
}
