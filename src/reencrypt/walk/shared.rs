//! What the workers of a process share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::database::{DatabaseClock, Plan, SwapRows, TaskConnection};
use crate::reencrypt::report::{Job, Refusal, Tally, TaskError};
use crate::reencrypt::run::ClaimNumber;
use crate::reencrypt::throttle::Heartbeat;
use crate::reencrypt::walk::batch_size::BatchSize;
use crate::reencrypt::walk::found::{Counters, Found};
use crate::reencrypt::walk::settings::Settings;

/// If a column has this many unreadable tokens, the keyring may be the wrong one.
const SUSPICIOUS: u64 = 1_000;
/// The lower limit for a job that encrypts plaintext: a wrong keyring would use a key that no application has.
const SUSPICIOUS_AT_FIRST: u64 = 20;

/// What the workers do with values that need a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Count and list them.
    Read,
    /// Create the new values, and discard them.
    DryRun,
    Write,
}

/// What the workers of a process share during a pass or a reading.
pub(crate) struct Shared<'a, C: TaskConnection> {
    pub(crate) settings: &'a Settings,
    pub(crate) plan: &'a Plan,
    pub(crate) heartbeat: Heartbeat<'a, C>,
    pub(crate) clock: DatabaseClock,
    pub(crate) mode: Mode,
    pub(crate) counters: &'a Counters,
    pub(crate) batch_size: BatchSize,
    pub(crate) found: Mutex<Found>,
    /// The readable and unreadable tokens of each column.
    tokens: Mutex<Vec<(u64, u64)>>,
    lost: Mutex<BTreeSet<ClaimNumber>>,
    failed: AtomicBool,
}

impl<'a, C: TaskConnection> Shared<'a, C> {
    pub(crate) fn new(
        settings: &'a Settings,
        plan: &'a Plan,
        heartbeat: Heartbeat<'a, C>,
        clock: DatabaseClock,
        mode: Mode,
        counters: &'a Counters,
    ) -> Self {
        Self {
            settings,
            plan,
            heartbeat,
            clock,
            mode,
            counters,
            batch_size: BatchSize::new(settings.batch.unwrap_or(C::Backend::BATCH)),
            found: Mutex::new(Found::new(plan, settings.keyring.fingerprints().len())),
            tokens: Mutex::new(vec![(0, 0); plan.columns().count()]),
            lost: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Whether the workers must stop after the current page.
    pub(crate) fn is_stopping(&self) -> bool {
        self.heartbeat.stop.is_stopped() || self.failed.load(Relaxed)
    }

    /// Stops all workers if this one failed.
    pub(crate) fn note_failure<T>(&self, result: &Result<T, TaskError>) {
        self.failed.fetch_or(result.is_err(), Relaxed);
    }

    /// Notes that another process has taken over a claim.
    pub(crate) fn lose(&self, claim: ClaimNumber) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(claim);
    }

    pub(crate) fn is_lost(&self, claim: ClaimNumber) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).contains(&claim)
    }

    /// Refuses a keyring that cannot belong to the data, before the whole pass is over.
    pub(crate) fn check_keyring(&self, table: usize, tallies: &[Tally]) -> Result<(), TaskError> {
        let job = self.settings.job;
        let suspicious = if job == Job::Encrypt { SUSPICIOUS_AT_FIRST } else { SUSPICIOUS };
        let offset = self.plan.offset(table);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        for ((readable, unreadable), (column, tally)) in tokens[offset..].iter_mut().zip(tallies.iter().enumerate()) {
            *readable += tally.readable();
            *unreadable += tally.unreadable;
            if *unreadable >= suspicious && *unreadable > *readable {
                let planned = self.plan.table(table);
                let column = Some((planned.name.clone(), planned.columns[column].name.clone()));
                return Err(Refusal::WrongKeyring { job, column, readable: *readable, unreadable: *unreadable }.into());
            }
        }
        Ok(())
    }
}
