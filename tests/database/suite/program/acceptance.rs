//! Rotates a table that Python's `cryptography` filled under an old key. Afterwards, Python reads everything with the
//! new key alone, and nothing else in the table has changed.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;

use super::super::sql::texts;
use super::{fingerprint, key_text};
use crate::backend::{BYTES, OTHER_COLUMNS, TEXT, TestDatabase, shown};
use crate::support::python::{self, Dated};
use crate::support::runner::Program;

const OLD: u8 = 1;
const NEW: u8 = 2;
const ROWS: i64 = 4000;
/// The times of tokens: 1970, the example of the specification, three recent ones (one beyond 32 bits), and the year
/// 9999.
const DATES: [u64; 6] = [0, 499_162_800, 1_000_000_000, 1_763_900_000, 1 << 32, 253_402_300_799];

diesel::table! {
    everything (id) {
        id -> BigInt,
        secret -> Nullable<Text>,
        photo -> Nullable<Binary>,
    }
}

/// The encrypted columns of a row.
type Cells = (i64, Option<String>, Option<Vec<u8>>);

/// The plaintext of a cell: text, JSON and bytes of many lengths. `None` is `NULL`.
fn plaintext(id: i64, is_photo: bool) -> Option<Dated> {
    let date = DATES[id as usize % DATES.len()];
    let long = "žluťoučký kůň ".repeat(id as usize % 40);
    let plaintext = match (is_photo, id % 7) {
        (_, 0) => return None,
        (true, 1) => return None,
        (true, _) => (0..id % 300).map(|i| (i * id) as u8).collect(),
        (false, 1) => Vec::new(),
        (false, 2) => format!("ada+{id}@example.org").into_bytes(),
        (false, 3) => json!({ "number": id, "text": long, "nothing": null }).to_string().into_bytes(),
        (false, _) => format!("{long} 東京 🔑 {id}").into_bytes(),
    };
    Some((plaintext, date))
}

/// The application has had the new key for a while, so some values are under it already.
fn key_of(id: i64) -> u8 {
    if id % 11 == 0 { NEW } else { OLD }
}

/// Returns tokens for all cells, made by Python. In the binary column, even rows have raw tokens, odd rows have text.
fn sealed() -> Vec<Cells> {
    let keys = [OLD, NEW].map(key_text);
    let cells = (1..=ROWS).flat_map(|id| [(id, false), (id, true)]);
    let plaintexts: Vec<_> = cells.filter_map(|(id, is_photo)| Some((id, plaintext(id, is_photo)?))).collect();
    let values = plaintexts.iter().map(|(id, (plaintext, date))| {
        let key = &keys[usize::from(key_of(*id) == NEW)];
        (key.as_str(), *date, plaintext.as_slice())
    });
    let mut tokens = python::seal(&values.collect::<Vec<_>>()).into_iter();
    let mut token = |id, is_photo| plaintext(id, is_photo).and_then(|_| tokens.next());
    let cells = (1..=ROWS).map(|id| {
        let secret = token(id, false);
        let photo = token(id, true);
        (id, secret, photo.map(|token| if id % 2 == 0 { URL_SAFE.decode(token).unwrap() } else { token.into_bytes() }))
    });
    cells.collect()
}

fn fill(db: &TestDatabase) {
    let others: Vec<String> =
        OTHER_COLUMNS.iter().map(|(name, definition, _)| format!("{name} {definition}")).collect();
    let set = OTHER_COLUMNS.iter().filter(|(_, _, value)| !value.is_empty());
    let set: Vec<String> = set.map(|(name, _, value)| format!("{name} = {value}")).collect();
    let conn = &mut db.conn();
    // The encrypted columns are among other columns, as in a real table.
    let (first, last) = others.split_at(2);
    conn.batch_execute(&format!(
        "create table everything ({}, secret {TEXT}, id bigint not null primary key, photo {BYTES}, {})",
        first.join(", ").replace("not null default ''", "").replace("not null", ""),
        last.join(", ")
    ))
    .unwrap();
    for cells in sealed().chunks(500) {
        let cells: Vec<_> = cells
            .iter()
            .map(|(id, secret, photo)| {
                (everything::id.eq(id), everything::secret.eq(secret), everything::photo.eq(photo))
            })
            .collect();
        diesel::insert_into(everything::table).values(&cells).execute(conn).unwrap();
    }
    conn.batch_execute(&format!("update everything set {}", set.join(", "))).unwrap();
}

fn cells(db: &TestDatabase) -> Vec<Cells> {
    everything::table.order(everything::id).load(&mut db.conn()).unwrap()
}

/// Returns everything in the table except the encrypted columns, row by row.
fn rest(db: &TestDatabase) -> Vec<String> {
    let columns: Vec<&str> = std::iter::once("id").chain(OTHER_COLUMNS.iter().map(|(name, ..)| *name)).collect();
    texts(&mut db.conn(), &format!("select {} from everything order by id", shown(&columns)))
}

/// Returns the cells that Python decrypts with one key, in the order of `(id, is_photo)`.
fn opened(cells: &[Cells], key: u8) -> Vec<Option<Dated>> {
    let tokens = cells.iter().flat_map(|(_, secret, photo)| {
        [secret.as_ref().map(|secret| secret.as_bytes()), photo.as_deref()].into_iter().flatten()
    });
    python::open(&key_text(key), &tokens.collect::<Vec<_>>())
}

#[test]
fn python_fills_the_program_re_encrypts_python_reads() {
    let db = TestDatabase::new();
    fill(&db);
    let (before, rest_before) = (cells(&db), rest(&db));
    // All rows are there, and they differ.
    assert_eq!((before.len(), rest_before.len()), (ROWS as usize, ROWS as usize));
    assert_eq!(rest_before.iter().collect::<HashSet<_>>().len(), rest_before.len());

    let texts = (1..=ROWS).filter_map(|id| String::from_utf8(plaintext(id, false)?.0).ok());
    let secrets: Vec<String> = texts.filter(|text| text.len() > 6).chain([key_text(OLD), key_text(NEW)]).collect();
    let program = |command: &str, keys: &[u8]| {
        let keys: Vec<String> = keys.iter().map(|number| key_text(*number)).collect();
        Program::new([command, "--json", "--column", "everything.secret", "--column", "everything.photo"])
            .set("DB_ENCRYPTION_KEYS", keys.join(":"))
            .database(&db.url())
            .secrets(secrets.clone())
    };
    let run = program("reencrypt", &[NEW, OLD]).exits_with(0);
    assert_eq!(run.json()["outcome"], "proven");

    let (after, rest_after) = (cells(&db), rest(&db));
    assert_eq!(rest_after.len(), rest_before.len());
    for (after, before) in rest_after.iter().zip(&rest_before) {
        assert_eq!(after, before);
    }

    // With the new key alone, Python reads every plaintext and every time unchanged. With the old key it reads nothing.
    let expected = (1..=ROWS).flat_map(|id| [plaintext(id, false), plaintext(id, true)]).flatten();
    let (new, old) = (opened(&after, NEW), opened(&after, OLD));
    assert_eq!(new.len(), expected.clone().count());
    for (opened, expected) in new.into_iter().zip(expected) {
        assert!(opened.as_ref() == Some(&expected), "{opened:?} instead of {expected:?}");
    }
    assert!(old.iter().all(Option::is_none));

    for ((id, secret, photo), (before_id, before_secret, before_photo)) in after.iter().zip(&before) {
        assert_eq!(id, before_id);
        let form = |photo: &Vec<u8>| (photo.len(), photo[0]);
        assert_eq!(secret.as_ref().map(String::len), before_secret.as_ref().map(String::len), "row {id}");
        assert_eq!(photo.as_ref().map(form), before_photo.as_ref().map(form), "row {id}");
        if key_of(*id) == NEW {
            assert_eq!((secret, photo), (before_secret, before_photo), "row {id} was done already");
        }
    }

    let status = program("status", &[NEW]).exits_with(0).json();
    let values = |column: usize| status["columns"][column]["keys"][0]["values"].as_u64().unwrap() as usize;
    assert_eq!(status["primary"], fingerprint(NEW));
    assert_eq!(values(0), after.iter().filter(|(_, _, photo)| photo.is_some()).count());
    assert_eq!(values(1), after.iter().filter(|(_, secret, _)| secret.is_some()).count());
}
