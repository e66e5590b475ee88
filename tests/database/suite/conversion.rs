//! `encrypt` and `decrypt`: plaintext becomes tokens, tokens become plaintext, and nothing else changes.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable};
use diesel_encrypted::reencrypt::{Doubt, Job, Outcome, ProblemKind, Report, Task};
use diesel_encrypted::{TableName, Target};

use super::traps::{self, interfere};
use crate::backend::{
    BYTES, BYTES_LITERAL, Conn, LIMITED_TYPES, PADDED_TYPES, SELECT_BYTES, SELECT_TEXT, TEXT, TestDatabase,
};
use crate::support::keys::keyring;

/// Creates a table `t` with a text column `secret` and a binary column `scan`.
fn table() -> TestDatabase {
    let db = TestDatabase::new();
    let sql = format!("create table t (id bigint not null primary key, note {TEXT}, secret {TEXT}, scan {BYTES})");
    db.conn().batch_execute(&sql).unwrap();
    db
}

fn literal(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    BYTES_LITERAL.replace("{}", &hex)
}

fn insert(db: &TestDatabase, id: usize, secret: Option<&str>, scan: Option<&[u8]>) {
    let secret = secret.map_or("null".into(), |secret| format!("'{}'", secret.replace('\'', "''")));
    let scan = scan.map_or("null".into(), literal);
    db.conn().batch_execute(&format!("insert into t values ({id}, 'note {id}', {secret}, {scan})")).unwrap();
}

#[derive(Debug, Clone, PartialEq, QueryableByName)]
struct Raw {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<Binary>)]
    note: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    secret: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    scan: Option<Vec<u8>>,
}

/// Returns every byte of the table.
fn raw(db: &TestDatabase) -> Vec<Raw> {
    let (note, scan) = (SELECT_TEXT.replace("secret", "note"), SELECT_BYTES.replace("secret", "scan"));
    let sql = format!("select id, {note} as note, {SELECT_TEXT} as secret, {scan} as scan from t order by id");
    diesel::sql_query(sql).load(&mut db.conn()).unwrap()
}

fn targets() -> Target {
    Target::named(TableName::new("t"), ["secret", "scan"]).unwrap()
}

fn task<'a>(job: Job) -> Task<'a> {
    Task::new(keyring([2, 1])).job(job).target(targets()).accept_tokens()
}

fn run(db: &TestDatabase, task: Task<'_>) -> Report {
    task.run(&db.pool(2)).unwrap()
}

/// The counts of the text column: scanned, rewritten, current, NULL, bad.
fn counts(report: &Report) -> [u64; 5] {
    let column = report.columns().iter().find(|column| column.column == "secret").unwrap();
    [column.scanned, column.rewritten, column.current, column.null, column.bad]
}

fn problems(report: &Report) -> Vec<(&str, &str, ProblemKind)> {
    let problem = report.problems().iter();
    problem.map(|problem| (problem.column.as_str(), problem.row.as_str(), problem.kind)).collect()
}

/// Texts of many kinds. The binary column has the same values as bytes.
const PLAINTEXTS: [&str; 9] = ["", " ", "ada@example.org", "gAAA", "é日本☃ 'quoted'", "0", "null", "a\nb\tc ", "42"];

#[test]
fn plaintext_is_encrypted_and_decrypted() {
    let db = table();
    for (id, text) in PLAINTEXTS.iter().enumerate() {
        insert(&db, id, Some(text), Some(text.as_bytes()));
    }
    let long = "long ".repeat(2000);
    insert(&db, 20, Some(&long), Some(&[0, 255, 128, 10]));
    insert(&db, 21, None, None);
    // Some processes of the application already write tokens, under either key.
    let [new, old] = [2, 1].map(|number| keyring([number]).encrypt(b"sealed"));
    insert(&db, 22, Some(&new), Some(old.as_bytes()));
    insert(&db, 23, Some(&old), Some(new.as_bytes()));
    let before = raw(&db);

    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let began = seconds();
    let report = run(&db, task(Job::Encrypt));
    assert_eq!((report.outcome(), report.problems(), report.passes()), (Outcome::Proven, &[][..], 1));
    assert_eq!(counts(&report), [13, 11, 12, 1, 0]);
    let inside = raw(&db);
    for (before, inside) in before.iter().zip(&inside) {
        assert_eq!((before.id, &before.note), (inside.id, &inside.note));
        for (before, inside) in [(&before.secret, &inside.secret), (&before.scan, &inside.scan)] {
            let Some(before) = before else {
                assert_eq!(inside, &None);
                continue;
            };
            let opened = keyring([2]).decrypt(inside.as_ref().unwrap()).unwrap();
            let expected = if before.starts_with(b"gAAAA") { b"sealed" } else { before.as_slice() };
            assert_eq!(opened, expected);
        }
    }
    // The text column holds text, the binary column bytes. Tokens have the time of their encryption.
    assert!((began - 5..=seconds() + 5).contains(&date(inside[2].secret.as_ref().unwrap())));
    assert_eq!(inside[2].scan.as_ref().unwrap()[..3], [0x80, 0, 0]);

    let again = run(&db, task(Job::Encrypt));
    assert_eq!((again.outcome(), counts(&again)), (Outcome::Proven, [13, 0, 12, 1, 0]));
    assert_eq!(raw(&db), inside, "a second run writes nothing");

    let report = run(&db, task(Job::Decrypt));
    assert_eq!((report.outcome(), report.problems()), (Outcome::Proven, &[][..]));
    assert_eq!(counts(&report), [13, 12, 12, 1, 0]);
    let after = raw(&db);
    assert_eq!(after[..11], before[..11]);
    assert!(after[11..].iter().all(|row| row.secret.as_deref() == Some(b"sealed") || row.id == 21));
    let again = run(&db, task(Job::Decrypt));
    assert_eq!((again.outcome(), counts(&again)), (Outcome::Proven, [13, 0, 12, 1, 0]));
    assert_eq!(raw(&db), after);
}

/// Returns the time of a token in seconds since 1970.
fn date(token: &[u8]) -> u64 {
    let raw = URL_SAFE.decode(token).unwrap();
    u64::from_be_bytes(raw[1..9].try_into().unwrap())
}

/// Nothing distinguishes a damaged token, or a token under a missing key, from plaintext that looks like a token. So
/// the task does not change it.
#[test]
fn a_value_that_looks_like_a_token_is_not_encrypted() {
    let db = table();
    let foreign = keyring([9]).encrypt(b"a token of another key");
    let damaged = &keyring([1]).encrypt(b"damaged")[..50];
    for (id, value) in [&foreign, damaged, "gAAAA is how my name begins", "plain"].into_iter().enumerate() {
        insert(&db, id, Some(value), Some(value.as_bytes()));
    }
    for id in 10..40 {
        insert(&db, id, Some(&keyring([1]).encrypt(b"x")), None);
    }
    let before = raw(&db);
    let report = run(&db, task(Job::Encrypt));
    assert_eq!(report.outcome(), Outcome::Proven);
    let unreadable = |column, row| (column, row, ProblemKind::Unreadable);
    let rows = ["id=0", "id=1", "id=2"];
    let expected: Vec<_> =
        ["scan", "secret"].iter().flat_map(|column| rows.map(|row| unreadable(*column, row))).collect();
    assert_eq!(problems(&report), expected);
    let inside = raw(&db);
    assert_eq!(inside[..3], before[..3]);
    assert_eq!(keyring([2]).decrypt(inside[3].secret.as_ref().unwrap()).unwrap(), b"plain");

    // The operator has examined these values and confirms that they are plaintext in this column.
    let choice = || task(Job::Encrypt).token_like_plaintext("t.secret".parse().unwrap());
    let report = run(&db, choice());
    assert_eq!(problems(&report), rows.map(|row| unreadable("scan", row)));
    let sealed = raw(&db);
    for (before, sealed) in before[..3].iter().zip(&sealed) {
        assert_eq!(keyring([2]).decrypt(sealed.secret.as_ref().unwrap()).unwrap(), *before.secret.as_ref().unwrap());
    }
    assert_eq!(counts(&run(&db, choice()))[1], 0, "not again");
    assert_eq!(raw(&db), sealed);

    // After decryption, such a value would look like a token. So it stays encrypted until the operator confirms it
    // again.
    let report = run(&db, task(Job::Decrypt));
    let nested = rows.map(|row| ("secret", row, ProblemKind::Nested));
    assert_eq!(problems(&report), [rows.map(|row| unreadable("scan", row)), nested].concat());
    assert_eq!(raw(&db)[..3], sealed[..3]);
    let report = run(&db, task(Job::Decrypt).token_like_plaintext("t.secret".parse().unwrap()));
    assert_eq!((report.outcome(), report.problems().len()), (Outcome::Proven, 3));
    assert_eq!(raw(&db)[..4], before[..4]);
}

#[test]
fn a_choice_for_another_column_is_refused() {
    let db = table();
    let task = task(Job::Encrypt).token_like_plaintext("t.note".parse().unwrap());
    let error = task.run(&db.pool(1)).unwrap_err();
    assert!(
        error.is_refused() && error.to_string().starts_with("t.note is named as a column that may hold plaintext"),
        "{error}"
    );
}

/// A token that contains a token of ours. If the task decrypted it, the next run would decrypt it again.
#[test]
fn a_token_in_a_token_always_stays() {
    let db = table();
    let inner = keyring([1]).encrypt(b"inner");
    insert(&db, 1, Some(&keyring([2]).encrypt(inner.as_bytes())), None);
    let before = raw(&db);
    for task in [task(Job::Decrypt), task(Job::Decrypt).token_like_plaintext("t.secret".parse().unwrap())] {
        let report = run(&db, task);
        assert_eq!(
            (report.outcome(), problems(&report)),
            (Outcome::Proven, vec![("secret", "id=1", ProblemKind::Nested)])
        );
        assert_eq!(raw(&db), before);
    }
}

#[test]
fn bytes_that_are_not_text_stay_tokens_in_a_text_column() {
    let db = table();
    for (id, bytes) in [&[0xff, 0xfe][..], b"with a \0 in it", b"text"].into_iter().enumerate() {
        let token = keyring([1]).encrypt(bytes);
        insert(&db, id, Some(&token), Some(token.as_bytes()));
    }
    let before = raw(&db);
    let report = run(&db, task(Job::Decrypt));
    let not_text = |row| ("secret", row, ProblemKind::NotText);
    assert_eq!(problems(&report), [not_text("id=0"), not_text("id=1")]);
    let after = raw(&db);
    assert_eq!((&after[0].secret, after[0].scan.as_deref()), (&before[0].secret, Some(&[0xff, 0xfe][..])));
    assert_eq!((&after[1].secret, after[1].scan.as_deref()), (&before[1].secret, Some(&b"with a \0 in it"[..])));
    assert_eq!(after[2].secret.as_deref(), Some(&b"text"[..]));
}

#[test]
fn a_keyring_that_reads_nothing_is_refused() {
    for job in [Job::Encrypt, Job::Decrypt] {
        let db = table();
        for id in 0..20 {
            insert(&db, id, Some(&keyring([9]).encrypt(b"x")), None);
        }
        insert(&db, 20, Some("plain"), None);
        let before = raw(&db);
        let error = task(job).run(&db.pool(1)).unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("does not belong to this data"), "{error}");
        assert_eq!(raw(&db), before);
    }
}

/// While there are no other tokens, nothing distinguishes plaintext that looks like a token from a token under another
/// key.
#[test]
fn the_first_value_that_looks_like_a_token_has_to_be_explained() {
    let db = table();
    insert(&db, 0, Some("gAAAA is how my name begins"), None);
    (1..20).for_each(|id| insert(&db, id, Some("plain"), None));
    let before = raw(&db);
    let error = task(Job::Encrypt).run(&db.pool(1)).unwrap_err();
    let expected = ". If it is plaintext that looks like a token, name its column with Task::token_like_plaintext";
    assert!(error.is_refused() && error.to_string().ends_with(expected), "{error}");
    assert_eq!(raw(&db), before);
    let report = run(&db, task(Job::Encrypt).token_like_plaintext("t.secret".parse().unwrap()));
    assert_eq!((report.outcome(), report.problems()), (Outcome::Proven, &[][..]));
}

/// The application has begun to write tokens in the middle of the table, which the sample does not cover.
#[test]
fn a_wrong_keyring_that_no_sample_shows_is_found_on_the_way() {
    for tokens in [19, 20] {
        let db = table();
        for id in 0..300 {
            let token = (110..110 + tokens).contains(&id).then(|| keyring([9]).encrypt(b"x"));
            insert(&db, id, Some(token.as_deref().unwrap_or("plain")), None);
        }
        let before = raw(&db);
        let result = task(Job::Encrypt).run(&db.pool(1));
        if tokens < 20 {
            let report = result.unwrap();
            assert_eq!((report.outcome(), report.problems().len()), (Outcome::Proven, tokens));
            continue;
        }
        let error = result.unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("of 20 tokens read in "), "{error}");
        assert!(error.report().is_some_and(|report| report.columns()[1].rewritten > 0), "{error:?}");
        assert_eq!(raw(&db)[110..], before[110..]);
    }
}

/// The database pads tokens, and their plaintext too, so neither can be read back unchanged.
#[test]
fn a_column_that_the_database_pads_is_refused() {
    for (column, is_text) in PADDED_TYPES {
        for job in [Job::Encrypt, Job::Decrypt] {
            let db = TestDatabase::new();
            let keyring = keyring([2]);
            let token = keyring.encrypt(b"ada");
            let token = if *is_text { token.into_bytes() } else { URL_SAFE.decode(token).unwrap() };
            let sql = format!(
                "create table t (id bigint not null primary key, secret {column});
                 insert into t values (1, {})",
                if *is_text { format!("'{}'", String::from_utf8(token.clone()).unwrap()) } else { literal(&token) }
            );
            db.conn().batch_execute(&sql).unwrap();
            let task = || Task::new(keyring.clone()).target("t.secret".parse().unwrap());
            let error = task().job(job).run(&db.pool(1)).unwrap_err();
            assert!(error.is_refused() && error.to_string().contains("which the database pads"), "{error}");
            // A token as long as its column can be rotated.
            assert!(task().run(&db.pool(1)).unwrap().is_proven());
        }
    }
}

/// The confirmation for one column holds for no other column, even if the first one is named twice.
#[test]
fn the_choice_for_a_column_that_is_named_twice() {
    let db = table();
    insert(&db, 1, Some("gAAAA is how my name begins"), Some(&URL_SAFE.decode(keyring([9]).encrypt(b"x")).unwrap()));
    insert(&db, 2, Some("plain"), Some(&URL_SAFE.decode(keyring([2]).encrypt(b"x")).unwrap()));
    let before = raw(&db);
    let again = Target::named(TableName::new("t"), ["secret"]).unwrap();
    let task = Task::new(keyring([2])).job(Job::Encrypt).target(again).target(targets()).accept_tokens();
    let report = run(&db, task.token_like_plaintext("t.secret".parse().unwrap()));
    assert_eq!(problems(&report), [("scan", "id=1", ProblemKind::Unreadable)]);
    assert_eq!(raw(&db)[0].scan, before[0].scan);
    assert_eq!(counts(&report), [2, 2, 2, 0, 0]);
}

/// The message requires the length of the longest token. One less is too short.
#[test]
fn a_column_too_short_for_its_tokens_is_refused() {
    for (limited, is_text) in LIMITED_TYPES {
        // A token of 15 bytes has 100 characters or 73 bytes, a token of 16 bytes 120 or 89.
        for (plaintext, needed) in [("x".repeat(15), [100, 73]), (format!("é{}", "x".repeat(14)), [120, 89])] {
            let needed: usize = needed[usize::from(!is_text)];
            for length in [needed - 1, needed] {
                let db = TestDatabase::new();
                let sql_type = limited.replace("{}", &length.to_string());
                db.conn()
                    .batch_execute(&format!("create table t (id bigint not null primary key, secret {sql_type})"))
                    .unwrap();
                let value = if *is_text { format!("'{plaintext}'") } else { literal(plaintext.as_bytes()) };
                db.conn().batch_execute(&format!("insert into t values (1, {value}), (2, null)")).unwrap();
                // The length check must not treat an existing token as a long plaintext.
                let token = keyring([1]).encrypt(b"x");
                if length > token.len() {
                    db.conn().batch_execute(&format!("insert into t values (3, '{token}')")).unwrap();
                }
                let task = |dry_run| {
                    let target = Target::named(TableName::new("t"), ["secret"]).unwrap();
                    let task =
                        Task::new(keyring([2, 1])).job(Job::Encrypt).target(target).accept_tokens().dry_run(dry_run);
                    task.run(&db.pool(1))
                };
                if length == needed {
                    assert!(task(false).unwrap().is_proven(), "{sql_type}");
                    continue;
                }
                for dry_run in [true, false] {
                    let error = task(dry_run).unwrap_err();
                    let expected = format!(
                        "of {} bytes, has a length of {needed}. Make it at least {} long",
                        plaintext.len(),
                        needed + 1
                    );
                    assert!(error.is_refused() && error.to_string().contains(&expected), "{error}");
                }
            }
        }
    }
}

/// The database derives other values from such a column, and would derive them from tokens too.
#[test]
fn columns_from_which_the_database_derives_values_are_refused() {
    let db = TestDatabase::new();
    let (text, kind) = ("varchar(200)", "bigint not null primary key");
    db.conn()
        .batch_execute(&format!(
            "create table parents (id {kind}, email {text} not null unique, note {text});
             create table children (id {kind}, email {text}, note {text},
                                    foreign key (email) references parents (email) on update cascade);
             insert into parents values (1, 'a', 'n');
             insert into children values (1, 'a', 'n')"
        ))
        .unwrap();
    let run = |table: &str, column: &str, job| {
        let target = Target::named(TableName::new(table), [column]).unwrap();
        Task::new(keyring([2, 1])).job(job).target(target).run(&db.pool(1))
    };
    for table in ["parents", "children"] {
        for job in [Job::Reencrypt, Job::Encrypt, Job::Decrypt] {
            let error = run(table, "email", job).unwrap_err();
            assert!(error.is_refused() && error.to_string().contains("the foreign key "), "{error}");
        }
        assert!(run(table, "note", Job::Encrypt).unwrap().is_proven(), "other columns of the table are free");
    }
}

#[test]
fn a_column_that_another_is_generated_from_is_refused() {
    let db = TestDatabase::new();
    let sql = "create table t (id bigint not null primary key, secret varchar(300), other varchar(300),
                               initial varchar(300) generated always as (upper(secret)) stored)";
    db.conn().batch_execute(sql).unwrap();
    for job in [Job::Reencrypt, Job::Encrypt] {
        let run = |column: &str| {
            let target = Target::named(TableName::new("t"), [column]).unwrap();
            Task::new(keyring([2, 1])).job(job).target(target).run(&db.pool(1))
        };
        let error = run("secret").unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("the column initial, which is generated"), "{error}");
        assert!(run("other").unwrap().is_proven());
    }
}

/// Creates a table `t` of texts for [`interfere`]. The database refuses to change one of them.
fn plaintexts(check: &str) -> TestDatabase {
    let db = TestDatabase::new();
    let sql = format!("create table t (id bigint not null primary key, secret {TEXT}{check})");
    db.conn().batch_execute(&sql).unwrap();
    for id in 1..=traps::ROWS {
        db.conn().batch_execute(&format!("insert into t values ({}, 'row {}')", 2 * id, 2 * id)).unwrap();
    }
    db
}

fn secrets(conn: &mut Conn, condition: &str) -> Vec<(i64, String)> {
    traps::rows(conn, condition).into_iter().map(|row| (row.id, row.secret)).collect()
}

#[test]
fn concurrent_writes_of_the_application_are_never_overwritten() {
    let db = plaintexts("");
    let task = traps::task().job(Job::Encrypt).accept_tokens();
    let token = keyring([2]).encrypt(b"written as a token");
    let report = interfere(&db, task, 2, |conn| {
        // These rows are in pages that the task has read but not written.
        conn.batch_execute("update t set secret = 'written later' where id = 40").unwrap();
        conn.batch_execute(&format!("update t set secret = '{token}' where id = 42")).unwrap();
        conn.batch_execute("update t set secret = null where id = 44; delete from t where id = 46").unwrap();
    });
    assert_eq!((report.outcome(), report.columns()[0].raced), (Outcome::Proven, 4));
    let rows = secrets(&mut db.conn(), "id between 40 and 48 and secret is not null");
    assert_eq!(rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [40, 42, 48]);
    assert_eq!(keyring([2]).decrypt(rows[0].1.as_bytes()).unwrap(), b"written later");
    assert_eq!(rows[1].1, token, "not sealed again");
}

#[test]
fn plaintext_that_cannot_be_rewritten_is_not_a_success() {
    let db = plaintexts(", check (id <> 6 or secret not like 'gAAAA%')");
    let report = traps::task().job(Job::Encrypt).accept_tokens().run(&db.pool(2)).unwrap();
    assert_eq!((report.outcome(), report.doubt()), (Outcome::Incomplete, Some(&Doubt::LeftPlaintext(1))));
    assert_eq!(problems(&report), [("secret", "id=6", ProblemKind::Plaintext)]);
    assert_eq!(secrets(&mut db.conn(), "id = 6"), [(6, "row 6".into())]);
    db.conn().batch_execute("delete from t where id = 6").unwrap();
    assert!(traps::task().job(Job::Encrypt).accept_tokens().run(&db.pool(2)).unwrap().is_proven());
}
