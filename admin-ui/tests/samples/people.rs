//! Set-up, sign-in, overview, members, invitations, questions and failures.

use hob_admin_ui::view::confirm::{Act, Confirm};
use hob_admin_ui::view::error::{Failed, Failure};
use hob_admin_ui::view::invitations::{Invitations, Open, Shown, Ticket};
use hob_admin_ui::view::members::{Device, DeviceKind, LastSeen, Member, Members, Row};
use hob_admin_ui::view::overview::{Figures, Overview, Problem, Unusual, UnusualKind};
use hob_admin_ui::view::setup::{Code, FirstInvitation, Naming, Password, Strength};
use hob_admin_ui::view::sign_in::SignIn;
use hob_admin_ui::{Errors, Here, Notice, Role, Wrong};

use super::{DAY, HOUR, Make, NOW, Sample, chart, id, notices};

pub fn samples(make: &Make) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |name, html| samples.push(Sample { name, html });
    setup(make, &mut add);
    overview(make, &mut add);
    members(make, &mut add);
    invitations(make, &mut add);
    questions(make, &mut add);
    failures(make, &mut add);
    samples
}

fn setup(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let outside = make.outside();
    add("setup-code", Code::default().render(&outside));
    let wrong = Code { code: make.text("123 456"), errors: Errors::one("code", Wrong::WrongCode) };
    add("setup-code-wrong", wrong.render(&outside));
    add("setup-password", Password { name: make.text("Ada"), ..Password::default() }.render(&outside));
    let mut errors = Errors::one("name", Wrong::Empty);
    errors.add("password", Wrong::TooShort { min: 8 });
    errors.add("again", Wrong::NotTheSame);
    let refused = Password { name: make.text(""), strength: Some(Strength::Weak), errors };
    add("setup-password-refused", refused.render(&outside));
    let zones = ["Africa/Cairo", "America/New_York", "Asia/Tokyo", "Europe/Vienna", "UTC"];
    let zones = zones.iter().map(|zone| make.text(zone)).collect();
    let naming =
        Naming { name: make.text("Maple"), zone: make.text("Europe/Vienna"), zones, errors: Errors::default() };
    add("setup-box", naming.render(&outside));
    let errors = Errors::one("zone", Wrong::NoZone);
    add("setup-box-refused", Naming { zones: vec![make.text("UTC")], errors, ..naming }.render(&outside));
    let invite = FirstInvitation { ticket: Some(ticket(make, 1)), ..FirstInvitation::default() };
    add("setup-invite", invite.render(&outside));
    let joined = FirstInvitation { joined: Some(make.text("Ada’s phone")), ..FirstInvitation::default() };
    add("setup-invite-joined", joined.render(&outside));
    add("setup-invite-failed", FirstInvitation::default().render(&outside));
    add("sign-in", SignIn::default().render(&outside));
    let refused = SignIn {
        asks_name: true,
        name: make.text("ada"),
        asks_totp: true,
        next: Some(make.text("/members")),
        errors: Errors::one("password", Wrong::Wait { seconds: 90 }),
    };
    let mut chrome = make.outside();
    chrome.notice = Some(Notice::SessionEnded);
    add("sign-in-refused", refused.render(&chrome));
}

pub fn figures() -> Figures {
    Figures {
        members_online: 7,
        members: 23,
        devices_online: 9,
        devices: 41,
        waiting: 1_312,
        waiting_bytes: 5_373_952,
        accepted_today: 10_422,
        delivered_today: 9_876,
        expired_today: 12,
        relayed_today_bytes: Some(48_234_496),
        log_bytes: 9_437_184,
        disk_used_bytes: Some(3_865_470_566),
        disk_bytes: Some(31_268_536_320),
        card_worn_percent: Some(4),
        written_bytes: Some(123_456_789),
        celsius: Some(48),
        memory_bytes: 24_117_248,
        machine_memory_bytes: Some(1_027_604_480),
        uptime_s: 12 * DAY + 5 * HOUR + 61,
        next_compaction_s: Some(2 * HOUR + 300),
    }
}

fn overview(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Overview);
    let well = Overview {
        figures: figures(),
        last_hour: chart(60, 60),
        last_day: chart(48, 1800),
        version: "7".to_owned(),
        ..Overview::default()
    };
    add("overview", well.render(&chrome));
    let mut noticed = chrome.clone();
    noticed.notice = Some(Notice::SetUp);
    add("overview-new", Overview::default().render(&noticed));
    let mut bad = Overview { problems: problems(make), unusual: unusual(), ..well };
    let mut chrome = chrome;
    chrome.problems = 15;
    chrome.open_reports = Some(2);
    add("overview-problems", bad.render(&chrome));
    bad.problems.truncate(1);
    bad.unusual.truncate(1);
    add("overview-disk", bad.render(&chrome));
}

fn problems(make: &Make) -> Vec<Problem> {
    vec![
        Problem::DiskRefuses,
        Problem::DiskNearlyFull { free_bytes: 123_456_789 },
        Problem::ClockLost,
        Problem::PortShut { address: make.text("0.0.0.0:8443"), why: make.text("Address already in use") },
        Problem::DamagedRecords { count: 1 },
        Problem::LostWindows { count: 2 },
        Problem::CheckAfterRestore { backup_unix_s: NOW - 3 * DAY },
        Problem::NeverBackedUp,
        Problem::OldBackup { made_unix_s: NOW - 90 * DAY },
        Problem::CertificateEnds { at_unix_s: NOW + 6 * DAY },
        Problem::Hot { celsius: 82 },
        Problem::CardWorn { percent: 91 },
        Problem::EndedSuddenly,
        Problem::MemoryShort { free_bytes: 9_000_000 },
        Problem::Doctor { text: make.text("The folder lies on btrfs."), remedy: make.text("Use ext4.") },
    ]
}

fn unusual() -> Vec<Unusual> {
    let kinds = [
        UnusualKind::Token,
        UnusualKind::Join,
        UnusualKind::Proof,
        UnusualKind::Handshake,
        UnusualKind::Fetch,
        UnusualKind::SignIn,
    ];
    let each = |(index, kind): (usize, UnusualKind)| Unusual {
        kind,
        last_hour: 412,
        places: [None, Some(1), Some(3)][index % 3],
        before: [None, Some((1, 2)), Some((24, 31))][index % 3],
    };
    kinds.into_iter().enumerate().map(each).collect()
}

fn rows(make: &Make) -> Vec<Row> {
    let row = |number: u8, label: &str, last_seen| Row {
        id: id(number),
        label: make.text(label),
        joined_unix_s: NOW - u64::from(number) * 9 * DAY,
        last_seen,
        devices: u64::from(number % 3),
        suspended: number == 3,
    };
    vec![
        row(1, "Ada", LastSeen::Now),
        row(2, "Bob from the third floor", LastSeen::Day { unix_s: NOW - HOUR }),
        row(3, "Zoë 漢字", LastSeen::Day { unix_s: NOW - DAY }),
        row(4, "gnp.\u{202e}exe", LastSeen::Day { unix_s: NOW - 40 * DAY }),
        row(5, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", LastSeen::Unknown),
        row(6, "שלום", LastSeen::Now),
    ]
}

fn members(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Members);
    add("members-none", Members { page: 1, pages: 1, ..Members::default() }.render(&chrome));
    let list = Members { total: 6, found: 6, rows: rows(make), page: 1, pages: 1, ..Members::default() };
    add("members", list.render(&chrome));
    let page = Members { search: make.text("o & co"), total: 10_234, found: 312, page: 2, pages: 7, ..list.clone() };
    add("members-searched", page.render(&chrome));
    add("members-not-found", Members { rows: Vec::new(), found: 0, pages: 1, ..page }.render(&chrome));
    let device = |number: u8, kind, last_seen| Device {
        id: id(number),
        kind,
        last_seen,
        waiting: u64::from(number) * 100,
        waiting_bytes: (number > 8).then_some(204_800),
    };
    let member = Member {
        id: id(2),
        label: make.text("Bob from the third floor"),
        joined_unix_s: NOW - 18 * DAY,
        suspended: false,
        devices: vec![
            device(8, DeviceKind::Native, LastSeen::Now),
            device(9, DeviceKind::Web, LastSeen::Day { unix_s: NOW - DAY }),
        ],
        version: "3".to_owned(),
    };
    let mut noticed = chrome;
    noticed.notice = Some(Notice::DeviceRevoked);
    add("member", member.render(&noticed));
    add("member-for-a-viewer", member.render(&make.signed_in(Role::Viewer, Here::Members)));
    let suspended = Member { suspended: true, devices: Vec::new(), ..member };
    add("member-suspended", suspended.render(&make.signed_in(Role::Keeper, Here::Members)));
}

pub fn ticket(make: &Make, number: u8) -> Ticket {
    let link = format!("hob://join/{}", id(number).repeat(6));
    Ticket { id: id(number), link: make.hostile.map_or(link, str::to_owned), expires_unix_s: NOW + DAY }
}

fn invitations(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Invitations);
    add("invitations-none", Invitations::default().render(&chrome));
    let open = |number: u8| Open {
        id: id(number),
        expires_unix_s: if number == 3 { 0 } else { NOW + DAY * u64::from(number) },
        for_member: (number == 2).then(|| make.text("Ada")),
        can_be_shown: number != 2,
    };
    let some = Invitations { open: (1..5).map(open).collect(), ..Invitations::default() };
    let mut noticed = chrome.clone();
    noticed.notice = Some(Notice::Invited { count: 3 });
    add("invitations", some.render(&noticed));
    add("invitations-for-a-viewer", some.render(&make.signed_in(Role::Viewer, Here::Invitations)));
    let mut errors = Errors::one("how_many", Wrong::OutOfBounds { from: "1".to_owned(), to: "50".to_owned() });
    errors.add("expires_h", Wrong::NoChoice);
    let refused = Invitations { how_many: make.text("a lot"), expires_h: make.text("72"), errors, ..some };
    add("invitations-refused", refused.render(&chrome));
    let one = Shown { tickets: vec![ticket(make, 1)], version: "1".to_owned() };
    add("ticket", one.render(&chrome));
    let sheet = Shown { tickets: (1..4).map(|number| ticket(make, number)).collect(), version: "1".to_owned() };
    add("tickets", sheet.render(&chrome));
    add("ticket-gone", Shown::default().render(&chrome));
}

fn questions(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let (name, label) = (|| make.text("Grace"), || make.text("Bob"));
    let member = || (id(2), label());
    let acts = [
        ("confirm-suspend", Act::SuspendMember { id: member().0, label: label() }),
        ("confirm-resume", Act::ResumeMember { id: member().0, label: label() }),
        (
            "confirm-revoke-device",
            Act::RevokeDevice { member: id(2), label: label(), device: id(8), waiting: 12, is_last: true },
        ),
        ("confirm-withdraw", Act::Withdraw { id: id(1) }),
        ("confirm-compact", Act::Compact),
        ("confirm-verify", Act::Verify),
        ("confirm-restart", Act::Restart),
        ("confirm-shut-down", Act::ShutDown),
        ("confirm-reset", Act::Reset { step: 1, members: 23 }),
        ("confirm-reset-now", Act::Reset { step: 2, members: 1 }),
        ("confirm-revoke-session", Act::RevokeSession { id: id(4) }),
        ("confirm-revoke-other-sessions", Act::RevokeOtherSessions),
        ("confirm-remove-keeper", Act::RemoveKeeper { id: id(5), name: name() }),
        ("confirm-revoke-token", Act::RevokeToken { id: id(6), name: name() }),
    ];
    let chrome = make.owner(Here::Members);
    for (sample, act) in acts {
        add(sample, Confirm { act, typed: String::new(), errors: Errors::default() }.render(&chrome));
    }
    let act = Act::RemoveMember { id: id(2), label: label(), devices: 2, waiting: 1_200 };
    let refused = Confirm { act, typed: make.text("bbo"), errors: Errors::one("typed", Wrong::NotThatName) };
    add("confirm-remove-member", refused.render(&chrome));
}

fn failures(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Outside);
    let all = [
        ("failed-not-found", Failed::NotFound),
        ("failed-not-that-way", Failed::NotThatWay),
        ("failed-needs-role", Failed::NeedsRole(Role::Owner)),
        ("failed-foreign-form", Failed::ForeignForm),
        ("failed-wrong-host", Failed::WrongHost),
        ("failed-too-large", Failed::TooLarge { max_bytes: 65_536 }),
        ("failed-not-a-form", Failed::NotAForm),
        ("failed-too-often", Failed::TooOften { wait_s: 61 }),
        ("failed-public-address", Failed::PublicAddress),
        ("failed-cannot-store", Failed::CannotStore),
        ("failed-stopping", Failed::Stopping),
        ("failed-internal", Failed::Internal { reference: make.text("req-1234") }),
    ];
    for (name, failed) in all {
        add(name, Failure { failed, back: Some("/members".to_owned()) }.render(&chrome));
    }
    let outside = Failure { failed: Failed::NotFound, back: None };
    add("failed-outside", outside.render(&make.outside()));
    let mut chrome = chrome;
    for notice in notices(make) {
        chrome.notice = Some(notice);
        add("notices", outside.render(&chrome));
    }
}
