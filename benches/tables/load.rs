//! Loading rows with two `Encrypted<String>`, compared with loading the same tokens as `String`.

use crate::database::{Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, median, rate, ratio, rows, setting, time};
use crate::people::{Keys, USUAL};

pub(crate) fn measure<D: Database>(url: &str) {
    let (rows, runs) = (rows(100_000), setting("RUNS", 5));
    let conn = &mut *connect::<D>(url, 1).get().unwrap();
    let keys = Keys::generate();
    create(conn, "");
    fill(conn, rows, USUAL, &keys.keyring(0));
    conn.settle();
    let (mut as_string, mut as_encrypted) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        as_string.push(time(|| drop(conn.rows())));
        keys.keyring(0).scope(|| as_encrypted.push(time(|| drop(conn.encrypted_rows()))));
    }
    drop_table(conn);
    let (as_string, as_encrypted) = (median(&mut as_string), median(&mut as_encrypted));
    let title = format!("{}: loading {} rows, median of {runs}", D::NAME, count(rows));
    let table = Table::new(title, &["two columns as", "rows/s", "time ÷ time of `String`"]);
    table.row(["`String`".into(), rate(rows, as_string), ratio(1.0)]);
    let slower = as_encrypted.as_secs_f64() / as_string.as_secs_f64();
    table.row(["`Encrypted<String>`".into(), rate(rows, as_encrypted), ratio(slower)]);
}
