//! The workers of a process: they claim ranges, read them and write them, until no range is left.

use std::sync::PoisonError;
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use crate::database::{Session, TaskConnection};
use crate::reencrypt::report::TaskError;
use crate::reencrypt::walk::found::Found;
use crate::reencrypt::walk::reader::{Message, Reader};
use crate::reencrypt::walk::sessions::Sessions;
use crate::reencrypt::walk::shared::Shared;
use crate::reencrypt::walk::writer::Writer;

/// The time between two reports of progress.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// The most messages between the two halves of a worker: it reads a page while it writes another.
const AHEAD: usize = 1;

/// Walks until no range is left to claim. Calls `tick` on this thread while the workers are busy.
pub(crate) fn walk<C: TaskConnection>(
    shared: Shared<'_, C>,
    sessions: Vec<Sessions<'_, C>>,
    mut tick: impl FnMut(Option<String>),
) -> (Found, Result<(), TaskError>) {
    let outcome = thread::scope(|scope| {
        let (alive, ended) = channel::<()>();
        let spawn = |(worker, sessions)| {
            let shared = &shared;
            let alive = alive.clone();
            let span = tracing::Span::current();
            scope.spawn(move || {
                let result = span.in_scope(|| work(shared, worker, sessions));
                shared.note_failure(&result);
                drop(alive);
                result
            })
        };
        let threads: Vec<_> = sessions.into_iter().enumerate().map(spawn).collect();
        drop(alive);
        loop {
            tick(shared.heartbeat.waits_for());
            // Nothing is ever sent. The last worker to end closes the channel.
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

fn work<C: TaskConnection>(shared: &Shared<'_, C>, worker: usize, sessions: Sessions<'_, C>) -> Result<(), TaskError> {
    let Sessions { mut reading, writing } = sessions;
    let reader = Reader::new(shared, worker);
    let mut writer = Writer::new(shared);
    let Some(mut writing) = writing else {
        let handle = |session: &mut Session<'_, C>, message| writer.handle(session, message).map(|()| true);
        let result = read(reader, &mut reading, handle);
        return end(result, &mut writer, &mut reading);
    };
    thread::scope(|scope| {
        let (messages, inbox) = sync_channel(AHEAD);
        let span = tracing::Span::current();
        let half = scope.spawn(move || {
            let _entered = span.enter();
            let result = inbox.iter().try_for_each(|message| writer.handle(&mut writing, message));
            shared.note_failure(&result);
            // This wakes the reading half if it waits for room in the channel.
            drop(inbox);
            end(result, &mut writer, &mut writing)
        });
        // If nobody takes a message, the writing half has failed.
        let result = read(reader, &mut reading, |_, message| Ok(messages.send(message).is_ok()));
        shared.note_failure(&result);
        drop(messages);
        join(half).and(result)
    })
}

/// Reads until no range is left, or until `handle` returns `false`.
fn read<C: TaskConnection>(
    mut reader: Reader<'_, C>,
    session: &mut Session<'_, C>,
    mut handle: impl FnMut(&mut Session<'_, C>, Message) -> Result<bool, TaskError>,
) -> Result<(), TaskError> {
    while let Some(message) = reader.next(session)? {
        if !handle(session, message)? {
            break;
        }
    }
    Ok(())
}

/// Hands back the range that a worker still holds. After a failure it tries only once, so that others can continue
/// before the lease ends.
fn end<C: TaskConnection>(
    result: Result<(), TaskError>,
    writer: &mut Writer<'_, C>,
    session: &mut Session<'_, C>,
) -> Result<(), TaskError> {
    if result.is_ok() {
        return writer.finish(session);
    }
    session.hurry();
    let _ = writer.finish(session);
    result
}

pub(crate) fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
