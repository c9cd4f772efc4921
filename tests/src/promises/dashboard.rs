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
