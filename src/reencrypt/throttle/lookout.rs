//! The thread that looks once a second whether the workers may go on.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};

use crate::database::connection::TaskConnection;
use crate::database::stop::StopHandle;
use crate::reencrypt::throttle::hold::Hold;
use crate::reencrypt::throttle::monitor::Monitor;
use crate::reencrypt::throttle::rate::Throttle;

const INTERVAL: Duration = Duration::from_secs(1);

/// The connection of [`look_out`], if it needs one. To be taken before the workers take what the pool has: without it they
/// would be held for ever.
pub(crate) fn take<C: TaskConnection>(
    monitor: &Monitor,
    pool: &Pool<ConnectionManager<C>>,
) -> Option<PooledConnection<ConnectionManager<C>>> {
    monitor.asks_primary().then(|| pool.get_timeout(INTERVAL).ok()).flatten()
}

/// Checks until the other end of `ended` is dropped.
pub(crate) fn look_out<C: TaskConnection>(
    mut monitor: Monitor,
    mut conn: Option<PooledConnection<ConnectionManager<C>>>,
    throttle: &Throttle,
    pool: &Pool<ConnectionManager<C>>,
    stop: &StopHandle,
    ended: &Receiver<()>,
) {
    loop {
        conn = conn.or_else(|| take(&monitor, pool));
        let hold = monitor.check::<C>(conn.as_deref_mut());
        if let Some(hold) = hold.as_ref().filter(|hold| hold.ends_the_run()) {
            tracing::warn!("stopping: {hold}");
            stop.stop();
        }
        if matches!(hold, Some(Hold::Unknown { replica: None, .. }))
            && conn.as_mut().is_some_and(|conn| conn.ping().is_err())
        {
            conn = None;
        }
        throttle.set_hold(hold);
        if ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}
