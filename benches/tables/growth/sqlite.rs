use std::fs;

use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;

use super::Growth;
use crate::database::{Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, growth, mebibytes, rate, rows};
use crate::people::{Keys, USUAL};
use crate::task;

const INDEXES: [&str; 2] = ["select 1", "create index bench_name on bench_people (name)"];

impl Growth for SqliteConnection {
    fn measure(url: &str) {
        let rows = rows(200_000);
        let keys = Keys::generate();
        let connections = connect::<Self>(url, 3);
        let conn = &mut *connections.get().unwrap();
        let title = format!("SQLite: growth of the files when re-encrypting {} rows", count(rows));
        let head = ["secondary indexes", "database, MiB", "after", "growth", "largest WAL file, MiB", "rows/s"];
        let table = Table::new(title, &head);
        for (number, index) in INDEXES.into_iter().enumerate() {
            create(conn, "");
            conn.batch_execute(index).unwrap();
            fill(conn, rows, USUAL, &keys.keyring(0));
            conn.batch_execute("vacuum").unwrap();
            conn.settle();
            let before = size(url);
            let run = task::reencrypt(&connections, &keys.keyring(1), 1, |_| {});
            // SQLite writes the WAL from its start again without truncating it.
            let log = size(&format!("{url}-wal"));
            conn.settle();
            let after = size(url);
            let [before_size, after_size, log] = [before, after, log].map(mebibytes);
            let speed = rate(rows, run.rewriting);
            table.row([number.to_string(), before_size, after_size, growth(before, after), log, speed]);
            drop_table(conn);
        }
    }
}

fn size(path: &str) -> u64 {
    fs::metadata(path).unwrap().len()
}
