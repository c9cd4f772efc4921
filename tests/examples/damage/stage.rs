//! A box with two members and traffic in two windows, stopped; and itself a little earlier.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hob_protocol::frame::ServerBody;
use hob_protocol::ids::{DeliveryToken, EnvelopeId};
use hob_tests::boxes::Start;
use hob_tests::people::{Device, drain, envelope, pushed, reachable, submit, submit_new};
use hob_tests::wire::Wire;

use crate::cases::{Case, Expect};

/// The box, stopped.
pub struct Stage {
    _folder: tempfile::TempDir,
    pub data: PathBuf,
    /// The same before its last run.
    pub older: PathBuf,
    ada: Device,
    token: DeliveryToken,
    epoch: u64,
    /// What waits in each window.
    waiting: [BTreeSet<EnvelopeId>; 2],
    /// What was acknowledged.
    done: EnvelopeId,
}

pub fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp -a {} {}", from.display(), to.display());
}

fn submitted(answer: &ServerBody) -> bool {
    matches!(answer, ServerBody::Accepted { duplicate: false, .. })
}

impl Stage {
    /// Lives, and stops.
    pub async fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, older) = (folder.path().join("data"), folder.path().join("older"));
        let mut hob = Start::default().over(&data).unwrap();
        let (ada, mut owner, token) = reachable(&hob).await;
        let (_bob, _, _) = reachable(&hob).await;
        let mut sender = Wire::connect(hob.address).await;
        let epoch = sender.hello.epoch;
        let mut sent = Vec::new();
        for bytes in [2048, 8192, 2048] {
            let envelope = envelope(bytes);
            sent.push(envelope.id_in(&ada.mailbox));
            submit_new(&mut sender, &token, envelope).await;
        }
        let done = pushed(&mut owner).await;
        let acknowledge = hob_protocol::frame::ClientBody::Acknowledge { ids: vec![done] };
        assert_eq!(owner.ask(acknowledge).await, ServerBody::Done);
        drop(owner);
        hob.json(&["compact", "--json"]);
        let envelope_of_two = envelope(4096);
        let mut second = BTreeSet::from([envelope_of_two.id_in(&ada.mailbox)]);
        submit_new(&mut sender, &token, envelope_of_two).await;
        drop(sender);
        assert!(hob.stop().success());
        copy(&data, &older);
        let mut hob = Start::default().over(&data).unwrap();
        let mut sender = Wire::connect(hob.address).await;
        for _ in 0..2 {
            let envelope = envelope(2048);
            second.insert(envelope.id_in(&ada.mailbox));
            submit_new(&mut sender, &token, envelope).await;
        }
        let (_cyd, _, _) = reachable(&hob).await;
        drop(sender);
        assert!(hob.stop().success());
        let first = sent.into_iter().filter(|id| *id != done).collect();
        Self { _folder: folder, data, older, ada, token, epoch, waiting: [first, second], done }
    }

    /// Damages a copy, starts the box over it, and judges. What it said, on success.
    pub async fn run(&self, case: &Case) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        copy(&self.data, &data);
        (case.damage)(self, &data);
        let started = Start::default().over(&data);
        let mut hob = match started {
            Ok(hob) => hob,
            Err(said) => return refusal(case, &said),
        };
        if case.expect == Expect::Refused {
            return Err("it starts".to_owned());
        }
        let served = self.serve(case, &hob).await;
        let said = hob.said();
        let status = hob.stop();
        let summary = served.map_err(|what| format!("{what}\n{said}"))?;
        if said.contains("panicked") && !said.contains("events") {
            return Err(format!("it panicked: {said}"));
        }
        if !status.success() {
            return Err(format!("it ended with {status}: {said}"));
        }
        self.start_again(&data)?;
        Ok(summary)
    }

    /// Connects as a client does, takes what waits, and sends something new.
    async fn serve(&self, case: &Case, hob: &hob_tests::boxes::HobBox) -> Result<String, String> {
        let ada = Device { key: self.ada.key.clone(), mailbox: self.ada.mailbox, address: hob.address };
        let mut sender = Wire::connect(hob.address).await;
        let (epoch, lost) = (sender.hello.epoch, sender.hello.lost_windows.clone());
        let status = hob.json(&["status", "--json"]);
        if case.expect == Expect::LedgerTold {
            let is_told = epoch != self.epoch && hob.said().contains("ledger");
            return is_told.then(|| summary(hob)).ok_or_else(|| "nothing is told of the ledger".to_owned());
        }
        let mut owner = ada.prove().await;
        let got: BTreeSet<EnvelopeId> = drain(&mut owner).await.into_iter().collect();
        let all: BTreeSet<EnvelopeId> = self.waiting.iter().flatten().copied().collect();
        let missing = all.difference(&got).count();
        let strangers = got.difference(&all).filter(|id| **id != self.done).count();
        let is_told = epoch != self.epoch && !lost.is_empty() && status["lost_windows"].as_u64() > Some(0);
        if strangers > 0 || (got.contains(&self.done) && !is_told) {
            return Err("it pushes what does not wait".to_owned());
        }
        if missing > 0 && !is_told && case.expect != Expect::Gap {
            return Err(format!("{missing} are missing and not told: epoch {epoch}, {lost:?}, {status}"));
        }
        match case.expect {
            Expect::Whole if missing > 0 || is_told => return Err(format!("{missing} missing, lost {lost:?}")),
            Expect::Told if !is_told => return Err("nothing is told".to_owned()),
            _ => {}
        }
        if status["members"].as_u64() != Some(3) && case.expect != Expect::Gap {
            return Err(format!("{} members are left of 3", status["members"]));
        }
        let answer = sender.ask(submit(&self.token, envelope(2048))).await;
        if !submitted(&answer) {
            return Err(format!("its token is answered {answer:?}"));
        }
        let _new = pushed(&mut owner).await;
        Ok(format!("{} of {} served, {missing} missing{}", got.len(), all.len(), if is_told { ", told" } else { "" }))
    }

    /// The next start is an ordinary one.
    fn start_again(&self, data: &Path) -> Result<(), String> {
        let mut hob = Start::default().over(data).map_err(|said| format!("the next start is refused: {said}"))?;
        if hob.identity.is_empty() || !hob.stop().success() {
            return Err(format!("the next start ends badly: {}", hob.said()));
        }
        Ok(())
    }
}

fn summary(hob: &hob_tests::boxes::HobBox) -> String {
    let said = hob.said();
    let line = said.lines().find(|line| line.contains("ledger")).unwrap_or_default();
    line.chars().take(120).collect()
}

fn refusal(case: &Case, said: &str) -> Result<String, String> {
    if case.expect != Expect::Refused {
        return Err(format!("it does not start: {said}"));
    }
    let line = said.lines().last().unwrap_or_default().trim();
    let is_clear = line.contains(": ") && !said.contains("panicked");
    let has_step =
        ["put it back", "use a newer hob", "remove both", "empty the data folder", "begin anew", "remove it"];
    if is_clear && has_step.iter().any(|step| line.contains(step)) {
        return Ok(line.chars().take(150).collect());
    }
    Err(format!("it does not say what to do: {said}"))
}
