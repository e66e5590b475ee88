//! Behaviour of SQLite only: a column accepts values of every type, and a text may continue after a NUL character.

use diesel::prelude::*;
use diesel::sql_query;

use crate::suite::guards::{Attempt, assert_refused, raw, token, with_a_row};

fn update(column: &'static str, value: &str) -> Attempt {
    let db = with_a_row();
    let result = sql_query(format!("UPDATE people SET {column} = {value}")).execute(&mut db.conn());
    (column, result)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_token_of_the_other_type_is_refused() {
    let token = token(0);
    let text = format!("'{token}'");
    let text_as_blob = format!("x'{}'", hex(token.as_bytes()));
    let raw = format!("x'{}'", hex(&raw(&token)));
    for (column, value) in [("email", &text), ("phone", &text), ("photo", &text_as_blob), ("photo", &raw)] {
        assert_eq!(update(column, value).1, Ok(1), "{column} = {value}");
    }
    for (column, value) in
        [("email", &text_as_blob), ("email", &raw), ("phone", &text_as_blob), ("phone", &raw), ("photo", &text)]
    {
        assert_refused(token.as_bytes(), vec![update(column, value)]);
    }
    for column in ["email", "phone", "photo"] {
        for number in ["0", "1.5", "x''"] {
            assert_refused(b"", vec![update(column, number)]);
        }
    }
}

#[test]
fn nothing_hides_after_a_nul() {
    for token in [token(0), token(32)] {
        for hidden in ["", "ada@example.org"] {
            let text = format!("'{token}' || char(0) || '{hidden}'");
            let bytes = format!("CAST({text} AS BLOB)");
            for (column, value) in [("email", &text), ("phone", &text), ("photo", &bytes)] {
                assert_refused(hidden.as_bytes(), vec![update(column, value)]);
            }
        }
    }
}
