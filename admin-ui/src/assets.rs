//! Names hold the hash of the bytes, so a browser may keep what it has for ever and a new version is seen at once.

use std::sync::LazyLock;

/// A file that pages ask for.
#[derive(Debug, Clone)]
pub struct Asset {
    /// `/assets/style.0123456789abcdef.css`: serve it with `immutable`.
    pub path: &'static str,
    /// For the header of the same name.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: &'static [u8],
}

/// In the order of [`style`], [`script`], [`icon`].
static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("style", "css", "text/css; charset=utf-8", include_bytes!("../assets/style.css")),
        asset("script", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/script.js")),
        asset("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
    ]
});

/// All of them: nothing else is asked for by any page.
pub fn assets() -> &'static [Asset] {
    &*ASSETS
}

pub(crate) fn style() -> &'static str {
    ASSETS[0].path
}

pub(crate) fn script() -> &'static str {
    ASSETS[1].path
}

pub(crate) fn icon() -> &'static str {
    ASSETS[2].path
}

fn asset(name: &str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = blake3::hash(bytes).to_hex();
    let path = format!("/assets/{name}.{}.{extension}", hash.get(..16).unwrap_or_default());
    // Once a start and for as long as the program runs.
    Asset { path: Box::leak(path.into_boxed_str()), content_type, bytes }
}
