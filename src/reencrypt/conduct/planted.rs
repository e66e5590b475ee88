//! Tokens in a column that is about to be encrypted: did the application write them, or a user of it?
//!
//! Whoever has seen a token of another column can type it into a column of plaintext. Once the application reads tokens
//! there, it shows its plaintext. The tokens of an application have the date of their encryption, which nobody can change
//! without the key. So tokens from before the application began to write tokens there are not its own.

use crate::database::{Conversion, Plan, PlannedTable, Session, TaskConnection};
use crate::keys::Keyring;
use crate::reencrypt::report::{Cause, Job, Refusal, Tally, time};
use crate::reencrypt::run::signature::{self, Author};
use crate::reencrypt::run::{Run, State, Stored};

/// The tokens that a task with `Job::Encrypt` accepts in its columns before it has written any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Only those that a recorded run explains.
    Explained,
    /// Those that are dated since this second.
    Since(u64),
    All,
}

impl Accepted {
    /// Whether the values have to be read, because some begin as tokens do and nothing explains them.
    pub(crate) fn needs_reading<C: TaskConnection>(
        self,
        session: &mut Session<'_, C>,
        plan: &Plan,
        keyring: &Keyring,
        job: Job,
    ) -> Result<bool, Cause> {
        if job != Job::Encrypt || self == Self::All {
            return Ok(false);
        }
        let mut has_tokens = false;
        for (table, column) in plan.columns() {
            has_tokens |= session.run(|conn| C::Backend::has_tokens(conn, &table.name, column))?;
        }
        // A process that has just begun records its run before it writes tokens, so this comes second.
        Ok(has_tokens && !is_explained(session, plan, keyring)?)
    }

    /// Refuses tokens that nothing explains, given what the columns hold.
    pub(crate) fn judge(self, plan: &Plan, tallies: &[Tally]) -> Result<(), Refusal> {
        for ((table, column), tally) in plan.columns().zip(tallies) {
            let Some((oldest, newest)) = tally.dates else { continue };
            if matches!(self, Self::Since(since) if oldest >= since) {
                continue;
            }
            return Err(Refusal::Tokens {
                table: table.name.clone(),
                column: column.name.clone(),
                tokens: tally.readable(),
                oldest: time::of_seconds(oldest),
                newest: time::of_seconds(newest),
            });
        }
        Ok(())
    }
}

fn is_explained<C: TaskConnection>(
    session: &mut Session<'_, C>,
    plan: &Plan,
    keyring: &Keyring,
) -> Result<bool, Cause> {
    let Some(state) = State::find(session)? else { return Ok(false) };
    Ok(session.run(|conn| {
        let Stored::Run(run) = state.load(conn)? else { return Ok(false) };
        Ok(signature::author(&run, keyring)? == Author::Holder && explains(&run, plan))
    })?)
}

/// Whether this run, the last recorded one, worked on all these columns, and left tokens in them. Its record must be
/// genuine.
pub(crate) fn explains(run: &Run, plan: &Plan) -> bool {
    let has_left_tokens = match run.scope.job {
        Job::Encrypt | Job::Reencrypt => true,
        Job::Decrypt => run.ending().is_none_or(|ending| {
            ending.doubt.is_some() || ending.tallies.iter().any(|tally| tally.withheld + tally.readable() > 0)
        }),
    };
    has_left_tokens && plan.tables().iter().all(|table| covers(run, table))
}

fn covers(run: &Run, table: &PlannedTable) -> bool {
    let targets = run.scope.targets.iter();
    let covered: Vec<&str> = targets.flat_map(|target| table.described_columns(target)).collect();
    table.columns.iter().all(|column| covered.contains(&column.name.as_str()))
}
