//! The task on arrays of tokens: each element is a value, and each array is swapped as a whole.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, Nullable};
use diesel_encrypted::reencrypt::{ColumnReport, Job, Outcome, ProblemKind, Refusal, Report, Task};
use diesel_encrypted::{TableName, Target};

use crate::backend::TestDatabase;
use crate::suite::migrations::migrated;
use crate::suite::traps::{self, PAGE, ROWS, interfere};
use crate::support::keys::keyring;

/// The columns of the table `posts` that hold tokens.
const COLUMNS: [&str; 6] = ["tags", "varchars", "scans", "guarded", "domain", "title"];

/// A table with arrays of every kind.
struct Posts {
    db: TestDatabase,
}

/// A row as the server sends it, byte for byte.
#[derive(Debug, Clone, PartialEq, QueryableByName)]
struct Raw {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<Bytea>)]
    bytes: Option<Vec<u8>>,
}

impl Posts {
    fn new() -> Self {
        let db = migrated();
        db.conn()
            .batch_execute(
                "create domain tag_list as encrypted_text[];
                 create table posts (id bigint primary key, tags text[], varchars varchar(200)[], scans bytea[],
                                     guarded encrypted_text[], domain tag_list, title text, note text[])",
            )
            .unwrap();
        Self { db }
    }

    /// Sets a column of a row to an expression. In it, `@x` is a token for the plaintext `x`, and `#x` the same as bytes.
    fn set(&self, id: i64, column: &str, expression: &str, key: u8) {
        let keyring = keyring([key]);
        let mut sql = String::new();
        let mut rest = expression.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '@' | '#' => {
                    let mut text = String::new();
                    while let Some(letter) = rest.next_if(|letter| letter.is_alphanumeric()) {
                        text.push(letter);
                    }
                    let token = keyring.encrypt(text.as_bytes());
                    let raw = character == '#';
                    let literal = if raw {
                        format!("decode(translate('{token}', '-_', '+/'), 'base64')")
                    } else {
                        format!("'{token}'")
                    };
                    sql.push_str(&literal);
                }
                other => sql.push(other),
            }
        }
        let statement = format!(
            "insert into posts (id, note) values ({id}, '{{\"gAAAA\"}}') on conflict (id) do nothing;
             update posts set {column} = {sql} where id = {id}"
        );
        self.db.conn().batch_execute(&statement).unwrap();
    }

    /// Every kind of array, under this key.
    fn fill(&self, key: u8) {
        for (id, column, expression) in [
            (1, "tags", "array[@a, @b, @a]"),
            (2, "tags", "'{}'"),
            (3, "tags", "null"),
            (4, "tags", "array[null, @c, null]::text[]"),
            (5, "tags", "array[[@a, @b], [@c, null]]"),
            (6, "tags", "array[@x]"),
            (6, "tags[-1]", "@y"),
            (7, "tags", "array[null]::text[]"),
            (8, "tags", "array[[[@a]], [[@b]]]"),
            (1, "varchars", "array[@a, @b]"),
            (1, "scans", "array[#a, null, @b::bytea]"),
            (1, "guarded", "array[@a, null]::encrypted_text[]"),
            (2, "domain", "array[@a, @b]::encrypted_text[]"),
            (1, "title", "@title"),
            (2, "title", "@title"),
        ] {
            self.set(id, column, expression, key);
        }
    }

    fn run(&self, columns: &[&str], job: Job, keys: impl IntoIterator<Item = u8>) -> Report {
        task(columns, job, keys).run(&self.db.pool(2)).unwrap()
    }

    /// What a column holds, in the binary form of arrays, but with the plaintext of each element.
    fn plain(&self, column: &str, keys: impl IntoIterator<Item = u8>) -> Vec<(i64, Option<String>)> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            id: i64,
            #[diesel(sql_type = Nullable<diesel::sql_types::Text>)]
            text: Option<String>,
        }
        let keyring = keyring(keys);
        let sql = format!("select id, {column}::text as text from posts order by id");
        let rows: Vec<Row> = diesel::sql_query(sql).load(&mut self.db.conn()).unwrap();
        let opened = |text: String| {
            let is_token = |c: char| c.is_ascii_alphanumeric() || "-_=".contains(c);
            let mut plain = String::new();
            let mut rest = text.as_str();
            while let Some(start) = rest.find("gAAAA") {
                let token = &rest[start..];
                let end = token.find(|c| !is_token(c)).unwrap_or(token.len());
                plain.push_str(&rest[..start]);
                plain.push_str(&String::from_utf8(keyring.decrypt(&token.as_bytes()[..end]).unwrap()).unwrap());
                rest = &token[end..];
            }
            plain + rest
        };
        rows.into_iter().map(|row| (row.id, row.text.map(opened))).collect()
    }

    fn raw(&self, column: &str) -> Vec<Raw> {
        let sql = format!("select id, array_send({column}) as bytes from posts order by id");
        diesel::sql_query(sql).load(&mut self.db.conn()).unwrap()
    }
}

fn task<'a>(columns: &[&str], job: Job, keys: impl IntoIterator<Item = u8>) -> Task<'a> {
    let target = Target::named(TableName::new("posts"), columns.iter().copied()).unwrap();
    Task::new(keyring(keys)).job(job).target(target)
}

fn counts(report: &Report, column: &str) -> (u64, u64, u64, u64, u64) {
    let column: &ColumnReport = report.columns().iter().find(|found| found.column == column).unwrap();
    (column.scanned, column.rewritten, column.current, column.null, column.bad)
}

#[test]
fn every_element_is_rewritten_and_every_shape_is_kept() {
    let posts = Posts::new();
    posts.fill(1);
    let before = COLUMNS.map(|column| if column == "scans" { Vec::new() } else { posts.plain(column, [1]) });
    let (scans, note) = (posts.raw("scans"), posts.raw("note"));
    let report = posts.run(&COLUMNS, Job::Reencrypt, [2, 1]);
    assert_eq!(report.outcome(), Outcome::Proven, "{:?}", report.problems());
    assert_eq!(counts(&report, "tags"), (18, 11, 11, 7, 0));
    assert_eq!(counts(&report, "scans"), (10, 2, 2, 8, 0));
    assert_eq!(counts(&report, "domain"), (9, 2, 2, 7, 0));
    assert_eq!(counts(&report, "title"), (8, 2, 2, 6, 0));
    let after = COLUMNS.map(|column| if column == "scans" { Vec::new() } else { posts.plain(column, [2]) });
    assert_eq!(after, before);
    assert_eq!(after[0][5].1.as_deref(), Some("[-1:1]={y,NULL,x}"));
    assert_eq!(after[0][4].1.as_deref(), Some("{{a,b},{c,NULL}}"));
    assert_eq!(posts.raw("note"), note, "a column that nobody named is not read");
    // A raw token stays raw, and a token in text form stays text.
    let length = |rows: &[Raw]| rows.iter().map(|row| row.bytes.as_ref().map(Vec::len)).collect::<Vec<_>>();
    assert_ne!(posts.raw("scans"), scans);
    assert_eq!(length(&posts.raw("scans")), length(&scans));

    let written = posts.raw("tags");
    let again = posts.run(&COLUMNS, Job::Reencrypt, [2, 1]);
    assert_eq!((again.outcome(), counts(&again, "tags")), (Outcome::Proven, (18, 0, 11, 7, 0)));
    assert_eq!(posts.raw("tags"), written, "a second run writes nothing");
}

#[test]
fn a_bad_element_is_named_and_the_others_are_rewritten() {
    let posts = Posts::new();
    posts.set(1, "tags", "array[@a, 'NULL', @b, '\"\\,{}', null]", 1);
    posts.set(2, "tags", "array[@x]", 1);
    posts.set(3, "tags", "array[@y]", 9);
    for (id, text) in [(4, "array['']"), (5, "array[[@a], ['plain']]")] {
        posts.set(id, "tags", text, 1);
    }
    let report = posts.run(&["tags"], Job::Reencrypt, [2, 1]);
    assert_eq!(report.outcome(), Outcome::Proven);
    let found = report.problems().iter().map(|problem| (problem.row.as_str(), problem.kind)).collect::<Vec<_>>();
    let plaintext = ProblemKind::Plaintext;
    assert_eq!(
        found,
        [
            ("id=1, tags[2]", plaintext),
            ("id=1, tags[4]", plaintext),
            ("id=3, tags[1]", ProblemKind::Unreadable),
            ("id=4, tags[1]", plaintext),
            ("id=5, tags[2][1]", plaintext),
        ]
    );
    let plain = posts.plain("tags", [2, 9]);
    assert_eq!(plain[0].1.as_deref(), Some(r#"{a,"NULL",b,"\"\\,{}",NULL}"#));
    assert_eq!(plain[4].1.as_deref(), Some("{{a},{plain}}"));
}

#[test]
fn plaintext_in_arrays_becomes_tokens_and_plaintext_again() {
    let posts = Posts::new();
    posts
        .db
        .conn()
        .batch_execute(
            "insert into posts (id, tags, varchars, scans) values
             (1, array['a', null, 'NULL', '\"\\\\,{}', ''], array['short'], array['\\x00ff'::bytea, '\\x'::bytea]),
             (2, '[0:1][5:5]={{b},{c}}', null, '{}')",
        )
        .unwrap();
    let columns = ["tags", "varchars", "scans"];
    let before = columns.map(|column| posts.raw(column));
    let report = posts.run(&columns, Job::Encrypt, [1]);
    assert_eq!(report.outcome(), Outcome::Proven, "{:?}", report.problems());
    assert_eq!(counts(&report, "tags"), (7, 6, 6, 1, 0));
    assert_eq!(posts.plain("tags", [1])[1].1.as_deref(), Some("[0:1][5:5]={{b},{c}}"));
    let report = posts.run(&columns, Job::Decrypt, [1]);
    assert_eq!(report.outcome(), Outcome::Proven, "{:?}", report.problems());
    assert_eq!(columns.map(|column| posts.raw(column)), before);
}

#[test]
fn a_conversion_that_cannot_work_is_refused_by_name() {
    let posts = Posts::new();
    posts.fill(1);
    let refused = |column: &str, job: Job| {
        let run = task(&[column], job, [1]).run(&posts.db.pool(2));
        run.unwrap_err().refusal().unwrap().to_string()
    };
    for column in ["guarded", "domain"] {
        let message = refused(column, Job::Decrypt);
        assert!(message.contains(&format!("posts.{column}")) && message.contains("guard"), "{message}");
    }
    let long = "x".repeat(150);
    posts.db.conn().batch_execute(&format!("update posts set varchars = array['a', '{long}'] where id = 1")).unwrap();
    let message = refused("varchars", Job::Encrypt);
    assert!(message.contains("posts.varchars") && message.contains("150"), "{message}");
    // The elements are arrays themselves, in a domain.
    posts.db.conn().batch_execute("create domain words as text[]; alter table posts add nested words[]").unwrap();
    let message = refused("nested", Job::Reencrypt);
    assert!(message.contains("posts.nested") && message.contains("words[]"), "{message}");
}

#[test]
fn an_element_that_the_application_adds_meanwhile_stays() {
    let db = traps::table("text");
    db.conn().batch_execute("alter table t alter secret type text[] using array[secret]").unwrap();
    let second_page = format!("id > {} and id <= {}", 2 * PAGE, 4 * PAGE);
    let token = keyring([1]).encrypt(b"added");
    let report = interfere(&db, traps::task(), 2, |conn| {
        conn.batch_execute(&format!("update t set secret = secret || '{token}'::text where {second_page}")).unwrap();
    });
    assert_eq!(report.outcome(), Outcome::Proven);
    let column = &report.columns()[0];
    let (rows, added) = (ROWS as u64, PAGE as u64);
    assert_eq!((column.scanned, column.rewritten, column.raced), (rows + added, rows + added, added));
    let count = "select id, array_send(secret) as bytes from t where cardinality(secret) = 2";
    let longer: Vec<Raw> = diesel::sql_query(count).load(&mut db.conn()).unwrap();
    assert_eq!(longer.len() as u64, added);
}

#[test]
fn the_setting_that_makes_null_a_word_changes_nothing() {
    let posts = Posts::new();
    posts.set(1, "tags", "array[@a, null]", 1);
    let sql = "do $$ begin execute format('alter database %I set array_nulls = off', current_database()); end $$";
    posts.db.conn().batch_execute(sql).unwrap();
    assert!(posts.run(&["tags"], Job::Reencrypt, [2, 1]).is_proven());
    assert_eq!(posts.raw("tags")[0].bytes.as_ref().map(|bytes| bytes.ends_with(&[255; 4])), Some(true));
}

/// A condition is true or false for a whole row, so it cannot exempt an element.
#[test]
fn a_condition_for_plaintext_in_arrays_is_refused_before_anything_is_written() {
    let posts = Posts::new();
    posts.fill(1);
    posts.set(9, "tags", "array['plain', @a]", 1);
    let raw =
        || COLUMNS.iter().filter(|column| **column != "title").map(|column| posts.raw(column)).collect::<Vec<_>>();
    let before = raw();
    let target = |column: &str| format!("posts.{column}").parse().unwrap();
    for job in [Job::Reencrypt, Job::Encrypt] {
        for column in ["tags", "scans", "domain"] {
            let run = task(&COLUMNS, job, [2, 1]).plaintext_where(target(column), "id = 9").run(&posts.db.pool(2));
            let error = run.unwrap_err();
            assert!(matches!(error.refusal(), Some(Refusal::Condition { .. })), "{error}");
            let said = error.to_string();
            assert!(said.contains(&format!("posts.{column}")) && said.contains("an array"), "{said}");
        }
    }
    assert_eq!(raw(), before);
    let run = task(&COLUMNS, Job::Reencrypt, [2, 1]).plaintext_where(target("title"), "id = 9").run(&posts.db.pool(2));
    assert_eq!(run.unwrap().problems().len(), 1);
}

#[test]
fn a_token_inside_an_element_is_never_sealed() {
    let posts = Posts::new();
    posts.set(1, "tags", "array['plain', '\"' || @a || '\"', @b, ' ' || @c]", 1);
    posts.set(2, "scans", "array[convert_to('\"' || @a || '\"', 'UTF8'), #b]", 1);
    let raw = |rows: &[Raw]| rows.iter().map(|row| row.bytes.clone()).collect::<Vec<_>>();
    let element = |sql: &str| {
        let sql = format!("select id, {sql}::bytea as bytes from posts order by id");
        raw(&diesel::sql_query(sql).load(&mut posts.db.conn()).unwrap())
    };
    let elements = || ["tags[2]", "tags[4]", "scans[1]"].map(element);
    let before = elements();
    for job in [Job::Reencrypt, Job::Encrypt] {
        let run = task(&["tags", "scans"], job, [2, 1]).accept_tokens().run(&posts.db.pool(2)).unwrap();
        assert_eq!((run.outcome(), run.old_keys_may_go()), (Outcome::Proven, false));
        let found = run.problems().iter().filter(|problem| problem.kind == ProblemKind::Misshapen);
        let mut found: Vec<_> = found.map(|problem| problem.row.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ["id=1, tags[2]", "id=1, tags[4]", "id=2, scans[1]"], "{job}");
        assert_eq!(elements(), before);
    }
    let sealed = &element("tags[1]")[0];
    assert_eq!(keyring([2]).decrypt(sealed.as_ref().unwrap()).unwrap(), b"plain");
}

#[test]
fn an_element_that_would_not_be_text_stays_a_token() {
    let posts = Posts::new();
    let token = keyring([1]).encrypt(b"caf\xe9");
    posts.set(1, "tags", &format!("array[@a, '{token}', null]"), 1);
    let report = posts.run(&["tags"], Job::Decrypt, [1]);
    let found = report.problems().iter().map(|problem| (problem.row.as_str(), problem.kind)).collect::<Vec<_>>();
    assert_eq!(found, [("id=1, tags[2]", ProblemKind::NotText)]);
    let sql = "select id, array_to_string(tags, ' ')::bytea as bytes from posts";
    let rows: Vec<Raw> = diesel::sql_query(sql).load(&mut posts.db.conn()).unwrap();
    assert_eq!(rows[0].bytes.as_deref(), Some(format!("a {token}").as_bytes()));
}

#[test]
fn every_element_of_an_array_that_cannot_be_written_counts() {
    let posts = Posts::new();
    posts.fill(1);
    let sql = "alter table posts add old text[]; update posts set old = tags;
               alter table posts add check (id not in (1, 5) or tags is not distinct from old)";
    posts.db.conn().batch_execute(sql).unwrap();
    let report = posts.run(&["tags"], Job::Reencrypt, [2, 1]);
    assert_eq!(report.outcome(), Outcome::Incomplete);
    let column = &report.columns()[0];
    assert_eq!((column.rewritten, column.busy), (5, 6));
    assert_eq!(posts.plain("tags", [2, 1])[0].1.as_deref(), Some("{a,b,a}"));
}
