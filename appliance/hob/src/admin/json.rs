//! `/admin/v1`: the same for programs.

use std::sync::Arc;

use axum::Router;

use crate::admin::Admin;

/// The operations.
pub fn routes() -> Router<Arc<Admin>> {
    Router::new()
}
