//! A word to the desktop that something came, through its own service (Desktop Notifications Specification 1.3, over the
//! session's D-Bus). Who wrote, never what: desktops keep notifications, and show them on locked screens.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use hob_client::display::escape_line;
use zbus::Variant;

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// A desktop that does not answer holds nothing up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells the desktop who wrote, in the background. Where there is no desktop, or it refuses, nothing happens: what came
/// is on this program's own screen all the same.
pub fn tell<'a>(contacts: impl Iterator<Item = &'a str>) {
    let names: BTreeSet<String> = contacts.map(escape_line).collect();
    if names.is_empty() || !has_desktop() {
        return;
    }
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    tokio::task::spawn_local(async move {
        let _ = tokio::time::timeout(PATIENCE, notify(&names)).await;
    });
}

/// Whether a session's bus is there. None is started for this.
fn has_desktop() -> bool {
    let by_address = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty());
    let by_folder =
        || std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|dir| std::path::Path::new(&dir).join("bus").exists());
    by_address || by_folder()
}

async fn notify(names: &str) -> zbus::Result<()> {
    let bus = zbus::Connection::session().await?;
    let no_actions: &[&str] = &[];
    let hints: HashMap<&str, Variant<'_>> = HashMap::from([("category", Variant::from("im.received"))]);
    // The body may be read as markup and is ours alone; the name goes into the summary, which is plain text.
    let body = ("hob-chat", 0_u32, "", names, "wrote to you", no_actions, hints, -1_i32);
    bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "Notify", &body).await?;
    Ok(())
}
