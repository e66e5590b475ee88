//! Contents that MySQL and MariaDB allow: text in many character sets, and tables with a history.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::Adopting;
use diesel_encrypted::reencrypt::{Job, Outcome, ProblemKind, Task};

use crate::backend::TestDatabase;
use crate::suite::program::scene::{Scene, token};
use crate::suite::sql::{number, text};
use crate::support::keys::keyring;

diesel::table! {
    t (id) {
        id -> BigInt,
        secret -> Nullable<Text>,
    }
}

/// A text is sealed as the characters that the model reads. Bytes that are no character of their set would be lost.
#[test]
fn text_in_other_character_sets() {
    // The set, the bytes of a text, the text, and bytes that are no character.
    let cases = [
        ("latin1", "636166E9", "café", None),
        ("cp1251", "CFF0E8E2E5F2", "Привет", Some("CF98E8")),
        ("ascii", "616263", "abc", Some("61E962")),
        ("cp932", "82A0", "あ", None),
        ("utf16", "00E9D83DDE00", "é😀", None),
        ("utf8mb3", "C3A9", "é", None),
    ];
    for (set, bytes, expected, broken) in cases {
        let db = TestDatabase::new();
        let token = keyring([1]).encrypt(b"sealed");
        let sql = format!(
            "create table t (id bigint not null primary key, secret text character set {set});
             insert into t values (1, x'{bytes}'), (2, '{token}'), (3, null), (4, '')"
        );
        db.conn().batch_execute(&sql).unwrap();
        let broken = broken.filter(|broken| {
            // MariaDB refuses such bytes in some sets.
            db.conn().batch_execute(&format!("insert into t values (5, x'{broken}')")).is_ok()
        });
        let task = |job| Task::new(keyring([2, 1])).job(job).target("t.secret".parse().unwrap()).accept_tokens();
        let report = task(Job::Encrypt).run(&db.pool(2)).unwrap();
        let problems: Vec<_> = report.problems().iter().map(|problem| (problem.row.as_str(), problem.kind)).collect();
        assert_eq!(report.outcome(), Outcome::Proven, "{set}");
        let expected_problems = broken.map(|_| ("id=5", ProblemKind::NotText));
        assert_eq!(problems, expected_problems.into_iter().collect::<Vec<_>>(), "{set}");
        if let Some(broken) = broken {
            assert_eq!(text(&mut db.conn(), "select hex(secret) from t where id = 5"), broken);
        }
        let first = || t::table.find(1).select(t::secret.assume_not_null()).first(&mut db.conn());
        let read: Adopting<String> = keyring([2]).scope(first).unwrap();
        assert_eq!(*read, expected, "{set}");
        assert_eq!(task(Job::Decrypt).run(&db.pool(2)).unwrap().outcome(), Outcome::Proven);
        assert_eq!(text(&mut db.conn(), "select hex(secret) from t where id = 1"), bytes, "{set}");
    }
}

/// A rewrite would add every old token to the history, in which nothing can be rewritten.
#[test]
fn a_table_with_a_history_is_refused() {
    let scene = Scene::new();
    let sql = format!(
        "create table u (id bigint not null primary key, secret varchar(200)) with system versioning;
         insert into u values (1, '{}'), (2, null); update u set secret = '{}' where id = 1;
         update u set secret = '{}'; delete from u where id = 2",
        token(),
        token(),
        token()
    );
    if !text(&mut scene.db.conn(), "select version()").contains("MariaDB") {
        return; // MySQL has no such tables.
    }
    scene.run(&sql);
    for job in [Job::Reencrypt, Job::Encrypt, Job::Decrypt] {
        let task = Task::new(keyring([2, 1])).job(job).target("u.secret".parse().unwrap());
        let error = task.run(&scene.db.pool(1)).unwrap_err();
        let said = error.to_string();
        assert!(error.is_refused() && said.contains("it is system-versioned"), "{said}");
        assert!(said.contains("holds 4 former versions") && said.contains("old key stays necessary"), "{said}");
    }
    assert_eq!(number(&mut scene.db.conn(), "select count(*) from u for system_time all"), 5);
    let json = scene.discover().arg("--json").run().json();
    let detail = json["findings"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("a system-versioned table, whose history keeps old tokens"), "{detail}");
    // The way out.
    scene.run("alter table u drop system versioning");
    let task = Task::new(keyring([2, 1])).target("u.secret".parse().unwrap());
    assert!(task.run(&scene.db.pool(1)).unwrap().old_keys_may_go());
}
