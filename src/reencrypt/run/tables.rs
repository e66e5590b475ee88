//! A run in the tables of the task, where any number of processes share it.

use std::sync::Arc;
use std::time::Duration;

use diesel::result::{Error as DieselError, QueryResult};

use crate::database::{Checkpoint, ErrorClass, Locks, Moment, OwnTables, Plan, Session, TaskConnection};
use crate::keys::Keyring;
use crate::reencrypt::report::{Ending, Problem, Problems, Refusal, TaskError, time};
use crate::reencrypt::run::claim::{ClaimNumber, ClaimProgress};
use crate::reencrypt::run::place::{Place, Update};
use crate::reencrypt::run::rules::{Asked, Run, Scope};
use crate::reencrypt::run::signature::{self, Author};
use crate::reencrypt::run::sound::Shape;
use crate::reencrypt::run::state::{self, State, Stored};

pub(crate) struct Tables {
    state: State,
    shape: Shape,
    scope: Scope,
    keyring: Arc<Keyring>,
    /// When this process joined the run.
    joined: Moment,
}

impl Tables {
    /// Finds the tables. Creates them if they are missing and this database shares work by default.
    pub(crate) fn prepare<C: TaskConnection>(session: &mut Session<'_, C>) -> Result<Option<State>, TaskError> {
        if let Some(state) = State::find(session)? {
            return Ok(Some(state));
        }
        if !C::Backend::SHARES {
            return Ok(None);
        }
        let schema = session.run(C::Backend::schema_for_new)?;
        for statement in state::create::<C::Backend>(schema.as_deref()) {
            match session.once(|conn| conn.batch_execute(&statement))? {
                Ok(()) => {}
                Err(_) if !session.is_connected() => session.run(|conn| conn.batch_execute(&statement))?,
                // Another process is creating it.
                Err(error) if session.class(&error) == ErrorClass::Lock => {
                    session.patiently(|conn| conn.batch_execute(&statement))?;
                }
                // Another process created it at the same moment, so it exists now.
                Err(_) if session.once(|conn| conn.batch_execute(&statement))?.is_ok() => {}
                Err(error) => return Err(Refusal::NoStateTables { reason: error.to_string() }.into()),
            }
        }
        // Somebody else may have been faster.
        Ok(State::find(session)?)
    }

    /// Joins the recorded run if a process is alive. Continues it if it is unfinished and has the same scope. Otherwise
    /// starts a new run.
    pub(crate) fn join<C: TaskConnection>(
        state: State,
        session: &mut Session<'_, C>,
        plan: &Plan,
        scope: Scope,
        keyring: Arc<Keyring>,
        process: &str,
        lease: Duration,
    ) -> Result<Self, TaskError> {
        state.check(session)?;
        let shape = Shape::new(plan, scope.keys.len());
        let joined = session.patiently(|conn| {
            conn.transaction(|conn| {
                let (now, stored) = state.lock(conn)?;
                let new = || Run::new(scope.clone(), plan, scope.keys.len(), now);
                let mut run = match stored {
                    Stored::Foreign => return Ok(Err(Refusal::ForeignRun)),
                    Stored::Run(run) if signature::author(&run, &keyring)? == Author::Somebody => {
                        return Ok(Err(Refusal::ForgedRecord));
                    }
                    Stored::Run(run) if run.scope == scope && !shape.fits::<C::Backend>(&run) => {
                        return Ok(Err(Refusal::ForeignRun));
                    }
                    Stored::Run(run) if run.processes.alive(now).next().is_some() && !run.is_over() => {
                        if let Some(refusal) = mismatch(&run, &scope, now) {
                            return Ok(Err(refusal));
                        }
                        run
                    }
                    Stored::Run(run) if !run.is_over() && run.scope == scope => run,
                    Stored::Run(former) => {
                        state.close_chunks(conn)?;
                        let new = new().after(&former);
                        let is_known = signature::author(&former, &keyring)? == Author::Holder;
                        if is_known { new.remembering(&former) } else { new }
                    }
                    // Somebody may have emptied the table of the run, but not the table of the claims.
                    Stored::Nothing => {
                        state.close_chunks(conn)?;
                        new()
                    }
                };
                run.join(process, now, lease);
                state.save(conn, &signature::signed_record(run, &keyring)?)?;
                Ok::<_, DieselError>(Ok(now))
            })
        })??;
        Ok(Self { state, shape, scope, keyring, joined })
    }
}

impl<C: TaskConnection> Place<C> for Tables {
    fn update(&self, session: &mut Session<'_, C>, change: &mut Update<'_, C>) -> Result<(), TaskError> {
        let changed = session.patiently(|conn| {
            conn.transaction(|conn| {
                let (now, Stored::Run(before)) = self.state.lock(conn)? else { return Ok(Err(Refusal::RunGone)) };
                match signature::author(&before, &self.keyring)? {
                    Author::Holder if self.shape.fits::<C::Backend>(&before) => {}
                    Author::Holder | Author::Unknown => return Ok(Err(Refusal::RunGone)),
                    Author::Somebody => return Ok(Err(Refusal::ForgedRecord)),
                }
                let mut run = before.clone();
                change(&mut run, now, conn)?;
                if run != before {
                    self.state.save(conn, &signature::signed_record(run, &self.keyring)?)?;
                }
                Ok::<_, DieselError>(Ok(()))
            })
        })?;
        Ok(changed?)
    }

    fn splits_ranges(&self) -> bool {
        true
    }

    fn open(&self, conn: &mut C, claim: ClaimNumber) -> QueryResult<()> {
        self.state.open_chunk(conn, claim)
    }

    fn close(&self, conn: &mut C, claim: ClaimNumber, table: usize) -> QueryResult<Option<ClaimProgress>> {
        let progress = self.state.close_chunk(conn, claim)?;
        Ok(progress.filter(|progress| self.shape.fits_progress::<C::Backend>(progress, table)))
    }

    fn checkpoint(&self, claim: ClaimNumber, progress: &ClaimProgress) -> QueryResult<Option<Checkpoint>> {
        self.state.checkpoint(claim, progress).map(Some)
    }

    fn asked(&self, session: &mut Session<'_, C>, process: &str) -> Result<Asked, TaskError> {
        Ok(match session.run(|conn| self.state.load(conn))? {
            Stored::Run(run) => run.asked(process),
            // Somebody dropped the tables, or a newer version of the task uses them.
            Stored::Nothing | Stored::Foreign => Asked::Stop,
        })
    }

    fn believes(&self, ending: &Ending) -> bool {
        ending.proof.moment >= time::of_moment(self.joined) && signature::is_signed(ending, &self.keyring, &self.scope)
    }

    fn record(&self, session: &mut Session<'_, C>, problems: &[Problem]) -> Result<(), TaskError> {
        if problems.is_empty() {
            return Ok(());
        }
        Ok(session.run(|conn| conn.transaction(|conn| self.state.record(conn, problems)))?)
    }

    fn replace(&self, conn: &mut C, plan: &Plan, problems: &[Problem]) -> QueryResult<()> {
        for (table, column) in plan.columns() {
            self.state.forget(conn, &table.name.to_string(), &column.name)?;
        }
        self.state.record(conn, problems)
    }

    fn recorded(&self, session: &mut Session<'_, C>, plan: &Plan) -> Result<Problems, TaskError> {
        let columns = plan.columns().map(|(table, column)| (table.name.to_string(), column.name.as_str()));
        let columns: Vec<_> = columns.collect();
        Ok(session.run(|conn| self.state.problems(conn, Some(&columns)))?)
    }
}

/// Why a process may not take part in a run in which other processes are alive.
fn mismatch(run: &Run, mine: &Scope, now: Moment) -> Option<Refusal> {
    let processes = run.processes.alive(now).map(str::to_owned).collect();
    let Scope { job, keys, check, targets } = run.scope.clone();
    if job != mine.job {
        Some(Refusal::OtherJob { processes, theirs: job, mine: mine.job })
    } else if keys != mine.keys || check != mine.check {
        Some(Refusal::OtherKeys { processes, job, theirs: keys, mine: mine.keys.clone() })
    } else if targets != mine.targets {
        Some(Refusal::OtherTargets { processes, job, theirs: targets, mine: mine.targets.clone() })
    } else {
        None
    }
}
