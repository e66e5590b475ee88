//! Creates, fills and drops the table of the benches.

use diesel_encrypted::Keyring;

use crate::database::Database;

/// The number of rows in one INSERT. It keeps the log of the database from growing with the table.
const INSERT: usize = 100_000;

/// Drops and creates the table. `options` end the `CREATE TABLE` statement.
pub(crate) fn create<D: Database>(conn: &mut D, options: &str) {
    drop_table(conn);
    let columns = "id bigint not null primary key, name text not null, email text not null, ssn text not null";
    conn.batch_execute(&format!("create table bench_people ({columns}) {options}")).unwrap();
}

/// Fills the table on the server, which repeats a few tokens over all rows.
pub(crate) fn fill<D: Database>(conn: &mut D, count: usize, lengths: &[usize], keyring: &Keyring) {
    let token = |length: &usize| keyring.encrypt(&vec![b'x'; *length]);
    // The two values of a row may have different lengths.
    let column = |step: usize| {
        let arms = lengths.iter().map(token).enumerate().map(|(index, token)| format!("when {index} then '{token}' "));
        format!("case i * {step} % {} {}end", lengths.len(), arms.collect::<String>())
    };
    let (email, ssn) = (column(1), column(3));
    for first in (1..=count).step_by(INSERT) {
        let last = count.min(first + INSERT - 1);
        conn.batch_execute(&format!(
            "insert into bench_people with recursive n (i) as (select {first} union all select i + 1 from n where i < \
             {last}) select i, concat('name ', i), {email}, {ssn} from n"
        ))
        .unwrap();
    }
}

pub(crate) fn drop_table<D: Database>(conn: &mut D) {
    conn.batch_execute("drop table if exists bench_people").unwrap();
}
