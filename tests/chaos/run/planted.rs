//! Planted problems. The task must report them and must not change a byte of them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use diesel::prelude::*;
use fastrand::Rng;

use super::ledger::item;
use super::values::{COLUMNS, PHOTO, to_raw};
use super::world::World;
use crate::backend::Conn;
use crate::support::keys::{FOREIGN, OLD, keyring};
use crate::support::session::Session;

/// A row key and a column.
type Place = ((i64, &'static str), usize);

#[derive(Default)]
pub struct Planted(Mutex<BTreeMap<Place, Bad>>);

#[derive(Clone)]
pub struct Bad {
    pub bytes: Vec<u8>,
    /// The kind in reports.
    pub kind: &'static str,
}

impl Planted {
    pub fn all(&self) -> BTreeMap<Place, Bad> {
        self.0.lock().unwrap().clone()
    }

    pub fn get(&self, key: (i64, &str), column: usize) -> Option<Bad> {
        let planted = self.0.lock().unwrap();
        planted.iter().find(|((place, at), _)| *place == key && *at == column).map(|(_, bad)| bad.clone())
    }
}

/// Writes a bad value to a reserved row, unless one is already there.
pub fn plant(world: &World, session: &mut Session<Conn>, rng: &mut Rng) {
    let key = rng.choice(world.keys.for_bad()).unwrap();
    let column = rng.usize(0..COLUMNS.len());
    let bad = Bad::random(column == PHOTO, rng);
    if world.planted.get(key, column).is_some() {
        return;
    }
    // This comes before the write, because whoever sees the value must find it here.
    world.planted.0.lock().unwrap().insert((key, column), bad.clone());
    let row = item::table.find(key);
    session.run(|conn| {
        let keep = item::updated_at.eq(item::updated_at);
        let text = || String::from_utf8(bad.bytes.clone()).unwrap();
        let written = match column {
            0 => diesel::update(row).set((keep, item::name.eq(text()))).execute(conn)?,
            1 => diesel::update(row).set((keep, item::phone.eq(text()))).execute(conn)?,
            _ => diesel::update(row).set((keep, item::photo.eq(&bad.bytes))).execute(conn)?,
        };
        assert_eq!(written, 1, "a reserved row is gone");
        Ok(())
    });
}

impl Bad {
    fn random(is_binary: bool, rng: &mut Rng) -> Self {
        let token = keyring([OLD]).encrypt(b"a value of some length");
        let raw = to_raw(&token);
        let (raw, kind) = match rng.u8(0..5) {
            0 => return Self { bytes: "ada@example.org".into(), kind: "plaintext" },
            1 => {
                let length = rng.usize(0..200);
                let garbage = "?".bytes().chain(std::iter::repeat_with(|| rng.alphabetic() as u8).take(length));
                return Self { bytes: garbage.collect(), kind: "plaintext" };
            }
            2 if is_binary => (raw[..rng.usize(20..raw.len())].to_vec(), "unreadable"),
            2 => return Self { bytes: token[..rng.usize(5..token.len())].into(), kind: "unreadable" },
            3 => (to_raw(&keyring([FOREIGN]).encrypt(b"x")), "unreadable"),
            _ => {
                let mut raw = raw;
                // After the first bytes, which identify a token.
                let bit = rng.usize(8 * 4..8 * raw.len());
                raw[bit / 8] ^= 1 << (bit % 8);
                (raw, "unreadable")
            }
        };
        Self { bytes: if is_binary { raw } else { to_text(&raw) }, kind }
    }
}

fn to_text(raw: &[u8]) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE.encode(raw).into_bytes()
}
