//! The row key of a table of SQLite: the primary key as its index has it, or else the row id.

use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::quote::quoted;
use crate::database::sqlite::catalogue::KnownColumn;
use crate::database::{Conn, KeyColumn, Sql};

/// The collations that every session has, with one meaning.
const COLLATIONS: [&str; 3] = ["BINARY", "NOCASE", "RTRIM"];

/// The row key, or why the table has none.
///
/// The statement that created the table does not show the order of the key: only its index does.
pub(crate) fn row_key<C: Conn<Sqlite>>(
    conn: &mut C,
    schema: &str,
    table: &str,
    columns: &[KnownColumn],
) -> QueryResult<Result<Vec<KeyColumn>, String>> {
    let index = Sql::new(INDEX).bind(table).bind(schema).first(conn)?;
    let Some(index) = index else {
        // The primary key of a table without such an index is the row id.
        let alias = columns.iter().find(|column| column.key > 0).map(|column| KeyColumn::plain(&column.name));
        return Ok(alias.or_else(|| row_id(columns)).map(|column| vec![column]).ok_or_else(no_name));
    };
    let parts: Vec<[String; 3]> = Sql::new(PARTS).bind(&index).bind(schema).texts(conn)?;
    let has_row_id = parts.iter().any(|[_, name, _]| name.is_empty());
    let encoding = Sql::new("SELECT encoding FROM pragma_encoding").first(conn)?;
    let is_utf8 = encoding.as_deref() == Some("UTF-8");
    let (mut row_key, mut is_safe, mut unknown) = (Vec::new(), is_utf8, None);
    for [_, name, collation] in parts.iter().filter(|[is_key, ..]| is_key == "1") {
        // SQLite allows `NULL` in most primary keys.
        is_safe &= columns.iter().any(|column| column.name == *name && column.is_not_null);
        let is_known = COLLATIONS.iter().any(|other| other.eq_ignore_ascii_case(collation));
        is_safe &= is_known;
        // `pragma_collation_list` also names collations that only the schema mentions.
        let compares = format!("SELECT CAST('a' < 'b' COLLATE {} AS TEXT)", quoted::<Sqlite>(collation));
        if !is_known && Sql::new(compares).first(conn).is_err() {
            unknown = Some(format!(
                "its primary key sorts the column {name} by the collation {collation}, which the application defines \
                 and this program does not know"
            ));
        }
        let compared_as = Some(format!(" COLLATE {}", quoted::<Sqlite>(collation)));
        row_key.push(KeyColumn { compared_as, ..KeyColumn::plain(name) });
    }
    Ok(match (row_id(columns).filter(|_| has_row_id), unknown) {
        (Some(row_id), _) if !is_safe => Ok(vec![row_id]),
        (None, _) if has_row_id && !is_safe => Err(no_name()),
        (_, Some(unknown)) => Err(unknown),
        (_, None) => Ok(row_key),
    })
}

/// The row id, if a name is left for it.
fn row_id(columns: &[KnownColumn]) -> Option<KeyColumn> {
    let is_taken = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    ["rowid", "_rowid_", "oid"].into_iter().find(|name| !is_taken(name)).map(KeyColumn::plain)
}

fn no_name() -> String {
    "it has no primary key whose columns are all NOT NULL, and its columns take all names of the row id".into()
}

/// The index of the primary key. A table whose primary key is the row id has none.
const INDEX: &str = "SELECT name FROM pragma_index_list(?, ?) WHERE origin = 'pk'";

/// The parts of the index: whether each belongs to the key, its column and its collation. The row id, which is the last
/// part if the table has one, has no name.
const PARTS: &str = "\
    SELECT CAST(key AS TEXT), CASE WHEN cid = -1 THEN '' ELSE name END, coll FROM pragma_index_xinfo(?, ?) ORDER BY seqno";
