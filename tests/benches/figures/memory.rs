//! What the box holds while nothing is said.

use std::time::Duration;

use hob_protocol::frame::{ClientBody, ServerBody, Urgency};
use hob_tests::boxes::Start;
use hob_tests::measure::resident_kib;
use hob_tests::people::{Device, envelope};
use hob_tests::wire::{Wire, tls};

use crate::load::{all, readers, runtime};
use crate::{box_for_load, figure};

const DEVICES: usize = 1000;

pub fn idle() {
    let hob = box_for_load();
    let fresh = resident_kib(hob.pid());
    figure("idle, fresh", fresh as f64 / 1024.0, "MiB");
    runtime().block_on(async {
        let people = readers(&hob, 100).await;
        let members = resident_kib(hob.pid());
        figure("idle, 100 members", members as f64 / 1024.0, "MiB");
        // Many devices of one box: each proves a mailbox of its own.
        let devices = all((0..DEVICES - 100).map(|_| join(hob.address, hob.invite())).collect::<Vec<_>>(), 8).await;
        let joined = resident_kib(hob.pid());
        let mut wires: Vec<Wire> = all(
            people
                .into_iter()
                .map(|reader| reader.device)
                .chain(devices)
                .map(|device| async move { device.prove().await })
                .collect(),
            8,
        )
        .await;
        let connected = resident_kib(hob.pid());
        let per_device = |now: u64| (now.saturating_sub(joined)) as f64 / DEVICES as f64;
        figure("idle, 1,000 devices connected", connected as f64 / 1024.0, "MiB");
        figure("each connected device", per_device(connected), "KiB");
        push_large(&mut wires, hob.address).await;
        figure("each, after 64 KiB passed to every tenth", per_device(resident_kib(hob.pid())), "KiB");
    });
}

async fn join(address: std::net::SocketAddr, link: String) -> Device {
    Device::join(address, &link).await
}

/// With all twelve windows and the ledger alive: box time runs 720 times as fast, in a build that can do that.
pub fn twelve_windows() {
    let Some(build) = std::env::var_os("HOB_BENCH_DEMO_CLOCK") else {
        println!("set HOB_BENCH_DEMO_CLOCK to a hob built with `--release --features demo-clock`: not measured");
        return;
    };
    let start = Start { build: Some(build.into()), ..Start::for_load() };
    let hob = start.arg("--demo-clock").arg("--clock-speed").arg("720").fresh();
    runtime().block_on(async {
        let people = readers(&hob, 1).await;
        let mut sender = Wire::connect(hob.address).await;
        let mut most = 0;
        // Six hours of box time are thirty seconds; an envelope in each half hour opens its window.
        for _ in 0..45 {
            let ttl = Duration::from_secs(19_800);
            let (token, envelope) = (people[0].token.clone(), envelope(2048));
            let body = ClientBody::Submit { token, envelope, ttl, urgency: Urgency::Quiet, online_only: false };
            assert!(matches!(sender.ask(body).await, ServerBody::Accepted { .. }));
            most = most.max(hob.status("windows"));
            tokio::time::sleep(Duration::from_millis(800)).await;
        }
        figure("windows alive at most", most as f64, "");
        figure("idle, with them and the ledger", resident_kib(hob.pid()) as f64 / 1024.0, "MiB");
    });
}

/// Sends 64 KiB to a hundred connections, each through its own token.
async fn push_large(wires: &mut [Wire], address: std::net::SocketAddr) {
    let mut sender = Wire::connect_with(&tls(), address).await.unwrap();
    for wire in wires.iter_mut().step_by(10) {
        let token = hob_protocol::ids::DeliveryToken(hob_tests::people::random());
        let grant =
            hob_protocol::frame::Grant { token_hash: token.hash(), kind: hob_protocol::frame::TokenKind::Contact };
        assert_eq!(wire.ask(ClientBody::TokenGrant(grant)).await, ServerBody::Done);
        let body = ClientBody::Submit {
            token,
            envelope: envelope(64 << 10),
            ttl: Duration::from_secs(60),
            urgency: Urgency::Quiet,
            online_only: false,
        };
        assert!(matches!(sender.ask(body).await, ServerBody::Accepted { .. }));
        loop {
            if let ServerBody::Push { id, .. } = wire.unasked().await {
                wire.send(ClientBody::Acknowledge { ids: vec![id] }).await;
                break;
            }
        }
    }
}
