//! Whether the dates of tokens tell that another key was put in front after the primary.

/// A key that was put in front after the primary one, by all that the dates say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Newer {
    /// Its position in the keyring.
    pub(crate) position: usize,
    /// The date of the newest token under it, in seconds since 1970.
    pub(crate) newest: u64,
    /// The same of the primary key.
    pub(crate) newest_of_primary: u64,
}

/// Dates of tokens for each key of a keyring, the primary first; at the time `now`, in seconds as they are. Keys are put
/// in front within `deployment`: for so long, some instances of an application write under the new one and some still
/// under the old.
///
/// A secondary key was put in front after the primary if all its tokens are newer than those of the primary, by a token
/// that is newer by more than a deployment, and itself older than one. So a key that was put in front less than a
/// `deployment` ago, wherever that was, proves nothing against the one before it: all its tokens are too young.
///
/// Dates that are still to come are no evidence.
pub(crate) fn newer_key(dates: &[Vec<u64>], deployment: u64, now: u64) -> Option<Newer> {
    let past = |dates: &Vec<u64>| -> Vec<u64> { dates.iter().copied().filter(|date| *date <= now).collect() };
    let mut keys = dates.iter().map(past).enumerate();
    let newest_of_primary = keys.next()?.1.into_iter().max()?;
    let is_newer = |dates: &[u64]| {
        let settled = |date: &u64| date.saturating_add(deployment) <= now;
        dates.iter().all(|date| date.saturating_add(deployment) >= newest_of_primary)
            && dates.iter().any(|date| *date > newest_of_primary.saturating_add(deployment) && settled(date))
    };
    keys.find_map(|(position, dates)| {
        let newest = dates.iter().copied().max()?;
        is_newer(&dates).then_some(Newer { position, newest, newest_of_primary })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    const NOW: u64 = 10_000 * HOUR;

    /// What is found, where the dates are hours before now.
    #[track_caller]
    fn assert_newer(expected: Option<usize>, keys: &[&[u64]]) {
        let dates: Vec<Vec<u64>> =
            keys.iter().map(|key| key.iter().map(|hours| NOW - hours * HOUR).collect()).collect();
        let found = newer_key(&dates, HOUR, NOW);
        assert_eq!(found.as_ref().map(|newer| newer.position), expected, "{keys:?}");
        if let Some(Newer { position, newest, newest_of_primary }) = found {
            let newest_of = |key: usize| dates[key].iter().copied().max();
            assert_eq!((Some(newest), Some(newest_of_primary)), (newest_of(position), newest_of(0)));
        }
    }

    #[test]
    fn an_old_key_in_front() {
        assert_newer(Some(1), &[&[900, 800], &[700, 3]]);
        assert_newer(Some(1), &[&[900, 800], &[798, 0]]);
        assert_newer(Some(2), &[&[900], &[950, 901], &[2]]);
    }

    #[test]
    fn a_new_key_in_front() {
        assert_newer(None, &[&[], &[900, 2, 0]]);
        assert_newer(None, &[&[0], &[900, 2, 0]]);
        // Somebody else has the old key in front for longer than a deployment takes.
        assert_newer(None, &[&[5], &[900, 2, 0]]);
        assert_newer(None, &[&[5], &[]]);
        assert_newer(None, &[]);
    }

    #[test]
    fn a_deployment_that_began_less_than_an_hour_ago() {
        // The old key in front, of which no value is young.
        assert_newer(None, &[&[900, 800], &[0, 0]]);
        assert_newer(None, &[&[900, 1, 0], &[0, 0]]);
        // and when it is over
        assert_newer(Some(1), &[&[900, 3], &[1]]);
        // It was rolled out within an hour.
        assert_newer(None, &[&[900, 3], &[3, 2]]);
    }

    #[test]
    fn dates_to_come_are_no_evidence() {
        let dates = [vec![NOW - 900 * HOUR], vec![NOW + 1, u64::MAX]];
        assert_eq!(newer_key(&dates, HOUR, NOW), None);
        assert_eq!(newer_key(&[vec![u64::MAX], vec![NOW - 2 * HOUR]], HOUR, NOW), None);
        assert_eq!(newer_key(&[vec![1], vec![NOW - 2 * HOUR]], u64::MAX, NOW), None);
    }
}
