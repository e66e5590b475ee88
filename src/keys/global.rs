//! The keyring of this process: the only place in the crate that holds state.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError, RwLock};

use once_cell::sync::OnceCell;

use crate::keys::keyring::Keyring;
use crate::keys::keyring_error::KeyringError;

static INSTALLED: OnceCell<RwLock<Arc<Keyring>>> = OnceCell::new();

thread_local! {
    /// Scoped overrides of this thread, the innermost last.
    static SCOPES: RefCell<Vec<Arc<Keyring>>> = const { RefCell::new(Vec::new()) };
}

/// The keyring of the process.
///
/// Diesel's traits carry no context, so the keyring that encrypts and decrypts is one for the whole process. The
/// *application* installs it, early in `main`; a library never does. If nobody installed one, the first use reads it
/// [from the environment](Keyring::from_env).
impl Keyring {
    /// Makes this the keyring of the process.
    ///
    /// # Errors
    ///
    /// [`AlreadyInstalled`] if there is one: installed before, or read from the environment on first use.
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

    /// Puts this keyring in the place of the one in force, and returns that one: a key rotation without a restart.
    ///
    /// The change is atomic: every value is encrypted or decrypted wholly with the old or wholly with the new
    /// keyring. Installs the keyring if there was none.
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

    /// The keyring in force on this thread: the innermost [`scope`](Keyring::scope), else the one of the process,
    /// which is read [from the environment](Keyring::from_env) if nobody installed one.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if it has to be read from the environment and that fails. The next call tries again.
    pub fn current() -> Result<Arc<Keyring>, KeyringError> {
        if let Some(scoped) = SCOPES.with_borrow(|scopes| scopes.last().cloned()) {
            return Ok(scoped);
        }
        let slot = INSTALLED.get_or_try_init(|| Keyring::from_env().map(|keyring| RwLock::new(Arc::new(keyring))))?;
        Ok(slot.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Calls `f` with this keyring in force on the current thread, for tests and for a key per tenant.
    ///
    /// Scopes nest, and end when `f` returns or panics. Other threads do not see them, so in asynchronous code a
    /// scope must not be held across an `.await`.
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

/// A keyring is in force already. To change it, call [`Keyring::replace`].
#[derive(Debug, thiserror::Error)]
#[error(
    "a keyring is in force already (installed before, or read from the environment on first use): \
     install it earlier, or use `Keyring::replace` to change it"
)]
pub struct AlreadyInstalled(());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::key::Key;

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::new([Key::generate()]).unwrap())
    }

    #[test]
    fn scopes_nest_and_end_with_a_panic() {
        let (outer, inner) = (keyring(), keyring());
        outer.scope(|| {
            let panicked = std::panic::catch_unwind(|| inner.scope(|| panic!("on purpose")));
            assert!(panicked.is_err());
            assert_eq!(Keyring::current().unwrap(), outer);
            inner.scope(|| assert_eq!(Keyring::current().unwrap(), inner));
            assert_eq!(Keyring::current().unwrap(), outer);
        });
    }

    #[test]
    fn a_scope_is_of_one_thread() {
        keyring().scope(|| {
            std::thread::scope(|threads| {
                threads.spawn(|| SCOPES.with_borrow(|scopes| assert!(scopes.is_empty())));
            });
        });
    }
}
