//! The primitives behind [`super::olm`]: the Olm library, or in a simulation's build a stand-in beside it.

#[cfg(not(feature = "stand-in"))]
pub use vodozemac::olm::{Account, AccountPickle, OlmMessage, PreKeyMessage, Session, SessionPickle};

#[cfg(feature = "stand-in")]
pub use super::stand_in::{Account, AccountPickle, OlmMessage, PreKeyMessage, Session, SessionPickle};
