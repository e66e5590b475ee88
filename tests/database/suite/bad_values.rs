//! Values that are not readable tokens stay unchanged. The task lists and counts them.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Outcome, ProblemKind};

use super::people::People;
use crate::support::keys::keyring;

/// Replaces the character at this position by another one.
fn damaged(token: &str, position: usize) -> String {
    let other = if token.as_bytes()[position] == b'A' { 'B' } else { 'A' };
    format!("{}{other}{}", &token[..position], &token[position + 1..])
}

#[test]
fn are_listed_and_left_alone() {
    let people = People::new(1, 1..=60);
    let token = keyring([1]).encrypt(b"a value of some length");
    let unknown_key = keyring([9]).encrypt(b"x");
    let cases: &[(&str, ProblemKind)] = &[
        ("", ProblemKind::Plaintext),
        ("plain@example.org", ProblemKind::Plaintext),
        ("pläin ☃", ProblemKind::Plaintext),
        ("gAAA", ProblemKind::Plaintext),
        ("gAAAA", ProblemKind::Unreadable),
        // A key still opens these, without what is wrong around them.
        (&token[..token.len() - 1], ProblemKind::Misshapen),
        (&token[..token.len() / 2], ProblemKind::Unreadable),
        (&damaged(&token, 8), ProblemKind::Unreadable),
        (&damaged(&token, 50), ProblemKind::Unreadable),
        (&damaged(&token, token.len() - 3), ProblemKind::Unreadable),
        (&format!("{token}\n"), ProblemKind::Misshapen),
        (&format!("{token}="), ProblemKind::Misshapen),
        (&unknown_key, ProblemKind::Unreadable),
        (&format!("{}ä", &token[..40]), ProblemKind::Unreadable),
    ];
    for (id, (value, _)) in (1..).zip(cases) {
        people.conn().batch_execute(&format!("update people set email = '{value}' where id = {id}")).unwrap();
    }
    let before = people.raw();
    for batch in [1, 1000] {
        let report = people.run(people.task([2, 1]).batch_size(batch), 2);
        assert_eq!(report.outcome(), Outcome::Proven);
        let table = format!("{}people", people.db.schema());
        let mut expected: Vec<_> = (1..)
            .zip(cases)
            .map(|(id, (_, kind))| (table.clone(), "email".to_owned(), format!("id={id}"), *kind))
            .collect();
        expected.sort();
        let listed = report.problems().iter().cloned();
        let listed: Vec<_> = listed.map(|problem| (problem.table, problem.column, problem.row, problem.kind)).collect();
        assert_eq!(listed, expected);
        let email = people.column(&report, "email");
        assert_eq!((email.bad, email.current, email.scanned), (cases.len() as u64, 60 - cases.len() as u64, 60));
    }
    let after = people.raw();
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(before.email == after.email, index < cases.len(), "row {}", before.id);
        // The task did rewrite the readable columns of the same row.
        assert!(before.phone.is_none() || before.phone != after.phone);
    }
}

#[test]
fn a_damaged_value_in_a_binary_column() {
    let people = People::new(1, 1..=20);
    people.conn().batch_execute("update people set photo = null where id > 2").unwrap();
    let raw = people.raw();
    let mut photo = raw[0].photo.clone().unwrap();
    photo[30] ^= 1;
    let hex: String = photo.iter().map(|byte| format!("{byte:02x}")).collect();
    let literal = crate::backend::BYTES_LITERAL.replace("{}", &hex);
    people.conn().batch_execute(&format!("update people set photo = {literal} where id = 1")).unwrap();
    let report = people.run(people.task([2, 1]), 1);
    assert_eq!((report.outcome(), report.is_proven(), report.old_keys_may_go()), (Outcome::Proven, true, false));
    let [problem] = report.problems() else { panic!("{:?}", report.problems()) };
    assert_eq!(
        (problem.column.as_str(), problem.row.as_str(), problem.kind),
        ("photo", "id=1", ProblemKind::Unreadable)
    );
    assert_eq!(people.raw()[0].photo.as_ref(), Some(&photo));
}

#[test]
fn a_token_dated_in_the_future_is_a_token_like_any_other() {
    let people = People::new(1, 1..=20);
    // A token that Python's `cryptography` made under the first test key, with the time 2100-01-01.
    let token = future_token();
    people.conn().batch_execute(&format!("update people set email = '{token}' where id = 7")).unwrap();
    let report = people.run(people.task([2, 1]), 1);
    assert_eq!((report.outcome(), report.problems()), (Outcome::Proven, &[][..]));
    assert!(report.old_keys_may_go());
    let rewritten = people.raw()[6].email.clone();
    assert_eq!(keyring([2]).decrypt(rewritten.as_bytes()).unwrap(), b"from the future");
    assert_eq!(rewritten[..11], token[..11], "the date is kept");
}

fn future_token() -> String {
    use fernet::Fernet;
    let key = crate::support::keys::key(1).to_text();
    Fernet::new(&key).unwrap().encrypt_at_time(b"from the future", 4_102_444_800)
}
