//! Whether the dates of tokens show that another key became the primary key after this one.

/// A secondary key whose dates show that it became a primary key after the primary key of the keyring did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Newer {
    pub(crate) position: usize,
    /// The date of the newest token under it, in seconds since 1970.
    pub(crate) newest: u64,
    /// The date of the newest token under the primary key, in seconds since 1970.
    pub(crate) newest_of_primary: u64,
}

/// Finds a secondary key that became a primary key later than the primary key of the keyring. `dates` holds the dates of
/// tokens for each key, the primary key first, in seconds since 1970, like `now`. A new primary key is deployed within
/// `deployment`: during that time, some processes of an application write under the new key and some under the old one.
///
/// A secondary key is newer than the primary key if all its tokens are newer than those of the primary key, one of them
/// by more than a deployment, and that one is itself older than a deployment. So a key that became the primary key of
/// any process less than a `deployment` ago proves nothing: all its tokens are too young.
///
/// Dates in the future are no evidence.
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

    /// Asserts which key is found. The dates are hours before now.
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
    fn an_old_primary_key() {
        assert_newer(Some(1), &[&[900, 800], &[700, 3]]);
        assert_newer(Some(1), &[&[900, 800], &[798, 0]]);
        assert_newer(Some(2), &[&[900], &[950, 901], &[2]]);
    }

    #[test]
    fn a_new_primary_key() {
        assert_newer(None, &[&[], &[900, 2, 0]]);
        assert_newer(None, &[&[0], &[900, 2, 0]]);
        // Another process keeps the old primary key for longer than a deployment takes.
        assert_newer(None, &[&[5], &[900, 2, 0]]);
        assert_newer(None, &[&[5], &[]]);
        assert_newer(None, &[]);
    }

    #[test]
    fn a_deployment_that_began_less_than_an_hour_ago() {
        // A process with the old primary key, under which there is no recent value.
        assert_newer(None, &[&[900, 800], &[0, 0]]);
        assert_newer(None, &[&[900, 1, 0], &[0, 0]]);
        // The deployment is over.
        assert_newer(Some(1), &[&[900, 3], &[1]]);
        // It was rolled out within an hour.
        assert_newer(None, &[&[900, 3], &[3, 2]]);
    }

    #[test]
    fn future_dates_are_no_evidence() {
        let dates = [vec![NOW - 900 * HOUR], vec![NOW + 1, u64::MAX]];
        assert_eq!(newer_key(&dates, HOUR, NOW), None);
        assert_eq!(newer_key(&[vec![u64::MAX], vec![NOW - 2 * HOUR]], HOUR, NOW), None);
        assert_eq!(newer_key(&[vec![1], vec![NOW - 2 * HOUR]], u64::MAX, NOW), None);
    }
}
