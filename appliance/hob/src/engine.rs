//! The one owner of the relay: takes inputs, carries out effects.
//!
//! Under construction: the shape that the commands build on.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use hob_protocol::ids::BoxIdentity;

/// The box's own key and what the world sees of it.
pub struct Identity {
    /// Signs hellos and address records.
    pub key: SigningKey,
    /// What clients pin.
    pub public: BoxIdentity,
}

/// A handle on the running relay. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<()>);
