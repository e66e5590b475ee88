//! From targets to a plan: what the catalogue says, and what the task refuses.

use crate::database::connection::TaskConnection;
use crate::database::dialect::Dialect;
use crate::database::session::Session;
use crate::database::table::{Catalogue, PlannedColumn, PlannedTable, Room};
use crate::fields::column::Form;
use crate::keys::fernet::token::{raw_token_len, token_len};
use crate::reencrypt::report::error::Cause;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::refusal::Refusal;
use crate::targets::{TableName, Target};

/// Looks every target up and refuses what the task could not do faithfully. Targets of one table become one. Those that
/// hold `token_like` plaintext must be among them.
pub(crate) fn plan<C: TaskConnection>(
    session: &mut Session<'_, C>,
    targets: &[Target],
    token_like: &[Target],
) -> Result<Vec<PlannedTable>, Cause> {
    if targets.is_empty() {
        return Err(Refusal::NoTargets.into());
    }
    let is_in = |targets: &[Target], table: &TableName, column: &String| {
        targets.iter().any(|target| target.table() == table && target.columns().contains(column))
    };
    for target in token_like {
        let table = target.table();
        if let Some(column) = target.columns().iter().find(|column| !is_in(targets, table, column)) {
            return Err(Refusal::NotATarget { table: table.clone(), column: column.clone() }.into());
        }
    }
    let mut tables: Vec<PlannedTable> = Vec::new();
    let mut named: Vec<(&TableName, Vec<&String>)> = Vec::new();
    for target in targets {
        match named.iter_mut().find(|(table, _)| *table == target.table()) {
            Some((_, columns)) => columns.extend(target.columns()),
            None => named.push((target.table(), target.columns().iter().collect())),
        }
    }
    for (table, columns) in named {
        let found = session.run(|conn| C::Backend::catalogue(conn, table))?;
        let Some(catalogue) = found else {
            return Err(Refusal::UnknownTable { table: table.clone() }.into());
        };
        let is_token_like = |wanted: &String| is_in(token_like, table, wanted);
        let planned = planned(catalogue, &columns, is_token_like, C::Backend::FOLDS_CASE)?;
        match tables.iter_mut().find(|table| table.name == planned.name) {
            Some(table) => planned.columns.into_iter().for_each(|column| add(&mut table.columns, column)),
            None => tables.push(planned),
        }
    }
    // In an order that does not depend on how they were named: every process of a run has the same.
    for table in &mut tables {
        table.columns.sort_by(|a, b| a.name.cmp(&b.name));
    }
    tables.sort_by_key(|table| table.name.to_string());
    Ok(tables)
}

/// Counts the rows of the tables, where the catalogue has no estimate.
pub(crate) fn count_rows<C: TaskConnection>(
    session: &mut Session<'_, C>,
    tables: &mut [PlannedTable],
) -> Result<(), Cause> {
    for table in tables {
        table.rows = session.run(|conn| C::Backend::rows(conn, table))?;
    }
    Ok(())
}

/// Refuses columns that cannot become what the job makes of them: too short for their tokens, guarded against plaintext,
/// or tied to other columns.
pub(crate) fn check_conversion<C: TaskConnection>(
    session: &mut Session<'_, C>,
    tables: &[PlannedTable],
    job: Job,
) -> Result<(), Cause> {
    for table in tables.iter().filter(|_| job.handles_plaintext()) {
        let ties = session.run(|conn| C::Backend::ties(conn, table))?;
        if !ties.is_empty() {
            return Err(Refusal::Tied { table: table.name.clone(), ties }.into());
        }
        for column in table.columns.iter().filter(|_| job == Job::Decrypt) {
            if session.run(|conn| C::Backend::guard(conn, &table.name, &column.name))?.is_some() {
                let (table, column) = (table.name.clone(), column.name.clone());
                return Err(Refusal::Guarded { table, column }.into());
            }
        }
        for column in &table.columns {
            let Room { limit, is_padded, type_name } = &column.room;
            let (table, name) = (table.name.clone(), column.name.clone());
            if *is_padded {
                let reason = format!(
                    "its type is {type_name}, which the database fills up: what is written does not come back as it \
                     was. Give it a type of varying length"
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
    }
    Ok(())
}

/// Refuses tables on which a write of the task does more than to change its columns, unless the operator wants it.
pub(crate) fn check_side_effects<C: TaskConnection>(
    session: &mut Session<'_, C>,
    tables: &[PlannedTable],
    accepts_triggers: bool,
) -> Result<(), Cause> {
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

fn planned(
    catalogue: Catalogue,
    wanted: &[&String],
    is_token_like: impl Fn(&String) -> bool,
    folds_case: bool,
) -> Result<PlannedTable, Refusal> {
    let Catalogue { name: table, obstacle, columns: known, row_key, index, rows } = catalogue;
    if let Some(reason) = obstacle {
        return Err(Refusal::Table { table, reason });
    }
    let mut columns = Vec::new();
    for &wanted in wanted {
        let found = known.iter().find(|column| match folds_case {
            true => column.name.eq_ignore_ascii_case(wanted),
            false => column.name == *wanted,
        });
        let Some(column) = found else {
            let known = known.iter().map(|column| column.name.clone()).collect();
            return Err(Refusal::UnknownColumn { table, column: wanted.clone(), known });
        };
        let refuse = |reason: String| {
            let (table, column) = (table.clone(), column.name.clone());
            Err(Refusal::Column { table, column, reason })
        };
        let Some(form) = column.form else {
            return refuse(format!("its type is {}, which does not hold tokens", column.type_name));
        };
        if column.is_generated {
            return refuse("it is generated by the database: name the column that it is made from".into());
        }
        if row_key.iter().any(|key| key.name == column.name) {
            return refuse("it is part of the row key, which the task never changes".into());
        }
        let room = Room { limit: column.limit, is_padded: column.is_padded, type_name: column.type_name.clone() };
        let (name, is_text) = (column.name.clone(), form == Form::Text);
        add(&mut columns, PlannedColumn { name, is_text, token_like_plaintext: is_token_like(wanted), room });
    }
    if row_key.is_empty() {
        return Err(Refusal::NoRowKey { table });
    }
    let keep = known.into_iter().filter(|column| column.changes_on_update).map(|column| column.name).collect();
    Ok(PlannedTable { name: table, row_key, index, columns, keep, rows })
}

/// Adds a column, which may be there already: under another spelling, or in another target.
fn add(columns: &mut Vec<PlannedColumn>, column: PlannedColumn) {
    match columns.iter_mut().find(|known| known.name == column.name) {
        Some(known) => known.token_like_plaintext |= column.token_like_plaintext,
        None => columns.push(column),
    }
}
