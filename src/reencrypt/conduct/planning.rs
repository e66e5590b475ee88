//! Plans a task: looks its targets up in the catalogue, and refuses unsuitable targets.

use crate::database::condition;
use crate::database::failure::one_line;
use crate::database::swap::rows_of;
use crate::database::{
    Catalogue, CatalogueReader, Cost, Failure, Language, Plan, PlannedColumn, PlannedTable, Room, Session, Sql,
    TaskConnection,
};
use crate::fields::Form;
use crate::reencrypt::report::{Cause, Refusal};
use crate::targets::{TableName, Target};

/// What the operator declares about the plaintext of columns.
#[derive(Clone, Copy, Default)]
pub(crate) struct Declared<'a> {
    /// The columns with plaintext that looks like tokens.
    pub(crate) token_like: &'a [Target],
    /// In which rows the plaintext of a column is right, as a condition in SQL.
    pub(crate) plaintext_where: &'a [(Target, String)],
}

/// Looks up every target, and combines the targets of a table. The declared columns must be among the targets.
pub(crate) fn plan<C: TaskConnection>(
    session: &mut Session<'_, C>,
    targets: &[Target],
    declared: Declared<'_>,
) -> Result<Plan, Cause> {
    if targets.is_empty() {
        return Err(Refusal::NoTargets.into());
    }
    let is_in = |targets: &[Target], table: &TableName, column: &String| {
        targets.iter().any(|target| target.table() == table && target.columns().contains(column))
    };
    for target in declared.token_like.iter().chain(declared.plaintext_where.iter().map(|(target, _)| target)) {
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
        let is_token_like = |wanted: &String| is_in(declared.token_like, table, wanted);
        let plaintext_where = |wanted: &String| {
            let is_for = |target: &Target| is_in(std::slice::from_ref(target), table, wanted);
            let conditions = declared.plaintext_where.iter().filter(|(target, _)| is_for(target));
            condition::any(conditions.map(|(_, condition)| condition.as_str()))
        };
        let names: Vec<String> = catalogue.columns.iter().map(|column| column.name.clone()).collect();
        let planned = planned(catalogue, &columns, is_token_like, plaintext_where, C::Backend::FOLDS_CASE)?;
        check_conditions(session, &planned, &names)?;
        match tables.iter_mut().find(|table| table.name == planned.name) {
            Some(table) => planned.columns.into_iter().for_each(|column| add(&mut table.columns, column)),
            None => tables.push(planned),
        }
    }
    Ok(Plan::new(tables))
}

/// Refuses conditions that the database does not understand, or that are more than a condition on a row.
fn check_conditions<C: TaskConnection>(
    session: &mut Session<'_, C>,
    table: &PlannedTable,
    names: &[String],
) -> Result<(), Cause> {
    for column in &table.columns {
        let Some(condition) = &column.plaintext_where else { continue };
        let refuse = |reason: String| {
            let (table, column) = (table.name.clone(), column.name.clone());
            Err(Refusal::Condition { table, column, condition: condition.clone(), reason }.into())
        };
        if column.is_array {
            return refuse("the column is an array, and a condition is about whole rows, not about elements".into());
        }
        if let Some(reason) = condition::flaw(C::Backend::FLAVOR, condition, names) {
            return refuse(reason);
        }
        // A WHERE accepts no aggregate, which would turn a page into a single row.
        let (rows, is_met) = (rows_of::<C::Backend>(table), condition::is_met(condition));
        let probe = format!("SELECT '1' FROM {rows} AS t WHERE 1 = 0 AND {is_met} = '1'");
        match session.once(|conn| Sql::new(&*probe).first(conn))? {
            Ok(_) => {}
            Err(error) if session.is_connected() => {
                return refuse(format!("the database refuses it: {}", one_line(error)));
            }
            Err(error) => return Err(Failure::database(error).into()),
        }
    }
    Ok(())
}

/// The first table that is no longer as it was planned: another one has its name, or its row key, its columns or its
/// partitions have changed.
pub(crate) fn changed<C: TaskConnection>(
    session: &mut Session<'_, C>,
    plan: &Plan,
) -> Result<Option<TableName>, Failure> {
    for table in plan.tables() {
        let catalogue = session.run(|conn| C::Backend::catalogue(conn, &table.name))?;
        let columns: Vec<&String> = table.columns.iter().map(|column| &column.name).collect();
        let is_token_like =
            |wanted: &String| table.columns.iter().any(|column| column.name == *wanted && column.token_like_plaintext);
        let now = catalogue.map(|catalogue| planned(catalogue, &columns, is_token_like, |_| None, false));
        let is_same = now.is_some_and(|now| {
            now.is_ok_and(|mut now| {
                now.columns.sort_by(|a, b| a.name.cmp(&b.name));
                now.reads_as(table)
            })
        });
        if !is_same {
            return Ok(Some(table.name.clone()));
        }
    }
    Ok(None)
}

/// Counts the rows of the tables if the catalogue has no estimate.
pub(crate) fn count_rows<C: TaskConnection>(session: &mut Session<'_, C>, plan: &mut Plan) -> Result<(), Cause> {
    for table in plan.tables_mut() {
        table.rows = session.run(|conn| C::Backend::rows(conn, table))?;
    }
    Ok(())
}

fn planned(
    catalogue: Catalogue,
    wanted: &[&String],
    is_token_like: impl Fn(&String) -> bool,
    plaintext_where: impl Fn(&String) -> Option<String>,
    folds_case: bool,
) -> Result<PlannedTable, Refusal> {
    let Catalogue { name: table, obstacle, columns: known, row_key, unusable_key, index, rows, identity, only } =
        catalogue;
    if let Some(reason) = obstacle {
        return Err(Refusal::Table { table, reason });
    }
    let mut columns = Vec::new();
    for &wanted in wanted {
        let is_wanted =
            |name: &str| if folds_case { name.eq_ignore_ascii_case(wanted) } else { name == wanted.as_str() };
        let found = known.iter().find(|column| is_wanted(&column.name));
        let Some(column) = found else {
            let known = known.iter().map(|column| column.name.clone()).collect();
            return Err(Refusal::UnknownColumn { table, column: wanted.clone(), known });
        };
        let refuse =
            |reason: String| Err(Refusal::Column { table: table.clone(), column: column.name.clone(), reason });
        let Some(form) = column.form else {
            return refuse(format!("its type is {}, which does not hold tokens", column.type_name));
        };
        if column.is_generated {
            return refuse("it is generated by the database: name the column that it is generated from".into());
        }
        if row_key.iter().any(|key| key.name == column.name) {
            return refuse("it is part of the row key, which the task never changes".into());
        }
        let room = Room { limit: column.limit, is_padded: column.is_padded, type_name: column.type_name.clone() };
        let column = PlannedColumn {
            name: column.name.clone(),
            number: column.number,
            is_text: form == Form::Text,
            is_array: column.is_array,
            token_like_plaintext: is_token_like(wanted),
            plaintext_where: plaintext_where(wanted),
            character_set: column.character_set.clone(),
            room,
        };
        add(&mut columns, column);
    }
    if row_key.is_empty() {
        return Err(Refusal::NoRowKey { table, unusable: unusable_key });
    }
    let keep = known.into_iter().filter(|column| column.changes_on_update).map(|column| column.name).collect();
    Ok(PlannedTable { name: table, row_key, index, columns, keep, rows, identity, only })
}

/// Adds a column, unless another spelling or another target has added it already.
fn add(columns: &mut Vec<PlannedColumn>, column: PlannedColumn) {
    match columns.iter_mut().find(|known| known.name == column.name) {
        Some(known) => {
            known.token_like_plaintext |= column.token_like_plaintext;
            let conditions = [&known.plaintext_where, &column.plaintext_where];
            known.plaintext_where = condition::any(conditions.into_iter().flatten().map(String::as_str));
        }
        None => columns.push(column),
    }
}
