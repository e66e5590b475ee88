//! Servers that are not the primary, that are something else than they seem, or that are more than one.

#[cfg(feature = "cli-mysql")]
mod mysql;
#[cfg(feature = "cli-postgres")]
mod postgres;

use crate::support::keys::{NEW, OLD, key, keyring};
use crate::support::runner::{Program, Run};

/// A table of 30 values under the old key.
fn table() -> String {
    let rows = (1..=30).map(|id| format!("({id}, '{}')", keyring([OLD]).encrypt(b"value")));
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!("create table people (id bigint primary key, secret text not null); insert into people values {rows}")
}

/// A command on this database.
fn program(args: &[&str], url: &str) -> Program {
    let text = |number: u8| String::from_utf8(key(number).to_text().as_bytes().to_vec()).unwrap();
    Program::new(args).args(["--column", "people.secret"]).keys(&[&text(NEW), &text(OLD)]).database(url)
}

fn reencrypt(url: &str) -> Program {
    program(&["reencrypt", "--stateless", "--batch-size=10"], url)
}

fn retire(url: &str) -> Program {
    program(&["retire", "--fence-timeout=1", &key(OLD).fingerprint().to_string()], url)
}

#[track_caller]
fn states(run: &Run, text: &str) {
    assert!(run.stdout.contains(text), "no {text:?} in {run:#?}");
}
