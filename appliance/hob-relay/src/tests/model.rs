//! The rules against a model that is too simple to be wrong: lists, searched from the front.

use proptest::prelude::*;
use std::collections::BTreeMap;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Submit { to: usize, byte: u8, ttl_s: u64 },
    Acknowledge { who: usize, which: usize },
    Come { who: usize },
    Go { who: usize },
    Revoke { who: usize },
    Pass { seconds: u64 },
    Sync,
    Fail,
}

const PEOPLE: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..PEOPLE, 0..40u8, 30..400u64).prop_map(|(to, byte, ttl_s)| Step::Submit { to, byte, ttl_s }),
        4 => (0..PEOPLE, 0..8usize).prop_map(|(who, which)| Step::Acknowledge { who, which }),
        2 => (0..PEOPLE).prop_map(|who| Step::Come { who }),
        2 => (0..PEOPLE).prop_map(|who| Step::Go { who }),
        1 => (0..PEOPLE).prop_map(|who| Step::Revoke { who }),
        2 => (1..200u64).prop_map(|seconds| Step::Pass { seconds }),
        5 => Just(Step::Sync),
        1 => Just(Step::Fail),
    ]
}

/// What must be true, as a person would keep the books.
#[derive(Default)]
struct Books {
    /// Accepted, by mailbox and id: when it is due, and whether its owner acknowledged it.
    accepted: BTreeMap<(usize, EnvelopeId), (BoxTime, bool)>,
    revoked: [bool; PEOPLE],
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut world = World::with(Config { token_burst: 10_000, ..Config::default() });
    let homes: Vec<Home> = (0..PEOPLE).map(|who| world.home(1 + who as u8)).collect();
    let mut owners: Vec<Option<ConnId>> = homes.iter().map(|home| Some(home.owner)).collect();
    let mut books = Books::default();
    world.syncs_by_itself = false;
    let mut waiting: BTreeMap<ConnId, (usize, EnvelopeId, BoxTime, BoxTime)> = BTreeMap::new();
    for step in steps {
        let (said, pushed) = (world.sent.len(), world.pushed.len());
        match step {
            Step::Submit { to, byte, ttl_s } => {
                let sender = world.connect();
                let id = envelope(byte).id_in(&homes[to].mailbox);
                let due = BoxTime((world.now.box_time.0 / 1000 + ttl_s) * 1000);
                waiting.insert(sender, (to, id, due, world.now.box_time));
                world.submit_for(sender, &homes[to].token, envelope(byte), Duration::from_secs(ttl_s));
            }
            Step::Acknowledge { who, which } => {
                if let Some(owner) = owners[who]
                    && let Some(&(_, id)) = world.pushed.iter().filter(|(to, _)| *to == owner).nth(which)
                {
                    world.say(owner, ClientBody::Acknowledge { ids: vec![id] });
                    if let Some((_, done)) = books.accepted.get_mut(&(who, id)) {
                        *done = true;
                    }
                }
            }
            Step::Come { who } => owners[who] = Some(world.owner(&homes[who].device)),
            Step::Go { who } => {
                if let Some(owner) = owners[who].take() {
                    world.input(Input::Closed { conn: owner });
                }
            }
            Step::Revoke { who } => {
                let owner = world.owner(&homes[who].device);
                owners[who] = Some(owner);
                world.say(owner, ClientBody::TokenRevoke { token_hash: homes[who].token.hash() });
                books.revoked[who] = true;
            }
            Step::Pass { seconds } => world.pass(Duration::from_secs(seconds)),
            Step::Sync => world.sync(),
            Step::Fail => world.fail_to_sync(),
        }
        let now = world.now.box_time;
        for (conn, frame) in &world.sent[said..] {
            let Some(&(to, id, due, asked_at)) = waiting.get(conn) else { continue };
            match frame.body {
                ServerBody::Accepted { duplicate, .. } => {
                    let before = books.accepted.get(&(to, id)).filter(|(due, _)| *due > asked_at);
                    prop_assert!(before.is_some() || !duplicate, "a duplicate of something");
                    prop_assert!(before.is_none() || duplicate, "a repeat is called one");
                    if !duplicate {
                        books.accepted.insert((to, id), (due, false));
                    }
                    waiting.remove(conn);
                }
                ServerBody::Error { code, .. } => {
                    let allowed =
                        code == Code::CannotStore.number() || (code == Code::NoSuchToken.number() && books.revoked[to]);
                    prop_assert!(allowed, "refused with {code}");
                    waiting.remove(conn);
                }
                _ => {}
            }
        }
        for (conn, id) in &world.pushed[pushed..] {
            let who = owners.iter().position(|owner| owner == &Some(*conn));
            let who = who.ok_or_else(|| TestCaseError::fail("pushed to a connection that is nobody's"))?;
            let (due, done) = books.accepted.get(&(who, *id)).copied().unwrap_or((BoxTime(0), true));
            prop_assert!(!done, "acknowledged, or never accepted for this mailbox, and pushed");
            prop_assert!(due > now, "pushed past its deadline");
        }
        let pending = books.accepted.values().filter(|(due, done)| *due > now && !done).count() as u64;
        let storing =
            world.unsynced.iter().filter(|(_, append)| matches!(append, Append::Accept { .. })).count() as u64;
        let counted = world.relay.status().pending;
        prop_assert!(counted >= pending && counted <= pending + storing, "{counted} counted, {pending} in the books");
    }
    // Everything accepted reaches its owner in the end, in order.
    world.syncs_by_itself = true;
    world.sync();
    for (who, home) in homes.iter().enumerate() {
        let before = world.pushed.len();
        world.owner(&home.device);
        let now = world.now.box_time;
        let got: Vec<EnvelopeId> = world.pushed[before..].iter().map(|(_, id)| *id).collect();
        let want = books.accepted.iter().filter(|((to, _), (due, done))| *to == who && *due > now && !done);
        for ((_, id), _) in want {
            prop_assert!(got.contains(id), "an accepted envelope was not delivered");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_accepted_is_delivered_or_expires_whatever_happens_in_whatever_order(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        run(steps)?;
    }
}
