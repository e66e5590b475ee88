//! The words for each refusal.

use std::fmt::{self, Write};

use crate::keys::Fingerprint;
use crate::reencrypt::report::refusal::Refusal;
use crate::reencrypt::report::remedy::Remedy;
use crate::reencrypt::report::time;
use crate::targets::Escaping;

impl Refusal {
    /// Returns what happened and why, with the advice that does not depend on the program that runs the task.
    pub fn reason(&self) -> impl fmt::Display + '_ {
        Reason(self)
    }

    /// Returns what else the caller of this library can do, if there is anything.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Triggers { .. } => Remedy::AcceptTriggers,
            Self::NotATarget { table, column } => Remedy::AddTarget { table: table.clone(), column: column.clone() },
            Self::Plaintext { table, column, .. } => Remedy::Adopt { table: table.clone(), column: column.clone() },
            Self::Tokens { .. } => Remedy::AcceptTokens,
            Self::RetiredPrimary { primary, .. } => Remedy::ReturnTo(*primary),
            Self::OldPrimary { primary, .. } => Remedy::FinishRun(*primary),
            Self::WrongKeyring { job, .. } if job.handles_plaintext() => Remedy::TokenLikePlaintext,
            Self::OtherJob { .. } => Remedy::StopOthers,
            Self::Pooler { .. } => Remedy::ConnectDirectly,
            Self::NoStateTables { .. } => Remedy::CreateStateTables,
            Self::NothingRunning => Remedy::StopHandle,
            Self::NothingRecorded => Remedy::RecordProblems,
            _ => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Reason(self).fmt(f)?;
        match self.remedy() {
            Some(remedy) => write!(f, ". {remedy}"),
            None => Ok(()),
        }
    }
}

struct Reason<'a>(&'a Refusal);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self.0 {
            Refusal::NoTargets => f.write_str(
                "there is nothing to work on: no column is named and the schema declares no encrypted column",
            ),
            Refusal::UnknownTable { table } => write!(
                f,
                "there is no table {table}: check the name, its schema, and the database you are connected to"
            ),
            Refusal::UnknownColumn { table, column, known } => {
                write!(f, "the table {table} has no column {column}; it has {}", known.join(", "))
            }
            Refusal::Table { table, reason } => write!(f, "the table {table} cannot be a target: {reason}"),
            Refusal::Column { table, column, reason } => {
                write!(f, "the column {table}.{column} cannot be a target: {reason}")
            }
            Refusal::Condition { table, column, condition, reason } => write!(
                f,
                "the condition under which plaintext is right in {table}.{column} cannot be used ({condition}): {reason}. \
                 Write a condition in SQL on the columns of the same row, such as: NOT is_encrypted"
            ),
            Refusal::Triggers { table, triggers, way_out } => write!(
                f,
                "the table {table} has triggers that would fire for every row that is rewritten: {}. A trigger that \
                 maintains `updated_at`, such as one from `diesel_manage_updated_at`, would change it in every row. To \
                 rewrite without the triggers, {way_out}",
                triggers.join(", ")
            ),
            Refusal::Rules { table, rules } => write!(
                f,
                "the table {table} cannot be rewritten: it has rules on UPDATE ({}), which PostgreSQL does not combine \
                 with the statement that rewrites rows. Disable them while the task runs: ALTER TABLE {table} DISABLE \
                 RULE …",
                rules.join(", ")
            ),
            Refusal::NoRowKey { table, unusable: None } => write!(
                f,
                "the table {table} has no usable row key: add a primary key, or a unique index on NOT NULL columns, \
                 of an integer, text, uuid, binary, date or decimal type"
            ),
            Refusal::NoRowKey { table, unusable: Some(unusable) } => write!(
                f,
                "the table {table} has no usable row key: {unusable}. The task needs a unique key of NOT NULL columns of an \
                 integer, text, uuid, binary, date or decimal type"
            ),
            Refusal::Row { table, row, reason } => write!(
                f,
                "the task cannot read the table {table} beyond the row {row}: {reason}. Then run the task again. \
                 Completed work is safe"
            ),
            Refusal::Plaintext { table, column, plaintext, values } => {
                write!(f, "the column {table}.{column} holds plaintext: {plaintext} of {values} sampled values")
            }
            Refusal::Tokens { table, column, tokens, oldest, newest } => write!(
                f,
                "the column {table}.{column} already holds tokens that this keyring opens ({tokens}, dated {} to {}), \
                 and no recorded run explains them. If a user of the application has stored a token of another column \
                 there, the application would show its plaintext. Find out who wrote them",
                time::text(*oldest),
                time::text(*newest)
            ),
            Refusal::RetiredPrimary { primary, recorded } => write!(
                f,
                "the primary key of this keyring, {primary}, was rotated away from: a re-encryption of this database \
                 has rewritten the values of this key under {recorded}. Every value that is written under {primary} \
                 now makes that key necessary again. Put the newest key first in the keyring, as in the other processes"
            ),
            Refusal::OldPrimary { primary, newest, newer, newest_of_newer } => write!(
                f,
                "the primary key of this keyring, {primary}, is an old one, judging by the dates of the values: the \
                 newest value under it is from {}, and other processes write under {newer}, most recently at {}. Put \
                 {newer} first in the keyring, as in those processes",
                time::text(*newest),
                time::text(*newest_of_newer)
            ),
            Refusal::WrongKeyring { column, readable, unreadable, .. } => {
                write!(f, "this keyring does not belong to this data: of {} tokens read in ", readable + unreadable)?;
                match column {
                    Some((table, column)) => write!(f, "{table}.{column}")?,
                    None => f.write_str("all columns")?,
                }
                write!(
                    f,
                    " it opens {readable}. The others were not touched. Add the key that wrote them to the keyring"
                )
            }
            Refusal::OtherKeys { processes, job, theirs, mine } => write!(
                f,
                "another process ({}) is {job} with other keys: {} there and {} here (the primary key first). Give \
                 both processes the same keyring, or wait until the other process is done",
                processes.join(", "),
                theirs.join(", "),
                mine.join(", ")
            ),
            Refusal::OtherTargets { processes, job, theirs, mine } => write!(
                f,
                "another process ({}) is {job} other columns: {} there and {} here. Name the same columns, or wait \
                 until the other process is done",
                processes.join(", "),
                theirs.join("; "),
                mine.join("; ")
            ),
            Refusal::OtherJob { processes, theirs, mine } => write!(
                f,
                "another process ({}) is {theirs} this database, and this one would be {mine} it. Wait until the other \
                 process is done",
                processes.join(", ")
            ),
            Refusal::TooShort { table, column, type_name, longest, needed } => write!(
                f,
                "the column {table}.{column} is too short: its type is {type_name}, and the token of its longest \
                 plaintext, of {longest} bytes, has a length of {needed}. Make it at least {} long (the extra one lets \
                 the guard detect truncation), then run the task again",
                needed + 1
            ),
            Refusal::Guarded { table, column } => write!(
                f,
                "the column {table}.{column} has a guard, which refuses plaintext. Once the application writes \
                 plaintext, revert the migration of the guard, or both if it has two (`diesel migration revert`), and \
                 run the task again. If other migrations came later, put the statements of its down.sql into a new \
                 one. On SQLite, those statements refuse a table that has changed since: see docs/columns.md"
            ),
            Refusal::NotATarget { table, column } => write!(
                f,
                "{table}.{column} is named as a column that may hold plaintext, but it is not one of the selected columns"
            ),
            Refusal::Tied { table, ties } => write!(
                f,
                "the table {table} cannot be rewritten without changing other columns: {}. Remove these dependencies \
                 first",
                ties.join("; ")
            ),
            Refusal::OtherServer { seen } => write!(
                f,
                "the connections lead to different servers: {seen}. A server failed over, or something spreads the \
                 connections or the statements over servers. Connect to the primary itself, then run the task again. \
                 Completed work is safe"
            ),
            Refusal::ReadOnly { seen } => {
                write!(f, "nothing can be written here: {seen}. Connect to the primary, as a user who may write")
            }
            Refusal::Setting { reason } => write!(f, "the server accepts no write of the task: {reason}"),
            Refusal::Denied { seen } => write!(
                f,
                "the database refuses this to the user of the task: {seen}. The task needs SELECT on the row key and the \
                 encrypted columns of each table, UPDATE on the encrypted columns, and SELECT, INSERT, UPDATE and DELETE \
                 on its own tables"
            ),
            Refusal::NoMember { node, reason } => write!(
                f,
                "the node {node} is not a member of the cluster: {reason}. Name the nodes of the cluster of this \
                 database, and no other server"
            ),
            Refusal::NodeUrl { number } => write!(
                f,
                "the URL of node {number} is not of the form scheme://user:password@host:port/database, or has the scheme \
                 of another kind of database: write special characters of the password as %XX (`@` is %40, `/` is %2F)"
            ),
            Refusal::Pooler { name, seen } => write!(
                f,
                "the connection leads to a pooler that shares the sessions of the server ({}): {seen}. The settings, the \
                 locks and the proof of the task need a session of their own",
                name.as_deref().unwrap_or("such as PgBouncer in transaction mode, PgCat, Odyssey, RDS Proxy or ProxySQL")
            ),
            Refusal::ForeignRun => f.write_str(
                "the record in the table __diesel_encrypted_run is not one of this version of diesel-encrypted: another \
                 version has written it, or somebody else. Let that version finish, or drop the tables \
                 __diesel_encrypted_run, __diesel_encrypted_chunk and __diesel_encrypted_problem: they hold no data of the application",
            ),
            Refusal::ForgedRecord => f.write_str(
                "no process with this keyring has written the record in the table __diesel_encrypted_run, or none since \
                 this process began. Nothing is proven by it. Find out who may write to the table, drop the tables __diesel_encrypted_run, __diesel_encrypted_chunk and __diesel_encrypted_problem, and run the \
                 task again",
            ),
            Refusal::ForeignTable { table, reason } => write!(
                f,
                "the task does not use the table {table} as its own, because {reason}. Code of another user could run \
                 with the rights of this one. The table holds no data of the application: drop it, and let the owner \
                 of the schema or the user of the task create it again"
            ),
            Refusal::RunGone => f.write_str(
                "the row of this run in the table __diesel_encrypted_run is gone, or another version of \
                 diesel-encrypted has overwritten it. Completed work is safe: run the task again to continue",
            ),
            Refusal::NoStateTables { reason } => write!(
                f,
                "the tables through which processes share the work do not exist, and this user may not create them: \
                 {reason}"
            ),
            Refusal::NothingRunning => {
                f.write_str("no process is working on this database now, as far as the tables of the task show")
            }
            Refusal::NothingRecorded => f.write_str(
                "nothing was ever recorded here: the task never ran on this database, or always ran without tables of its own",
            ),
            Refusal::PrimaryKey { key } => write!(
                f,
                "{key} is the primary key: it encrypts every new value. Put another key first in the keyring, and \
                 re-encrypt, before you ask whether {key} may be removed"
            ),
            Refusal::UnknownKey { key, known } => {
                let known: Vec<String> = known.iter().map(Fingerprint::to_string).collect();
                write!(
                    f,
                    "{key} is not in the keyring ({}), so its values cannot be counted. Add the key at the end of the \
                     keyring, and ask again",
                    known.join(", ")
                )
            }
            Refusal::NoTls { server } => write!(
                f,
                "the connection to {server} is not encrypted, although its URL asks for TLS. The server does not offer \
                 TLS, or the client library ignored the URL: libmariadb ignores ssl_mode, and begins TLS only with \
                 ssl_ca=PATH, the certificate of the authority"
            ),
            Refusal::Limits { reason } => f.write_str(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reencrypt::report::Job;
    use crate::targets::TableName;

    /// Whoever may write to the tables of the task, or create a table, chooses these names.
    #[test]
    fn names_of_others_are_escaped() {
        let name = || "x\u{1b}[2J\r\nproven\u{202e}".to_owned();
        let refusals = [
            Refusal::OtherTargets {
                processes: vec![name()],
                job: Job::Reencrypt,
                theirs: vec![name()],
                mine: vec![name()],
            },
            Refusal::Triggers { table: TableName::new(name()), triggers: vec![name()], way_out: "" },
            Refusal::NotATarget { table: TableName::new(name()), column: name() },
            Refusal::NoStateTables { reason: name() },
        ];
        for refusal in refusals {
            let text = refusal.to_string();
            assert!(text.contains(r"x\u{1b}[2J\r\nproven\u{202e}"), "{text}");
            assert!(!text.contains(['\u{1b}', '\r', '\n', '\u{202e}']), "{text:?}");
        }
    }
}
