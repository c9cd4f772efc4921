//! What the keeper does on the dashboard, by the real pages over real TLS.

use hob_protocol::code::Code;
use hob_protocol::frame::ServerBody;
use hob_protocol::invitation::Invitation;
use hob_tests::boxes::{Start, program, wait_for};
use hob_tests::dashboard::{Browser, OWNER, PASSWORD, house};
use hob_tests::people::{Device, reachable, redeem};
use hob_tests::wire::{Wire, code_of};

#[tokio::test]
async fn the_set_up_leads_from_the_code_to_an_invitation_that_works_and_then_the_code_is_dead() {
    let (mut hob, mut browser) = house().await;
    let overview = browser.get("/").await;
    assert_eq!(overview.status, 200);
    assert!(overview.has("The house") && overview.has(OWNER), "{}", overview.html());
    assert_eq!(browser.get("/setup").await.leads_to(), "/");
    let said = hob.hob(&["setup-code"]);
    assert!(!said.status.success(), "the code is dead");
    let code = hob.setup_code.clone().unwrap();
    let mut stranger = Browser::of(&hob);
    assert_eq!(stranger.get("/setup").await.leads_to(), "/");
    assert_eq!(stranger.post("/setup", &[("code", &code)]).await.leads_to(), "/");
    hob.assert_well();
}

#[tokio::test]
async fn a_set_up_that_was_left_at_any_screen_goes_on_there_also_after_a_restart() {
    let mut hob = Start::with_dashboard().fresh();
    let mut browser = Browser::of(&hob);
    let code = hob.json(&["setup-code", "--json"])["setup_code"].as_str().unwrap().to_owned();
    browser.fill("/setup", "/setup", &[("code", &code)]).await;
    assert_eq!(browser.get("/setup").await.leads_to(), "/setup/password");
    assert_eq!(browser.get("/").await.leads_to(), "/setup");
    let chosen = [("name", OWNER), ("password", PASSWORD), ("again", PASSWORD)];
    browser.fill("/setup/password", "/setup/password", &chosen).await;
    assert_eq!(browser.get("/").await.leads_to(), "/setup");
    hob.stop();
    hob.start_again();
    assert_eq!(hob.setup_code, None);
    let mut browser = Browser::of(&hob);
    assert_eq!(browser.sign_in("", PASSWORD).await.leads_to(), "/");
    assert_eq!(browser.get("/").await.leads_to(), "/setup");
    assert_eq!(browser.get("/setup").await.leads_to(), "/setup/box");
    let named = [("name", "The house"), ("zone", "Europe/Vienna")];
    browser.fill("/setup/box", "/setup/box", &named).await;
    assert_eq!(browser.get("/setup").await.leads_to(), "/setup/invite");
}

#[tokio::test]
async fn another_code_is_made_at_each_start_and_only_the_last_one_opens() {
    let mut hob = Start::with_dashboard().fresh();
    let first = hob.setup_code.clone().unwrap();
    hob.stop();
    hob.start_again();
    assert_ne!(hob.setup_code, Some(first.clone()));
    let mut browser = Browser::of(&hob);
    let refused = browser.fill("/setup", "/setup", &[("code", &first)]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.has(&first), "what was typed is kept");
}

#[tokio::test]
async fn an_invitation_made_on_the_dashboard_admits_a_member_whom_the_dashboard_then_shows() {
    let (hob, mut browser) = house().await;
    let made = browser.fill("/invitations", "/invitations", &[("how_many", "1"), ("expires_h", "24")]).await;
    let page = browser.get(&made.leads_to()).await;
    let html = page.html();
    let link = html.split("hob://join/").nth(1).unwrap().split(['"', '<', ' ']).next().unwrap();
    let invitation = Invitation::parse(&format!("hob://join/{link}")).unwrap();
    let mut wire = Wire::connect(hob.address).await;
    let admitted = redeem(&mut wire, &invitation, &Device::random_key()).await;
    assert!(matches!(admitted, ServerBody::Admitted { .. }), "{admitted:?}");
    let members = browser.get("/members").await;
    assert!(members.has("/members/"), "{}", members.html());
    assert_eq!(browser.get(&made.leads_to()).await.status, 404, "a used invitation is not shown any more");
}

#[tokio::test]
async fn a_member_who_is_suspended_is_cut_off_at_once_and_let_in_again_when_resumed() {
    let (hob, mut browser) = house().await;
    let (device, mut owner, _) = reachable(&hob).await;
    let id = hob.json(&["members", "--json"])["member"].as_str().unwrap().to_owned();
    let to = browser.fill(&format!("/members/{id}/suspend"), &format!("/members/{id}/suspend"), &[]).await.leads_to();
    assert_eq!(owner.closed().await, Some(Code::Suspended));
    assert!(browser.get(&to).await.has("role=\"status\""), "the page says what was done");
    let mut again = Wire::connect(hob.address).await;
    assert_eq!(code_of(&device.prove_on(&mut again).await), Some(Code::Suspended));
    browser.fill(&format!("/members/{id}/resume"), &format!("/members/{id}/resume"), &[]).await.leads_to();
    let mut back = Wire::connect(hob.address).await;
    assert!(matches!(device.prove_on(&mut back).await, ServerBody::Proved { .. }));
}

#[tokio::test]
async fn a_member_is_removed_only_when_the_name_was_typed_and_a_second_click_is_no_failure() {
    let (hob, mut browser) = house().await;
    let (_, mut owner, _) = reachable(&hob).await;
    let member = hob.json(&["members", "--json"]);
    let (id, label) = (member["member"].as_str().unwrap(), member["label"].as_str().unwrap());
    let path = format!("/members/{id}/remove");
    let refused = browser.fill(&path, &path, &[("typed", "somebody")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.has("somebody"), "what was typed is kept");
    let csrf = refused.csrf();
    for _ in 0..2 {
        let done = browser.post(&path, &[("csrf", &csrf), ("typed", label)]).await;
        assert_eq!(done.leads_to(), "/members");
    }
    assert_eq!(owner.closed().await, Some(Code::Revoked));
    assert_eq!(hob.status("members"), 0);
}

#[tokio::test]
async fn whoever_forgot_the_password_gets_a_new_one_at_the_machine_and_old_sessions_end() {
    let (hob, mut browser) = house().await;
    let file = hob.data.parent().unwrap().join("password");
    std::fs::write(&file, "another good one\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = hob.hob(&["reset-keeper", "--password-file", file.to_str().unwrap()]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(browser.get("/members").await.leads_to().starts_with("/sign-in"));
    let mut again = Browser::of(&hob);
    assert_eq!(again.sign_in("", PASSWORD).await.status, 422);
    assert_eq!(again.sign_in("", "another good one").await.leads_to(), "/");
}

#[tokio::test]
async fn the_dashboard_is_not_on_the_network_unless_it_is_told_to_and_may_be_off() {
    let hob = Start::default().fresh();
    assert_eq!(hob.dashboard, None);
    let example = std::process::Command::new(program("hob")).args(["config", "example"]).output().unwrap();
    let example = String::from_utf8(example.stdout).unwrap();
    assert!(example.contains("#listen = \"127.0.0.1:8444\""), "{example}");
}

#[tokio::test]
async fn live_figures_come_as_long_as_the_session_is_good() {
    let (_hob, mut browser) = house().await;
    let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut http = hob_tests::http::Http::connect(browser.address).await;
    http.write("GET", "/live", &[("Cookie", &cookies.join("; "))], b"").await;
    let head = http.head().await.unwrap();
    assert_eq!(head.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let first = String::from_utf8(http.chunk().await.unwrap()).unwrap();
    assert!(first.starts_with("data: {") && first.contains("\"texts\""), "{first}");
    browser.fill("/", "/sign-out", &[]).await.leads_to();
    while http.chunk().await.is_some() {}
    let mut stranger = Browser { cookies: Default::default(), ..browser };
    assert_eq!(stranger.get("/live").await.status, 401);
}

#[tokio::test]
async fn going_back_after_a_restart_asks_to_sign_in_and_returns() {
    let (mut hob, _) = house().await;
    hob.stop();
    hob.start_again();
    wait_for("the box is back", || hob.status("members") == 0);
    let mut browser = Browser::of(&hob);
    let to = browser.get("/members?q=bob").await.leads_to();
    assert_eq!(to, "/sign-in?next=/members%3Fq%3Dbob");
    let csrf = browser.get(&to).await.csrf();
    let fields = [("csrf", csrf.as_str()), ("next", "/members?q=bob"), ("password", PASSWORD)];
    assert_eq!(browser.post("/sign-in", &fields).await.leads_to(), "/members?q=bob");
}

/// Every page that is reached from the navigation and from the settings.
const PAGES: [&str; 15] = [
    "/",
    "/members",
    "/invitations",
    "/memory",
    "/traffic",
    "/network",
    "/settings",
    "/audit",
    "/logs",
    "/about",
    "/settings/sessions",
    "/settings/keepers",
    "/settings/tokens",
    "/settings/backup",
    "/memory/compact",
];

#[tokio::test]
async fn every_page_is_there_and_whoever_is_not_signed_in_sees_none() {
    let (mut hob, mut browser) = house().await;
    let mut stranger = Browser::of(&hob);
    for path in PAGES {
        let shown = browser.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.html());
        assert!(shown.has("</html>"), "{path}");
        assert!(stranger.get(path).await.leads_to().starts_with("/sign-in?next="), "{path}");
    }
    hob.assert_well();
}

/// Adds a keeper and signs in as that.
async fn keeper(owner: &mut Browser, name: &str, role: &str) -> Browser {
    let fields = [("name", name), ("role", role), ("password", "another good one"), ("again", "another good one")];
    let added = owner.fill("/settings/keepers", "/settings/keepers", &fields).await;
    assert_eq!(added.leads_to(), "/settings/keepers");
    let mut browser = Browser { cookies: Default::default(), ..owner.clone() };
    assert_eq!(browser.sign_in(name, "another good one").await.leads_to(), "/");
    browser
}

#[tokio::test]
async fn a_refused_action_says_which_role_it_needs_and_a_viewer_changes_nothing() {
    let (hob, mut owner) = house().await;
    let (_, _wire, _) = reachable(&hob).await;
    let id = hob.json(&["members", "--json"])["member"].as_str().unwrap().to_owned();
    let mut viewer = keeper(&mut owner, "vera", "viewer").await;
    let mut helper = keeper(&mut owner, "karl", "keeper").await;
    for path in ["/", "/members", "/memory", "/traffic", "/network", "/settings"] {
        assert_eq!(viewer.get(path).await.status, 200, "{path}");
    }
    for (path, role) in [
        (format!("/members/{id}/remove"), "keeper"),
        ("/memory/compact".to_owned(), "keeper"),
        ("/audit".to_owned(), "keeper"),
        ("/settings/keepers".to_owned(), "owner"),
        ("/settings/tokens".to_owned(), "owner"),
        ("/settings/backup".to_owned(), "owner"),
        ("/settings/restart".to_owned(), "owner"),
        ("/settings/reset".to_owned(), "owner"),
    ] {
        let shown = viewer.get(&path).await;
        assert_eq!(shown.status, 403, "{path}");
        assert!(shown.has(role), "{path} names the role: {}", shown.html());
        if path != "/audit" {
            let csrf = viewer.get("/settings/sessions").await.csrf();
            assert_eq!(viewer.post(&path, &[("csrf", &csrf)]).await.status, 403, "POST {path}");
        }
        let as_keeper = if role == "owner" { 403 } else { 200 };
        assert_eq!(helper.get(&path).await.status, as_keeper, "{path}");
    }
    assert_eq!(hob.status("members"), 1);
}

#[tokio::test]
async fn an_owner_may_keep_inviting_to_owners() {
    let (_hob, mut owner) = house().await;
    let mut helper = keeper(&mut owner, "karl", "keeper").await;
    assert_eq!(helper.fill("/invitations", "/invitations", &[]).await.status, 303);
    let mut fields = settings(&mut owner).await;
    fields.retain(|(name, _)| name != "invite.by");
    fields.push(("invite.by".to_owned(), "owner".to_owned()));
    assert_eq!(post(&mut owner, "/settings", &fields).await.leads_to(), "/settings");
    assert_eq!(helper.post("/invitations", &[]).await.status, 403);
    assert!(helper.get("/invitations").await.has("/withdraw"), "what is open is still listed");
}

/// The fields of the settings as the page shows them.
async fn settings(browser: &mut Browser) -> Vec<(String, String)> {
    let html = browser.get("/settings").await.html();
    let form = html.split("action=\"/settings\"").nth(1).unwrap().split("</form>").next().unwrap();
    let mut fields = Vec::new();
    for input in form.split("<input").skip(1) {
        let attribute = |name: &str| {
            let value = input.split(&format!(" {name}=\"")).nth(1)?;
            value.split('"').next().map(str::to_owned)
        };
        fields.extend(attribute("name").zip(attribute("value")));
    }
    for select in form.split("<select").skip(1) {
        let name = select.split("name=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let chosen = select.split("\" selected").next().unwrap().rsplit('"').next().unwrap().to_owned();
        fields.push((name, chosen));
    }
    fields
}

async fn post(browser: &mut Browser, path: &str, fields: &[(String, String)]) -> hob_tests::dashboard::Shown {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(path, &fields).await
}

fn set(fields: &mut [(String, String)], name: &str, to: &str) {
    fields.iter_mut().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no field {name}")).1 = to.to_owned();
}

#[tokio::test]
async fn a_shorter_retention_holds_at_once_and_after_a_restart_and_a_longer_one_than_six_hours_never() {
    let (mut hob, mut browser) = house().await;
    let mut fields = settings(&mut browser).await;
    set(&mut fields, "retention", "7h");
    let refused = post(&mut browser, "/settings", &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.has("value=\"7h\""), "what was typed is kept");
    set(&mut fields, "retention", "2h");
    assert_eq!(post(&mut browser, "/settings", &fields).await.leads_to(), "/settings");
    let ttl_max = |wire: Wire| wire.hello.limits.ttl_max.as_secs();
    assert_eq!(ttl_max(Wire::connect(hob.address).await), 90 * 60);
    hob.stop();
    hob.start_again();
    assert_eq!(ttl_max(Wire::connect(hob.address).await), 90 * 60);
}

#[tokio::test]
async fn of_two_keepers_who_change_the_same_the_later_is_told_and_keeps_what_was_typed() {
    let (_hob, mut ada) = house().await;
    let mut bob = keeper(&mut ada, "bob", "owner").await;
    let (mut hers, mut his) = (settings(&mut ada).await, settings(&mut bob).await);
    set(&mut hers, "quota.members", "50");
    set(&mut his, "name", "Bob's box");
    assert_eq!(post(&mut ada, "/settings", &hers).await.status, 303);
    let told = post(&mut bob, "/settings", &his).await;
    assert_eq!(told.status, 409);
    assert!(told.has("Bob’s box") || told.has("Bob&#39;s box") || told.has("Bob&#x27;s box"), "{}", told.html());
    assert!(!ada.get("/").await.has("Bob"), "nothing was done");
}

#[tokio::test]
async fn every_change_stands_in_the_audit_log_with_who_and_from_where_and_leaves_as_csv_without_formulas() {
    let (hob, mut owner) = house().await;
    keeper(&mut owner, "=1+1", "viewer").await;
    hob.invite();
    let page = owner.get("/audit").await;
    assert!(page.has("127.0.0.1"), "{}", page.html());
    let csv = owner.get("/audit.csv").await;
    assert_eq!(csv.reply.header("content-type"), Some("text/csv; charset=utf-8"));
    let csv = csv.html();
    assert!(csv.contains("\"keeper-added\",\"'=1+1, viewer\",\"127.0.0.1\""), "{csv}");
    assert!(csv.contains("\"console\",\"invited\",\"\",\"\""), "{csv}");
    assert!(csv.contains("\"ada\",\"setting-changed\""), "{csv}");
    let filtered = owner.get("/audit.csv?what=invited").await.html();
    assert!(!filtered.contains("keeper-added") && filtered.contains("invited"), "{filtered}");
}

#[tokio::test]
async fn compacting_and_verifying_from_the_dashboard_say_what_they_did() {
    let (hob, mut browser) = house().await;
    let before = hob.status("generation");
    assert_eq!(browser.fill("/memory/compact", "/memory/compact", &[]).await.leads_to(), "/memory");
    assert!(browser.get("/memory").await.has("role=\"status\""));
    assert!(hob.status("generation") > before);
    assert_eq!(browser.fill("/memory/verify", "/memory/verify", &[]).await.leads_to(), "/memory");
    assert!(!browser.get("/memory").await.has("role=\"alert\""));
}

#[tokio::test]
async fn a_backup_from_the_dashboard_restores_to_a_box_with_the_same_keepers() {
    let (hob, mut browser) = house().await;
    let fields = [("passphrase", "nobody knows this"), ("again", "nobody knows this")];
    let file = browser.fill("/settings/backup", "/settings/backup", &fields).await;
    assert_eq!((file.status, file.reply.header("content-type")), (200, Some("application/octet-stream")));
    let folder = hob.data.parent().unwrap();
    let (backup, secret, data) = (folder.join("b"), folder.join("secret"), folder.join("restored"));
    std::fs::write(&backup, &file.reply.body).unwrap();
    std::fs::write(&secret, "nobody knows this\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let restored = std::process::Command::new(program("hob"))
        .arg("restore")
        .arg(&backup)
        .arg("--data")
        .arg(&data)
        .arg("--passphrase-file")
        .arg(&secret)
        .output()
        .unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let other = Start::with_dashboard().over(&data).unwrap();
    assert_eq!((&other.identity, &other.setup_code), (&hob.identity, &None));
    assert_eq!(Browser::of(&other).sign_in("", PASSWORD).await.leads_to(), "/");
}

#[tokio::test]
async fn one_session_ends_another_of_the_same_keeper_and_a_new_password_ends_all_others() {
    let (hob, mut here) = house().await;
    let mut there = Browser::of(&hob);
    there.sign_in("", PASSWORD).await.leads_to();
    let html = here.get("/settings/sessions").await.html();
    let id = html.split("/settings/sessions/").find(|rest| rest.contains("/revoke\"")).unwrap();
    let id = id.split('/').next().unwrap().to_owned();
    let path = format!("/settings/sessions/{id}/revoke");
    here.fill(&path, &path, &[]).await.leads_to();
    assert!(there.get("/").await.leads_to().starts_with("/sign-in"));
    there.cookies.clear();
    there.sign_in("", PASSWORD).await.leads_to();
    let fields = [("current", PASSWORD), ("password", "another good one"), ("again", "another good one")];
    assert_eq!(here.fill("/settings/sessions", "/settings/password", &fields).await.leads_to(), "/settings/sessions");
    assert!(there.get("/").await.leads_to().starts_with("/sign-in"));
    assert_eq!(here.get("/").await.status, 200);
}

#[tokio::test]
async fn a_restart_from_the_dashboard_comes_back_and_a_shut_down_does_not() {
    let (mut hob, mut browser) = house().await;
    let run = hob.status("uptime_s");
    let wait = browser.fill("/settings/restart", "/settings/restart", &[]).await;
    assert_eq!(wait.status, 200, "{}", wait.html());
    wait_for("the box restarted in place", || hob.said().contains("restarting in place"));
    wait_for("the box is back", || hob.hob(&["status"]).status.success());
    assert!(hob.status("uptime_s") <= run + 30);
    assert!(hob.stop().success());
}

#[tokio::test]
async fn a_box_that_is_shut_down_from_the_dashboard_ends_well() {
    let (mut hob, mut browser) = house().await;
    assert_eq!(browser.fill("/settings/shutdown", "/settings/shutdown", &[]).await.status, 200);
    assert!(hob.ended().success(), "{}", hob.said());
}

#[tokio::test]
async fn a_reset_asks_twice_and_for_name_and_password_and_then_it_is_another_box() {
    let (hob, mut browser) = house().await;
    reachable(&hob).await;
    assert_eq!(browser.get("/settings/reset").await.status, 200);
    let second = browser.get("/settings/reset?step=2").await;
    let csrf = second.csrf();
    for (typed, password) in [("", PASSWORD), ("another box", PASSWORD), ("The house", "wrong password")] {
        let fields = [("csrf", csrf.as_str()), ("typed", typed), ("password", password)];
        assert_eq!(browser.post("/settings/reset", &fields).await.status, 422, "{typed}");
    }
    assert_eq!(hob.status("members"), 1);
    let fields = [("csrf", csrf.as_str()), ("typed", "The house"), ("password", PASSWORD)];
    assert_eq!(browser.post("/settings/reset", &fields).await.status, 200);
    wait_for("the box has begun anew", || {
        let care = hob.hob(&["setup-code", "--json"]);
        String::from_utf8_lossy(&care.stdout).contains("\"setup_code\":\"")
    });
    assert_eq!(hob.status("members"), 0);
}

/// Makes a token on the settings page.
async fn token(owner: &mut Browser, name: &str, scope: &str) -> String {
    let fields = [("name", name), ("scope", scope), ("expires_d", "30")];
    let shown = owner.fill("/settings/tokens", "/settings/tokens", &fields).await;
    assert_eq!(shown.status, 200, "{}", shown.html());
    let html = shown.html();
    let token = html.split("value=\"hob_").nth(1).unwrap().split('"').next().unwrap();
    assert!(!owner.get("/settings/tokens").await.has(token), "a token is shown once");
    format!("hob_{token}")
}

async fn with_token(browser: &Browser, token: &str, method: &str, path: &str, body: &str) -> hob_tests::http::Reply {
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let mut program = Browser { cookies: Default::default(), ..browser.clone() };
    program.send(method, path, &headers, body.as_bytes()).await.reply
}

#[tokio::test]
async fn a_token_opens_what_its_scope_says_stands_in_the_audit_log_and_can_be_taken_back() {
    let (hob, mut owner) = house().await;
    let (_, mut wire, _) = reachable(&hob).await;
    let metrics = token(&mut owner, "grafana", "metrics").await;
    let read = token(&mut owner, "watcher", "read").await;
    let manage = token(&mut owner, "script", "keeper").await;
    let status = |reply: &hob_tests::http::Reply| reply.status;
    for (path, needed) in [
        ("/metrics", 0),
        ("/admin/v1/status", 1),
        ("/admin/v1/members", 1),
        ("/admin/v1/windows", 1),
        ("/admin/v1/traffic", 1),
        ("/admin/v1/invitations", 1),
        ("/admin/v1/audit", 2),
    ] {
        for (place, token) in [&metrics, &read, &manage].into_iter().enumerate() {
            let want = if place >= needed { 200 } else { 403 };
            assert_eq!(status(&with_token(&owner, token, "GET", path, "").await), want, "{path} {place}");
        }
        assert_eq!(status(&with_token(&owner, "hob_nonsense", "GET", path, "").await), 401, "{path}");
    }
    let links = with_token(&owner, &read, "GET", "/admin/v1/invitations", "").await.json();
    assert!(links[0]["link"].is_null(), "whoever only reads does not get in by it: {links}");
    let members = with_token(&owner, &read, "GET", "/admin/v1/members", "").await.json();
    let suspend = format!("/admin/v1/members/{}/suspend", members[0]["id"].as_str().unwrap());
    assert_eq!(status(&with_token(&owner, &read, "POST", &suspend, "").await), 403);
    assert_eq!(status(&with_token(&owner, &manage, "POST", &suspend, "").await), 204);
    assert_eq!(wire.closed().await, Some(Code::Suspended));
    let invited = with_token(&owner, &manage, "POST", "/admin/v1/invitations", "{\"expires_in_s\":3600}").await.json();
    assert!(Invitation::parse(invited["link"].as_str().unwrap()).is_ok());
    for bad in ["", "{}", "{\"expires_in_s\":1}", "{\"expires_in_s\":99999999999}", "[]"] {
        let refused = with_token(&owner, &manage, "POST", "/admin/v1/invitations", bad).await;
        assert_eq!(refused.status, 422, "{bad}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    }
    let log = with_token(&owner, &manage, "GET", "/admin/v1/audit", "").await.json();
    assert_eq!((log[0]["who"].as_str(), log[0]["what"].as_str()), (Some("token script"), Some("invited")));
    let html = owner.get("/settings/tokens").await.html();
    let ids = html.split("/settings/tokens/").skip(1).filter_map(|rest| rest.split_once("/revoke")).map(|(id, _)| id);
    for id in ids.collect::<Vec<_>>() {
        let path = format!("/settings/tokens/{id}/revoke");
        owner.fill(&path, &path, &[]).await.leads_to();
    }
    assert_eq!(status(&with_token(&owner, &metrics, "GET", "/metrics", "").await), 401);
    let described = owner.get("/admin/v1/openapi.json").await.reply.json();
    assert!(described["paths"]["/admin/v1/members/{id}/suspend"]["post"].is_object());
}

#[tokio::test]
async fn a_session_opens_no_path_for_programs_and_a_token_opens_no_page() {
    let (_hob, mut owner) = house().await;
    assert_eq!(owner.get("/admin/v1/members").await.status, 401);
    let manage = token(&mut owner, "script", "keeper").await;
    assert_eq!(with_token(&owner, &manage, "GET", "/members", "").await.status, 303);
}

#[tokio::test]
async fn one_time_codes_are_asked_for_once_they_are_turned_on_and_a_used_one_is_refused() {
    let (hob, mut here) = house().await;
    here.fill("/settings/sessions", "/settings/totp/begin", &[]).await.leads_to();
    let html = here.get("/settings/sessions").await.html();
    assert_eq!(here.fill("/settings/sessions", "/settings/totp/on", &[("totp", "000000")]).await.status, 422);
    let secret = html.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit()).find(|word| word.len() == 32);
    let secret = data_encoding::BASE32_NOPAD.decode(secret.expect("the secret is shown").as_bytes()).unwrap();
    let code = |later: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        hob_tests::dashboard::one_time_code(&secret, now / 30 + later)
    };
    let on = here.fill("/settings/sessions", "/settings/totp/on", &[("totp", &code(0))]).await;
    assert_eq!(on.leads_to(), "/settings/sessions");
    let mut there = Browser::of(&hob);
    assert_eq!(there.sign_in("", PASSWORD).await.status, 422, "the password alone opens nothing any more");
    let used = there.fill("/sign-in", "/sign-in", &[("password", PASSWORD), ("totp", &code(0))]).await;
    assert_eq!(used.status, 422, "a code is good once");
    let fresh = there.fill("/sign-in", "/sign-in", &[("password", PASSWORD), ("totp", &code(1))]).await;
    assert_eq!(fresh.leads_to(), "/");
}
