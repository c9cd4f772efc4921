//! The servers: how each is configured, started, reached and killed. Children of this process, in a folder of their own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hob_tests::boxes::{HobBox, Start};

use crate::conn::hob::Account;
use crate::conn::mqtt::Mqtt;
use crate::conn::nats::Nats;
use crate::conn::xmpp::Xmpp;
use crate::conn::{Conn, hob};

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This project's box.
    Hob,
    /// An MQTT broker.
    Mosquitto,
    /// A message bus with a log.
    Nats,
    /// An XMPP server in Lua.
    Prosody,
    /// An XMPP server in Erlang.
    Ejabberd,
}

/// How it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// As it ships, its limits lifted.
    Ships,
    /// Set to sync before it acknowledges, as far as it can.
    Syncs,
    /// As it ships, with TLS.
    Tls,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Who.
    pub kind: Kind,
    /// How.
    pub setting: Setting,
}

const fn row(kind: Kind, setting: Setting) -> Row {
    Row { kind, setting }
}

/// All rows. NATS 2.9 cannot sync before it acknowledges.
pub const ROWS: &[Row] = &[
    row(Kind::Hob, Setting::Ships),
    row(Kind::Mosquitto, Setting::Ships),
    row(Kind::Mosquitto, Setting::Tls),
    row(Kind::Mosquitto, Setting::Syncs),
    row(Kind::Nats, Setting::Ships),
    row(Kind::Nats, Setting::Tls),
    row(Kind::Prosody, Setting::Ships),
    row(Kind::Prosody, Setting::Syncs),
    row(Kind::Ejabberd, Setting::Ships),
    row(Kind::Ejabberd, Setting::Syncs),
];

impl Row {
    /// What the table calls it.
    pub const fn name(self) -> &'static str {
        match (self.kind, self.setting) {
            (Kind::Hob, _) => "Hob (TLS, synced)",
            (Kind::Mosquitto, Setting::Ships) => "Mosquitto",
            (Kind::Mosquitto, Setting::Syncs) => "Mosquitto, saving at every change",
            (Kind::Mosquitto, Setting::Tls) => "Mosquitto, TLS",
            (Kind::Nats, Setting::Tls) => "NATS JetStream, TLS",
            (Kind::Nats, _) => "NATS JetStream",
            (Kind::Prosody, Setting::Syncs) => "Prosody, SQLite, synced",
            (Kind::Prosody, _) => "Prosody",
            (Kind::Ejabberd, Setting::Syncs) => "ejabberd, SQLite, synced",
            (Kind::Ejabberd, _) => "ejabberd",
        }
    }

    /// How `--only` names it.
    pub const fn word(self) -> &'static str {
        match self.kind {
            Kind::Hob => "hob",
            Kind::Mosquitto => "mosquitto",
            Kind::Nats => "nats",
            Kind::Prosody => "prosody",
            Kind::Ejabberd => "ejabberd",
        }
    }

    /// Its program and the Debian package of it.
    pub const fn program(self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Hob => ("hob", "hob"),
            Kind::Mosquitto => ("mosquitto", "mosquitto"),
            Kind::Nats => ("nats-server", "nats-server"),
            Kind::Prosody => ("prosody", "prosody"),
            Kind::Ejabberd => ("erl", "ejabberd"),
        }
    }
}

/// A running server with accounts.
pub struct Server {
    row: Row,
    running: Running,
    /// Everything it writes.
    pub folder: PathBuf,
    address: SocketAddr,
    accounts: Vec<Account>,
    /// From its start until somebody was logged in.
    pub start: Duration,
}

enum Running {
    Peer(Child),
    Hob(Box<HobBox>),
}

impl Server {
    /// Starts it in a fresh folder and waits until a first client is logged in.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start(row: Row, folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        if row.kind == Kind::Hob {
            return Self::start_hob(folder).await;
        }
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Self::launch(row, folder, address).await
    }

    async fn start_hob(folder: &Path) -> io::Result<Self> {
        let data = folder.join("data");
        let began = Instant::now();
        let running = Start::for_load().over(&data).map_err(io::Error::other)?;
        let address = running.address;
        let link = running.invitation.clone().ok_or_else(|| io::Error::other("no first invitation"))?;
        let first = Account::join(address, &link).await;
        let start = began.elapsed();
        let running = Running::Hob(Box::new(running));
        Ok(Self { row: ROWS[0], running, folder: folder.to_path_buf(), address, accounts: vec![first], start })
    }

    async fn launch(row: Row, folder: &Path, address: SocketAddr) -> io::Result<Self> {
        let mut command = peer_command(row, folder, address.port())?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let child = command.spawn()?;
        let mut this = Self {
            row,
            running: Running::Peer(child),
            folder: folder.to_path_buf(),
            address,
            accounts: Vec::new(),
            start: Duration::ZERO,
        };
        this.wait_for_login().await?;
        this.start = began.elapsed();
        Ok(this)
    }

    async fn wait_for_login(&mut self) -> io::Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        let tls = self.row.setting == Setting::Tls;
        loop {
            let tried = match self.row.kind {
                Kind::Hob => Ok(()),
                Kind::Mosquitto => Mqtt::sender(self.address, tls, 9999).await.map(drop),
                Kind::Nats => Nats::sender(self.address, tls, 9999).await.map(drop),
                Kind::Prosody | Kind::Ejabberd => {
                    let first = "first".to_owned();
                    match Xmpp::log_in(self.address, &first, false).await {
                        Ok(_) => Ok(()),
                        // Not yet a member, or not yet up.
                        Err(_) => Xmpp::register(self.address, &[first]).await,
                    }
                }
            };
            match tried {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > until => {
                    return Err(io::Error::other(format!("{} does not start: {error}", self.row.name())));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        match &self.running {
            Running::Peer(child) => child.id(),
            Running::Hob(running) => running.pid(),
        }
    }

    /// Makes mailboxes for readers, and accounts for senders where there must be some.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn prepare(&mut self, from: usize, readers: usize, senders: usize) -> io::Result<()> {
        let tls = self.row.setting == Setting::Tls;
        match self.row.kind {
            Kind::Hob => {
                let Running::Hob(running) = &self.running else { return Ok(()) };
                while self.accounts.len() < readers {
                    let link = running.invite();
                    self.accounts.push(Account::join(self.address, &link).await);
                }
            }
            Kind::Mosquitto => {
                for reader in from..readers {
                    Conn::Mqtt(Mqtt::reader(self.address, tls, reader).await?).finish().await?;
                }
            }
            Kind::Nats => Nats::sender(self.address, tls, 9998).await?.prepare(from..readers).await?,
            Kind::Prosody | Kind::Ejabberd => {
                let readers = (from..readers).map(|reader| format!("r{reader}"));
                let senders = (0..senders).map(|sender| format!("s{sender}"));
                Xmpp::register(self.address, &readers.chain(senders).collect::<Vec<_>>()).await?;
            }
        }
        Ok(())
    }

    /// A reader's connection.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn reader(&self, number: usize) -> io::Result<Conn> {
        let tls = self.row.setting == Setting::Tls;
        Ok(match self.row.kind {
            Kind::Hob => Conn::Hob(Box::new(hob::Hob::reader(&self.accounts[number]).await)),
            Kind::Mosquitto => Conn::Mqtt(Mqtt::reader(self.address, tls, number).await?),
            Kind::Nats => Conn::Nats(Nats::reader(self.address, tls, number).await?),
            Kind::Prosody | Kind::Ejabberd => {
                Conn::Xmpp(Box::new(Xmpp::log_in(self.address, &format!("r{number}"), true).await?))
            }
        })
    }

    /// A sender's connection.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn sender(&self, number: usize) -> io::Result<Conn> {
        let tls = self.row.setting == Setting::Tls;
        Ok(match self.row.kind {
            Kind::Hob => Conn::Hob(Box::new(hob::Hob::sender(self.address, &self.accounts).await?)),
            Kind::Mosquitto => Conn::Mqtt(Mqtt::sender(self.address, tls, number).await?),
            Kind::Nats => Conn::Nats(Nats::sender(self.address, tls, number).await?),
            Kind::Prosody | Kind::Ejabberd => {
                Conn::Xmpp(Box::new(Xmpp::log_in(self.address, &format!("s{number}"), false).await?))
            }
        })
    }

    /// SIGKILL, to all of it.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn kill(&mut self) -> io::Result<()> {
        let below: Vec<u32> = crate::measure::tree(self.pid()).into_iter().skip(1).collect();
        match &mut self.running {
            Running::Hob(running) => running.kill(),
            Running::Peer(child) => {
                child.kill()?;
                child.wait()?;
            }
        }
        for pid in below.into_iter().filter_map(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)) {
            // It may have ended with its parent.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        Ok(())
    }

    /// Starts it again over the same folder, after a kill.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_again(&mut self) -> io::Result<()> {
        if let Running::Hob(running) = &mut self.running {
            running.start_again();
            return Ok(());
        }
        let again = Self::launch(self.row, &self.folder.clone(), self.address).await?;
        *self = again;
        Ok(())
    }

    /// Hob only: what is left once its window is over, which `hob compact` does now instead of after half an hour.
    pub fn compact(&self) {
        if let Running::Hob(running) = &self.running {
            assert!(running.hob(&["compact"]).status.success(), "hob compact");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever is left of it.
        let _ = self.kill();
    }
}

fn peer_command(row: Row, folder: &Path, port: u16) -> io::Result<Command> {
    let config = write_config(row, folder, port)?;
    if row == (Row { kind: Kind::Ejabberd, setting: Setting::Syncs }) {
        make_tables(folder)?;
    }
    let mut command = Command::new(row.program().0);
    match row.kind {
        Kind::Hob => {}
        Kind::Mosquitto | Kind::Nats => {
            command.arg("-c").arg(config);
        }
        Kind::Prosody => {
            command.arg("--config").arg(config).arg("-F");
        }
        Kind::Ejabberd => {
            // As ejabberdctl starts it, without a distributed node: so no epmd stays behind.
            let quoted = format!("\"{}\"", folder.join("db").display());
            command.args(["+K", "true", "+P", "250000", "-env", "ERL_CRASH_DUMP_BYTES", "0", "-noinput"]);
            command.args(["-mnesia", "dir", &quoted, "-ejabberd", "quiet", "true", "-s", "ejabberd"]);
            command.env("EJABBERD_CONFIG_PATH", config).env("EJABBERD_LOG_PATH", folder.join("ejabberd.log"));
            command.env("ERL_LIBS", erlang_libraries()).env("HOME", folder);
        }
    }
    Ok(command)
}

/// Where Debian keeps the packages' Erlang libraries: beside other architectures' files.
fn erlang_libraries() -> PathBuf {
    let entries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_home = |path: &PathBuf| {
        let inside = std::fs::read_dir(path).into_iter().flatten().flatten();
        inside.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("ejabberd-"))
    };
    entries.into_iter().find(is_home).unwrap_or_else(|| "/usr/lib".into())
}

/// ejabberd makes no tables by itself in this version: its package brings them as a file.
fn make_tables(folder: &Path) -> io::Result<()> {
    let database = folder.join("ejabberd.sqlite");
    if database.exists() {
        return Ok(());
    }
    let tables = std::fs::File::open("/usr/share/ejabberd/sql/lite.sql")?;
    let made = Command::new("sqlite3").arg(&database).stdin(tables).stdout(Stdio::null()).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other("sqlite3 makes no tables: apt install sqlite3")) }
}

fn write_config(row: Row, folder: &Path, port: u16) -> io::Result<PathBuf> {
    let (name, base, sync, tls) = match row.kind {
        Kind::Hob => return Ok(PathBuf::new()),
        Kind::Mosquitto => (
            "mosquitto.conf",
            include_str!("../config/mosquitto.conf"),
            include_str!("../config/mosquitto-sync.conf"),
            include_str!("../config/mosquitto-tls.conf"),
        ),
        Kind::Nats => ("nats.conf", include_str!("../config/nats.conf"), "", include_str!("../config/nats-tls.conf")),
        Kind::Prosody => (
            "prosody.cfg.lua",
            include_str!("../config/prosody.cfg.lua"),
            include_str!("../config/prosody-sync.cfg.lua"),
            "",
        ),
        Kind::Ejabberd => {
            ("ejabberd.yml", include_str!("../config/ejabberd.yml"), include_str!("../config/ejabberd-sync.yml"), "")
        }
    };
    let more = match row.setting {
        Setting::Ships => "",
        Setting::Syncs => sync,
        Setting::Tls => tls,
    };
    // Prosody's global settings end where its first host begins.
    let text = match base.split_once("VirtualHost") {
        Some((global, host)) => format!("{global}{more}VirtualHost{host}"),
        None => format!("{base}{more}"),
    };
    let (certificate, key) = crate::certificate::pair(folder, row.setting == Setting::Tls)?;
    let text = text
        .replace("@PORT@", &port.to_string())
        .replace("@DIR@", &folder.display().to_string())
        .replace("@CERTIFICATE@", &certificate.display().to_string())
        .replace("@KEY@", &key.display().to_string());
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}
