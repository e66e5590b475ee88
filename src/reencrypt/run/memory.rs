//! A run in the memory of the only process that works on it.

use std::sync::{Mutex, PoisonError};

use crate::database::{Session, TaskConnection};
use crate::reencrypt::report::TaskError;
use crate::reencrypt::run::place::{Place, Update};
use crate::reencrypt::run::rules::Run;

pub(crate) struct Memory {
    run: Mutex<Run>,
    splits_ranges: bool,
}

impl Memory {
    /// Ranges are split only if several workers can share them.
    pub(crate) fn new(run: Run, workers: usize) -> Self {
        Self { run: Mutex::new(run), splits_ranges: workers > 1 }
    }
}

impl<C: TaskConnection> Place<C> for Memory {
    fn update(&self, session: &mut Session<'_, C>, change: &mut Update<'_, C>) -> Result<(), TaskError> {
        let mut shared = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = session.run(|conn| {
            let mut run = shared.clone();
            let now = run.started;
            change(&mut run, now, conn).map(|()| run)
        })?;
        Ok(())
    }

    fn splits_ranges(&self) -> bool {
        self.splits_ranges
    }
}
