//! The triggers that an update of a table sets off on MySQL and MariaDB.

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::{Conn, Effects, PlannedTable, SideEffects, Sql};

/// A trigger of MySQL or MariaDB always applies to all columns.
impl Effects for Mysql {
    const WITHOUT_TRIGGERS: &'static str = "drop them while it runs. The application then runs without them, too";

    fn side_effects<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<SideEffects> {
        let schema = table.name.schema().unwrap_or_default();
        let name = table.name.name();
        let triggers = Sql::new(TRIGGERS).bind(schema).bind(name).column(conn)?;
        let may_see = Sql::new(MAY_SEE_TRIGGERS).bind(schema).bind(schema).bind(name).first(conn)?;
        Ok(SideEffects { triggers, may_be_hidden: may_see.is_none(), ..SideEffects::default() })
    }
}

const TRIGGERS: &str = "\
    SELECT trigger_name FROM information_schema.triggers \
    WHERE event_manipulation = 'UPDATE' AND event_object_schema = ? AND event_object_table = ? \
    ORDER BY action_order";

/// A user sees only its own privileges.
const MAY_SEE_TRIGGERS: &str = "\
    SELECT grantee FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER' \
    UNION ALL \
    SELECT grantee FROM information_schema.schema_privileges \
    WHERE privilege_type = 'TRIGGER' AND ? LIKE table_schema \
    UNION ALL \
    SELECT grantee FROM information_schema.table_privileges \
    WHERE privilege_type = 'TRIGGER' AND table_schema = ? AND table_name = ?";
