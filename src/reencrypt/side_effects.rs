//! Triggers and rules: what else the database would do when the task writes.

use diesel::connection::LoadConnection;
use diesel::r2d2::R2D2Connection;

use super::dialect::Dialect;
use super::error::{Refusal, TaskError};
use super::session::Session;
use super::table::PlannedTable;

/// What an update of the encrypted columns of a table sets off.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SideEffects {
    /// The names of the triggers that would fire.
    pub(super) triggers: Vec<String>,
    /// Rules of PostgreSQL, with which it does not take the task's statement at all.
    pub(super) rules: Vec<String>,
    /// Whether this user may not be shown the triggers.
    pub(super) may_be_hidden: bool,
}

/// Refuses tables on which a write of the task does more than to change its columns, unless the operator wants it.
pub(super) fn check<C>(
    session: &mut Session<'_, C>,
    tables: &[PlannedTable],
    accepts_triggers: bool,
) -> Result<(), TaskError>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    for table in tables {
        let found = session.run(|conn| C::Backend::side_effects(conn, table))?;
        let table = table.name.clone();
        if !found.rules.is_empty() {
            return Err(Refusal::Rules { table, rules: found.rules }.into());
        }
        if accepts_triggers {
            continue;
        }
        if !found.triggers.is_empty() {
            let way_out = C::Backend::WITHOUT_TRIGGERS;
            return Err(Refusal::Triggers { table, triggers: found.triggers, way_out }.into());
        }
        if found.may_be_hidden {
            tracing::warn!(
                %table,
                "this user is not shown the triggers of the table, which would fire: grant it TRIGGER to have them \
                 looked for"
            );
        }
    }
    Ok(())
}
