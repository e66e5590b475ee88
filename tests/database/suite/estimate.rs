//! The estimate of the work, which comes from the catalogue.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::Job;

use super::people::People;
use crate::backend::{ANALYZE, GROWS};

#[test]
fn reports_rows_and_sizes() {
    let people = People::new(1, 1..=2000);
    people.conn().batch_execute(ANALYZE).unwrap();
    let estimate = people.task([2, 1]).estimate(&people.db.pool(1)).unwrap();
    let [table] = estimate.tables.as_slice() else { panic!("{estimate:?}") };
    assert_eq!(table.table, format!("{}people", people.db.schema()));
    let rows = table.rows.unwrap();
    assert!((1500..=2500).contains(&rows), "{table:?}");
    // Most rows have three tokens of at least 100 characters.
    let rewritten = table.rewritten.unwrap();
    assert!((300_000..3_000_000).contains(&rewritten), "{table:?}");
    assert!(table.logged.unwrap() >= rewritten, "{table:?}");
    assert_eq!(table.growth.unwrap() > 0, GROWS, "{table:?}");
    assert_eq!(table.advice, [""; 0]);

    // Plaintext becomes longer: each row gets two tokens of 100 characters and one of 73 bytes.
    let encrypt = people.task([2, 1]).job(Job::Encrypt).estimate(&people.db.pool(1)).unwrap().tables.remove(0);
    let more = (encrypt.rewritten.unwrap() - rewritten, encrypt.growth.unwrap() - table.growth.unwrap());
    assert_eq!(more, (rows * 273, rows * 273));
}

#[test]
fn an_empty_table() {
    let people = People::empty();
    let estimate = people.task([2, 1]).estimate(&people.db.pool(1)).unwrap();
    assert!(estimate.tables[0].rewritten.unwrap() < 100_000, "{estimate:?}");
}
