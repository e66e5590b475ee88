//! Invalid databases and columns: the program exits with code 2 and creates nothing.

use serde_json::json;

use super::{A, B, fingerprint};
use crate::support::runner::{Program, Run, write};

#[track_caller]
fn refused(program: Program, reason: &str) {
    let Run { code, stdout, stderr } = program.run();
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains(reason), "no {reason:?} in {stderr:?}");
}

fn status() -> Program {
    Program::new(["status", "--column", "users.email"]).keys(&[A])
}

#[test]
fn no_database() {
    refused(status(), "no database is named. Set DATABASE_URL, or pass --database-url.");
}

#[test]
fn an_unknown_scheme() {
    for url in
        ["oracle://scott:tiger-and-lion@db.example.org/app", "tiger-and-lion://db", "POSTGRES://tiger-and-lion@db"]
    {
        refused(
            status().database(url).secrets(["tiger-and-lion", "oracle"]),
            "the database URL has an unknown scheme. Use postgres://, mysql:// or the path of an SQLite file.",
        );
    }
}

#[cfg(feature = "cli-sqlite")]
#[test]
fn a_url_without_a_scheme() {
    for forgotten in [
        "scott:tiger-and-lion@db.example.org/app",
        "host=db.example.org user=scott password=tiger-and-lion",
        "postgres:/scott:tiger-and-lion",
        "sqlite://password=tiger-and-lion",
        "Server=db;Uid=scott;Pwd=tiger-and-lion",
        "jdbc:postgresql:scott/tiger-and-lion@db",
        "Data Source=db;User ID=scott;Password='tiger-and-lion'",
        "postgres:tiger-and-lion",
        "\"host=db password=tiger-and-lion\"",
        "{scott:tiger-and-lion}",
    ] {
        refused(
            status().database(forgotten).secrets(["tiger-and-lion"]),
            "the database URL has no scheme, and no SQLite file has that name. It is not shown",
        );
    }
    refused(status().database(B).secrets([B]), "the database URL has no scheme, and no SQLite file has that name");
}

/// clap repeats what it does not know.
#[test]
fn a_key_among_the_arguments() {
    let cases: [(&[&str], &str); 8] = [
        (&["keys", B], "unexpected argument '(not shown"),
        (&[B], "unrecognized subcommand '(not shown"),
        (&["keys", "--key", B], "unexpected argument '--key' found"),
        (&["status", "--column", B], "invalid value '(not shown"),
        (&["status", "--workers", B], "invalid value '(not shown"),
        (&["keys", "--", &format!("{B}:{A}")], "unexpected argument '(not shown"),
        (&["retire", "--fence-timeout", &B[..43], B], "invalid value '(not shown"),
        (&["status", "postgres://scott:tiger-and-lion@db/app"], "unexpected argument '(not shown"),
    ];
    for (args, reason) in cases {
        let Run { code, stdout, stderr } = Program::new(args.iter().copied()).run();
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.contains(reason), "{args:?}: {stderr}");
        for secret in [&B[..12], &B[30..42], &A[..12], "tiger"] {
            assert!(!stderr.contains(secret), "{args:?}: {stderr}");
        }
    }
}

/// libpq would quote the part of the password that it takes for a parameter.
#[cfg(feature = "cli-postgres")]
#[test]
fn a_password_among_the_parameters_that_is_not_escaped() {
    for password in ["tiger&lion", "tiger=lion"] {
        let program = status().database(&format!("postgres://127.0.0.1:1/app?password={password}"));
        refused(program.secrets(["tiger", "lion"]), "Write special characters in the password as %XX");
    }
}

#[cfg(feature = "cli-mysql")]
#[test]
fn a_malformed_url() {
    refused(status().database("mysql://scott:tiger-and-lion@db.example.org:port/app"), "MySQL connection URLs must be");
}

/// libpq would quote the whole URL.
#[cfg(feature = "cli-postgres")]
#[test]
fn a_malformed_address() {
    for address in ["[::1", "[]", "[::1]x", "[::1]:port", "db:port"] {
        let program = status().database(&format!("postgres://scott:tiger-and-lion@{address}/app"));
        refused(program.secrets(["tiger-and-lion"]), "the URL is not valid");
    }
    let program = status().database("postgres://scott:tiger%00lion@127.0.0.1:1/app");
    refused(program.secrets(["tiger", "lion"]), "the URL is not valid");
    // An address that nobody answers at is shown.
    let several = "postgres://scott:tiger-and-lion@127.0.0.1:1,127.0.0.1:2/app";
    let run = status().database(several).secrets(["tiger-and-lion"]).exits_with(7);
    assert!(run.stderr.contains("127.0.0.1"), "{run:?}");
}

#[cfg(feature = "cli-postgres")]
#[test]
fn a_password_that_is_not_escaped() {
    for password in ["tiger@lion", "tiger/lion", "tiger%lion", "tiger:lion#x"] {
        let url = format!("postgres://scott:{password}@127.0.0.1:1/app");
        let program = status().database(&url).secrets(["tiger", "lion"]);
        refused(program, "Write special characters in the password as %XX");
    }
}

#[cfg(not(feature = "cli-postgres"))]
#[test]
fn a_database_that_was_not_built_in() {
    refused(status().database("postgres://localhost/app"), "Install it again with `--features cli-postgres`");
}

#[cfg(feature = "cli-sqlite")]
#[test]
fn an_sqlite_file_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mistyped.db");
    let path = path.display();
    for url in [path.to_string(), format!("sqlite://{path}")] {
        refused(status().database(&url), &format!("there is no SQLite file {path}. Check the path"));
    }
    for uri in [format!("file:{path}"), format!("file://{path}?cache=private")] {
        refused(status().database(&uri), "cannot connect to the database: unable to open database file");
    }
    refused(status().database(&folder.path().display().to_string()), "there is no SQLite file");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[cfg(feature = "cli-sqlite")]
#[test]
fn a_file_that_is_not_a_sqlite_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    write(&file, "no database, but longer than the head that every SQLite file begins with".repeat(20));
    refused(status().database(&file.display().to_string()), "file is not a database");
}

#[test]
fn a_column_that_does_not_exist() {
    for name in ["email", "", ".", "users.", ".email", "a.b.c.d", "\"users.email", "users..email"] {
        let program = Program::new(["status", "--column", name]).keys(&[A]).database("unused");
        refused(program, "TABLE.COLUMN");
    }
}

#[test]
fn arguments_that_contradict_each_other() {
    refused(status().args(["--schema", "schema.rs"]), "cannot be used with");
    refused(status().args(["--workers", "0"]), "--workers");
    refused(Program::new(["reencrypt", "--batch-size", "0"]), "--batch-size");
    refused(Program::new(["rotate"]), "unrecognized subcommand");
}

#[test]
fn a_schema_file_that_does_not_parse() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.rs");
    let with_schema =
        || Program::new(["reencrypt", "--schema"]).args([&schema]).keys(&[A]).database("unused").folder(folder.path());
    refused(with_schema(), &format!("cannot read {}", schema.display()));
    write(&schema, "this is not Rust");
    refused(with_schema(), "schema.rs is not a Diesel schema file");
    write(&schema, "diesel::table! { users { id -> } }");
    refused(with_schema(), "schema.rs is not a Diesel schema file");
    write(folder.path().join("diesel.toml"), "[print_schema");
    let by_toml = Program::new(["status"]).keys(&[A]).database("unused").folder(folder.path());
    refused(by_toml, "diesel.toml is not a Diesel configuration");
    write(folder.path().join("diesel.toml"), "[print_schema]\nfile = \"src/missing.rs\"\n");
    let by_toml = Program::new(["status"]).keys(&[A]).database("unused").folder(folder.path());
    refused(by_toml, "cannot read");
}

/// A task that cannot begin still writes one JSON document.
#[test]
fn nothing_to_work_on() {
    let folder = tempfile::tempdir().unwrap();
    let reencrypt = || Program::new(["reencrypt", "--json"]).keys(&[A]).database("unused").folder(folder.path());
    let refused = json!({
        "outcome": "refused", "primary": fingerprint(A), "passes": 0, "columns": [], "problems": [],
        "problems_omitted": 0, "proof": null, "doubt": null,
    });
    let run = reencrypt().exits_with(5);
    run.notes(
        "failed",
        "no column is selected, because there is no diesel.toml in this folder or above. Pass --schema PATH",
    );
    assert_eq!(run.json(), refused);
    write(folder.path().join("diesel.toml"), "[print_schema]\n");
    let run = reencrypt().exits_with(5).says("diesel.toml names no schema file");
    run.notes("failed", "no column is selected, because ");
    assert_eq!(run.json(), refused);
    let status = Program::new(["status", "--json"]).keys(&[A]).database("unused").folder(folder.path());
    let refused =
        json!({ "outcome": "refused", "primary": fingerprint(A), "moment": null, "columns": [], "run": null });
    assert_eq!(status.exits_with(5).json(), refused);
}
