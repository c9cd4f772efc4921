use hob_protocol::ids::MemberId;

use super::*;
use crate::keeping::{
    AUDIT_LINES_MAX, AutomationToken, By, Change, Keeper, KeeperId, KeepingView, NotPossible, Role, Scope, SetUp,
    Settings,
};

fn keeper(number: u8, name: &str, role: Role) -> Keeper {
    Keeper {
        id: KeeperId([number; 16]),
        name: name.to_owned(),
        role,
        password: "$argon2id$…".to_owned(),
        totp_secret: Vec::new(),
        made_at_s: 1,
    }
}

fn by(who: &str) -> By {
    By { who: who.to_owned(), from: "192.168.1.7".to_owned() }
}

fn noted(world: &mut World, change: Change) -> Answer {
    world.admin(Ask::Noted { by: by("ada"), ask: Box::new(Ask::Change(change)) })
}

fn with_owner() -> World {
    let mut world = World::new();
    let made = noted(&mut world, Change::FirstOwner(keeper(1, "ada", Role::Owner)));
    assert!(matches!(made, Answer::Done));
    world
}

fn view(world: &World) -> KeepingView {
    world.relay.keeping(world.now)
}

fn why(answer: &Answer) -> Option<NotPossible> {
    match answer {
        Answer::NotPossible(why) => Some(*why),
        _ => None,
    }
}

fn titles(world: &World) -> Vec<String> {
    world.relay.audit().into_iter().map(|line| line.what).collect()
}

#[test]
fn the_first_password_holds_when_two_browsers_set_the_box_up() {
    let mut world = with_owner();
    let second = noted(&mut world, Change::FirstOwner(keeper(2, "eve", Role::Owner)));
    assert_eq!(why(&second), Some(NotPossible::AlreadySetUp));
    assert_eq!(view(&world).keepers.len(), 1);
    assert_eq!(view(&world).set_up, SetUp::HasOwner, "the code is dead from the same commit on");
}

#[test]
fn a_box_always_has_an_owner() {
    let mut world = with_owner();
    noted(&mut world, Change::PutKeeper(keeper(2, "bob", Role::Keeper)));
    let removed = noted(&mut world, Change::RemoveKeeper(KeeperId([1; 16])));
    assert_eq!(why(&removed), Some(NotPossible::LastOwner));
    let demoted = noted(&mut world, Change::PutKeeper(keeper(1, "ada", Role::Viewer)));
    assert_eq!(why(&demoted), Some(NotPossible::LastOwner));
    noted(&mut world, Change::PutKeeper(keeper(2, "bob", Role::Owner)));
    assert!(matches!(noted(&mut world, Change::RemoveKeeper(KeeperId([1; 16]))), Answer::Done));
}

#[test]
fn no_two_keepers_sign_in_as_the_same_name() {
    let mut world = with_owner();
    let taken = noted(&mut world, Change::PutKeeper(keeper(2, "Ada", Role::Viewer)));
    assert_eq!(why(&taken), Some(NotPossible::NameTaken));
}

#[test]
fn the_later_of_two_editors_is_told() {
    let mut world = with_owner();
    let settings = |name: &str| Settings { box_name: Some(name.to_owned()), ..Settings::default() };
    assert!(matches!(noted(&mut world, Change::Settings(settings("first"))), Answer::Done));
    let later = noted(&mut world, Change::Settings(settings("second")));
    assert_eq!(why(&later), Some(NotPossible::ChangedMeanwhile));
    assert_eq!(view(&world).settings.box_name.as_deref(), Some("first"));
}

#[test]
fn a_shorter_retention_is_told_in_the_next_hello_and_a_longer_one_than_the_files_is_cut() {
    let file = Config { retention: Duration::from_secs(4 * 3600), ..Config::default() };
    let mut world = World::with(file);
    for (hours, in_force) in [(1, 1), (6, 4)] {
        let revision = view(&world).settings.revision;
        let retention = Some(Duration::from_secs(hours * 3600));
        noted(&mut world, Change::Settings(Settings { retention, revision, ..Settings::default() }));
        assert_eq!(world.relay.config().retention, Duration::from_secs(in_force * 3600));
        let conn = world.connect();
        let hello = world.sent.iter().find_map(|(to, frame)| match &frame.body {
            ServerBody::Hello(hello) if *to == conn => Some(hello.limits.ttl_max),
            _ => None,
        });
        assert_eq!(hello, Some(Duration::from_secs(in_force * 3600 - 1800)));
    }
}

#[test]
fn a_suspended_member_is_cut_off_and_refused_until_resumed_and_the_mail_waits() {
    let mut world = with_owner();
    let ada = world.home(1);
    let member = world.relay.members()[0].id;
    assert!(matches!(noted(&mut world, Change::Suspend(member)), Answer::Done));
    assert_eq!(world.closed.last(), Some(&(ada.owner, Code::Suspended)));
    let again = world.owner(&ada.device);
    assert_eq!(world.refused(again), Some(Code::Suspended));
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    assert!(accepted(false)(world.last(sender)), "a contact learns nothing of it");
    assert!(world.pushed.is_empty());
    assert!(world.relay.members()[0].suspended);
    assert!(matches!(noted(&mut world, Change::Resume(member)), Answer::Done));
    let back = world.owner(&ada.device);
    assert_eq!(world.pushed.last().map(|(conn, _)| *conn), Some(back));
}

#[test]
fn every_change_leaves_a_line_that_says_who_and_from_where_and_a_refused_one_leaves_none() {
    let mut world = with_owner();
    let ada = world.home(1);
    let member = world.relay.members()[0].id;
    for ask in [
        Ask::Invite { expires_in: Duration::from_secs(60) },
        Ask::RevokeDevice { mailbox: ada.mailbox },
        Ask::RevokeMember { member },
        Ask::Withdraw { invitation: InvitationId([9; 16]) },
    ] {
        world.admin(Ask::Noted { by: by("bob"), ask: Box::new(ask) });
    }
    // The member went with its only device, and the invitation never was.
    assert_eq!(titles(&world), ["device-revoked", "invited", "keeper-added"]);
    let newest = &world.relay.audit()[0];
    assert_eq!((newest.who.as_str(), newest.from.as_str()), ("bob", "192.168.1.7"));
    assert!(newest.about.starts_with("ada, "), "{newest:?}");
}

#[test]
fn the_audit_log_is_bounded_in_memory_and_in_the_ledger_and_the_oldest_lines_go() {
    let mut world = World::new();
    for _ in 0..AUDIT_LINES_MAX + 5 {
        noted(&mut world, Change::Note { what: "verified", about: "x".repeat(500) });
    }
    let lines = world.relay.audit();
    assert_eq!(lines.len() as u64, AUDIT_LINES_MAX);
    assert_eq!(lines.last().map(|line| line.number), Some(6));
    assert_eq!(lines[0].about.len(), 120, "a long text is cut");
    let keys: std::collections::BTreeSet<_> = world.ledger().iter().map(|event| event::ledger_key(event).0).collect();
    assert!(keys.len() as u64 <= AUDIT_LINES_MAX + 1, "{} keys live", keys.len());
}

#[test]
fn what_keepers_set_and_did_is_there_after_a_restart() {
    let mut world = with_owner();
    world.home(1);
    let member = world.relay.members()[0].id;
    noted(&mut world, Change::Suspend(member));
    let settings = Settings { members: Some(7), inviting_role: Some(Role::Owner), ..Settings::default() };
    noted(&mut world, Change::Settings(settings));
    let token = AutomationToken {
        id: [3; 16],
        hash: [4; 32],
        name: "grafana".to_owned(),
        scope: Scope::Metrics,
        good_for: Duration::from_secs(3600),
        made_at_s: 5,
        made_by: "ada".to_owned(),
    };
    noted(&mut world, Change::AddToken(token));
    noted(&mut world, Change::SetUp(SetUp::Done));
    let (before, lines) = (view(&world), world.relay.audit());
    let again = World::restored(Config::default(), Restored { ledger: world.ledger(), ..Restored::default() });
    let after = view(&again);
    assert_eq!((after.keepers, after.set_up, after.settings), (before.keepers, SetUp::Done, before.settings));
    assert_eq!(after.tokens, before.tokens);
    assert_eq!(again.relay.audit(), lines);
    assert_eq!(again.relay.config().members, 7);
    assert!(again.relay.members()[0].suspended);
}

#[test]
fn an_automation_token_ends_with_its_time_by_the_ledgers_clock() {
    let mut world = with_owner();
    let token = |id: u8, name: &str| AutomationToken {
        id: [id; 16],
        hash: [id; 32],
        name: name.to_owned(),
        scope: Scope::Read,
        good_for: Duration::from_secs(60),
        made_at_s: 0,
        made_by: "ada".to_owned(),
    };
    noted(&mut world, Change::AddToken(token(1, "backup")));
    let twice = noted(&mut world, Change::AddToken(token(2, "backup")));
    assert_eq!(why(&twice), Some(NotPossible::NameTaken));
    assert_eq!(view(&world).tokens.len(), 1);
    world.pass(Duration::from_secs(60));
    assert!(view(&world).tokens.is_empty());
    assert!(matches!(noted(&mut world, Change::AddToken(token(2, "backup"))), Answer::Done), "its name is free again");
}

#[test]
fn a_member_who_is_not_there_cannot_be_suspended() {
    let mut world = with_owner();
    let answer = noted(&mut world, Change::Suspend(MemberId([9; 16])));
    assert!(matches!(answer, Answer::NotFound));
    assert_eq!(titles(&world), ["keeper-added"]);
}

#[test]
fn open_invitations_are_listed_without_used_ones_and_without_device_tickets() {
    let mut world = World::new();
    let ada = world.home(1);
    world.say(ada.owner, ClientBody::DeviceTicket);
    let (open, _) = world.invitation();
    let listed = world.relay.invitations(world.now);
    assert_eq!(listed.iter().map(|view| view.id).collect::<Vec<_>>(), [open]);
    assert_eq!(listed[0].expires_at_s, world.now.unix_ms / 1000 + 86_400);
    world.pass(Duration::from_secs(86_400));
    assert!(world.relay.invitations(world.now).is_empty());
}

#[test]
fn a_device_is_seen_to_the_day_and_no_closer() {
    let mut world = World::new();
    world.home(1);
    let members = world.relay.members();
    assert_eq!(members[0].devices[0].last_seen_day, Some(world.now.unix_ms / 86_400_000));
}

#[test]
fn no_secret_of_a_keeper_shows_in_debug() {
    let shown = format!("{:?}", keeper(1, "ada", Role::Owner));
    assert!(!shown.contains("argon2id"), "{shown}");
}
