//! The work that every server is given, and what it costs there.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::conn::Conn;
use crate::measure::{cpu, device_bytes, disk_kib, memory_kib, process_bytes};
use crate::server::{Kind, Row, Server, Setting};

/// How much of each.
#[derive(Debug, Clone, Copy)]
pub struct Amounts {
    /// Senders and readers of the closed loop.
    pub pairs: usize,
    /// Messages of the closed loop, all together.
    pub online: usize,
    /// Messages at 500 a second.
    pub paced: usize,
    /// Messages stored for absent readers and drained by them.
    pub stored: usize,
    /// Readers that are connected and idle.
    pub idle: usize,
    /// Messages acknowledged before the kill.
    pub killed_after: usize,
}

impl Amounts {
    /// What a row is given: a server that saves everything at every message is not kept busy for a day.
    pub fn of(self, row: Row) -> Self {
        match (row.kind, row.setting) {
            (Kind::Mosquitto, Setting::Syncs) => Self { online: self.online / 5, stored: self.stored / 20, ..self },
            (_, Setting::Syncs) => Self { stored: self.stored / 5, ..self },
            _ => self,
        }
    }
}

/// One size of body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Closed loop, messages per CPU-second.
    pub online: f64,
    /// Stored for absent readers.
    pub stored: f64,
    /// Drained by them.
    pub drained: f64,
}

/// What a row costs.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Whose.
    pub row: Row,
    /// With bodies of 1 KiB; Hob's smallest envelope is 2 KiB.
    pub small: Option<Rates>,
    /// With bodies of 2 KiB.
    pub large: Rates,
    /// At 500 a second, 2 KiB.
    pub paced: f64,
    /// Bytes on the device for each message of 2 KiB, stored, drained and forgotten.
    pub device_bytes: Option<f64>,
    /// The same as the processes count it.
    pub process_bytes: f64,
    /// Memory after the start, KiB.
    pub fresh_kib: u64,
    /// Memory for each idle client, KiB.
    pub client_kib: f64,
    /// The folder: empty, with everything stored, with everything drained, and (Hob) after its window, in KiB.
    pub disk_kib: [u64; 4],
    /// Acknowledged messages that were gone after SIGKILL, and how many were acknowledged.
    pub lost: (usize, usize),
    /// From the start to the first login.
    pub start: Duration,
}

const SMALL: usize = 1024;
const LARGE: usize = 2048;

/// Unacknowledged messages of each sender.
const WINDOW: usize = 4;

/// The same where nobody is there to receive.
const STORING_WINDOW: usize = 16;

/// Readers that are away.
const ABSENT: usize = 100;

/// Connections that store for them.
const STORING: usize = 20;

/// What a server still does behind a message belongs to it.
const SETTLES_FOR: Duration = Duration::from_millis(600);

/// After this much silence nothing more comes: what is missing is lost.
const SILENCE: Duration = Duration::from_secs(15);

/// Does all of it for one row, each part with a fresh server in a fresh folder below the given one.
///
/// # Errors
/// If the server does not do its part.
pub async fn all(row: Row, amounts: Amounts, folder: &Path) -> io::Result<Figures> {
    let amounts = amounts.of(row);
    let tell = |what: &str| eprintln!("  {}: {what}", row.name());
    let mut sizes = Vec::new();
    let mut written = (None, 0.0);
    let mut disk = [0; 4];
    let with_small = row.kind != Kind::Hob && row.setting != Setting::Tls;
    for size in if with_small { vec![SMALL, LARGE] } else { vec![LARGE] } {
        tell(&format!("online, {size} bytes"));
        let online = online(row, amounts, size, &folder.join(format!("online-{size}"))).await?;
        tell(&format!("stored and drained, {size} bytes"));
        let stored = store_and_drain(row, amounts, size, &folder.join(format!("stored-{size}"))).await?;
        sizes.push(Rates { online, stored: stored.stored, drained: stored.drained });
        (written, disk) = (stored.written, stored.disk_kib);
    }
    let large = sizes.pop().unwrap_or_default();
    tell("500 a second");
    let paced = paced(row, amounts, &folder.join("paced")).await?;
    tell("idle clients");
    let (fresh_kib, client_kib, start) = idle(row, amounts, &folder.join("idle")).await?;
    tell("killed");
    let lost = killed(row, amounts, &folder.join("killed")).await?;
    Ok(Figures {
        row,
        small: sizes.pop(),
        large,
        paced,
        device_bytes: written.0,
        process_bytes: written.1,
        fresh_kib,
        client_kib,
        disk_kib: disk,
        lost: (lost, amounts.killed_after),
        start,
    })
}

/// Sends that many to a reader, at most `window` unacknowledged.
async fn write(conn: &mut Conn, to: usize, first: u64, count: usize, window: usize, size: usize) -> io::Result<()> {
    let (mut sent, mut acked) = (0, 0);
    while acked < count {
        while sent < count && sent - acked < window {
            conn.send(to, first + sent as u64, size).await?;
            sent += 1;
        }
        acked += conn.acked().await?;
    }
    Ok(())
}

/// Reads until that many different messages came.
async fn read(conn: &mut Conn, count: usize) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        seen.extend(conn.received().await?);
    }
    Ok(())
}

async fn done(mut tasks: JoinSet<io::Result<()>>) -> io::Result<()> {
    while let Some(task) = tasks.join_next().await {
        task.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn online(row: Row, amounts: Amounts, size: usize, folder: &Path) -> io::Result<f64> {
    let mut server = Server::start(row, folder).await?;
    server.prepare(0, amounts.pairs, amounts.pairs).await?;
    let each = amounts.online / amounts.pairs;
    let mut pairs = Vec::new();
    for pair in 0..amounts.pairs {
        pairs.push((pair, server.reader(pair).await?, server.sender(pair).await?));
    }
    tokio::time::sleep(SETTLES_FOR).await;
    let before = cpu(server.pid());
    let mut tasks = JoinSet::new();
    for (pair, mut reader, mut sender) in pairs {
        tasks.spawn(async move {
            read(&mut reader, each).await?;
            // Stays connected until all are done.
            tokio::time::sleep(SETTLES_FOR).await;
            Ok(())
        });
        tasks.spawn(async move { write(&mut sender, pair, (pair * each) as u64, each, WINDOW, size).await });
    }
    done(tasks).await?;
    Ok((each * amounts.pairs) as f64 / (cpu(server.pid()) - before))
}

async fn paced(row: Row, amounts: Amounts, folder: &Path) -> io::Result<f64> {
    const A_SECOND: u32 = 500;
    const PAIRS: usize = 10;
    let mut server = Server::start(row, folder).await?;
    server.prepare(0, PAIRS, PAIRS).await?;
    let mut readers = Vec::new();
    let mut senders = Vec::new();
    for pair in 0..PAIRS {
        readers.push(server.reader(pair).await?);
        senders.push(server.sender(pair).await?);
    }
    tokio::time::sleep(SETTLES_FOR).await;
    let before = cpu(server.pid());
    let mut tasks = JoinSet::new();
    for mut reader in readers {
        tasks.spawn(async move {
            read(&mut reader, amounts.paced / PAIRS).await?;
            tokio::time::sleep(SETTLES_FOR).await;
            Ok(())
        });
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1) / A_SECOND);
    for number in 0..amounts.paced {
        tick.tick().await;
        // The few bytes of each answer wait in the socket.
        senders[number % PAIRS].send(number % PAIRS, number as u64, LARGE).await?;
    }
    done(tasks).await?;
    Ok(amounts.paced as f64 / (cpu(server.pid()) - before))
}

struct Stored {
    stored: f64,
    drained: f64,
    written: (Option<f64>, f64),
    disk_kib: [u64; 4],
}

async fn store_and_drain(row: Row, amounts: Amounts, size: usize, folder: &Path) -> io::Result<Stored> {
    let mut server = Server::start(row, folder).await?;
    server.prepare(0, ABSENT, STORING).await?;
    let each = amounts.stored / ABSENT;
    let disk_empty = disk_kib(folder);
    let device = device_bytes(folder);
    let process = process_bytes(server.pid());
    let server = Arc::new(server);
    let mut senders = Vec::new();
    for sender in 0..STORING {
        senders.push(server.sender(sender).await?);
    }
    let before = cpu(server.pid());
    let mut tasks = JoinSet::new();
    for (sender, mut conn) in senders.into_iter().enumerate() {
        tasks.spawn(async move {
            for to in (sender..ABSENT).step_by(STORING) {
                write(&mut conn, to, (to * each) as u64, each, STORING_WINDOW, size).await?;
            }
            Ok(())
        });
    }
    done(tasks).await?;
    tokio::time::sleep(SETTLES_FOR).await;
    let after_storing = cpu(server.pid());
    let disk_stored = disk_kib(folder);
    for reader in 0..ABSENT {
        let mut conn = server.reader(reader).await?;
        read(&mut conn, each).await?;
        conn.finish().await?;
    }
    tokio::time::sleep(SETTLES_FOR).await;
    let after_draining = cpu(server.pid());
    let disk_drained = disk_kib(folder);
    server.compact();
    let count = (each * ABSENT) as f64;
    let device = device.zip(device_bytes(folder)).map(|(before, after)| (after - before) as f64 / count);
    Ok(Stored {
        stored: count / (after_storing - before),
        drained: count / (after_draining - after_storing),
        written: (device, (process_bytes(server.pid()) - process) as f64 / count),
        disk_kib: [disk_empty, disk_stored, disk_drained, disk_kib(folder)],
    })
}

async fn idle(row: Row, amounts: Amounts, folder: &Path) -> io::Result<(u64, f64, Duration)> {
    let mut server = Server::start(row, folder).await?;
    tokio::time::sleep(SETTLES_FOR).await;
    let fresh = memory_kib(server.pid());
    server.prepare(0, amounts.idle, 0).await?;
    tokio::time::sleep(SETTLES_FOR).await;
    // JetStream's consumers and the others' accounts are there before: they belong to the member, not the connection.
    let before = memory_kib(server.pid());
    let mut conns = Vec::new();
    for reader in 0..amounts.idle {
        conns.push(server.reader(reader).await?);
    }
    tokio::time::sleep(2 * SETTLES_FOR).await;
    let after = memory_kib(server.pid());
    Ok((fresh, after.saturating_sub(before) as f64 / amounts.idle as f64, server.start))
}

/// Acknowledged messages that are gone after SIGKILL.
async fn killed(row: Row, amounts: Amounts, folder: &Path) -> io::Result<usize> {
    let mut server = Server::start(row, folder).await?;
    server.prepare(0, amounts.pairs, amounts.pairs).await?;
    let each = amounts.killed_after / amounts.pairs;
    let mut tasks = JoinSet::new();
    for pair in 0..amounts.pairs {
        let mut sender = server.sender(pair).await?;
        tasks.spawn(async move { write(&mut sender, pair, (pair * each) as u64, each, WINDOW, LARGE).await });
    }
    done(tasks).await?;
    server.kill()?;
    server.start_again().await?;
    let mut reading = JoinSet::new();
    for pair in 0..amounts.pairs {
        let mut reader = server.reader(pair).await?;
        reading.spawn(async move {
            let mut seen = BTreeSet::new();
            while seen.len() < each {
                match tokio::time::timeout(SILENCE, reader.received()).await {
                    Ok(Ok(numbers)) => seen.extend(numbers),
                    Ok(Err(error)) => return Err(error),
                    Err(_) => break,
                }
            }
            Ok(seen.len())
        });
    }
    let mut found = 0;
    while let Some(task) = reading.join_next().await {
        found += task.map_err(io::Error::other)??;
    }
    Ok(each * amounts.pairs - found)
}
