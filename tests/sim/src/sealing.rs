//! Which sealing a world runs with: the real one, or in a build with the feature `stand-in` a cheap one.

use crate::plan::Plan;

/// Prepares this thread for a world.
pub fn begin(plan: &Plan) {
    #[cfg(feature = "stand-in")]
    hob_client::seal::stand_in::begin((!plan.real_sealing).then_some(plan.seed));
    #[cfg(not(feature = "stand-in"))]
    let _ = plan;
}

/// Whether a world runs with real sealing.
pub const fn is_real(plan: &Plan) -> bool {
    plan.real_sealing || !cfg!(feature = "stand-in")
}
