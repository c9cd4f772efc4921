//! JSON for those who cannot hold a socket: the same promises, one request at a time.

use data_encoding::{BASE64, HEXLOWER};
use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::invitation::Invitation;
use hob_tests::boxes::{HobBox, wait_for};
use hob_tests::http::{Http, WebDevice, call, challenge, register, submit, text};
use hob_tests::people::{Device, envelope, random, reachable, submit as submit_frame, submit_new};
use hob_tests::wire::Wire;
use serde_json::{Value, json};

#[tokio::test]
async fn a_web_device_joins_logs_in_and_is_told_how_it_stands() {
    let mut hob = HobBox::fresh();
    let info = call(hob.address, "GET", "/v1/box", None, None).await.ok();
    assert_eq!(info["identity"], hob.identity);
    assert_eq!(info["limits"]["ttl_max_s"], 19_800);
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let me = session.call("GET", "/v1/auth/me", None).await.ok();
    assert_eq!(me["mailbox"], device.mailbox.to_string());
    assert_eq!(me["device_key"], device.public().to_string());
    assert_eq!((&me["pending"], &me["sessions"], &me["wants_bundle"]), (&json!(0), &json!(1), &json!(true)));
    hob.assert_well();
}

#[tokio::test]
async fn what_is_submitted_in_json_outlives_a_kill_and_is_read_by_pages_until_it_is_acknowledged() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let token = device.log_in().await.grant().await;
    let mut sender = Http::connect(hob.address).await;
    let mut sent = Vec::new();
    for size in [2048, 65_536, 4096, 65_536, 2048] {
        let sealed = envelope(size);
        let accepted = sender.call("POST", "/v1/envelopes", None, Some(&submit(&token, &sealed))).await.ok();
        assert_eq!(accepted["duplicate"], false);
        assert!((598..=600).contains(&accepted["ttl_s"].as_u64().unwrap()), "{accepted}");
        sent.push(sealed);
    }
    hob.kill();
    hob.start_again();
    let again = call(hob.address, "POST", "/v1/envelopes", None, Some(&submit(&token, &sent[0]))).await.ok();
    assert_eq!(again["duplicate"], true);
    let mut session = device.log_in().await;
    let first = session.call("GET", "/v1/envelopes?limit=2", None).await.ok();
    let got = first["envelopes"].as_array().unwrap();
    assert_eq!(got.len(), 2);
    for (kept, sealed) in got.iter().zip(&sent) {
        assert_eq!(kept["envelope"], BASE64.encode(sealed.bytes()));
        assert_eq!(kept["id"], sealed.id_in(&device.mailbox).to_string());
    }
    let all = session.ids().await;
    let want: Vec<String> = sent.iter().map(|sealed| sealed.id_in(&device.mailbox).to_string()).collect();
    assert_eq!(all, want, "oldest first, and reading took nothing away");
    session.call("POST", "/v1/envelopes/acknowledge", Some(&json!({ "ids": [all[0], all[2]] }))).await.ok();
    session.call("DELETE", &format!("/v1/envelopes/{}", all[1]), None).await.ok();
    assert_eq!(session.ids().await, all[3..]);
    assert_eq!(hob.status("pending"), 2);
    hob.assert_well();
}

#[tokio::test]
async fn an_envelope_comes_as_it_is_with_the_token_in_a_header_of_its_own() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let token = device.log_in().await.grant().await;
    let sealed = envelope(8192);
    let hex = HEXLOWER.encode(token.expose());
    let headers = [("Hob-Delivery-Token", hex.as_str()), ("Content-Type", "application/octet-stream")];
    let path = "/v1/envelopes?ttl_s=600&urgency=wake";
    let mut sender = Http::connect(hob.address).await;
    assert_eq!(sender.send("POST", path, &headers, sealed.bytes()).await.ok()["duplicate"], false);
    assert_eq!(sender.send("POST", path, &headers, &sealed.bytes()[1..]).await.problem(), Code::NotAnEnvelope);
    let longest = sender.send("POST", "/v1/envelopes", &headers, envelope(2048).bytes()).await.ok();
    assert!(longest["ttl_s"].as_u64().unwrap() > 19_000, "as long as the box allows: {longest}");
    let nameless = sender.send("POST", path, &headers[1..], sealed.bytes()).await;
    assert_eq!(nameless.problem(), Code::NoSuchToken);
    assert_eq!(device.log_in().await.ids().await[0], sealed.id_in(&device.mailbox).to_string());
    hob.assert_well();
}

#[tokio::test]
async fn a_socket_and_json_meet_in_the_same_mailbox_and_neither_ends_the_other() {
    let mut hob = HobBox::fresh();
    let (ada, mut ada_socket, to_ada) = reachable(&hob).await;
    let bob = WebDevice::join(&hob).await;
    let mut session = bob.log_in().await;
    let to_bob = session.grant().await;
    call(hob.address, "POST", "/v1/envelopes", None, Some(&submit(&to_ada, &envelope(2048)))).await.ok();
    assert!(matches!(hob_tests::people::pushed(&mut ada_socket).await, id if id.0 != [0; 32]));
    // Bob's browser holds a WebSocket and a session.
    let mut bob_socket = Wire::connect(hob.address).await;
    let signature = hob_protocol::transcript::prove(
        &bob_socket.nonce,
        &bob.identity,
        hob_protocol::transcript::BoundTo::Origin(&bob.origin()),
    )
    .sign(&bob.key);
    let proof = ClientBody::Prove { device_key: bob.public(), signature, origin: Some(bob.origin()), clock_ms: 0 };
    assert!(matches!(bob_socket.ask(proof).await, ServerBody::Proved { .. }));
    submit_new(&mut Wire::connect(hob.address).await, &to_bob, envelope(2048)).await;
    let pushed = hob_tests::people::pushed(&mut bob_socket).await;
    assert_eq!(session.ids().await, [pushed.to_string()]);
    session.call("DELETE", &format!("/v1/envelopes/{pushed}"), None).await.ok();
    bob_socket.assert_open().await;
    let me = session.call("GET", "/v1/auth/me", None).await.ok();
    assert_eq!((&me["connected"], &me["pending"]), (&json!(true), &json!(0)));
    drop(ada);
    hob.assert_well();
}

#[tokio::test]
async fn bundles_and_tokens_are_kept_in_json_as_in_frames() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let token = session.grant().await;
    let fetch = json!({ "token": HEXLOWER.encode(token.expose()) });
    let path = "/v1/bundles/fetch";
    let refused = call(hob.address, "POST", path, None, Some(&fetch)).await;
    assert_eq!((refused.status, refused.problem()), (404, Code::NoBundle));
    let bundle = BASE64.encode(b"what a sender needs");
    session.call("PUT", "/v1/bundles", Some(&json!({ "bundle": bundle, "ttl_s": 3600 }))).await.ok();
    assert_eq!(call(hob.address, "POST", path, None, Some(&fetch)).await.ok()["bundle"], bundle);
    session.call("DELETE", &format!("/v1/tokens/{}", token.hash()), None).await.ok();
    let refused = call(hob.address, "POST", path, None, Some(&fetch)).await;
    assert_eq!((refused.status, refused.problem()), (403, Code::NoSuchToken));
    let listed: Vec<Value> =
        (0..3).map(|_| json!({ "token_hash": HEXLOWER.encode(&random::<32>()), "kind": "introduction" })).collect();
    session.call("PUT", "/v1/tokens", Some(&json!({ "tokens": listed }))).await.ok();
    assert_eq!(session.call("GET", "/v1/auth/me", None).await.ok()["tokens"], 3);
    session.call("PUT", "/v1/tokens", Some(&json!({ "tokens": [] }))).await.ok();
    assert_eq!(session.call("GET", "/v1/auth/me", None).await.ok()["tokens"], 0);
    hob.assert_well();
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_logged_out_session_is_out_at_once() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let refresh = |token: &str| json!({ "refresh_token": token });
    let path = "/v1/auth/refresh";
    let second = call(hob.address, "POST", path, None, Some(&refresh(&session.refresh))).await.ok();
    let again = call(hob.address, "POST", path, None, Some(&refresh(&session.refresh))).await.ok();
    assert_eq!(second["refresh_token"], again["refresh_token"], "a lost answer is no harm");
    session.access = text(&second["access_token"]);
    session.call("GET", "/v1/auth/me", None).await.ok();
    let mut other = device.log_in().await;
    session.call("POST", "/v1/auth/logout", None).await.ok();
    assert_eq!(session.call("GET", "/v1/auth/me", None).await.problem(), Code::NoSession);
    let refused = call(hob.address, "POST", path, None, Some(&refresh(&text(&second["refresh_token"])))).await;
    assert_eq!((refused.status, refused.problem()), (401, Code::NoSession));
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(other.call("GET", "/v1/auth/me", None).await.ok()["sessions"], 1, "another session goes on");
    let mut third = device.log_in().await;
    other.call("POST", "/v1/auth/logout?everywhere=true", None).await.ok();
    assert_eq!(third.call("GET", "/v1/auth/me", None).await.problem(), Code::NoSession);
    hob.assert_well();
}

/// Reads events until one of that name; its data.
async fn event(http: &mut Http, unread: &mut String, name: &str) -> Value {
    loop {
        while let Some(end) = unread.find("\n\n") {
            let event: String = unread.drain(..end + 2).collect();
            let field = |key: &str| event.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
            if field("event:") == Some(name) {
                return serde_json::from_str(field("data:").unwrap()).unwrap();
            }
        }
        let chunk = http.chunk().await.unwrap_or_else(|| panic!("no {name} before the end: {unread}"));
        unread.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

async fn listen(device: &WebDevice) -> (Http, String) {
    let mut session = device.log_in().await;
    let bearer = format!("Bearer {}", session.access);
    session.http.write("GET", "/v1/events", &[("Authorization", &bearer)], &[]).await;
    let head = session.http.head().await.unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    (session.http, String::new())
}

#[tokio::test]
async fn who_waits_on_events_is_told_what_came_and_fetches_it() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let token = session.grant().await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    let (mut events, mut unread) = listen(&device).await;
    assert_eq!(event(&mut events, &mut unread, "waiting").await["pending"], 1);
    let sealed = envelope(4096);
    sender.ask(submit_frame(&token, sealed.clone())).await;
    let ready = event(&mut events, &mut unread, "ready").await;
    assert_eq!(ready["id"], sealed.id_in(&device.mailbox).to_string());
    assert!(session.ids().await.contains(&text(&ready["id"])));
    let body = json!({
        "token": HEXLOWER.encode(token.expose()), "envelope": BASE64.encode(sealed.bytes()),
        "ttl_s": 60, "online_only": true,
    });
    call(hob.address, "POST", "/v1/envelopes", None, Some(&body)).await.ok();
    assert_eq!(event(&mut events, &mut unread, "online").await["envelope"], BASE64.encode(sealed.bytes()));
    assert_eq!(hob.status("connected"), 1);
    drop(events);
    wait_for("the stream is gone", || hob.status("connected") == 0);
    hob.assert_well();
}

#[tokio::test]
async fn event_streams_end_with_a_reason() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let (mut http, mut unread) = listen(&device).await;
        event(&mut http, &mut unread, "waiting").await;
        streams.push((http, unread));
    }
    let (oldest, unread) = &mut streams[0];
    assert_eq!(event(oldest, unread, "end").await["name"], "Superseded");
    let output = hob.hob(&["revoke", &device.mailbox.to_string(), "--yes"]);
    assert!(output.status.success());
    let (other, unread) = &mut streams[1];
    assert_eq!(event(other, unread, "end").await["name"], "Revoked");
    assert!(other.chunk().await.is_none());
    let another = WebDevice::join(&hob).await;
    let (mut last, mut unread) = listen(&another).await;
    event(&mut last, &mut unread, "waiting").await;
    hob.tell_to_stop();
    assert!(event(&mut last, &mut unread, "restarting").await["back_in_s"].as_u64().unwrap() > 0);
    assert!(hob.ended().success());
}

#[tokio::test]
async fn a_restart_ends_sessions_and_a_new_login_goes_on() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let session = device.log_in().await;
    hob.stop();
    hob.start_again();
    let old = call(hob.address, "GET", "/v1/auth/me", Some(&session.access), None).await;
    assert_eq!(old.problem(), Code::NoSession);
    let body = json!({ "refresh_token": session.refresh });
    assert_eq!(call(hob.address, "POST", "/v1/auth/refresh", None, Some(&body)).await.problem(), Code::NoSession);
    device.log_in().await.call("GET", "/v1/auth/me", None).await.ok();
}

#[tokio::test]
async fn a_lost_answer_to_a_registration_is_given_again_and_a_native_device_is_not_taken_over() {
    let hob = HobBox::fresh();
    let invitation = Invitation::parse(&hob.invite()).unwrap();
    let key = Device::random_key();
    let first = register(hob.address, &invitation, &key).await.ok();
    assert_eq!(register(hob.address, &invitation, &key).await.ok(), first);
    let other = register(hob.address, &invitation, &Device::random_key()).await;
    assert_eq!((other.status, other.problem()), (403, Code::NoSuchInvitation));
    let native = Device::join(hob.address, &hob.invite()).await;
    let again = Invitation::parse(&hob.invite()).unwrap();
    assert_eq!(register(hob.address, &again, &native.key).await.problem(), Code::ExporterMissing);
    let as_web = WebDevice {
        key: native.key.clone(),
        mailbox: native.mailbox,
        address: hob.address,
        identity: invitation.box_identity,
    };
    let mut http = Http::connect(hob.address).await;
    let nonce = challenge(&mut http).await;
    let body = as_web.proof(&nonce, &as_web.origin());
    assert_eq!(http.call("POST", "/v1/auth/login", None, Some(&body)).await.problem(), Code::ExporterMissing);
    native.prove().await.assert_open().await;
}
