//! A database, and a schema file to compare it with.

use std::path::PathBuf;

use diesel::connection::SimpleConnection;
use serde_json::Value;

use super::vault::plaintext;
use crate::backend::TestDatabase;
use crate::support::keys::keyring;
use crate::support::runner::{Program, Run, write};
use crate::support::secrets::PLAINTEXT;

/// A database, and a schema file to compare it with.
pub struct Scene {
    pub db: TestDatabase,
    folder: tempfile::TempDir,
}

impl Scene {
    /// Creates a table `t` with a declared and guarded column `secret`, which holds two tokens.
    pub fn new() -> Self {
        let this = Self { db: TestDatabase::new(), folder: tempfile::tempdir().unwrap() };
        this.declare("t (id) { id -> BigInt, secret -> Nullable<EncryptedText>, }");
        this.run(&format!(
            "create table t (id bigint not null primary key, amount bigint, updated_at timestamp null,
                             secret varchar(200) check (GUARD(secret) or secret = '{PLAINTEXT}'));
             insert into t (id, secret) values (1, '{}'), (2, '{}'), (3, null)",
            token(),
            token()
        ));
        this
    }

    /// Runs statements, with a known guard in place of each `GUARD(column)`.
    pub fn run(&self, sql: &str) {
        let mut parts = sql.split("GUARD(");
        let mut guarded = parts.next().unwrap().to_owned();
        for part in parts {
            let (column, rest) = part.split_once(')').unwrap();
            guarded +=
                &format!("({column} like 'gAAAA%' and length({column}) < 2100 and {column} <> '[A-Za-z0-9_-]'){rest}");
        }
        self.db.conn().batch_execute(&guarded).unwrap();
    }

    pub fn schema_file(&self) -> PathBuf {
        self.folder.path().join("schema.rs")
    }

    /// Sets the content of the schema file: the text after `table! {`. A `+` separates declarations.
    pub fn declare(&self, tables: &str) {
        let tables = tables.split("+ ").map(|table| format!("diesel::table! {{ {table} }}\n"));
        write(self.schema_file(), tables.collect::<String>());
    }

    pub fn discover(&self) -> Program {
        discover(&self.db).arg("--schema").arg(self.schema_file())
    }

    /// Returns the kind and the column of each finding.
    #[track_caller]
    pub fn findings(&self) -> Vec<(String, String)> {
        let run = self.discover().arg("--json").run();
        let found = findings(&self.db, &run);
        let expected = if found.is_empty() { (0, "clean") } else { (4, "findings") };
        assert_eq!((run.code, run.json()["outcome"].as_str().unwrap()), expected, "{run:#?}");
        found
    }

    #[track_caller]
    pub fn finds(&self, expected: &[(&str, &str)]) {
        let found = self.findings();
        let found: Vec<(&str, &str)> = found.iter().map(|(kind, column)| (kind.as_str(), column.as_str())).collect();
        assert_eq!(found, expected);
    }
}

/// Prepares the program without any key.
pub fn discover(db: &TestDatabase) -> Program {
    Program::new(["discover"]).database(&db.url()).secrets([PLAINTEXT])
}

/// Returns the kind and the column of each printed finding, ordered by column.
pub fn findings(db: &TestDatabase, run: &Run) -> Vec<(String, String)> {
    let json = run.json();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = json["findings"].as_array().unwrap().iter().map(|finding| {
        assert!(!text(finding, "detail").is_empty() && !text(finding, "advice").is_empty());
        let table = text(finding, "table");
        let table = table.strip_prefix(&db.schema()).unwrap_or(&table);
        (text(finding, "kind"), format!("{table}.{}", text(finding, "column")))
    });
    let mut findings: Vec<(String, String)> = findings.collect();
    findings.sort_by(|a, b| a.1.cmp(&b.1));
    findings
}

pub fn token() -> String {
    keyring([1]).encrypt(plaintext(1).as_bytes())
}
