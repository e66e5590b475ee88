//! One walk: workers that claim ranges and read, and write what they find, until nobody has any left.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::database::connection::TaskConnection;
use crate::database::dialect::SwapRows;
use crate::database::session::Session;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::throttle::pulse::Pulse;
use crate::reencrypt::walk::pace::Pace;
use crate::reencrypt::walk::reader::Reader;
use crate::reencrypt::walk::shared::{Counters, Found, Mode, Shared, Walker};
use crate::reencrypt::walk::writer::Writer;

/// How often the caller hears of progress.
const TICK: Duration = Duration::from_millis(100);
/// Messages between the two halves of a worker: a page is read while another is written.
const AHEAD: usize = 1;

/// The connections of a worker: with two, one page is read while another is written.
pub(crate) struct Sessions<'p, C: TaskConnection> {
    pub(crate) reading: Session<'p, C>,
    pub(crate) writing: Option<Session<'p, C>>,
}

/// Walks until nothing is left to claim. `tick` is called on this thread while the workers are busy.
pub(crate) fn walk<C: TaskConnection>(
    walker: &Walker<'_>,
    sessions: Vec<Sessions<'_, C>>,
    mode: Mode,
    counters: &Counters,
    mut tick: impl FnMut(Option<String>),
) -> (Found, Result<(), TaskError>) {
    let shared = Shared {
        walker,
        mode,
        pace: Pace::new(walker.batch.unwrap_or(C::Backend::BATCH)),
        pulse: Pulse::new(walker.store, walker.throttle, walker.stop.clone()),
        counters,
        seen: Mutex::new(walker.tables.iter().map(|table| vec![(0, 0); table.columns.len()]).collect()),
        found: Mutex::new(Found::new(walker.tables, walker.keyring.fingerprints().len())),
        lost: Mutex::new(BTreeSet::new()),
        failed: AtomicBool::new(false),
    };
    let outcome = thread::scope(|scope| {
        let (alive, ended) = channel::<()>();
        let spawn = |(worker, sessions)| {
            let (shared, alive) = (&shared, alive.clone());
            let span = tracing::Span::current();
            scope.spawn(move || {
                let result = span.in_scope(|| work(shared, worker, sessions));
                shared.failed.fetch_or(result.is_err(), Relaxed);
                drop(alive);
                result
            })
        };
        let threads: Vec<_> = sessions.into_iter().enumerate().map(spawn).collect();
        drop(alive);
        loop {
            tick(shared.pulse.waits_for());
            // Nothing is ever sent: the last worker that ends closes the channel.
            if ended.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
                break;
            }
        }
        let results = threads.into_iter().map(join);
        results.fold(Ok(()), Result::and)
    });
    tick(None);
    (shared.found.into_inner().unwrap_or_else(PoisonError::into_inner), outcome)
}

/// One worker, to the end.
fn work<C: TaskConnection>(shared: &Shared<'_>, worker: usize, sessions: Sessions<'_, C>) -> Result<(), TaskError> {
    let Sessions { mut reading, writing } = sessions;
    let (mut reader, mut writer) = (Reader::new(shared, worker), Writer::new(shared));
    let Some(mut writing) = writing else {
        let result = loop {
            match reader.next(&mut reading) {
                Ok(Some(message)) => match writer.handle(&mut reading, message) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        return end(result, &mut writer, &mut reading);
    };
    thread::scope(|scope| {
        let (messages, inbox) = sync_channel(AHEAD);
        let span = tracing::Span::current();
        let half = scope.spawn(move || {
            let _entered = span.enter();
            let result = inbox.iter().try_for_each(|message| writer.handle(&mut writing, message));
            shared.failed.fetch_or(result.is_err(), Relaxed);
            // A reader that is about to send finds nobody there.
            drop(inbox);
            end(result, &mut writer, &mut writing)
        });
        let result = loop {
            match reader.next(&mut reading) {
                // If nobody takes it, the writing half has failed.
                Ok(Some(message)) => match messages.send(message) {
                    Ok(()) => {}
                    Err(_) => break Ok(()),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        shared.failed.fetch_or(result.is_err(), Relaxed);
        drop(messages);
        join(half).and(result)
    })
}

/// Hands back what a worker still holds, also after a failure if the database lets it: others need not wait for the
/// lease to end.
fn end<C: TaskConnection>(
    result: Result<(), TaskError>,
    writer: &mut Writer<'_>,
    session: &mut Session<'_, C>,
) -> Result<(), TaskError> {
    match result {
        Ok(()) => writer.finish(session),
        Err(error) => {
            session.hurry();
            let _ = writer.finish(session);
            Err(error)
        }
    }
}

fn join(thread: thread::ScopedJoinHandle<'_, Result<(), TaskError>>) -> Result<(), TaskError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
