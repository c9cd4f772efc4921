//! Passwords: Argon2id (RFC 9106), never more than two at a time: each takes 19 MiB while it lasts.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// The longest password, in bytes: more is no better, and work for whoever sends it should not be work for the box.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// The shortest, in characters: one that is told to the owner when it is set. No other rule.
pub const PASSWORD_CHARACTERS_MIN: usize = 8;

/// Hashed at the same time.
const AT_ONCE: usize = 2;

/// Hashes and checks passwords.
pub struct Passwords {
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// A password could not be hashed: the system gave no random bytes, or no memory.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the password could not be hashed: try again when the machine has memory to spare")]
pub struct CannotHash;

impl Passwords {
    /// The hash of a password, as a PHC string.
    ///
    /// # Errors
    /// [`CannotHash`].
    pub async fn hash(&self, password: &str) -> Result<String, CannotHash> {
        let password = Zeroizing::new(password.to_owned());
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| CannotHash)?;
        let work = move || {
            let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|_| CannotHash)
        };
        self.run(work).await.unwrap_or(Err(CannotHash))
    }

    /// Whether a password is the one of a hash. A hash that is none takes as long and fits nothing: so an unknown name is
    /// answered as late as a wrong password.
    pub async fn fits(&self, password: &str, hash: Option<&str>) -> bool {
        let password = Zeroizing::new(password.to_owned());
        let hash = hash.map(str::to_owned);
        let work = move || match hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok()) {
            Some(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
            None => {
                let _ = Argon2::default().hash_password_with_salt(password.as_bytes(), &[0; 16]);
                false
            }
        };
        self.run(work).await.unwrap_or(false)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        // The place is given back by the thread: a request that went away leaves the work running.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        assert!(passwords.fits("correct horse", Some(&hash)).await);
        assert!(!passwords.fits("correct horse ", Some(&hash)).await);
        assert!(!passwords.fits("", None).await);
        assert!(!passwords.fits("x", Some("nonsense")).await);
        assert_ne!(hash, passwords.hash("correct horse").await.unwrap(), "every hash has its own salt");
    }
}
