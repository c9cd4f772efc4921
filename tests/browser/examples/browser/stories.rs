//! What keepers do, in the order in which they do it.

use std::time::Duration;

use fantoccini::key::Key;
use hob_browser::driver::{Driver, Look};
use hob_browser::judges::Judges;
use hob_browser::page::Page;
use hob_tests::boxes::{HobBox, Start, wait_for};
use hob_tests::chat::Person;

/// The owner's name.
pub const OWNER: &str = "Maria";
/// The owner's password.
pub const PASSWORD: &str = "seven quiet geese 41";
/// Every page that a keeper gets to by the navigation.
pub const PAGES: &[&str] = &[
    "/",
    "/members",
    "/invitations",
    "/memory",
    "/traffic",
    "/network",
    "/settings",
    "/settings/sessions",
    "/settings/keepers",
    "/settings/tokens",
    "/settings/backup",
    "/audit",
    "/logs",
    "/about",
];

/// What all stories share.
pub struct Stage {
    /// Opens windows.
    pub driver: Driver,
    /// Look at every page on the way.
    pub judges: Judges,
}

/// A box without a keeper, and a window on it.
async fn fresh(stage: &Stage, look: Look) -> (HobBox, Page) {
    let hob = Start::with_dashboard().fresh();
    let page = another_window(stage, &hob, look).await;
    (hob, page)
}

async fn another_window(stage: &Stage, hob: &HobBox, look: Look) -> Page {
    let at = format!("https://{}", hob.dashboard.expect("a dashboard"));
    Page { client: stage.driver.window(look).await, at }
}

/// Closed as a person closes it; its browser would live as long as the driver.
async fn close(page: Page) {
    page.client.close().await.expect("the window closes");
}

async fn fits(page: &Page, look: Look) {
    if look.script {
        assert!(!page.is_too_wide().await, "{} has to be scrolled sideways {}", page.path().await, look.name);
    }
}

/// From the first page to the scan of the first invitation, by a real `hob-chat`.
async fn set_up(stage: &Stage, look: Look) -> (HobBox, Page, Person) {
    let (hob, page) = fresh(stage, look).await;
    page.open("/").await;
    assert_eq!(page.path().await, "/setup");
    judge(stage, &page, look).await;
    page.fill("code", "000000000000").await;
    page.send("/setup").await;
    page.find("[aria-invalid='true']").await;
    judge(stage, &page, look).await;
    page.fill("code", hob.setup_code.as_deref().expect("a code")).await;
    page.send("/setup").await;
    page.find("[name=again]").await;
    judge(stage, &page, look).await;
    // It can be left and taken up again.
    page.open("/").await;
    assert_eq!(page.path().await, "/setup/password");
    page.fill("name", OWNER).await;
    page.fill("password", PASSWORD).await;
    page.fill("again", PASSWORD).await;
    page.send("/setup/password").await;
    page.find("[name=zone]").await;
    judge(stage, &page, look).await;
    page.fill("name", "The house").await;
    page.send("/setup/box").await;
    judge(stage, &page, look).await;
    let link = page.scan().await;
    let ada = Person::joined(&link, "ada");
    if look.script {
        page.find("[role=status]").await;
    } else {
        page.open("/setup/invite").await;
    }
    page.client.find_all(fantoccini::Locator::Css("main form")).await.expect("a form");
    page.press("main > form button, main form[action='/setup/invite']:last-of-type button").await;
    page.led_to("/").await;
    // With a member in it, the worst that can be said of a new box is that nobody backed it up.
    page.wait_for_text("This box was never backed up").await;
    assert!(page.text().await.contains("The house"));
    (hob, page, ada)
}

async fn judge(stage: &Stage, page: &Page, look: Look) {
    fits(page, look).await;
    if look.script {
        stage.judges.look_at(page, look.name).await;
    }
}

/// The whole of it: set-up, every page, somebody is let in and cut off again.
pub async fn a_keepers_first_evening(stage: &Stage, look: Look) {
    let (hob, page, ada) = set_up(stage, look).await;
    for path in PAGES {
        page.go(path).await;
        judge(stage, &page, look).await;
    }
    let bob = let_in(stage, &hob, &page, look).await;
    ada.ok(&["receive"]);
    cut_off(&hob, &page, &bob).await;
    close(page).await;
}

/// An invitation is made and scanned; the new member appears, live where the browser runs scripts.
async fn let_in(stage: &Stage, hob: &HobBox, page: &Page, look: Look) -> Person {
    page.go("/invitations").await;
    page.fill("how_many", "1").await;
    page.send("/invitations").await;
    page.find("svg.qr").await;
    judge(stage, page, look).await;
    let link = page.scan().await;
    let second = another_window(stage, hob, look).await;
    sign_in(&second, PASSWORD).await;
    second.go("/members").await;
    second.wait_for_text("1 member").await;
    let bob = Person::joined(&link, "bob");
    if !look.script {
        second.open("/members").await;
    }
    second.wait_for_text("2 members").await;
    close(second).await;
    bob
}

/// A device is revoked: its client is refused from then on.
async fn cut_off(hob: &HobBox, page: &Page, bob: &Person) {
    let members = hob.hob(&["members", "--json"]);
    let members = String::from_utf8(members.stdout).expect("UTF-8");
    let all = members.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let of_bob = all.into_iter().find(|member| member["label"] == "bob").expect("bob is a member");
    let id = of_bob["member"].as_str().expect("an id");
    page.open(&format!("/members/{id}")).await;
    page.press("a[href$='/revoke']").await;
    page.press("#confirm button").await;
    page.wait_for_text("revoked").await;
    wait_for("the revoked device is refused", || !bob.run(&["receive"]).status.success());
}

async fn sign_in(page: &Page, password: &str) {
    page.open("/sign-in").await;
    if page.has("[name=name]").await {
        page.fill("name", OWNER).await;
    }
    page.fill("password", password).await;
    page.send("/sign-in").await;
}

/// Many wrong passwords: each makes the next one wait, and the owner, in a browser of her own, gets in at once.
pub async fn somebody_guesses_the_password(stage: &Stage) {
    let (hob, owner, _) = set_up(stage, Look::DESK).await;
    let guesser = another_window(stage, &hob, Look::DESK).await;
    let mut has_to_wait = false;
    for number in 0..12 {
        sign_in(&guesser, &format!("guess {number}")).await;
        guesser.find("[aria-invalid='true']").await;
        has_to_wait |= guesser.text().await.contains("wait");
    }
    assert!(has_to_wait, "nothing slows a guesser down");
    judge(stage, &guesser, Look::DESK).await;
    owner.press("header form[action='/sign-out'] button").await;
    sign_in(&owner, PASSWORD).await;
    owner.find("nav#nav").await;
    close(guesser).await;
    close(owner).await;
}

/// The set-up and a page or two with nothing but a keyboard.
pub async fn nothing_but_a_keyboard(stage: &Stage) {
    let (hob, page) = fresh(stage, Look::DESK).await;
    page.open("/setup").await;
    page.tab_to("[name=code]").await;
    page.type_here(hob.setup_code.as_deref().expect("a code")).await;
    page.key(Key::Enter).await;
    page.find("[name=again]").await;
    for (name, text) in [("name", OWNER), ("password", PASSWORD), ("again", PASSWORD)] {
        page.tab_to(&format!("[name={name}]")).await;
        page.type_here(text).await;
    }
    page.tab_to("main form button").await;
    page.key(Key::Enter).await;
    page.find("[name=zone]").await;
    page.tab_to("[name=name]").await;
    page.type_here("The house").await;
    page.tab_to("main form button").await;
    page.key(Key::Enter).await;
    page.find("svg.qr").await;
    page.open("/invitations").await;
    page.tab_to("[name=how_many]").await;
    page.tab_to("form[action='/invitations'] button").await;
    page.key(Key::Enter).await;
    page.find("svg.qr").await;
    page.open("/invitations").await;
    page.tab_to("a[href$='/withdraw']").await;
    page.key(Key::Enter).await;
    // It opens over the page, or as a page of its own.
    page.find("#confirm button").await;
    page.tab_to("#confirm button").await;
    page.key(Key::Enter).await;
    page.find("[role=status]").await;
    close(page).await;
}

/// A session that ends while somebody types: what was typed for goes on after signing in.
pub async fn a_session_ends_in_the_middle(stage: &Stage) {
    let (_hob, page, _) = set_up(stage, Look::DESK).await;
    page.go("/audit").await;
    page.client.delete_all_cookies().await.expect("cookies go");
    page.open("/members").await;
    assert_eq!(page.path().await, "/sign-in");
    page.fill("password", PASSWORD).await;
    page.send("/sign-in").await;
    page.find("nav#nav").await;
    assert_eq!(page.path().await, "/members", "back to where it was");
    tokio::time::timeout(Duration::from_secs(60), close(page)).await.expect("the window closes");
}
