//! Owners are away: keep, drain, start again, and what reaches the card.

use std::time::Instant;

use hob_tests::boxes::{HobBox, Start};
use hob_tests::measure::{cpu_seconds, device_bytes_written};

use crate::load::{Reader, all, cost, read, readers, runtime, senders, write};
use crate::{box_for_load, figure};

async fn store(hob: &HobBox, people: &[Reader], each: usize) {
    let wires = senders(hob, people.len()).await;
    let writing =
        wires.into_iter().zip(people).map(|(wire, reader)| write(wire, reader.token.clone(), each, 16)).collect();
    all(writing, 20).await;
}

pub fn store_and_drain() {
    const EACH: usize = 200;
    let hob = box_for_load();
    runtime().block_on(async {
        let people = readers(&hob, 100).await;
        let stored = cost(&hob, store(&hob, &people, EACH)).await;
        assert_eq!(hob.status("pending"), 100 * EACH as u64, "all of them wait");
        let drained = cost(&hob, async {
            for reader in &people {
                let owner = reader.device.prove().await;
                read(owner, EACH, None).await;
            }
        })
        .await;
        figure("20,000 kept for 100 absent owners", 100.0 * EACH as f64 / stored, "envelopes / CPU-s");
        figure("drained by them, one owner at a time", 100.0 * EACH as f64 / drained, "envelopes / CPU-s");
    });
}

pub fn bytes_written() {
    let hob = box_for_load();
    let Some(_) = device_bytes_written(&hob.data) else {
        println!("no block device behind {}: not measured", hob.data.display());
        return;
    };
    runtime().block_on(async {
        let people = readers(&hob, 50).await;
        for (what, count, each) in [("in groups, 50 senders", 50, 600), ("one alone after the other", 1, 3000)] {
            sync();
            let before = device_bytes_written(&hob.data).unwrap();
            let reading: Vec<_> = {
                let mut reading = Vec::new();
                for reader in &people[..count] {
                    let owner = reader.device.prove().await;
                    reading.push(tokio::spawn(read(owner, each, None)));
                }
                reading
            };
            let window = if count > 1 { 4 } else { 1 };
            let wires = senders(&hob, count).await;
            let writing = wires
                .into_iter()
                .zip(&people)
                .map(|(wire, reader)| write(wire, reader.token.clone(), each, window))
                .collect();
            all(writing, count).await;
            for reader in reading {
                reader.await.unwrap();
            }
            assert!(hob.hob(&["compact"]).status.success(), "the window is closed and forgotten");
            sync();
            let written = device_bytes_written(&hob.data).unwrap() - before;
            let name = format!("submit to forgotten, {what}");
            figure(&name, written as f64 / (count * each) as f64, "bytes / envelope");
        }
    });
}

/// Everything that the system holds back reaches the device.
fn sync() {
    rustix::fs::sync();
}

pub fn start_with_pending() {
    const EACH: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut hob = Start::for_load().over(&data).unwrap();
    runtime().block_on(async {
        let people = readers(&hob, 100).await;
        store(&hob, &people, EACH).await;
    });
    let busy = hob_tests::measure::resident_kib(hob.pid());
    hob.kill();
    let began = Instant::now();
    let again = Start::for_load().over(&data).unwrap();
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(again.pid()));
    assert_eq!(again.status("pending"), 100 * EACH as u64);
    figure("start after SIGKILL with 100,000 pending, until ready", wall, "s");
    figure("the same, CPU", cpu, "CPU-s");
    figure("memory with 100,000 pending, before", busy as f64 / 1024.0, "MiB");
    figure("memory with 100,000 pending, after", hob_tests::measure::resident_kib(again.pid()) as f64 / 1024.0, "MiB");
}
