//! The shipped migrations, and the schema file that `diesel print-schema` makes of them.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_encrypted::reencrypt::{Outcome, Task};
use diesel_encrypted::{Encrypted, TableName, Target, guard};
use diesel_migrations::MigrationHarness;

use crate::backend::{Conn, TestDatabase};
use crate::schema::people;
use crate::shipped::{COLUMNS, MIGRATIONS, SCHEMA_FILE};
use crate::support::keys::keyring;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = people)]
pub struct Person {
    pub name: String,
    pub email: Encrypted<String>,
    pub phone: Option<Encrypted<String>>,
    pub photo: Option<Encrypted<Vec<u8>>>,
}

pub fn ada() -> Person {
    Person {
        name: "Ada".into(),
        email: Encrypted::from("ada@example.org".to_owned()),
        phone: Some(Encrypted::from("+44 20 7946 0000".to_owned())),
        photo: Some(Encrypted::from(vec![0, 255, 0])),
    }
}

pub fn nobody() -> Person {
    Person { name: String::new(), email: Encrypted::default(), phone: None, photo: None }
}

fn crowd() -> Vec<Person> {
    (0..50).flat_map(|_| [ada(), nobody()]).collect()
}

/// Creates a database and runs the migrations.
pub fn migrated() -> TestDatabase {
    let db = TestDatabase::new();
    db.conn().run_pending_migrations(MIGRATIONS).unwrap();
    db
}

/// Returns all people, ordered by their ids.
pub fn everyone(db: &TestDatabase) -> Vec<Person> {
    people::table.order(people::id).select(Person::as_select()).load(&mut db.conn()).unwrap()
}

#[test]
fn the_model_round_trips_through_the_printed_schema() {
    let db = migrated();
    keyring([1]).scope(|| {
        diesel::insert_into(people::table).values([ada(), nobody()].as_slice()).execute(&mut db.conn()).unwrap();
        assert_eq!(everyone(&db), [ada(), nobody()]);
        let changed = Person { email: Encrypted::from("x".repeat(255)), phone: None, ..ada() };
        diesel::update(people::table.find(1_i64)).set(&changed).execute(&mut db.conn()).unwrap();
        let phone = people::phone.eq(Encrypted::from("9".repeat(31)));
        diesel::update(people::table.find(2_i64)).set(phone).execute(&mut db.conn()).unwrap();
        let other = Person { phone: Some(Encrypted::from("9".repeat(31))), ..nobody() };
        assert_eq!(everyone(&db), [Person { phone: ada().phone, ..changed }, other]);
    });
}

#[test]
fn the_migrations_can_be_reverted() {
    let db = migrated();
    let conn = &mut db.conn();
    let run = conn.revert_all_migrations(MIGRATIONS).unwrap().len();
    people::table.count().get_result::<i64>(conn).unwrap_err();
    // A type that the revert left behind would make the next run fail.
    assert_eq!(conn.run_pending_migrations(MIGRATIONS).unwrap().len(), run);
    assert_eq!(people::table.count().get_result::<i64>(conn), Ok(0));
}

#[test]
fn the_printed_schema_is_the_register_of_encrypted_columns() {
    let from_file = Target::from_schema_file(SCHEMA_FILE).unwrap();
    assert_eq!(from_file, [Target::of(people::table).unwrap()]);
    assert_eq!(from_file[0].columns(), ["email", "phone", "photo"]);
}

/// A column as the catalogue describes it.
#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = Bool)]
    is_nullable: bool,
    #[diesel(sql_type = Bool)]
    is_key: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    max_length: Option<i64>,
}

/// Generates the schema file of `diesel print-schema` from the catalogue.
fn printed_schema(conn: &mut Conn) -> String {
    let mut schema = "// @generated automatically by Diesel CLI.\n".to_owned();
    let mut columns: Vec<Column> = diesel::sql_query(COLUMNS).load(conn).unwrap();
    columns.retain(|column| column.table_name != "__diesel_schema_migrations");
    for table in columns.chunk_by(|one, other| one.table_name == other.table_name) {
        let name = &table[0].table_name;
        let keys: Vec<&str> =
            table.iter().filter(|column| column.is_key).map(|column| column.column_name.as_str()).collect();
        schema += "\ndiesel::table! {\n    use diesel::sql_types::*;\n    use diesel_encrypted::sql_types::*;\n\n";
        schema += &format!("    {name} ({}) {{\n", keys.join(", "));
        for Column { column_name, type_name, is_nullable, max_length, .. } in table {
            if let Some(length) = max_length {
                schema += &format!("        #[max_length = {length}]\n");
            }
            let is_guarded = guard::of(conn, &TableName::new(name), column_name).unwrap().is_some();
            let type_name = match (is_guarded, type_name.as_str()) {
                (false, other) => other,
                (true, "Text" | "Varchar") => "EncryptedText",
                (true, _) => "EncryptedBinary",
            };
            let type_name = if *is_nullable { format!("Nullable<{type_name}>") } else { type_name.to_owned() };
            schema += &format!("        {column_name} -> {type_name},\n");
        }
        schema += "    }\n}\n";
    }
    schema
}

#[test]
fn the_schema_file_agrees_with_the_migrations() {
    let kept = std::fs::read_to_string(SCHEMA_FILE).unwrap();
    assert_eq!(printed_schema(&mut migrated().conn()), kept, "run bin/print-schema");
}

#[test]
fn the_task_works_on_guarded_columns() {
    const LONG_AGO: &str = "updated_at = '2001-02-03 04:05:06'";
    let db = migrated();
    keyring([1]).scope(|| {
        diesel::insert_into(people::table).values(&crowd()).execute(&mut db.conn()).unwrap();
    });
    db.conn().batch_execute(&format!("UPDATE people SET {LONG_AGO}")).unwrap();
    let task = Task::new(keyring([2, 1])).targets(Target::from_schema_file(SCHEMA_FILE).unwrap());
    let report = task.run(&db.pool(1)).unwrap();
    assert_eq!((report.outcome(), report.problems()), (Outcome::Proven, [].as_slice()));
    keyring([2]).scope(|| assert_eq!(everyone(&db), crowd()));
    let untouched = people::table.filter(diesel::dsl::sql::<Bool>(LONG_AGO)).count();
    assert_eq!(untouched.get_result(&mut db.conn()), Ok(100));
}
