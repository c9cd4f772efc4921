//! Log and memory, traffic, reports, network, settings and what belongs to them, audit log, logs, about.

use hob_admin_ui::view::about::{About, Part};
use hob_admin_ui::view::audit::{Audit, Filter, Row as AuditRow};
use hob_admin_ui::view::backup::{Backup, Preview};
use hob_admin_ui::view::keepers::{Keeper, Keepers};
use hob_admin_ui::view::logs::{Line, Logs};
use hob_admin_ui::view::memory::{Compaction, Generation, Memory, Quarantined, Verify, Window};
use hob_admin_ui::view::network::{Certificate, Network, Port, PortUse};
use hob_admin_ui::view::reports::{Content, Message, Report, Reports, Row, State, Step, StepKind};
use hob_admin_ui::view::sessions::{Session, Sessions, Totp};
use hob_admin_ui::view::settings::{Setting, Settings};
use hob_admin_ui::view::tokens::{Made, Token, Tokens};
use hob_admin_ui::view::traffic::{Quota, Refusals, Traffic};
use hob_admin_ui::view::wait::{Wait, WaitOn};
use hob_admin_ui::{Errors, Here, Role, Wrong};

use super::{DAY, HOUR, Make, NOW, Sample, chart, id};

pub fn samples(make: &Make) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |name, html| samples.push(Sample { name, html });
    memory(make, &mut add);
    traffic(make, &mut add);
    reports(make, &mut add);
    network(make, &mut add);
    settings(make, &mut add);
    sessions(make, &mut add);
    keepers(make, &mut add);
    tokens(make, &mut add);
    backup(make, &mut add);
    records(make, &mut add);
    samples
}

fn memory(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Memory);
    let empty = Memory { retention_s: 6 * HOUR, ..Memory::default() };
    add("memory-empty", empty.render(&chrome));
    let first = NOW / 1800 * 1800 - 11 * 1800;
    let window = |index: u64| Window {
        opened_unix_s: first + index * 1800,
        open: index == 11,
        waiting: if index < 3 { 0 } else { index * index * 3 },
        delivered: 700 - (index * 53) % 300,
        expired: if index < 4 { 12 - index * 3 } else { 0 },
        bytes: 1_500_000 + index * 400_000,
        readable: index >= 3,
        destroyed_unix_s: first + index * 1800 + 6 * HOUR,
    };
    let full = Memory {
        windows: (0..12).map(window).collect(),
        generation: Generation { number: 17, records: 1_204, dead: 96, bytes: 482_113, made_unix_s: NOW - 4 * HOUR },
        last_compaction: Some(Compaction {
            at_unix_s: NOW - 4 * HOUR,
            records_before: 3_310,
            records_after: 1_108,
            took_ms: 84,
        }),
        next_compaction_s: Some(2 * HOUR),
        ..empty
    };
    add("memory", full.render(&chrome));
    let quarantine = vec![Quarantined {
        place: make.text("windows/81"),
        found_unix_s: NOW - HOUR,
        records: 3,
        destroyed_unix_s: NOW + 2 * HOUR,
    }];
    let verify = Verify::Running { read_bytes: 12_345_678, all_bytes: 50_000_000 };
    let damaged = Memory { quarantine, verify, ..full.clone() };
    add("memory-damaged", damaged.render(&chrome));
    let viewer = make.signed_in(Role::Viewer, Here::Memory);
    let verify = Verify::Done { at_unix_s: NOW, records: 12_000, damaged: 0 };
    add("memory-verified", Memory { verify, ..full.clone() }.render(&viewer));
    let verify = Verify::Done { at_unix_s: NOW, records: 12_000, damaged: 3 };
    add("memory-verified-damaged", Memory { verify, ..full.clone() }.render(&viewer));
    let verify = Verify::Failed { why: make.text("Input/output error") };
    add("memory-verify-failed", Memory { verify, windows: vec![Window::default()], ..full }.render(&viewer));
}

fn traffic(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Traffic);
    let quota = |key: &str, value: &str| Quota {
        key: key.to_owned(),
        value: make.text(value),
        doc: make.text("Something new"),
    };
    let refused = |code: &str, count| Refusals { code: make.text(code), count };
    let some = Traffic {
        hours: chart(24, 3600),
        online_only: 4_312,
        duplicates: 17,
        since_unix_s: NOW - 3 * DAY,
        refusals: vec![refused("NoSuchToken", 31), refused("MailboxFull", 2)],
        owners: 9,
        senders: 4,
        quotas: vec![
            quota("quota.mailbox_envelopes", "2000"),
            quota("quota.mailbox_bytes", "32MiB"),
            quota("quota.of_tomorrow", "7"),
        ],
    };
    add("traffic", some.render(&chrome));
    add("traffic-quiet", Traffic::default().render(&make.signed_in(Role::Viewer, Here::Traffic)));
}

fn report(make: &Make) -> Report {
    let step = |kind| Step { at_unix_s: NOW - HOUR, who: make.text("Grace"), kind };
    let kinds = [
        StepKind::Opened,
        StepKind::Dismissed,
        StepKind::Suspended,
        StepKind::TokenRevoked,
        StepKind::TakenDown,
        StepKind::NoteSent,
    ];
    Report {
        id: id(7),
        at_unix_s: NOW - 2 * HOUR,
        reporter: make.text("Ada"),
        reporter_id: Some(id(1)),
        history: kinds.into_iter().map(step).collect(),
        about_member: Some((make.text("Mallory"), id(9))),
        ..Report::default()
    }
}

fn reports(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Reports);
    add("reports-none", Reports::default().render(&chrome));
    let row = |number: u8, state| Row {
        id: id(number),
        at_unix_s: NOW - u64::from(number) * HOUR,
        reporter: make.text("Ada"),
        state,
    };
    let open = Reports { rows: vec![row(1, State::Open), row(2, State::Open)], open_count: 2, ..Reports::default() };
    add("reports", open.render(&chrome));
    let rows = vec![row(3, State::Dismissed), row(4, State::ActedOn)];
    add("reports-closed", Reports { rows, closed: true, closed_count: 2, ..open }.render(&chrome));
    let sealed = Report { errors: Errors::one("password", Wrong::NotAccepted), ..report(make) };
    add("report-sealed", sealed.render(&chrome));
    let message = |text: &str| Message { at_unix_s: NOW - DAY, text: make.text(text) };
    let content = Content {
        note: make.text("He does not stop.\nI have asked him twice."),
        about: make.text("mallory"),
        messages: vec![message("Answer me!"), message("Or else.\n\n\tI know where you live.")],
    };
    let opened = Report { content: Some(content), note: make.text("Thank you, we talk to him."), ..report(make) };
    add("report-opened", opened.render(&chrome));
    let bare = Report {
        content: Some(Content::default()),
        state: State::Dismissed,
        reporter_id: None,
        about_member: None,
        history: Vec::new(),
        ..opened
    };
    add("report-closed", bare.render(&chrome));
    add("report-for-a-viewer", report(make).render(&make.signed_in(Role::Viewer, Here::Reports)));
}

fn network(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Network);
    let port = |use_of, address: &str, shut: Option<&str>| Port {
        use_of,
        address: make.text(address),
        shut: shut.map(|why| make.text(why)),
    };
    let some = Network {
        ports: vec![
            port(PortUse::Members, "0.0.0.0:8443", None),
            port(PortUse::Dashboard, "192.168.1.20:8444", None),
            port(PortUse::Metrics, "127.0.0.1:9100", Some("Address already in use")),
        ],
        addresses: vec![make.text("192.168.1.20:8443"), make.text("[2001:db8::20]:8443")],
        only_private: true,
        identity: id(3).repeat(2),
        certificate: Certificate {
            own: false,
            names: vec![make.text("hob.local")],
            ends_unix_s: NOW + 300 * DAY,
            fingerprint: id(5).repeat(2),
        },
        forward: Some((8443, make.text("192.168.1.20"))),
        takes_certificate: true,
        errors: Errors::default(),
    };
    add("network", some.render(&chrome));
    let mut errors = Errors::one("certificate", Wrong::NotThatFile);
    errors.add("key", Wrong::Said(make.text("it is of another certificate")));
    let certificate = Certificate { own: true, ..some.certificate.clone() };
    let refused =
        Network { certificate, addresses: Vec::new(), forward: None, only_private: false, errors, ..some.clone() };
    add("network-refused", refused.render(&chrome));
    add("network-for-a-viewer", some.render(&make.signed_in(Role::Viewer, Here::Network)));
}

fn settings(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let setting = |key: &str, value: &str, default: &str, bounds: Option<(&str, &str)>| Setting {
        key: key.to_owned(),
        doc: make.text("Something new"),
        value: make.text(value),
        default: make.text(default),
        bounds: bounds.map(|(from, to)| (make.text(from), make.text(to))),
        ..Setting::default()
    };
    let fixed = Setting {
        fixed_by: Some(make.text("HOB_QUOTA_MEMBERS")),
        ..setting("quota.members", "100", "100", Some(("1", "100000")))
    };
    let level = Setting {
        choices: ["error", "warn", "info", "debug", "trace"].iter().map(|level| make.text(level)).collect(),
        needs_restart: true,
        ..setting("log.level", "info", "info", None)
    };
    let some = Settings {
        name: make.text("Maple Street 4"),
        zone: make.text("Europe/Vienna"),
        zones: vec![make.text("America/New_York"), make.text("Europe/Vienna")],
        settings: vec![
            setting("retention", "6h", "6h", Some(("1h", "6h"))),
            setting("quota.mailbox_envelopes", "2000", "2000", Some(("16", "1000000"))),
            setting("quota.mailbox_bytes", "32MiB", "32MiB", Some(("1MiB", "1GiB"))),
            setting("quota.of_tomorrow", "7", "7", None),
            fixed,
            level,
            setting("tomorrow.new", "7", "7", None),
        ],
        version: make.text("12"),
        errors: Errors::default(),
    };
    add("settings", some.render(&make.owner(Here::Settings)));
    add("settings-for-a-viewer", some.render(&make.signed_in(Role::Viewer, Here::Settings)));
    let mut errors = Errors::one("name", Wrong::TooLong { max: 64 });
    errors.add("retention", Wrong::OutOfBounds { from: make.text("1h"), to: make.text("6h") });
    errors.add("quota.mailbox_bytes", Wrong::Said(make.text("a size needs a unit, for example \"32MiB\"")));
    errors.add("quota.mailbox_envelopes", Wrong::NotANumber);
    errors.add("quota.of_tomorrow", Wrong::NotText);
    errors.add("log.level", Wrong::NoChoice);
    let mut chrome = make.owner(Here::Settings);
    chrome.notice = Some(hob_admin_ui::Notice::ChangedMeanwhile { by: Some(make.text("Grace")) });
    add("settings-refused", Settings { errors, ..some }.render(&chrome));
}

fn sessions(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Settings);
    let session = |number: u8, browser: &str, this| Session {
        id: id(number),
        began_unix_s: NOW - DAY,
        used_unix_s: NOW - 60,
        from: make.text("192.168.1.33"),
        browser: make.text(browser),
        this,
    };
    let off = Sessions {
        sessions: vec![session(1, "Firefox on Linux", true), session(2, "Safari on iPhone", false)],
        ..Sessions::default()
    };
    add("sessions", off.render(&chrome));
    let uri = "otpauth://totp/Hob:ada?secret=JBSWY3DPEHPK3PXP&issuer=Hob".to_owned();
    let totp = Totp::SettingUp { uri, secret: make.text("JBSW Y3DP EHPK 3PXP") };
    let mut errors = Errors::one("current", Wrong::NotAccepted);
    errors.add("again", Wrong::NotTheSame);
    add("sessions-totp", Sessions { totp, errors, ..off.clone() }.render(&chrome));
    add("sessions-totp-on", Sessions { totp: Totp::On, sessions: Vec::new(), ..off }.render(&chrome));
}

fn keepers(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let keeper = |number: u8, name: &str, role| Keeper {
        id: id(number),
        name: make.text(name),
        role,
        totp: number == 2,
        this: number == 1,
    };
    let all = vec![keeper(1, "Ada", Role::Owner), keeper(2, "Grace", Role::Keeper), keeper(3, "Bob", Role::Viewer)];
    let some = Keepers { keepers: all, ..Keepers::default() };
    let chrome = make.owner(Here::Settings);
    add("keepers", some.render(&chrome));
    let mut errors = Errors::one("name", Wrong::Taken);
    errors.add("role", Wrong::NoChoice);
    errors.add("password", Wrong::TooShort { min: 8 });
    add(
        "keepers-refused",
        Keepers { name: make.text("Grace"), role: make.text("king"), errors, ..some }.render(&chrome),
    );
}

fn tokens(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Settings);
    let scopes: Vec<String> = ["metrics", "viewer", "keeper", "owner"].map(str::to_owned).to_vec();
    let none = Tokens { scopes, ..Tokens::default() };
    add("tokens-none", none.render(&chrome));
    let token = |number: u8, used_unix_s| Token {
        id: id(number),
        name: make.text("Grafana"),
        scope: "metrics".to_owned(),
        made_by: make.text("Ada"),
        expires_unix_s: NOW + 90 * DAY,
        used_unix_s,
    };
    let made = Some(Made { name: make.text("Grafana"), secret: make.text("hob_k3jd92mDLs83kdK2") });
    let some = Tokens { tokens: vec![token(1, None), token(2, Some(NOW - DAY))], made, ..none };
    add("tokens", some.render(&chrome));
}

fn backup(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Settings);
    add("backup-never", Backup { takes_file: true, ..Backup::default() }.render(&chrome));
    add("backup-at-the-machine", Backup::default().render(&chrome));
    let mut errors = Errors::one("passphrase", Wrong::Empty);
    errors.add("file", Wrong::NotThatFile);
    add(
        "backup-refused",
        Backup { last_unix_s: Some(NOW - 7 * DAY), takes_file: true, errors, ..Backup::default() }.render(&chrome),
    );
    let preview = Preview {
        upload: id(4),
        made_unix_s: NOW - 7 * DAY,
        box_name: make.text("Maple Street 3"),
        same_box: false,
        members: 21,
        devices: 38,
        lost_members: vec![make.text("Bob"), make.text("Zoë")],
        returning_members: vec![make.text("Mallory")],
    };
    add("backup-preview", Backup { preview: Some(preview), ..Backup::default() }.render(&chrome));
}

fn records(make: &Make, add: &mut impl FnMut(&'static str, String)) {
    let chrome = make.owner(Here::Audit);
    add("audit-none", Audit { page: 1, pages: 1, ..Audit::default() }.render(&chrome));
    let row = |number: u64, who: &str, what: &str, from: &str| AuditRow {
        at_unix_s: NOW - number * HOUR,
        who: if who.is_empty() { String::new() } else { make.text(who) },
        what: what.to_owned(),
        about: make.text("Bob’s phone"),
        from: if from.is_empty() { String::new() } else { make.text(from) },
    };
    let audit = Audit {
        filter: Filter { who: make.text("Ada"), ..Filter::default() },
        keepers: vec![make.text("Ada"), make.text("Grace")],
        acts: vec!["invited".to_owned(), "member-removed".to_owned()],
        rows: vec![
            row(1, "Ada", "member-removed", "192.168.1.33"),
            row(2, "Grace", "invited", "192.168.1.34"),
            row(3, "", "keeper-reset", ""),
        ],
        found: 312,
        page: 2,
        pages: 7,
    };
    add("audit", audit.render(&chrome));
    let nothing = Audit { rows: Vec::new(), found: 0, pages: 1, page: 1, ..audit };
    add("audit-nothing-found", nothing.render(&chrome));

    let chrome = make.owner(Here::Logs);
    let line = |number: u64, level: &str, text: &str| Line {
        at_unix_s: NOW - number,
        level: level.to_owned(),
        text: make.text(text),
    };
    let lines = vec![
        line(1, "info", "window opened number=412"),
        line(2, "warn", "the disk is slow took_ms=1234"),
        line(3, "error", "cannot sync the journal window=412: Input/output error (os error 5)"),
    ];
    add("logs", Logs { lines, kept: 1000, ..Logs::default() }.render(&chrome));
    let search = make.text("nothing like it");
    add("logs-none", Logs { search, level: "error".to_owned(), ..Logs::default() }.render(&chrome));

    let chrome = make.owner(Here::About);
    let named = |part: Part| Part { name: make.text(&part.name), ..part };
    let about = About {
        version: make.text("0.1.0"),
        identity: id(3).repeat(2),
        system: make.text("Linux 6.1, aarch64"),
        parts: Part::all().into_iter().map(named).collect(),
    };
    add("about", about.render(&chrome));
    add("about-without-parts", About { parts: Vec::new(), ..about }.render(&chrome));
    let waits = [
        ("wait-restart", WaitOn::Restart),
        ("wait-shut-down", WaitOn::ShutDown),
        ("wait-reset", WaitOn::Reset),
        ("wait-restore", WaitOn::Restore),
    ];
    for (name, on) in waits {
        add(name, Wait { on }.render(&make.outside()));
    }
}
