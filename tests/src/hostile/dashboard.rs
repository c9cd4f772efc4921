//! What is tried against the dashboard.

use std::time::{Duration, Instant};

use hob_tests::boxes::{Start, program, tool};
use hob_tests::dashboard::{Browser, PASSWORD, encoded, house};
use hob_tests::http::Http;
use hob_tests::wire::tcp_from;

const FORM: &str = "application/x-www-form-urlencoded";

/// What every answer carries.
fn assert_guarded(shown: &hob_tests::dashboard::Shown, what: &str) {
    let header = |name| shown.reply.header(name).unwrap_or_else(|| panic!("{what}: no {name}"));
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
    assert_eq!(header("cache-control"), "no-store", "{what}");
}

#[tokio::test]
async fn every_answer_of_the_dashboard_carries_its_headers_errors_and_redirects_too() {
    let (_hob, mut browser) = house().await;
    for path in ["/", "/members", "/invitations", "/nowhere", "/members/00", "/sign-in", "/setup", "/assets/none.css"] {
        assert_guarded(&browser.get(path).await, path);
    }
    assert_guarded(&browser.send("DELETE", "/members", &[], b"").await, "405");
    assert_guarded(&browser.post("/invitations", &[]).await, "403");
    assert_guarded(&browser.send("GET", "/", &[("Host", "evil.example")], b"").await, "421");
    let html = browser.get("/").await.html();
    let style = html.split("href=\"/assets/").nth(1).map(|_| {
        let from = html.find("/assets/style.").unwrap();
        html[from..].split('"').next().unwrap().to_owned()
    });
    let asset = browser.get(&style.unwrap()).await;
    assert_eq!((asset.status, asset.reply.header("cache-control")), (200, Some("public, max-age=31536000, immutable")));
}

#[tokio::test]
async fn whoever_holds_hundreds_of_connections_from_one_address_keeps_the_owner_out_of_nothing() {
    let (hob, mut browser) = house().await;
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(tcp_from([127, 0, 0, 66], hob.dashboard.unwrap()).await.unwrap());
    }
    // Long before those that say nothing are given up.
    let asked = tokio::time::timeout(Duration::from_secs(10), browser.get("/")).await;
    assert_eq!(asked.map(|shown| shown.status).ok(), Some(200), "the owner is let in at once");
    drop(held);
}

#[tokio::test]
async fn a_name_that_is_not_the_boxs_is_misdirected_and_its_own_names_are_not() {
    let (_hob, mut browser) = house().await;
    for (host, status) in [
        ("evil.example", 421),
        ("evil.example:8444", 421),
        ("localhost.evil.example", 421),
        ("", 421),
        ("8.8.8.8", 421),
        ("the-house.local.evil.example", 421),
        ("localhost:8444", 200),
        ("the-house.local", 200),
        ("127.0.0.1", 200),
        ("192.168.1.2:8444", 200),
        ("[::1]:8444", 200),
    ] {
        assert_eq!(browser.send("GET", "/", &[("Host", host)], b"").await.status, status, "{host}");
    }
    assert_eq!(browser.send("GET", "https://evil.example/", &[], b"").await.status, 421, "the address wins");
}

#[tokio::test]
async fn a_form_from_another_site_does_nothing() {
    let (_hob, mut browser) = house().await;
    let page = browser.get("/invitations").await;
    let (csrf, before) = (page.csrf(), page.html().matches("/withdraw").count());
    let body = encoded(&[("csrf", &csrf)]);
    for headers in [
        [("Content-Type", FORM), ("Origin", "https://evil.example")],
        [("Content-Type", FORM), ("Origin", "null")],
        [("Content-Type", FORM), ("Sec-Fetch-Site", "cross-site")],
        [("Content-Type", FORM), ("Sec-Fetch-Site", "same-site")],
    ] {
        let shown = browser.send("POST", "/invitations", &headers, body.as_bytes()).await;
        assert_eq!(shown.status, 403, "{headers:?}");
    }
    assert_eq!(browser.get("/invitations").await.html().matches("/withdraw").count(), before);
}

#[tokio::test]
async fn a_form_with_a_stale_token_comes_back_with_what_was_typed_and_does_nothing() {
    let (_hob, mut browser) = house().await;
    let open = |shown: &hob_tests::dashboard::Shown| shown.html().matches("/withdraw").count();
    let before = open(&browser.get("/invitations").await);
    for csrf in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let shown = browser.post("/invitations", &[("csrf", csrf), ("how_many", "17"), ("expires_h", "72")]).await;
        assert_eq!(shown.status, 403);
        assert!(shown.has("value=\"17\"") && shown.has("value=\"72\" selected"), "{}", shown.html());
    }
    assert_eq!(open(&browser.get("/invitations").await), before);
    let shown = browser.post("/invitations", &[("csrf", ""), ("how_many", "17")]).await;
    let again = browser.post("/invitations", &[("csrf", &shown.csrf()), ("how_many", "2")]).await;
    assert_eq!(again.status, 303, "the form that came back is good");
}

#[tokio::test]
async fn a_double_click_makes_one_invitation_and_a_corrected_form_may_come_again() {
    let (_hob, mut browser) = house().await;
    let open = |shown: &hob_tests::dashboard::Shown| shown.html().matches("/withdraw").count();
    let page = browser.get("/invitations").await;
    let before = open(&page);
    let csrf = page.csrf();
    let wrong = browser.post("/invitations", &[("csrf", &csrf), ("how_many", "many")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.has("many"));
    let fields = [("csrf", csrf.as_str()), ("how_many", "1")];
    let mut other = browser.clone();
    let (first, second) = tokio::join!(browser.post("/invitations", &fields), other.post("/invitations", &fields));
    assert_eq!((first.status, second.status), (303, 303));
    assert_eq!(open(&browser.get("/invitations").await), before + 1);
}

#[tokio::test]
async fn hundreds_of_wrong_passwords_do_not_lock_the_owner_out() {
    let (_hob, mut known) = house().await;
    let mut eve = Browser { cookies: Default::default(), ..known.clone() };
    let mut refused = 0;
    for number in 0..300 {
        let csrf = if number == 0 { eve.get("/sign-in").await.csrf() } else { String::new() };
        let csrf = if csrf.is_empty() { eve.get("/sign-in").await.csrf() } else { csrf };
        let shown = eve.post("/sign-in", &[("csrf", &csrf), ("password", &format!("guess {number}"))]).await;
        match shown.status {
            422 => {}
            429 => {
                refused += 1;
                assert!(shown.reply.header("retry-after").is_some());
            }
            other => panic!("{other}: {}", shown.html()),
        }
    }
    assert!(refused > 280, "guesses are slowed down: {refused} of 300 were not even looked at");
    let began = Instant::now();
    let mut elsewhere = Browser { cookies: Default::default(), ..known.clone() }.from([127, 0, 0, 2]);
    assert_eq!(elsewhere.sign_in("", PASSWORD).await.leads_to(), "/", "from another address of the home network");
    known.cookies.remove("__Host-hob");
    assert_eq!(known.sign_in("", PASSWORD).await.leads_to(), "/", "from the same address, in a browser that was here");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn guessing_the_set_up_code_is_slowed_down_too() {
    let hob = Start::with_dashboard().fresh();
    let mut eve = Browser::of(&hob);
    let mut statuses = Vec::new();
    for number in 0..12 {
        let csrf = eve.get("/setup").await.csrf();
        let guess = format!("{number:012}");
        statuses.push(eve.post("/setup", &[("csrf", &csrf), ("code", &guess)]).await.status);
    }
    assert_eq!(statuses[..5], [422; 5]);
    assert!(statuses[6..].iter().all(|status| *status == 429), "{statuses:?}");
}

#[tokio::test]
async fn a_form_of_a_megabyte_is_refused_and_so_are_bytes_that_are_no_text() {
    let (mut hob, mut browser) = house().await;
    let csrf = browser.get("/invitations").await.csrf();
    let large = format!("csrf={csrf}&how_many={}", "1".repeat(1 << 20));
    let refused = browser.send("POST", "/invitations", &[("Content-Type", FORM)], large.as_bytes()).await;
    assert_eq!(refused.status, 413);
    let bad = [format!("csrf={csrf}&how_many=").as_bytes(), b"%FF%FE"].concat();
    assert_eq!(browser.send("POST", "/invitations", &[("Content-Type", FORM)], &bad).await.status, 400);
    let raw = [format!("csrf={csrf}&how_many=").as_bytes(), b"\xff\xfe"].concat();
    assert_eq!(browser.send("POST", "/invitations", &[("Content-Type", FORM)], &raw).await.status, 400);
    let json = [("Content-Type", "application/json")];
    assert_eq!(browser.send("POST", "/invitations", &json, b"{}").await.status, 400);
    hob.assert_well();
}

#[tokio::test]
async fn names_with_markup_and_marks_that_turn_text_around_are_shown_as_text() {
    let hob = Start::with_dashboard().fresh();
    let mut browser = Browser::of(&hob);
    let code = hob.setup_code.clone().unwrap();
    browser.fill("/setup", "/setup", &[("code", &code)]).await;
    let evil = "<script>alert(1)</script>\"'&";
    let chosen = [("name", evil), ("password", PASSWORD), ("again", PASSWORD)];
    browser.fill("/setup/password", "/setup/password", &chosen).await.leads_to();
    let named = [("name", "\u{202e}esuoh ehT\u{200b}<b>"), ("zone", "Europe/Vienna")];
    browser.fill("/setup/box", "/setup/box", &named).await.leads_to();
    browser.fill("/setup/invite", "/setup/invite", &[]).await.leads_to();
    let shown = browser.get("/").await;
    assert_eq!(shown.status, 200);
    assert!(!shown.has("<script>alert") && !shown.has("<b>"), "{}", shown.html());
    assert!(!shown.has("\u{202e}") && !shown.has("\u{200b}"), "no mark turns the page around");
}

#[tokio::test]
async fn empty_fields_are_told_field_by_field_and_nothing_is_done() {
    let hob = Start::with_dashboard().fresh();
    let mut browser = Browser::of(&hob);
    assert_eq!(browser.fill("/setup", "/setup", &[]).await.status, 422);
    let code = hob.setup_code.clone().unwrap();
    browser.fill("/setup", "/setup", &[("code", &code)]).await;
    let refused = browser.fill("/setup/password", "/setup/password", &[("name", "Ada L")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.has("value=\"Ada L\"") && refused.has("aria-invalid"));
    let differ = [("name", "ada"), ("password", PASSWORD), ("again", "something else")];
    let refused = browser.fill("/setup/password", "/setup/password", &differ).await;
    assert!(refused.status == 422 && !refused.has(PASSWORD), "a password is never sent back");
    assert!(hob.hob(&["setup-code"]).status.success(), "the code is still good");
}

#[tokio::test]
async fn whoever_is_slow_or_says_plain_http_holds_nobody_up() {
    let (mut hob, mut browser) = house().await;
    let address = browser.address;
    let silent: Vec<_> = futures_util::future::join_all((0..40).map(|_| tokio::net::TcpStream::connect(address))).await;
    let mut half = Http::connect(address).await;
    let head = [("Content-Type", FORM), ("Content-Length", "60000")];
    half.write("POST", "/sign-in", &head, b"csrf=").await;
    assert_eq!(browser.get("/").await.status, 200);
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut plain, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("https"), "{answer}");
    drop((silent, half));
    hob.assert_well();
}

/// A network of its own, in which the box and a stranger with a public address (RFC 5737) are on one machine.
const PUBLIC: &str = r#"
ip link set lo up && ip addr add 203.0.113.7/32 dev lo || exit 1
"$HOB" serve --ready-json --admin-listen 0.0.0.0:0 --listen 127.0.0.1:0 --data "$DATA" >"$DATA.ready" 2>"$DATA.said" &
box=$!
until grep -q admin "$DATA.ready"; do kill -0 $box || exit 2; done
port=$(sed -E 's/.*"admin":"https:\/\/127.0.0.1:([0-9]+)".*/\1/' "$DATA.ready")
for from in 127.0.0.1 203.0.113.7; do
  curl --silent --insecure --interface $from --header 'Host: 127.0.0.1' --output /dev/null --write-out '%{http_code} ' \
    --max-time 20 "https://127.0.0.1:$port/setup"
done
kill $box
"#;

#[test]
fn whoever_comes_from_a_public_address_is_refused_wherever_the_dashboard_listens() {
    let folder = tempfile::tempdir().unwrap();
    tool("curl", "curl");
    tool("ip", "iproute2");
    let output = std::process::Command::new(tool("unshare", "util-linux"))
        .args(["-Urn", "sh", "-c", PUBLIC])
        .env("HOB", program("hob"))
        .env("DATA", folder.path().join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "200 403", "{}", String::from_utf8_lossy(&output.stderr));
}
