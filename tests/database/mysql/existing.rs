//! Guards on columns of an existing table that has everything a table can have, and behaviour of MySQL and MariaDB
//! only.

use diesel::connection::SimpleConnection;
use diesel::deserialize::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_encrypted::guard::GuardKind;

use crate::backend::{Conn, TestDatabase, is_mariadb};
use crate::suite::program::guard::{Migrations, insert, refused, token};
use crate::suite::sql::texts;

/// The ways to create guards, and the kind of guard that each creates.
pub fn ways() -> &'static [(&'static [&'static str], GuardKind)] {
    let ways: &[(&[&str], GuardKind)] = &[(&[], GuardKind::Check), (&["--online"], GuardKind::Check)];
    if is_mariadb() { ways } else { &ways[..1] }
}

const NOT_ONLINE: &str = "DB.t cannot be guarded online: MySQL copies the table to add a CHECK, and writers wait";

pub const ODD_PEOPLE: &str = "
    create table parents (id bigint primary key);
    create table `Odd People` (
        id bigint auto_increment primary key,
        name varchar(100) not null default 'nobody',
        `E Mail` varchar(300) character set utf8mb4 collate utf8mb4_unicode_ci not null default 'x' comment 'it''s, \\n',
        photo mediumblob,
        parent bigint,
        loud varchar(100) generated always as (upper(name)) stored,
        constraint `has a name` check (name <> ''),
        unique (name, parent),
        key `by mail` (`E Mail`),
        foreign key (parent) references parents (id) on delete cascade
    );
    create table children (
        id bigint primary key, person bigint, foreign key (person) references `Odd People` (id) on delete cascade
    );
    create trigger marks before insert on `Odd People` for each row set new.name = trim(new.name);
    create view names as select name, `E Mail` from `Odd People`";

/// Returns everything that the catalogue knows about all tables.
pub fn shape(conn: &mut Conn) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Written {
        #[diesel(sql_type = Text, column_name = "Create Table")]
        text: String,
    }
    if !is_mariadb() {
        return shape_in_catalogue(conn);
    }
    let mut shape = Vec::new();
    for table in ["`Odd People`", "children", "parents"] {
        let written: Written = diesel::sql_query(format!("show create table {table}")).get_result(conn).unwrap();
        let (columns, options) = written.text.rsplit_once("\n)").unwrap();
        // The next number of the table may change.
        let options = options.split(' ').filter(|option| !option.starts_with("AUTO_INCREMENT="));
        shape.push(format!("{columns}\n){}", options.collect::<Vec<_>>().join(" ")));
    }
    let triggers = "select cast(concat_ws(' ', trigger_name, event_object_table, action_statement) as char)
                    from information_schema.triggers where trigger_schema = database() order by 1";
    shape.extend(texts(conn, triggers));
    shape
}

/// The same for MySQL. Diesel cannot read its statement that shows a table.
fn shape_in_catalogue(conn: &mut Conn) -> Vec<String> {
    let lines = "
        select concat_ws(' ', table_name, ordinal_position, column_name, column_type, collation_name, is_nullable,
                         column_default, extra, column_comment, generation_expression) as line
        from information_schema.columns where table_schema = database()
        union all
        select concat_ws(' ', table_name, index_name, seq_in_index, column_name, non_unique)
        from information_schema.statistics where table_schema = database()
        union all
        select concat_ws(' ', table_name, constraint_name, constraint_type, enforced, check_clause)
        from information_schema.table_constraints left join information_schema.check_constraints
             using (constraint_schema, constraint_name) where table_schema = database()
        union all
        select concat_ws(' ', trigger_name, event_object_table, action_statement)
        from information_schema.triggers where trigger_schema = database()
        union all
        select concat_ws(' ', table_name, constraint_name, referenced_table_name, delete_rule)
        from information_schema.referential_constraints where constraint_schema = database()";
    let mut lines = texts(conn, &format!("select cast(line as char) from ({lines}) all_lines order by 1"));
    lines.retain(|line| !line.starts_with("__diesel"));
    lines
}

fn with(sql: &str) -> TestDatabase {
    let db = TestDatabase::new();
    db.conn().batch_execute(sql).unwrap();
    db
}

/// Most collations treat a token in another case, or with a trailing blank, as equal. The guard does not.
#[test]
fn the_bytes_count_in_every_character_set_and_collation() {
    let types = [
        "varchar(300) character set utf8mb4 collate utf8mb4_unicode_ci",
        "varchar(300) character set utf8mb4 collate utf8mb4_bin",
        "text character set utf8mb3",
        "varchar(300) character set latin1",
        "varchar(300) character set latin1 collate latin1_general_cs",
        "varchar(300) character set utf16",
        "text character set ucs2",
        "varchar(300) character set utf32",
        "varchar(300) character set sjis",
        "varchar(300) character set gbk",
        "varchar(300) character set ascii",
        "varchar(300) character set ascii collate ascii_bin",
    ];
    let (whole, padded) = (token(0), token(16));
    let mut others = vec![whole.to_uppercase(), whole.to_lowercase(), format!("{whole} "), format!("{whole}\\n")];
    others.extend(
        [" ", "é", "ａ", "表", "ſ", "?", "\\0", "\\\\"].map(|other| whole.replacen("AAA", &format!("AA{other}"), 1)),
    );
    others.extend([whole[..99].into(), String::new(), "ada@example.org".into(), padded.replace('=', "")]);
    for sql_type in types {
        for (way, _) in ways() {
            let db = with(&format!("create table t (a {sql_type})"));
            let migrations = Migrations::written(&db, &[&["t.a"], *way].concat());
            let conn = &mut db.conn();
            migrations.run(conn).unwrap();
            for value in &others {
                let error = insert(conn, "t", &format!("'{value}'")).unwrap_err().to_string();
                let known = ["constraint", "incorrect string value"];
                assert!(known.iter().any(|known| error.to_lowercase().contains(known)), "{sql_type}: {value}: {error}");
            }
            for value in [&whole, &padded] {
                insert(conn, "t", &format!("'{value}'")).unwrap();
            }
            insert(conn, "t", "null").unwrap();
        }
    }
}

#[test]
fn a_column_that_could_be_ascii_is_reported() {
    let db = with(
        "create table t (a varchar(204) character set utf8mb4 not null,
                         b varchar(205) character set ascii collate ascii_bin)",
    );
    let migrations = Migrations::written(&db, &["t.a", "t.b"]);
    migrations.says("ALTER TABLE `t` MODIFY `a` varchar(204) CHARACTER SET ascii COLLATE ascii_bin NOT NULL (");
    migrations.says("t.a: varchar(204) ends where a shorter token could end");
    assert!(!migrations.notes().contains("t.b"), "{}", migrations.notes());
}

/// MariaDB would add nothing and report no error, and a revert would drop the constraint that was there.
#[test]
fn a_name_that_is_taken_is_refused() {
    let db = with("create table t (a varchar(300), b int, constraint T_a_IS_encrypted check (a <> ''))");
    let reason = "t.a cannot be guarded: its table already has a t_a_is_encrypted, which is not a guard. Look it up with SHOW CREATE";
    if is_mariadb() {
        refused(&db, &["t.a"], &format!("DB.{reason}"));
    } else {
        // MySQL itself refuses it.
        let error = Migrations::written(&db, &["t.a"]).run(&mut db.conn()).unwrap_err();
        assert!(error.to_string().contains("Duplicate check constraint name 't_a_is_encrypted'"), "{error}");
    }
    db.conn().batch_execute("alter table t drop constraint T_a_IS_encrypted").unwrap();
    Migrations::written(&db, &["t.a"]).run(&mut db.conn()).unwrap();
    assert!(insert(&mut db.conn(), "t (a)", "'x'").is_err());
}

#[test]
fn a_column_with_the_name_of_a_variable() {
    let db = with(&format!("create table t (found varchar(300)); insert into t values ('{}')", token(1)));
    if !is_mariadb() {
        refused(&db, &["t.found", "--online"], NOT_ONLINE);
        return;
    }
    let migrations = Migrations::written(&db, &["t.found", "--online"]);
    let conn = &mut db.conn();
    conn.batch_execute("update t set found = 'plaintext'").unwrap();
    let error = migrations.run_next(conn).unwrap_err().to_string();
    assert!(error.contains("holds values that are not tokens"), "{error}");
    conn.batch_execute(&format!("update t set found = '{}'", token(1))).unwrap();
    migrations.run(conn).unwrap();
}

/// Neither creating the guard nor checking the rows copies the table or blocks writers.
#[test]
fn online_nothing_is_copied_and_writers_are_not_blocked() {
    let db = with("create table t (a varchar(300))");
    if !is_mariadb() {
        refused(&db, &["t.a", "--online"], NOT_ONLINE);
        return;
    }
    let migrations = Migrations::written(&db, &["t.a", "--online"]);
    assert!(migrations.up(0).contains("ALGORITHM = INSTANT"), "{}", migrations.up(0));
    let mut conn = db.conn();
    migrations.run_next(&mut conn).unwrap();
    let mut application = db.conn();
    application.batch_execute(&format!("begin; insert into t values ('{}')", token(1))).unwrap();
    conn.batch_execute("set lock_wait_timeout = 1, innodb_lock_wait_timeout = 1").unwrap();
    migrations.run_next(&mut conn).unwrap();
    application.batch_execute("commit").unwrap();
}

#[test]
fn a_column_with_a_check_of_its_own_is_not_guarded_online() {
    let db = with("create table t (a varchar(300) check (a <> ''))");
    let own =
        "t.a cannot be guarded online: it already has a CHECK of its own, and a column can have only one. A guard that";
    refused(&db, &["t.a", "--online"], if is_mariadb() { own } else { NOT_ONLINE });
    Migrations::written(&db, &["t.a"]).run(&mut db.conn()).unwrap();
}

/// The server went away before Diesel recorded the migration.
#[test]
fn a_migration_that_was_not_recorded_runs_again() {
    let db = with("create table t (a varchar(300))");
    for (way, _) in ways() {
        let migrations = Migrations::written(&db, &[&["t.a"], *way].concat());
        let conn = &mut db.conn();
        migrations.run(conn).unwrap();
        conn.batch_execute("delete from __diesel_schema_migrations").unwrap();
        let again = migrations.run(conn);
        if !is_mariadb() {
            // MySQL has no `IF NOT EXISTS` for constraints, so it reports an error.
            assert!(again.unwrap_err().to_string().contains("Duplicate check constraint name 't_a_is_encrypted'"));
            return;
        }
        again.unwrap();
        migrations.revert(conn).unwrap();
    }
}
