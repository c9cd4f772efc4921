//! What the desktop is told: a session's bus as small as it can be, spoken to over real D-Bus.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zbus::OwnedVariant;

use crate::people::ada_and_bob;
use crate::small_box::SmallBox;

struct Bus;

#[zbus::interface(name = "org.freedesktop.DBus")]
impl Bus {
    fn hello(&self) -> String {
        ":1.1".to_owned()
    }
}

struct Desktop(UnboundedSender<(String, String)>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    fn notify(
        &self,
        _app: String,
        _replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedVariant>,
        _timeout: i32,
    ) -> u32 {
        self.0.send((summary, body)).unwrap();
        7
    }
}

#[tokio::test]
async fn the_desktop_is_told_who_wrote_and_never_what() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    let (told, mut heard) = unbounded_channel();
    let serve = tokio::spawn(async move {
        let stream = listener.accept().await.unwrap().0.into_std().unwrap();
        stream.set_nonblocking(true).unwrap();
        let connection = zbus::connection::Builder::unix_stream(stream)
            .server(zbus::Guid::generate())
            .p2p()
            .serve_at("/org/freedesktop/DBus", Bus)
            .serve_at("/org/freedesktop/Notifications", Desktop(told));
        let connection = connection.build().await.unwrap();
        std::future::pending::<()>().await;
        drop(connection);
    });
    let (_small_box, mut follower) = tokio::task::spawn_blocking({
        let address = format!("unix:path={}", path.display());
        move || {
            let small_box = SmallBox::start();
            let (ada, bob) = ada_and_bob(&small_box);
            let mut follow = ada.command(&["receive", "--follow", "--notify"]);
            let follower = follow.env("DBUS_SESSION_BUS_ADDRESS", address).stdout(Stdio::null()).spawn().unwrap();
            bob.run(&["send", "ada", "the secret place", "--wait", "0s"]).fine();
            ((small_box, ada, bob), follower)
        }
    })
    .await
    .unwrap();
    let (summary, body) = tokio::time::timeout(Duration::from_secs(30), heard.recv()).await.unwrap().unwrap();
    assert_eq!(summary, "bob");
    assert!(!body.contains("secret") && !body.is_empty(), "{body}");
    follower.kill().unwrap();
    follower.wait().unwrap();
    serve.abort();
}
