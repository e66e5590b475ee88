//! The keyring of the process. No other file of the library holds global state.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError, RwLock};

use once_cell::sync::OnceCell;

use crate::keys::error::debug_is_display;
use crate::keys::keyring::Keyring;
use crate::keys::keyring_error::KeyringError;

static INSTALLED: OnceCell<RwLock<Arc<Keyring>>> = OnceCell::new();

thread_local! {
    /// The scoped keyrings of this thread, the innermost last.
    static SCOPES: RefCell<Vec<Arc<Keyring>>> = const { RefCell::new(Vec::new()) };
}

/// The keyring of the process.
///
/// Diesel's traits carry no context, so one keyring encrypts and decrypts for the whole process. The *application*
/// installs it early in `main`; a library never does. If no keyring is installed, the first use reads one
/// [from the environment](Keyring::from_env).
impl Keyring {
    /// Installs this keyring as the keyring of the process.
    ///
    /// # Errors
    ///
    /// [`AlreadyInstalled`] if the process already has a keyring, whether installed or read from the environment on
    /// first use.
    ///
    /// ```
    /// use diesel_encrypted::Keyring;
    ///
    /// let keyring = || Keyring::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
    /// keyring()?.install()?;
    /// assert!(keyring()?.install().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn install(self) -> Result<(), AlreadyInstalled> {
        INSTALLED.set(RwLock::new(Arc::new(self))).map_err(|_| AlreadyInstalled(()))
    }

    /// Replaces the keyring of the process and returns the old one, so that a key rotation needs no restart.
    ///
    /// The change is atomic: each value is encrypted or decrypted entirely with the old keyring or entirely with the
    /// new one. If the process has no keyring, this installs it and returns `None`.
    pub fn replace(self) -> Option<Arc<Keyring>> {
        match INSTALLED.set(RwLock::new(Arc::new(self))) {
            Ok(()) => None,
            Err(slot) => {
                let new = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
                let mut current = INSTALLED.get()?.write().unwrap_or_else(PoisonError::into_inner);
                Some(std::mem::replace(&mut *current, new))
            }
        }
    }

    /// The current keyring of this thread.
    ///
    /// This is the keyring of the innermost [`scope`](Keyring::scope), or else the keyring of the process. If none is
    /// installed, this reads one [from the environment](Keyring::from_env).
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if reading the environment fails. The next call tries again.
    pub fn current() -> Result<Arc<Keyring>, KeyringError> {
        if let Some(scoped) = SCOPES.with_borrow(|scopes| scopes.last().cloned()) {
            return Ok(scoped);
        }
        let slot = INSTALLED.get_or_try_init(|| Keyring::from_env().map(|keyring| RwLock::new(Arc::new(keyring))))?;
        Ok(slot.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Calls `f` with this keyring as the current one of this thread, for tests and for a key per tenant.
    ///
    /// Scopes nest, and end when `f` returns or panics. Other threads do not see them, so asynchronous code must not
    /// hold a scope across an `.await`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use diesel_encrypted::{Key, Keyring};
    ///
    /// let tenant = Arc::new(Keyring::new([Key::generate()])?);
    /// tenant.scope(|| assert_eq!(Keyring::current().unwrap(), tenant));
    /// # Ok::<(), diesel_encrypted::KeyringError>(())
    /// ```
    pub fn scope<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        struct Scope;
        impl Drop for Scope {
            fn drop(&mut self) {
                SCOPES.with_borrow_mut(Vec::pop);
            }
        }
        SCOPES.with_borrow_mut(|scopes| scopes.push(Arc::clone(self)));
        let _scope = Scope;
        f()
    }
}

/// The process already has a keyring. To change it, call [`Keyring::replace`].
#[derive(thiserror::Error)]
#[error(
    "the process already has a keyring (installed, or read from the environment on first use). \
     Install yours earlier, or replace the keyring with `Keyring::replace`"
)]
pub struct AlreadyInstalled(());

debug_is_display!(AlreadyInstalled);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::key::Key;

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::new([Key::generate()]).unwrap())
    }

    #[test]
    fn scopes_nest_and_end_with_a_panic() {
        let outer = keyring();
        let inner = keyring();
        outer.scope(|| {
            let panicked = std::panic::catch_unwind(|| inner.scope(|| panic!("on purpose")));
            assert!(panicked.is_err());
            assert_eq!(Keyring::current().unwrap(), outer);
            inner.scope(|| assert_eq!(Keyring::current().unwrap(), inner));
            assert_eq!(Keyring::current().unwrap(), outer);
        });
    }

    #[test]
    fn other_threads_do_not_see_a_scope() {
        keyring().scope(|| {
            std::thread::scope(|threads| {
                threads.spawn(|| SCOPES.with_borrow(|scopes| assert!(scopes.is_empty())));
            });
        });
    }
}
