use std::collections::BTreeMap;

use hob_protocol::ids::{InvitationSecret, MemberId};
use proptest::prelude::*;

use super::*;

type Ticket = (InvitationId, InvitationSecret);

impl World {
    fn ticket(&mut self, owner: ConnId) -> Result<Ticket, Option<Code>> {
        self.say(owner, ClientBody::DeviceTicket);
        match self.last(owner) {
            ServerBody::DeviceTicket { id, secret, expires_at_s } => {
                assert_eq!(*expires_at_s, self.now.unix_ms / 1000 + 3600);
                Ok((*id, secret.clone()))
            }
            _ => Err(self.last_code(owner)),
        }
    }

    fn redeem_ticket(&mut self, ticket: &Ticket, byte: u8) -> Result<MemberId, Option<Code>> {
        let conn = self.connect();
        let mac = redeem_mac(&ticket.1, &key_of(&device(byte)), &IDENTITY, Some(&exporter(conn)));
        self.redeem(conn, &device(byte), ticket.0, mac);
        match self.last(conn) {
            ServerBody::Admitted { member, .. } => Ok(*member),
            _ => Err(self.last_code(conn)),
        }
    }
}

#[test]
fn a_ticket_admits_one_further_device_of_the_same_member() {
    let mut world = World::new();
    let ada = world.home(1);
    let member = world.relay.members()[0].id;
    let ticket = world.ticket(ada.owner).unwrap();
    assert_eq!(world.redeem_ticket(&ticket, 2), Ok(member));
    assert_eq!(world.redeem_ticket(&ticket, 2), Ok(member), "an answer can be lost");
    assert_eq!(world.redeem_ticket(&ticket, 3), Err(Some(Code::NoSuchInvitation)), "one use");
    let members = world.relay.members();
    assert_eq!((members.len(), members[0].devices.len()), (1, 2));
    assert_eq!(members[0].label, "ada", "the member keeps its label");
}

#[test]
fn a_keepers_invitation_still_makes_a_member_of_its_own() {
    let mut world = World::new();
    let ada = world.home(1);
    world.ticket(ada.owner).unwrap();
    world.member(&device(2));
    assert_eq!(world.relay.members().len(), 2);
}

#[test]
fn a_ticket_is_only_given_on_the_owners_connection() {
    let mut world = World::new();
    let ada = world.home(1);
    let fresh = world.connect();
    assert_eq!(world.ticket(fresh), Err(Some(Code::NotProved)));
    let sender = world.connect();
    world.submit(sender, &ada.token, envelope(1));
    assert_eq!(world.ticket(sender), Err(Some(Code::NotProved)));
}

#[test]
fn a_ticket_is_good_for_an_hour() {
    let mut world = World::new();
    let ada = world.home(1);
    let ticket = world.ticket(ada.owner).unwrap();
    world.now.ledger_time = world.now.ledger_time.plus(Duration::from_secs(3600));
    assert_eq!(world.redeem_ticket(&ticket, 2), Err(Some(Code::InvitationExpired)));
}

#[test]
fn at_most_four_tickets_of_a_member_are_open_whichever_device_asks() {
    let mut world = World::new();
    let ada = world.home(1);
    let first = world.ticket(ada.owner).unwrap();
    world.redeem_ticket(&first, 2).unwrap();
    let second = world.owner(&device(2));
    for owner in [ada.owner, second, ada.owner, second] {
        world.ticket(owner).unwrap();
    }
    assert_eq!(world.ticket(second), Err(Some(Code::TooManyTickets)));
    let waits =
        matches!(world.last(second), ServerBody::Error { retry_after: Some(after), .. } if after.as_secs() == 3600);
    assert!(waits, "and says when to come back");
    world.pass(Duration::from_secs(3600));
    world.ticket(second).unwrap();
}

#[test]
fn a_member_has_at_most_sixteen_devices() {
    let mut world = World::new();
    let ada = world.home(1);
    for byte in 2..16 {
        let ticket = world.ticket(ada.owner).unwrap();
        world.redeem_ticket(&ticket, byte).unwrap();
    }
    let (one, other) = (world.ticket(ada.owner).unwrap(), world.ticket(ada.owner).unwrap());
    world.redeem_ticket(&one, 16).unwrap();
    assert_eq!(world.redeem_ticket(&other, 17), Err(Some(Code::TooManyDevices)));
    assert_eq!(world.ticket(ada.owner), Err(Some(Code::TooManyDevices)));
}

#[test]
fn the_tickets_of_a_member_who_is_taken_out_open_nothing() {
    let mut world = World::new();
    let ada = world.home(1);
    let ticket = world.ticket(ada.owner).unwrap();
    let member = world.relay.members()[0].id;
    world.input(Input::Admin { request: 2, ask: Ask::RevokeMember { member } });
    assert_eq!(world.redeem_ticket(&ticket, 2), Err(Some(Code::NoSuchInvitation)));
    assert!(world.relay.members().is_empty());
}

#[test]
fn a_ticket_is_as_good_after_a_restart_as_before() {
    let mut world = World::new();
    let ada = world.home(1);
    let ticket = world.ticket(ada.owner).unwrap();
    let member = world.relay.members()[0].id;
    let ledger = world.log.iter().filter_map(|append| match append {
        Append::Ledger(event) => Some(event.clone()),
        _ => None,
    });
    let restored = Restored { ledger: ledger.collect(), ..Restored::default() };
    let mut world = World::restored(Config::default(), restored);
    assert_eq!(world.redeem_ticket(&ticket, 2), Ok(member));
}

/// A ticket as a person would keep the books of it.
struct Given {
    ticket: Ticket,
    member: MemberId,
    made: LedgerTime,
    used: Option<(u8, LedgerTime)>,
}

#[derive(Debug, Clone)]
enum Step {
    Ask { who: u8 },
    Use { ticket: usize, byte: u8 },
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..12u8).prop_map(|who| Step::Ask { who }),
        4 => (0..30usize, 1..12u8).prop_map(|(ticket, byte)| Step::Use { ticket, byte }),
        2 => (1..1500u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// Three members, and a list of who is whose as a person would keep it.
fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut world = World::new();
    let mut whose: BTreeMap<u8, MemberId> = BTreeMap::new();
    for byte in 1..=3 {
        let mailbox = world.member(&device(byte));
        let views = world.relay.members();
        let of = views.iter().find(|view| view.devices.iter().any(|device| device.mailbox == mailbox));
        whose.insert(byte, of.unwrap().id);
    }
    let mut tickets: Vec<Given> = Vec::new();
    for step in steps {
        let now = world.now.ledger_time;
        let hour = Duration::from_secs(3600);
        match step {
            Step::Ask { who } => {
                let Some(&member) = whose.get(&who) else { continue };
                let owner = world.owner(&device(who));
                let open =
                    |given: &&Given| given.member == member && given.used.is_none() && given.made.plus(hour) > now;
                let full = tickets.iter().filter(open).count() >= 4;
                match world.ticket(owner) {
                    Ok(ticket) => {
                        prop_assert!(!full);
                        tickets.push(Given { ticket, member, made: now, used: None });
                    }
                    Err(code) => prop_assert!(full && code == Some(Code::TooManyTickets), "{code:?}"),
                }
            }
            Step::Use { ticket, byte } => {
                let Some(Given { ticket, member, made, used }) = tickets.get_mut(ticket) else { continue };
                let good = match *used {
                    Some((by, at)) => by == byte && now.since(at) <= Duration::from_secs(600),
                    None => made.plus(hour) > now,
                };
                match world.redeem_ticket(ticket, byte) {
                    Ok(of) => {
                        prop_assert!(good);
                        used.get_or_insert((byte, now));
                        // A device that the box knows keeps its member.
                        prop_assert_eq!(of, *whose.entry(byte).or_insert(*member));
                    }
                    Err(_) => prop_assert!(!good),
                }
            }
            Step::Pass { seconds } => world.pass(Duration::from_secs(seconds)),
        }
        let views = world.relay.members();
        prop_assert_eq!(views.len(), 3, "a ticket makes no member");
        for (byte, member) in &whose {
            let devices = |view: &&admin::MemberView| view.devices.iter().any(|of| of.key == key_of(&device(*byte)));
            prop_assert_eq!(views.iter().find(devices).map(|view| view.id), Some(*member));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_ticket_admits_one_device_of_its_own_member(steps in proptest::collection::vec(step(), 1..80)) {
        run(steps)?;
    }
}
