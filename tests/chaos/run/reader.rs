//! A reader of the application. At every moment, committed values are readable and agree with the ledger.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use diesel_encrypted::Keyring;
use fastrand::Rng;

use super::ledger::{Seen, read};
use super::values::COLUMNS;
use super::world::{World, count};
use crate::support::failures::FailOnPanic;
use crate::support::keys::{NEW, OLD, keyring};

pub fn run(world: &World, mut rng: Rng) {
    let _guard = FailOnPanic(&world.failures);
    let mut session = world.session();
    let keyring = keyring([NEW, OLD]);
    while !world.is_over() {
        let hot = (rng.u8(0..3) > 0).then(|| world.hot.load(Relaxed));
        let ids = world.keys.pick_page(hot, &mut rng);
        let rows = session.run(|conn| read(conn, ids.clone()));
        let open = |cell: &[u8]| Keyring::decrypt(&keyring, cell).ok();
        rows.iter().flat_map(|row| differences(world, row, open)).for_each(|wrong| world.fail(wrong));
        count(&world.counts.reads);
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the differences between a row and the ledger. Planted problems do not count.
pub fn differences(world: &World, row: &Seen, open: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<String> {
    let label = world.keys.label((row.id, &row.part));
    let Some(truths) = row.truths() else { return vec![format!("{label}: not in the ledger")] };
    let mut wrong = Vec::new();
    if !row.is_untouched_elsewhere() {
        wrong.push(format!("{label}: another column changed"));
    }
    for (column, (cell, truth)) in row.cells().into_iter().zip(truths).enumerate() {
        if world.planted.get((row.id, &row.part), column).is_some() {
            continue;
        }
        let opened = cell.map(&open);
        let same = match (&opened, truth) {
            (None, None) => true,
            (Some(Some(opened)), Some(truth)) => opened == truth,
            _ => false,
        };
        if !same {
            let shown = |value: Option<&[u8]>| value.map_or("NULL".into(), shown);
            let reads = match &opened {
                Some(None) => "cannot be read".into(),
                opened => format!("reads {}", shown(opened.as_ref().and_then(Option::as_deref))),
            };
            wrong.push(format!("{label} {}: {reads}; the ledger has {}", COLUMNS[column], shown(truth)));
        }
    }
    wrong
}

fn shown(bytes: &[u8]) -> String {
    format!("\"{}\" ({} bytes)", bytes[..bytes.len().min(50)].escape_ascii(), bytes.len())
}
