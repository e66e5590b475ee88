//! Pinakes: encrypted JSON in a text column.

use diesel::prelude::*;
use diesel_encrypted::{Encrypted, Json, Target};
use serde_json::{Value, json};

use crate::backend::{Conn, TEXT, TestDatabase};
use crate::support::recordings::Recording;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    main_notificationsetting (id) {
        id -> BigInt,
        settings -> Nullable<EncryptedText>,
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = main_notificationsetting)]
struct NotificationSetting {
    id: i64,
    settings: Option<Encrypted<Json<Value>>>,
}

const TABLE: &str = "main_notificationsetting";

fn columns() -> String {
    format!("settings {TEXT}")
}

fn read(conn: &mut Conn) -> Vec<Value> {
    let rows = main_notificationsetting::table.order(main_notificationsetting::id);
    let rows: Vec<_> = rows.select(NotificationSetting::as_select()).load(conn).unwrap();
    let show = |row: NotificationSetting| json!({"id": row.id, "settings": super::field(row.settings, |json| json.0)});
    rows.into_iter().map(show).collect()
}

#[test]
fn reads_and_rotates() {
    let target = || Target::of(main_notificationsetting::table).unwrap();
    for set in Recording::of("pinakes").sets {
        super::reads_and_rotates_to_the_end(&set, TABLE, &columns(), target(), read);
    }
}

#[test]
fn writes_what_pinakes_reads() {
    let recording = Recording::of("pinakes");
    let set = &recording.sets[0];
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, TABLE, &columns(), &[]);
    let settings = Some(Json(json!({"port": 465, "password": "Žluťoučký"})).into());
    super::scope(&set.keyring(), || {
        let row = NotificationSetting { id: 1, settings };
        diesel::insert_into(main_notificationsetting::table).values(row).execute(conn).unwrap();
    });
    super::writes_what_the_original_was_asked_to_read(&recording, set, conn, TABLE);
}
