use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::mysql::MysqlConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Unsigned};

use super::Growth;
use crate::database::{Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, growth, mebibytes, rate, rows};
use crate::people::{Keys, USUAL};
use crate::task;

const INDEXES: [&str; 2] = ["do 0", "create index bench_name on bench_people (name(32))"];

/// The size of the file that holds the table and its indexes.
const SIZE: &str = "(select file_size from information_schema.innodb_sys_tablespaces \
                    where name = concat(database(), '/bench_people'))";

impl Growth for MysqlConnection {
    fn measure(url: &str) {
        let rows = rows(200_000);
        let keys = Keys::generate();
        let connections = connect::<Self>(url, 3);
        let conn = &mut *connections.get().unwrap();
        println!("\n{}: {}", Self::NAME, conn.settings());
        let title = format!("MariaDB: growth when re-encrypting {} rows", count(rows));
        let head =
            ["secondary indexes", "table, MiB", "after", "growth", "redo log, bytes per row", "binary log", "rows/s"];
        let table = Table::new(title, &head);
        for (number, index) in INDEXES.into_iter().enumerate() {
            create(conn, "");
            conn.batch_execute(index).unwrap();
            fill(conn, rows, USUAL, &keys.keyring(0));
            let before =
                [SIZE, &status("innodb_lsn_current"), &status("binlog_bytes_written")].map(|sql| get(conn, sql));
            let run = task::reencrypt(&connections, &keys.keyring(1), 1, |_| {});
            let after =
                [SIZE, &status("innodb_lsn_current"), &status("binlog_bytes_written")].map(|sql| get(conn, sql));
            let [redo, binary] = [1, 2].map(|log| ((after[log] - before[log]) / rows as u64).to_string());
            let (size, size_after) = (mebibytes(before[0]), mebibytes(after[0]));
            let (grown, speed) = (growth(before[0], after[0]), rate(rows, run.rewriting));
            table.row([number.to_string(), size, size_after, grown, redo, binary, speed]);
            drop_table(conn);
        }
    }
}

/// A counter of the whole server.
fn status(name: &str) -> String {
    format!(
        "(select cast(variable_value as unsigned) from information_schema.global_status where variable_name = '{name}')"
    )
}

fn get(conn: &mut MysqlConnection, number: &str) -> u64 {
    diesel::select(sql::<Unsigned<BigInt>>(number)).get_result(conn).unwrap()
}
