//! One box under load from devices that speak frames; killed, started, compared, and so on.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody, TokenKind};
use hob_protocol::ids::{DeliveryToken, EnvelopeId};
use hob_tests::boxes::{HobBox, Start};
use hob_tests::chance::Chance;
use hob_tests::measure::cpu_seconds;
use hob_tests::people::{Device, envelope};
use hob_tests::wire::{Wire, code_of};
use tokio::task::JoinHandle;

use crate::account::Account;
use crate::load::{self, Shared, Tokens, Way, submit};

const SENDERS: usize = 4;
const OWNERS: usize = 5;
/// The last owner comes only now and then: what waits for them outlives several kills.
const ABSENT: usize = OWNERS - 1;
const ABSENT_FOR: u64 = 6;
/// Below a token's burst, which a start makes whole: so no refusal is planned, and each one is a finding.
const EACH_AT_MOST: u64 = 200;
const ABSENT_AT_MOST: u64 = 8;
const GRANTS: u64 = 20;

struct Stage {
    hob: HobBox,
    owners: Vec<Device>,
    clerk: Device,
    /// By sender, then owner.
    tokens: Vec<Vec<DeliveryToken>>,
    account: Shared,
    changed: Arc<Mutex<Tokens>>,
    chance: Chance,
    /// Refusals that are planned since the start.
    planned: u64,
    starts: Starts,
    verified: u64,
    looked: u64,
    kills: u64,
}

#[derive(Default)]
struct Starts {
    ms: Vec<u64>,
    cpu_ms: Vec<u64>,
}

/// So many cycles; what they came to, in words.
pub fn run(chance: Chance, cycles: u64) -> String {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut stage = runtime.block_on(Stage::set(chance));
    for cycle in 1..=cycles {
        if cycle % 25 == 0 {
            eprintln!("  volume: {cycle} of {cycles}");
        }
        runtime.block_on(stage.check(cycle % ABSENT_FOR == 0));
        let at_work = runtime.block_on(stage.load());
        stage.kill(cycle);
        runtime.block_on(async {
            for worker in at_work {
                worker.await.unwrap();
            }
        });
        stage.start();
    }
    runtime.block_on(stage.check(true));
    stage.end()
}

impl Stage {
    async fn set(chance: Chance) -> Self {
        let hob = Start::default().env("HOB_LOG_LEVEL", "info").fresh();
        let mut owners = Vec::new();
        let mut tokens = vec![Vec::new(); SENDERS];
        for _ in 0..OWNERS {
            let device = Device::join(hob.address, &hob.invite()).await;
            let mut wire = device.prove().await;
            for of_sender in &mut tokens {
                of_sender.push(device.grant(&mut wire, TokenKind::Contact).await);
            }
            owners.push(device);
        }
        let clerk = Device::join(hob.address, &hob.invite()).await;
        Self {
            hob,
            owners,
            clerk,
            tokens,
            account: Shared::default(),
            changed: Arc::default(),
            chance,
            planned: 0,
            starts: Starts::default(),
            verified: 0,
            looked: 0,
            kills: 0,
        }
    }

    fn account(&self) -> std::sync::MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    /// After a start: what the box has is what it accepted, by both counts.
    async fn check(&mut self, everybody: bool) {
        let waiting = self.waiting();
        let total: u64 = waiting.iter().sum();
        assert_eq!(self.hob.status("pending"), total, "the box's two counts of what waits");
        let (mut drained, mut undrained) = (0, 0);
        for (mailbox, &box_says) in waiting.iter().enumerate() {
            if mailbox == ABSENT && !everybody {
                undrained += box_says;
                continue;
            }
            let came = drain(self.owners.get(mailbox).unwrap_or(&self.clerk)).await;
            self.account().compare(mailbox, box_says, &came);
            drained += box_says;
        }
        assert_eq!(self.hob.status("delivered"), drained, "what the owners acknowledged");
        assert_eq!(self.hob.status("pending"), undrained, "nothing waits for who has read everything");
        let mut sender = self.connect().await;
        self.submit_again(&mut sender).await;
        self.try_tokens(&mut sender).await;
        self.counts_agree("after a quiet moment");
        let accepted = self.account().accepted;
        assert_eq!(self.hob.status("accepted"), accepted, "the box's count of what it accepted, and the harness'");
    }

    /// What waits for each mailbox, as the box counts it: the owners', then the clerk's.
    fn waiting(&self) -> Vec<u64> {
        let output = self.hob.hob(&["members", "--json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let members: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let devices = || members.iter().flat_map(|member| member["devices"].as_array().unwrap());
        let of = |device: &Device| {
            let mailbox = device.mailbox.to_string();
            let found = devices().find(|device| device["mailbox"] == mailbox.as_str());
            found.unwrap_or_else(|| panic!("LOST: the box does not know its member's mailbox {mailbox}: {text}"))["pending"]
                .as_u64()
                .unwrap()
        };
        self.owners.iter().chain([&self.clerk]).map(of).collect()
    }

    async fn connect(&self) -> Wire {
        Wire::connect(self.hob.address).await
    }

    /// What was never answered goes out again: a repeat of what landed, new where it did not.
    async fn submit_again(&mut self, wire: &mut Wire) {
        let unanswered = self.account().take_unanswered();
        for (id, known, envelope) in unanswered {
            self.account().submits_again(&id, envelope.clone());
            let answer = wire.ask(submit(&self.tokens[known.from][known.to], envelope)).await;
            let ServerBody::Accepted { duplicate, .. } = answer else { panic!("submitted again: {answer:?}") };
            if known.to != ABSENT {
                assert_eq!(
                    duplicate, known.acknowledged,
                    "a repeat is known by its id, and nothing else is: {known:?}"
                );
            }
            let mut account = self.account();
            account.accepts(&id);
            if duplicate {
                // It keeps the place that it got when it landed.
                account.envelopes.get_mut(&id).unwrap().number = known.number;
                (account.accepted, account.accepted_ever) = (account.accepted - 1, account.accepted_ever - 1);
            }
        }
    }

    /// What the box said of tokens before the kill holds.
    async fn try_tokens(&mut self, wire: &mut Wire) {
        let Tokens { granted, revoked } = self.changed.lock().unwrap().clone();
        let to = self.clerk.mailbox;
        if let Some(token) = granted {
            let envelope = envelope(2 << 10);
            let id = envelope.id_in(&to);
            self.account().submits(id, SENDERS, OWNERS, envelope.clone());
            let answer = wire.ask(submit(&token, envelope)).await;
            assert!(
                matches!(answer, ServerBody::Accepted { duplicate: false, .. }),
                "LOST: a granted token: {answer:?}"
            );
            self.account().accepts(&id);
            let came = drain(&self.clerk).await;
            self.account().compare(OWNERS, 1, &came);
        }
        if let Some(token) = revoked {
            let answer = wire.ask(submit(&token, envelope(2 << 10))).await;
            assert_eq!(code_of(&answer), Some(Code::NoSuchToken), "a revoked token is good again: {answer:?}");
            self.planned += 1;
        }
    }

    /// No refusal that was not planned, by both counts.
    fn counts_agree(&self, when: &str) {
        let refusals = self.account().refusals.clone();
        assert!(refusals.is_empty(), "{when}: {} refusals, such as {}", refusals.len(), refusals[0]);
        assert_eq!(self.hob.status("refused"), self.planned, "{when}: the box's count of refusals");
        assert_eq!(self.hob.status("lost_windows"), 0, "{when}: lost windows");
        assert_eq!(self.hob.status("damaged_records"), 0, "{when}: damaged records");
    }

    async fn load(&mut self) -> Vec<JoinHandle<()>> {
        let mut workers = Vec::new();
        for owner in 0..ABSENT {
            let wire = prove(&self.owners[owner]).await;
            let chance = self.chance.fork();
            workers.push(tokio::spawn(load::owner(wire, owner, chance, Arc::clone(&self.account))));
        }
        workers.push(tokio::spawn(load::clerk(prove(&self.clerk).await, GRANTS, Arc::clone(&self.changed))));
        for from in 0..SENDERS {
            let way = |to: usize| Way {
                to,
                mailbox: self.owners[to].mailbox,
                token: self.tokens[from][to].clone(),
                at_most: if to == ABSENT { ABSENT_AT_MOST } else { EACH_AT_MOST },
            };
            let ways = (0..OWNERS).map(way).collect();
            let wire = self.connect().await;
            let chance = self.chance.fork();
            workers.push(tokio::spawn(load::sender(wire, from, ways, chance, Arc::clone(&self.account))));
        }
        workers
    }

    /// At a random moment; now and then after a look at the box's own counts.
    fn kill(&mut self, cycle: u64) {
        let wait_ms = self.chance.below(400);
        std::thread::sleep(Duration::from_millis(wait_ms));
        if cycle.is_multiple_of(4) {
            let before = self.account().accepted;
            let box_says = self.hob.status("accepted");
            let after = self.account().submitted;
            assert!((before..=after).contains(&box_says), "accepted: {before} heard, {box_says} counted, {after} sent");
            assert_eq!(self.hob.status("refused"), self.planned, "under load: the box's count of refusals");
            self.looked += 1;
        }
        if cycle.is_multiple_of(3) {
            // In the middle of closing a window, dropping keys, and switching the ledger.
            let data = self.hob.data.clone();
            let compact = std::process::Command::new(hob_tests::boxes::program("hob"))
                .arg("compact")
                .arg("--data")
                .arg(data)
                .output();
            drop(compact);
            std::thread::sleep(Duration::from_millis(self.chance.below(10)));
        }
        self.hob.kill();
        self.kills += 1;
        if cycle.is_multiple_of(10) {
            let output = self.hob.hob(&["verify-log"]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "verify-log after a kill: {text}");
            self.verified += 1;
        }
        if cycle.is_multiple_of(8) {
            self.kill_a_start();
        }
    }

    /// Killed before it is ready.
    fn kill_a_start(&mut self) {
        let start = Start::default().port(self.hob.address.port());
        let mut child = start.command(&self.hob.data).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(self.chance.below(120)));
        child.kill().unwrap();
        child.wait().unwrap();
        self.kills += 1;
    }

    fn start(&mut self) {
        let begun = Instant::now();
        self.hob.start_again();
        self.starts.ms.push(u64::try_from(begun.elapsed().as_millis()).unwrap());
        self.starts.cpu_ms.push((cpu_seconds(self.hob.pid()) * 1000.0) as u64);
        self.planned = 0;
        let mut account = self.account();
        account.started();
        account.forget_old();
    }

    /// A clean stop and start at last: nothing waits, nothing comes again, the log is whole.
    fn end(mut self) -> String {
        assert!(self.hob.stop().success(), "{}", self.hob.said());
        let output = self.hob.hob(&["verify-log"]);
        assert!(output.status.success(), "verify-log: {}", String::from_utf8_lossy(&output.stdout));
        self.start();
        let owed = self.account().envelopes.values().filter(|known| known.accepted && !known.acknowledged).count();
        assert_eq!(self.hob.status("pending"), owed as u64, "after a clean stop just what is owed waits");
        self.hob.assert_well();
        let account = self.account();
        let of = |values: &[u64]| {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            (sorted[sorted.len() / 2], sorted[sorted.len() - 1])
        };
        let ((ms, ms_max), (cpu, cpu_max)) = (of(&self.starts.ms), of(&self.starts.cpu_ms));
        let over = self.starts.ms.iter().filter(|&&ms| ms > 3000).count();
        format!(
            "volume: {} kills; {} accepted, {} acknowledged, {} landed without an answer, {} pushed again after their \
             acknowledgement was lost; own and box's counts agreed after each start and in {} looks under load; \
             {} offline checks; start {ms} ms (worst {ms_max}), {cpu} ms of CPU (worst {cpu_max}), {over} over 3 s",
            self.kills,
            account.accepted_ever,
            account.acknowledged_ever,
            account.landed_unanswered,
            account.pushed_again,
            self.looked,
            self.verified + 1,
        )
    }
}

/// An owner's connection that tells the time, so that the box need not wonder.
async fn prove(device: &Device) -> Wire {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    device.prove_at(now_s).await
}

/// Everything that is kept, in its order, acknowledged; each body is what its id says.
async fn drain(device: &Device) -> Vec<EnvelopeId> {
    let mut owner = prove(device).await;
    let mut came = Vec::new();
    loop {
        match owner.unasked().await {
            ServerBody::Push { id, envelope, .. } => {
                assert_eq!(envelope.id_in(&device.mailbox), id, "a body that is not its id's");
                came.push(id);
                owner.tell(ClientBody::Acknowledge { ids: vec![id] }).await;
            }
            ServerBody::CaughtUp => {
                // The last acknowledgement has been heard once something behind it is answered.
                owner.assert_open().await;
                return came;
            }
            other => panic!("a push, not {other:?}"),
        }
    }
}
