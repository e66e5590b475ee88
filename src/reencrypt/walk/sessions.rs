//! The connections of the workers.

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::{Session, TaskConnection};
use crate::reencrypt::report::TaskError;
use crate::reencrypt::walk::settings::Settings;

/// The connections of a worker. With two, it reads a page while it writes another.
pub(crate) struct Sessions<'p, C: TaskConnection> {
    pub(crate) reading: Session<'p, C>,
    pub(crate) writing: Option<Session<'p, C>>,
}

impl<'p, C: TaskConnection> Sessions<'p, C> {
    /// Takes one connection for each worker, and then a second for each, as long as the pool has any. Takes at least
    /// one.
    pub(crate) fn open(pool: &'p Pool<ConnectionManager<C>>, settings: &Settings) -> Result<Vec<Self>, TaskError> {
        // Wait for the first connection: the application may hold all others.
        let mut first = Session::new(pool, settings.give_up_after, settings.stop.clone()).at(&settings.anchor);
        first.run(|_| Ok(()))?;
        let mut sessions = vec![Self { reading: first, writing: None }];
        while sessions.len() < settings.workers {
            let Some(reading) = spare(pool, settings) else { return Ok(sessions) };
            sessions.push(Self { reading, writing: None });
        }
        for worker in &mut sessions {
            worker.writing = spare(pool, settings);
        }
        Ok(sessions)
    }
}

/// A connection that the pool can spare, if there is one.
pub(crate) fn spare<'p, C: TaskConnection>(
    pool: &'p Pool<ConnectionManager<C>>,
    settings: &Settings,
) -> Option<Session<'p, C>> {
    let state = pool.state();
    let is_likely = state.idle_connections > 0 || state.connections < pool.max_size();
    let mut session = Session::new(pool, settings.give_up_after, settings.stop.clone()).at(&settings.anchor);
    (is_likely && session.is_available()).then_some(session)
}
