//! Behaviour of MySQL and MariaDB only: without a strict `sql_mode` they truncate a value that is too long for its
//! column.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::Error::DatabaseError;
use diesel::sql_types::{BigInt, Text};
use diesel_encrypted::{Encrypted, Error, raw_token_len, token_len};

use crate::backend::{Conn, TestDatabase, is_mariadb};
use crate::schema::people;
use crate::suite::guards::{assert_refused, raw, store_bytes, store_text, token, with_a_row};
use crate::suite::migrations::{Person, ada, everyone, migrated};
use crate::support::keys::keyring;

fn with_mode(db: &TestDatabase, mode: &str) -> Conn {
    let mut conn = db.conn();
    conn.batch_execute(&format!("SET sql_mode = '{mode}'")).unwrap();
    conn
}

/// A person whose token is longer than the column.
fn wordy() -> Person {
    Person { email: Encrypted::from("x".repeat(256)), ..ada() }
}

#[test]
fn a_value_that_is_too_long_is_an_error_in_every_mode() {
    let db = migrated();
    keyring([1]).scope(|| {
        diesel::insert_into(people::table).values(&ada()).execute(&mut db.conn()).unwrap();
        let attempts = |mode: &str| {
            let conn = &mut with_mode(&db, mode);
            [
                diesel::insert_into(people::table).values(&wordy()).execute(conn),
                diesel::insert_into(people::table).values([ada(), wordy()].as_slice()).execute(conn),
                diesel::update(people::table).set(&wordy()).execute(conn),
            ]
        };
        for result in attempts("") {
            assert_refused(b"", vec![("email", result)]);
        }
        for mode in ["STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "TRADITIONAL"] {
            for result in attempts(mode) {
                let Err(DatabaseError(_, error)) = result else { panic!("{mode}: {result:?}") };
                assert!(error.message().contains("Data too long for column 'email'"), "{}", error.message());
            }
        }
        // `INSERT IGNORE` truncates in every mode, and may skip the row without an error.
        for mode in ["", "STRICT_ALL_TABLES"] {
            let wordy = wordy();
            let insert = diesel::insert_or_ignore_into(people::table).values(&wordy);
            assert_ne!(insert.execute(&mut with_mode(&db, mode)), Ok(1));
        }
        assert_eq!(everyone(&db), [ada()]);
    });
}

/// The reason for guards. This tests the server, not the crate.
#[test]
fn without_a_guard_the_server_truncates_tokens_and_destroys_values() {
    let db = migrated();
    let conn = &mut with_mode(&db, "");
    conn.batch_execute("ALTER TABLE people DROP CONSTRAINT people_email_is_encrypted").unwrap();
    keyring([1]).scope(|| {
        assert_eq!(diesel::insert_into(people::table).values(&wordy()).execute(conn), Ok(1));
        let lost = people::table.select(people::email).first::<Encrypted<String>>(conn).unwrap_err();
        assert!(Error::find(&lost).is_some_and(Error::is_decrypt), "{lost:?}");
    });
}

/// Returns types, each with the length of the shortest plaintext whose token is too long for it.
fn types(sized: &str, token_len: fn(usize) -> usize, others: [(&str, usize); 3]) -> Vec<(String, usize)> {
    let sizes = [16, 32, 48, 64, 80, 1024].map(|plaintext| token_len(plaintext) + 1);
    let sized = sizes.map(|size| (format!("{sized}({size})"), size));
    let types = sized.into_iter().chain(others.map(|(name, size)| (name.to_owned(), size)));
    types.map(|(name, size)| (name, (0..).find(|plaintext| token_len(*plaintext) > size).unwrap())).collect()
}

#[test]
fn a_token_truncated_by_its_column_is_refused() {
    let db = with_a_row();
    let conn = &mut with_mode(&db, "");
    let text_types = types("VARCHAR", token_len, [("VARCHAR(255)", 255), ("TINYTEXT", 255), ("TEXT", 65_535)]);
    for (text_type, too_long) in text_types {
        let modify = format!("ALTER TABLE people MODIFY email {text_type} CHARACTER SET ascii NOT NULL");
        conn.batch_execute(&format!("UPDATE people SET email = '{}'; {modify}", token(0))).unwrap();
        let fits = store_text(conn, &token(too_long - 1));
        assert!(fits.iter().all(|(_, result)| *result == Ok(1)), "{text_type}: {fits:?}");
        for plaintext in [0, 16, 32, 48].map(|more| too_long + more) {
            assert_refused(b"", store_text(conn, &token(plaintext)));
        }
    }
    let binary_types =
        types("VARBINARY", raw_token_len, [("VARBINARY(255)", 255), ("TINYBLOB", 255), ("BLOB", 65_535)]);
    for (binary_type, too_long) in binary_types {
        let modify = format!("ALTER TABLE people MODIFY photo {binary_type}");
        conn.batch_execute(&format!("UPDATE people SET photo = NULL; {modify}")).unwrap();
        let fits = store_bytes(conn, &raw(&token(too_long - 1)));
        assert!(fits.iter().all(|(_, result)| *result == Ok(1)), "{binary_type}: {fits:?}");
        for plaintext in [0, 16, 32, 48].map(|more| too_long + more) {
            let token = token(plaintext);
            assert_refused(b"", store_bytes(conn, &raw(&token)));
            assert_refused(b"", store_bytes(conn, token.as_bytes()));
        }
    }
}

#[test]
fn a_column_cannot_be_made_shorter_than_its_tokens() {
    let db = migrated();
    let conn = &mut with_mode(&db, "");
    let person = Person { email: Encrypted::from("x".repeat(16)), ..ada() };
    keyring([1]).scope(|| {
        diesel::insert_into(people::table).values(&person).execute(conn).unwrap();
        let shorten = "ALTER TABLE people MODIFY email VARCHAR(101) CHARACTER SET ascii NOT NULL";
        conn.batch_execute(shorten).unwrap_err();
        assert_eq!(everyone(&db), [person]);
    });
}

#[test]
fn the_columns_are_one_longer_than_their_longest_tokens() {
    let db = migrated();
    let size = |column: &str| {
        let size = sql::<BigInt>("SELECT CAST(character_maximum_length AS SIGNED) FROM information_schema.columns")
            .sql(" WHERE table_schema = DATABASE() AND table_name = 'people' AND column_name = ")
            .bind::<Text, _>(column);
        size.get_result::<i64>(&mut db.conn())
    };
    assert_eq!(size("email"), Ok(token_len(255) as i64 + 1));
    assert_eq!(size("phone"), Ok(token_len(31) as i64 + 1));
}

/// The reason why a column is one longer than its longest token.
#[test]
fn a_token_truncated_to_the_length_of_a_token_can_pass_the_guard() {
    let db = migrated();
    let conn = &mut with_mode(&db, "");
    conn.batch_execute(&format!("ALTER TABLE people MODIFY email VARCHAR({}) CHARACTER SET ascii", token_len(32)))
        .unwrap();
    keyring([1]).scope(|| {
        assert_eq!(diesel::insert_into(people::table).values(&wordy()).execute(conn), Ok(1));
    });
}

/// The type of the column refuses the value before the guard does, and the error shows its beginning.
#[test]
fn a_character_beyond_ascii_is_shown_in_a_strict_mode() {
    let db = with_a_row();
    let plaintext = "Ada née Byron, 1815";
    if !is_mariadb() {
        // Here no error shows a value, in any mode.
        for (column, result) in
            ["STRICT_ALL_TABLES", ""].iter().flat_map(|mode| store_text(&mut with_mode(&db, mode), plaintext))
        {
            let Err(DatabaseError(_, error)) = result else { panic!("{column}: {result:?}") };
            let reason = "Conversion from collation utf8mb4_0900_ai_ci into ascii_bin impossible for parameter";
            assert_eq!(error.message(), reason);
        }
        return;
    }
    for (column, result) in store_text(&mut with_mode(&db, "STRICT_ALL_TABLES"), plaintext) {
        let Err(DatabaseError(_, error)) = result else { panic!("{column}: {result:?}") };
        assert!(error.message().contains(r"Incorrect string value: '\xC3\xA9e By...'"), "{}", error.message());
    }
    assert_refused(plaintext.as_bytes(), store_text(&mut with_mode(&db, ""), plaintext));
}

/// Every mode reads quotes, backslashes and `%` in its own way. The guard and the definition of the column must not
/// depend on the mode, neither of the session that writes the migration nor of the session that runs it.
#[test]
fn guards_mean_the_same_under_every_mode() {
    use crate::suite::program::guard::Migrations;

    const MODES: [&str; 8] = [
        "",
        "ANSI_QUOTES",
        "NO_BACKSLASH_ESCAPES",
        "ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
        "ANSI",
        "TRADITIONAL",
        "PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE",
        "ORACLE",
    ];
    let modes = MODES.into_iter().filter(|mode| is_mariadb() || *mode != "ORACLE");
    let ways: &[&[&str]] = if is_mariadb() { &[&[], &["--online"]] } else { &[&[]] };
    for mode in modes {
        for way in ways {
            let db = TestDatabase::new();
            let conn = &mut db.conn();
            let create =
                r"CREATE TABLE `o'dd\x` (id INT PRIMARY KEY, `se\c'ret` TEXT CHARACTER SET ascii COLLATE ascii_bin \
                DEFAULT NULL COMMENT 'it''s \\ odd')"
                    .replace("\\\n", "");
            conn.batch_execute(&create).unwrap();
            let definition = |conn: &mut Conn| {
                crate::suite::sql::text(
                    conn,
                    "select CONCAT(column_comment, column_type) FROM information_schema.columns \
                    WHERE table_schema = DATABASE() AND column_name LIKE 'se%'",
                )
            };
            let before = definition(conn);
            let args: Vec<&str> = std::iter::once(r"o'dd\x.se\c'ret").chain(way.iter().copied()).collect();
            let migrations = Migrations::written(&db, &args);
            let session = &mut with_mode(&db, mode);
            // Not by Diesel's harness: under ORACLE its BEGIN would open a block.
            let run = |conn: &mut Conn, file: &str| {
                let mut folders = migrations.written.clone();
                if file == "down.sql" {
                    folders.reverse();
                }
                folders
                    .iter()
                    .try_for_each(|folder| conn.batch_execute(&std::fs::read_to_string(folder.join(file)).unwrap()))
            };
            run(session, "up.sql").unwrap();
            let now = crate::suite::sql::text(session, "select CAST(@@SESSION.sql_mode AS CHAR(1000))");
            assert_eq!(
                now,
                crate::suite::sql::text(&mut with_mode(&db, mode), "select CAST(@@SESSION.sql_mode AS CHAR(1000))")
            );
            let plaintext = r"INSERT INTO `o'dd\x` VALUES (1, 'plaintext')";
            conn.batch_execute(plaintext).unwrap_err();
            conn.batch_execute(&format!(r"INSERT INTO `o'dd\x` VALUES (1, '{}')", token(5))).unwrap();
            assert_eq!(definition(conn), before, "{mode} {way:?}");
            run(&mut with_mode(&db, mode), "down.sql").unwrap();
            assert_eq!(definition(conn), before, "{mode} {way:?}");
            conn.batch_execute(&plaintext.replace("(1", "(2")).unwrap();
            // The migration does not guard a column with plaintext.
            run(&mut with_mode(&db, mode), "up.sql").unwrap_err();
        }
    }
}

/// A server whose default engine is another one. The record of a run needs transactions.
#[test]
fn the_tables_of_the_task_are_of_innodb() {
    let tables = diesel_encrypted::reencrypt::state_tables::<diesel::mysql::Mysql>();
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    conn.batch_execute("SET default_storage_engine = MyISAM").unwrap();
    tables.create.iter().for_each(|statement| conn.batch_execute(statement).unwrap());
    let engines = crate::suite::sql::number(
        conn,
        "select COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND engine = 'InnoDB'",
    );
    assert_eq!(engines, 3);
}
