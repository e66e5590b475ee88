//! Refuses connections that the task cannot use, and tables and columns that it cannot rewrite faithfully.

use crate::database::swap::explained;
use crate::database::{
    Anchor, Conversion, Effects, GuardLookup, Identity, Plan, PlannedTable, Pooler, Room, Session, SessionSettings,
    TaskConnection,
};
use crate::keys::fernet::token::{raw_token_len, token_len};
use crate::reencrypt::report::{Cause, Job, Refusal};
use crate::targets::printable;

/// Refuses a pooler that shares the sessions of the server. Comes before anything that changes a setting.
pub(crate) fn check_connection<C: TaskConnection>(session: &Session<'_, C>) -> Result<(), Cause> {
    match session.find_pooler()? {
        Some(Pooler { name, seen }) => Err(Refusal::Pooler { name, seen }.into()),
        None => Ok(()),
    }
}

/// Refuses columns that cannot hold the values that the job writes: columns that are too short for their tokens, guarded
/// against plaintext, or tied to other columns.
pub(crate) fn check_conversion<C: TaskConnection>(
    session: &mut Session<'_, C>,
    plan: &Plan,
    job: Job,
) -> Result<(), Cause> {
    if !job.handles_plaintext() {
        return Ok(());
    }
    plan.tables().iter().try_for_each(|table| check_table(session, table, job))
}

fn check_table<C: TaskConnection>(session: &mut Session<'_, C>, table: &PlannedTable, job: Job) -> Result<(), Cause> {
    let ties = session.run(|conn| C::Backend::ties(conn, table))?;
    if !ties.is_empty() {
        return Err(Refusal::Tied { table: table.name.clone(), ties }.into());
    }
    for column in table.columns.iter().filter(|_| job == Job::Decrypt) {
        if session.run(|conn| C::Backend::guard(conn, &table.name, &column.name))?.is_some() {
            return Err(Refusal::Guarded { table: table.name.clone(), column: column.name.clone() }.into());
        }
    }
    for column in &table.columns {
        let Room { limit, is_padded, type_name } = &column.room;
        let table = table.name.clone();
        let name = column.name.clone();
        if *is_padded {
            let reason = format!(
                "its type is {type_name}, which the database pads: it does not return a value as it was written. \
                 Give it a type of varying length"
            );
            return Err(Refusal::Column { table, column: name, reason }.into());
        }
        let Some(limit) = limit.filter(|_| job == Job::Encrypt) else { continue };
        let longest = session.run(|conn| C::Backend::longest_plaintext(conn, &table, column))?.unwrap_or(0);
        let length = if column.is_text { token_len } else { raw_token_len };
        let needed = length(usize::try_from(longest).unwrap_or(usize::MAX / 4)) as u64;
        if needed > limit {
            let type_name = type_name.clone();
            return Err(Refusal::TooShort { table, column: name, type_name, longest, needed }.into());
        }
    }
    Ok(())
}

/// Refuses a server or a session that cannot write.
pub(crate) fn check_writable<C: TaskConnection>(session: &mut Session<'_, C>, anchor: &Anchor) -> Result<(), Cause> {
    let read_only = session.run(C::Backend::read_only)?;
    let standby = anchor.server().and_then(|server| server.standby);
    if let Some(seen) = standby.or(read_only) {
        return Err(Refusal::ReadOnly { seen }.into());
    }
    match session.run(C::Backend::forbids_writes)? {
        Some(reason) => Err(Refusal::Setting { reason }.into()),
        None => Ok(()),
    }
}

/// Refuses tables that this user may not read and write.
pub(crate) fn check_privileges<C: TaskConnection>(session: &mut Session<'_, C>, plan: &Plan) -> Result<(), Cause> {
    for statement in plan.tables().iter().flat_map(explained::<C::Backend>) {
        session.ask(|conn| conn.batch_execute(&statement))?;
    }
    Ok(())
}

/// Refuses tables if writes to their encrypted columns have side effects, unless the operator accepts triggers.
pub(crate) fn check_side_effects<C: TaskConnection>(
    session: &mut Session<'_, C>,
    plan: &Plan,
    accepts_triggers: bool,
) -> Result<(), Cause> {
    for planned in plan.tables() {
        let found = session.run(|conn| C::Backend::side_effects(conn, planned))?;
        let table = planned.name.clone();
        if !found.rules.is_empty() {
            return Err(Refusal::Rules { table, rules: found.rules }.into());
        }
        if let Some(owner) = found.lesser_owner {
            let owner = printable(&owner).to_string();
            tracing::warn!(
                table = %printable(&table),
                owner,
                "this user is a superuser, and the table belongs to somebody else: its CHECKs, generated columns, \
                 expressions of indexes and triggers run with the rights of this user. Connect as the owner of the table"
            );
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
                table = %printable(&table),
                "this user cannot see the triggers of the table. If there are any, they fire. Grant the user TRIGGER, \
                 so that the task can look for them"
            );
        }
    }
    Ok(())
}
