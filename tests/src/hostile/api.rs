//! JSON: forged sessions, other people's cursors, bodies that are none, crowds and the slow.

use std::time::{Duration, Instant};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use hob_protocol::code::Code;
use hob_protocol::ids::DeliveryToken;
use hob_tests::boxes::{HobBox, Start, wait_for};
use hob_tests::http::{Http, Reply, WebDevice, call, challenge, submit, text};
use hob_tests::measure::resident_kib;
use hob_tests::people::{envelope, random};
use serde_json::{Value, json};

async fn me(hob: &HobBox, access: &str) -> Reply {
    call(hob.address, "GET", "/v1/auth/me", Some(access), None).await
}

/// The three parts of a JWT: header and claims as JSON, the signature as it is.
fn parts(access: &str) -> (Value, Value, String) {
    let all: Vec<&str> = access.split('.').collect();
    let json = |part: &str| serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap();
    (json(all[0]), json(all[1]), all[2].to_owned())
}

fn joined(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn no_forged_or_foreign_access_token_is_taken() {
    let mut hob = HobBox::fresh();
    let other = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let victim = WebDevice::join(&hob).await;
    let access = device.log_in().await.access;
    let foreign = WebDevice::join(&other).await.log_in().await.access;
    let (header, claims, signature) = parts(&access);
    assert_eq!((&header["alg"], &claims["aud"]), (&json!("EdDSA"), &json!(hob.identity)));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    let with = |key: &str, value: Value| {
        let mut changed = claims.clone();
        changed[key] = value;
        joined(&header, &changed, &signature)
    };
    let alg = |alg: &str| json!({ "typ": "JWT", "alg": alg });
    let mut forged = vec![
        ("of another box", foreign.clone()),
        ("without a signature", joined(&alg("none"), &claims, "")),
        ("without a signature, shouted", joined(&alg("NONE"), &claims, "")),
        ("another algorithm", joined(&alg("HS256"), &claims, &BASE64URL_NOPAD.encode(&[0; 32]))),
        ("an unknown algorithm", joined(&alg("EdDSB"), &claims, &signature)),
        ("another device", with("sub", json!(victim.public().to_string()))),
        ("a longer life", with("exp", json!(u64::MAX))),
        ("another audience", with("aud", json!("hob"))),
        ("another session", with("sid", json!("00"))),
        ("a key of its own", joined(&json!({ "alg": "EdDSA", "jwk": { "kty": "OKP" } }), &claims, &signature)),
        ("no claims", joined(&header, &json!({}), &signature)),
        ("nothing", String::new()),
        ("no token", "abc".to_owned()),
        ("many dots", ".".repeat(1000)),
    ];
    forged.extend(
        ["ES256", "RS256", "PS512", "HS512"].map(|name| ("another algorithm", joined(&alg(name), &claims, &signature))),
    );
    for (what, token) in &forged {
        let refused = me(&hob, token).await;
        assert_eq!((refused.status, refused.problem()), (401, Code::NoSession), "{what}");
    }
    let mut http = Http::connect(hob.address).await;
    let bearer = format!("Bearer {access}");
    let twice = [("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())];
    assert_eq!(http.send("GET", "/v1/auth/me", &twice, &[]).await.problem(), Code::NoSession);
    let basic = [("Authorization", "Basic aG9iOmhvYg==")];
    assert_eq!(http.send("GET", "/v1/auth/me", &basic, &[]).await.problem(), Code::NoSession);
    me(&hob, &access).await.ok();
    hob.assert_well();
}

#[tokio::test]
async fn a_refresh_token_that_is_used_by_two_ends_the_session_of_both() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let stolen = device.log_in().await.refresh;
    let refresh = |token: String| {
        let address = hob.address;
        async move { call(address, "POST", "/v1/auth/refresh", None, Some(&json!({ "refresh_token": token }))).await }
    };
    let second = refresh(stolen.clone()).await.ok();
    let third = refresh(text(&second["refresh_token"])).await.ok();
    assert_eq!(refresh(stolen).await.problem(), Code::NoSession);
    assert_eq!(refresh(text(&third["refresh_token"])).await.problem(), Code::NoSession);
    assert_eq!(me(&hob, &text(&third["access_token"])).await.problem(), Code::NoSession);
    for bad in ["", "AAAA", &"A".repeat(70), &"A".repeat(3000), "ä"] {
        assert_eq!(refresh(bad.to_owned()).await.problem(), Code::NoSession, "{bad:?}");
    }
    me(&hob, &device.log_in().await.access).await.ok();
    hob.assert_well();
}

#[tokio::test]
async fn a_login_is_good_for_its_own_challenge_box_origin_and_device_only() {
    let mut hob = HobBox::fresh();
    let other = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let stranger = WebDevice::join(&other).await;
    let mut http = Http::connect(hob.address).await;
    let nonce = challenge(&mut http).await;
    let good = device.proof(&nonce, &device.origin());
    http.call("POST", "/v1/auth/login", None, Some(&good)).await.ok();
    let refused = async |body: Value| call(hob.address, "POST", "/v1/auth/login", None, Some(&body)).await.problem();
    assert_eq!(refused(good).await, Code::BadProof, "once is enough");
    let nonce = challenge(&mut http).await;
    let mut foreign = Http::connect(other.address).await;
    let foreign = challenge(&mut foreign).await;
    assert_eq!(refused(device.proof(&foreign, &device.origin())).await, Code::BadProof, "another box's challenge");
    assert_eq!(refused(device.proof(&random(), &device.origin())).await, Code::BadProof, "nobody's challenge");
    for origin in ["https://evil.example", "", "http://127.0.0.1", &format!("http://{}", hob.address)] {
        assert_eq!(refused(device.proof(&nonce, origin)).await, Code::BadProof, "{origin}");
    }
    let mut as_other = device.proof(&nonce, &device.origin());
    as_other["origin"] = json!(format!("https://{}", other.address));
    assert_eq!(refused(as_other).await, Code::BadProof, "signed for one origin, told another");
    let unknown = WebDevice { address: hob.address, identity: device.identity, ..stranger };
    let code = refused(unknown.proof(&nonce, &unknown.origin())).await;
    assert_eq!(code, Code::ExporterMissing, "strangers are answered as if native");
    hob.assert_well();
}

#[tokio::test]
async fn nobody_elses_forged_or_old_cursor_begins_a_page() {
    let mut hob = HobBox::fresh();
    let ada = WebDevice::join(&hob).await;
    let mallory = WebDevice::join(&hob).await;
    let mut session = ada.log_in().await;
    let token = session.grant().await;
    for _ in 0..3 {
        call(hob.address, "POST", "/v1/envelopes", None, Some(&submit(&token, &envelope(2048)))).await.ok();
    }
    let page = session.call("GET", "/v1/envelopes?limit=1", None).await.ok();
    let cursor = text(&page["cursor"]);
    let path = |cursor: &str| format!("/v1/envelopes?cursor={cursor}");
    session.call("GET", &path(&cursor), None).await.ok();
    let mut others = mallory.log_in().await;
    assert_eq!(others.call("GET", &path(&cursor), None).await.problem(), Code::BadCursor);
    let flipped = cursor.replacen(&cursor[..1], if cursor.starts_with('A') { "B" } else { "A" }, 1);
    for bad in [flipped.as_str(), &cursor[1..], "", "AAAA", &"A".repeat(4000), "%00", "%ff", "..%2f.."] {
        let refused = session.call("GET", &path(bad), None).await;
        assert!(matches!(refused.problem(), Code::BadCursor | Code::BadFrame), "{bad:?}: {refused:?}");
    }
    for bad in ["limit=0", "limit=65", "limit=-1", "limit=99999999999999999999999", "limit=x", "cursor=a&cursor=b"] {
        let refused = session.call("GET", &format!("/v1/envelopes?{bad}"), None).await;
        assert!(matches!(refused.problem(), Code::BadCursor | Code::BadFrame), "{bad}");
    }
    // Acknowledging what is somebody else's is no fault and takes nothing.
    let ids = session.ids().await;
    others.call("POST", "/v1/envelopes/acknowledge", Some(&json!({ "ids": ids }))).await.ok();
    assert_eq!(session.ids().await, ids);
    hob.kill();
    hob.start_again();
    let mut session = ada.log_in().await;
    assert_eq!(session.call("GET", &path(&cursor), None).await.problem(), Code::BadCursor, "of an earlier start");
    assert_eq!(session.ids().await, ids);
    hob.assert_well();
}

#[tokio::test]
async fn a_submit_that_says_who_sends_is_refused() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let token = session.grant().await;
    let body = submit(&token, &envelope(2048));
    let named = call(hob.address, "POST", "/v1/envelopes", Some(&session.access), Some(&body)).await;
    assert_eq!((named.status, named.problem()), (400, Code::NotAnonymous));
    let headers = [("Cookie", "who=ada"), ("Content-Type", "application/json")];
    let mut http = Http::connect(hob.address).await;
    let cookie = http.send("POST", "/v1/envelopes", &headers, body.to_string().as_bytes()).await;
    assert_eq!((cookie.status, cookie.problem()), (400, Code::NotAnonymous));
    // On a connection on which a device named itself.
    let misdirected = session.http.call("POST", "/v1/envelopes", None, Some(&body)).await;
    assert_eq!((misdirected.status, misdirected.problem()), (421, Code::NotAnonymous));
    assert!(session.http.read().await.is_none(), "and the connection is closed");
    // And the other way round.
    let mut sender = Http::connect(hob.address).await;
    sender.call("POST", "/v1/envelopes", None, Some(&body)).await.ok();
    let misdirected = sender.call("GET", "/v1/auth/me", Some(&session.access), None).await;
    assert_eq!((misdirected.status, misdirected.problem()), (421, Code::NotAnonymous));
    assert_eq!(hob.status("accepted"), 1);
    hob.assert_well();
}

#[tokio::test]
async fn a_connection_that_named_a_device_becomes_no_socket() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    assert_eq!(session.http.send("GET", "/v1/socket", &upgrade, &[]).await.status, 421);
    assert!(session.http.read().await.is_none(), "and the connection is closed");
    hob.assert_well();
}

#[tokio::test]
async fn bodies_that_are_none_are_answered_by_a_problem_and_nothing_else_happens() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let token = device.log_in().await.grant().await;
    let good = submit(&token, &envelope(2048)).to_string();
    let hex = HEXLOWER.encode(token.expose());
    let deep = format!("{{\"token\": {}{}}}", "[".repeat(40_000), "]".repeat(40_000));
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("half", good.as_bytes()[..good.len() / 2].to_vec()),
        ("no object", b"[1, 2, 3]".to_vec()),
        ("null", b"null".to_vec()),
        ("deep", deep.into_bytes()),
        ("twice the same field", good.replacen('{', &format!("{{\"token\": \"{hex}\","), 1).into_bytes()),
        ("a huge number", good.replace("600", "1e999").into_bytes()),
        ("a larger number than any", good.replace("600", "99999999999999999999").into_bytes()),
        ("a negative number", good.replace("600", "-1").into_bytes()),
        ("half a number", good.replace("600", "0.5").into_bytes()),
        ("not UTF-8", [good.as_bytes(), &[0xff]].concat()),
        ("something behind it", format!("{good}{good}").into_bytes()),
        ("a NUL", good.replacen('"', "\"\0", 1).into_bytes()),
        ("no hex", good.replace(&hex, &"x".repeat(64)).into_bytes()),
        ("short hex", good.replace(&hex, "00").into_bytes()),
        ("no base64", good.replace("\"envelope\":\"", "\"envelope\":\"*").into_bytes()),
    ];
    let headers = [("Content-Type", "application/json; charset=utf-8")];
    for (what, body) in &bad {
        let refused = Http::connect(hob.address).await.send("POST", "/v1/envelopes", &headers, body).await;
        assert_eq!((refused.status, refused.problem()), (400, Code::BadFrame), "{what}");
    }
    for (kind, body) in [("text/plain", good.as_str()), ("application/xml", "<a/>"), ("", good.as_str())] {
        let headers = [("Content-Type", kind)];
        let refused = Http::connect(hob.address).await.send("POST", "/v1/envelopes", &headers, body.as_bytes()).await;
        assert_eq!((refused.status, refused.problem()), (415, Code::BadFrame), "{kind:?}");
    }
    let odd = BASE64.encode(&[0; 2047]);
    let body = json!({ "token": hex, "envelope": odd, "ttl_s": 600 });
    let refused = call(hob.address, "POST", "/v1/envelopes", None, Some(&body)).await;
    assert_eq!((refused.status, refused.problem()), (400, Code::NotAnEnvelope));
    assert_eq!((hob.status("accepted"), hob.status("pending")), (0, 0));
    hob.assert_well();
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read_and_its_sender_reads_why() {
    let mut hob = HobBox::fresh();
    let headers = [("Content-Type", "application/json")];
    for bytes in [100_000, 250_000] {
        let body = vec![b' '; bytes];
        let mut http = Http::connect(hob.address).await;
        let refused = http.send("POST", "/v1/envelopes", &headers, &body).await;
        assert_eq!((refused.status, refused.problem()), (413, Code::TooLarge), "{bytes}");
    }
    // A length that nobody has, told and never sent.
    let mut http = Http::connect(hob.address).await;
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: hob\r\nContent-Type: application/json\r\n\
                Content-Length: 99999999999\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(http.stream.get_mut(), head.as_bytes()).await.unwrap();
    assert_eq!(http.read().await.unwrap().problem(), Code::TooLarge);
    // Chunks without end.
    let mut http = Http::connect(hob.address).await;
    let chunked = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")];
    http.write("GET", "/v1/nothing", &[], &[]).await;
    http.read().await.unwrap();
    let mut head = "POST /v1/auth/login HTTP/1.1\r\nHost: hob\r\n".to_owned();
    for (name, value) in chunked {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let bytes = format!("{head}\r\n{}", chunk.repeat(8));
    tokio::io::AsyncWriteExt::write_all(http.stream.get_mut(), bytes.as_bytes()).await.unwrap();
    assert_eq!(http.read().await.unwrap().problem(), Code::TooLarge);
    hob.assert_well();
}

#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_ten_seconds_and_holds_nobody_up() {
    let mut hob = HobBox::fresh();
    let head =
        "POST /v1/auth/login HTTP/1.1\r\nHost: hob\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{";
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut http = Http::connect(hob.address).await;
        tokio::io::AsyncWriteExt::write_all(http.stream.get_mut(), head.as_bytes()).await.unwrap();
        slow.push(http);
    }
    let device = WebDevice::join(&hob).await;
    device.log_in().await.call("GET", "/v1/auth/me", None).await.ok();
    for mut http in slow {
        let refused = http.read().await.unwrap();
        assert_eq!((refused.status, refused.problem()), (408, Code::TooSlow));
        assert!(http.read().await.is_none(), "and closed");
    }
    hob.assert_well();
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_answered_by_a_problem() {
    let mut hob = HobBox::fresh();
    for path in ["/v1/", "/v1/nothing", "/v1/auth", "/v1/tokens/", "/v1/envelopes/a/b", "/v1/%2e%2e/join"] {
        let refused = call(hob.address, "GET", path, None, None).await;
        assert!(matches!(refused.status, 404 | 405), "{path}: {refused:?}");
        assert_eq!(refused.problem(), Code::UnknownFrame, "{path}");
    }
    for (method, path, allowed) in [
        ("PATCH", "/v1/tokens", "POST,PUT"),
        ("DELETE", "/v1/auth/me", "GET"),
        ("TRACE", "/v1/auth/login", "POST"),
        ("POST", "/v1/socket", "GET"),
    ] {
        let refused = call(hob.address, method, path, None, None).await;
        assert_eq!((refused.status, refused.problem()), (405, Code::UnknownFrame), "{method} {path}");
        let allow = refused.header("allow").unwrap_or_default();
        assert!(allowed.split(',').all(|method| allow.contains(method)), "{method} {path}: {allow}");
    }
    hob.assert_well();
}

#[tokio::test]
async fn every_operation_of_the_description_answers() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let access = device.log_in().await.access;
    let document = call(hob.address, "GET", "/v1/openapi.json", None, None).await.ok();
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", &"0".repeat(64)).replace("{token_hash}", &"0".repeat(64));
        for (method, operation) in item.as_object().unwrap() {
            if path == "/v1/events" || path == "/v1/auth/logout" {
                continue;
            }
            let method = method.to_uppercase();
            let access = operation["security"].is_array().then_some(access.as_str());
            let body = (method != "GET").then(|| json!({}));
            let reply = call(hob.address, &method, &path, access, body.as_ref()).await;
            assert!(!matches!(reply.status, 401 | 404 | 405 | 500..), "{method} {path}: {reply:?}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{method} {path}");
            operations += 1;
        }
    }
    assert!(operations >= 17, "{operations}");
    hob.assert_well();
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_and_the_boxs_own_are_served() {
    let mut hob = HobBox::fresh();
    let own = format!("https://{}", hob.address);
    let mut http = Http::connect(hob.address).await;
    for origin in
        ["https://evil.example", "null", "", &format!("http://{}", hob.address), &format!("{own}.evil.example")]
    {
        let refused = http.send("GET", "/v1/box", &[("Origin", origin)], &[]).await;
        assert_eq!((refused.status, refused.problem()), (403, Code::ForeignOrigin), "{origin}");
        assert_eq!(refused.header("access-control-allow-origin"), None);
        let asks = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        assert_eq!(http.send("OPTIONS", "/v1/envelopes", &asks, &[]).await.status, 403, "{origin}");
    }
    let served = http.send("GET", "/v1/box", &[("Origin", &own)], &[]).await;
    served.ok();
    assert_eq!(served.header("access-control-allow-origin"), Some(own.as_str()));
    let asks = [("Origin", own.as_str()), ("Access-Control-Request-Method", "POST")];
    let allowed = http.send("OPTIONS", "/v1/envelopes", &asks, &[]).await;
    assert_eq!(allowed.status, 204);
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("Authorization"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None, "there is no cookie");
    hob.assert_well();
}

#[tokio::test]
async fn ten_thousand_challenges_cost_no_memory_and_logins_leave_eight_sessions() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    for _ in 0..500 {
        challenge(&mut session.http).await;
    }
    let before = resident_kib(hob.pid());
    for _ in 0..10_000 {
        challenge(&mut session.http).await;
    }
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 2048, "{grown} KiB for ten thousand challenges");
    for _ in 0..30 {
        let (access, _) = device.log_in_on(&mut session.http).await;
        session.access = access;
    }
    assert_eq!(session.call("GET", "/v1/auth/me", None).await.ok()["sessions"], 8);
    hob.assert_well();
}

#[tokio::test]
async fn who_shows_nothing_good_is_heard_sixty_four_times_and_who_guesses_half_as_often() {
    let mut hob = HobBox::fresh();
    let mut http = Http::connect(hob.address).await;
    for _ in 0..64 {
        http.call("GET", "/v1/box", None, None).await.ok();
    }
    let refused = http.call("GET", "/v1/box", None, None).await;
    assert_eq!((refused.status, refused.problem()), (429, Code::TooFast));
    assert!(http.read().await.is_none());
    let device = WebDevice::join(&hob).await;
    let token = device.log_in().await.grant().await;
    let mut guesser = Http::connect(hob.address).await;
    guesser.call("POST", "/v1/envelopes", None, Some(&submit(&token, &envelope(2048)))).await.ok();
    let mut guesses = 0;
    loop {
        let body = submit(&DeliveryToken(random()), &envelope(2048));
        match guesser.call("POST", "/v1/envelopes", None, Some(&body)).await.problem() {
            Code::NoSuchToken => guesses += 1,
            Code::TooFast => break,
            other => panic!("{other:?}"),
        }
    }
    assert!((30..=40).contains(&guesses), "{guesses}");
    assert!(guesser.read().await.is_none(), "a good token excuses no guessing");
    hob.assert_well();
}

#[tokio::test]
async fn a_connection_that_shows_nothing_and_one_that_says_nothing_are_let_go() {
    let mut hob = Start::default().env("HOB_QUOTA_UNPROVEN_FOR", "2s").fresh();
    let mut idle = Http::connect(hob.address).await;
    let mut asking = Http::connect(hob.address).await;
    asking.call("GET", "/v1/box", None, None).await.ok();
    assert!(idle.read().await.is_none());
    assert!(asking.read().await.is_none());
    hob.assert_well();
}

#[tokio::test]
async fn a_storm_of_event_streams_leaves_four_and_a_box_that_is_well() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let access = device.log_in().await.access;
    let bearer = format!("Bearer {access}");
    let before = resident_kib(hob.pid());
    let mut streams = Vec::new();
    for _ in 0..60 {
        let mut http = Http::connect(hob.address).await;
        http.write("GET", "/v1/events", &[("Authorization", &bearer)], &[]).await;
        assert_eq!(http.head().await.unwrap().status, 200);
        streams.push(http);
    }
    let me = me(&hob, &access).await.ok();
    assert_eq!(me["event_streams"], 4);
    let mut session = device.log_in().await;
    let token = session.grant().await;
    let mut sender = Http::connect(hob.address).await;
    for _ in 0..200 {
        sender.call("POST", "/v1/envelopes", None, Some(&submit(&token, &envelope(2048)))).await.ok();
    }
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB for sixty streams");
    let mut ended = 0;
    for http in &mut streams[..56] {
        let mut said = Vec::new();
        while let Some(chunk) = http.chunk().await {
            said.extend(chunk);
        }
        ended += usize::from(String::from_utf8(said).unwrap().contains("Superseded"));
    }
    assert_eq!(ended, 56);
    drop(streams);
    wait_for("the streams are gone", || hob.status("connected") == 0);
    hob.assert_well();
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_at_most_four_pages_of_a_device() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let token = session.grant().await;
    for _ in 0..4 {
        call(hob.address, "POST", "/v1/envelopes", None, Some(&submit(&token, &envelope(65_536)))).await.ok();
    }
    let bearer = format!("Bearer {}", session.access);
    let before = resident_kib(hob.pid());
    let mut unread = Vec::new();
    for _ in 0..8 {
        let mut http = Http::connect(hob.address).await;
        // Many on one connection, none of them read: one that does not fit the sockets' buffers stays.
        for _ in 0..40 {
            http.write("GET", "/v1/envelopes", &[("Authorization", &bearer)], &[]).await;
        }
        unread.push(http);
    }
    let until = Instant::now() + Duration::from_secs(25);
    loop {
        let reply = session.call("GET", "/v1/envelopes?limit=1", None).await;
        if reply.status == 429 {
            assert_eq!(reply.problem(), Code::TooFast);
            break;
        }
        assert!(Instant::now() < until, "unread pages leave no place for another");
    }
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB for three hundred pages that nobody reads");
    drop(unread);
    let mut again = device.log_in().await;
    let until = Instant::now() + Duration::from_secs(30);
    while again.call("GET", "/v1/envelopes?limit=1", None).await.status != 200 {
        assert!(Instant::now() < until, "places are given back");
    }
    hob.assert_well();
}

#[tokio::test]
async fn a_removed_device_is_out_at_once() {
    let mut hob = HobBox::fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    assert!(hob.hob(&["revoke", &device.mailbox.to_string(), "--yes"]).status.success());
    let refused = session.call("GET", "/v1/envelopes", None).await;
    assert_eq!((refused.status, refused.problem()), (403, Code::Revoked));
    assert_eq!(session.call("GET", "/v1/auth/me", None).await.problem(), Code::NoSession);
    let body = json!({ "refresh_token": session.refresh });
    assert_eq!(call(hob.address, "POST", "/v1/auth/refresh", None, Some(&body)).await.problem(), Code::NoSession);
    hob.assert_well();
}

#[tokio::test]
async fn no_level_of_the_log_names_who_speaks_json() {
    let hob = Start::default().env("HOB_LOG_LEVEL", "trace").fresh();
    let device = WebDevice::join(&hob).await;
    let mut session = device.log_in().await;
    let token = session.grant().await;
    let mut sender = Http::connect(hob.address).await;
    let from = sender.stream.get_ref().get_ref().0.local_addr().unwrap();
    sender.call("POST", "/v1/envelopes", None, Some(&submit(&token, &envelope(2048)))).await.ok();
    session.ids().await;
    me(&hob, "forged").await.problem();
    let said = hob.said();
    let forbidden = [
        from.port().to_string(),
        "webtester".to_owned(),
        "forged".to_owned(),
        device.mailbox.to_string(),
        device.public().to_string(),
        token.hash().to_string(),
        HEXLOWER.encode(token.expose()),
        session.access[session.access.len() - 40..].to_owned(),
        session.refresh.clone(),
    ];
    assert!(!said.is_empty(), "the log is on");
    for word in forbidden {
        assert!(!said.contains(&word), "{word} in {said}");
    }
}

#[tokio::test]
async fn a_whole_number_may_be_written_as_a_floating_one_and_nothing_else_is_one() {
    let mut hob = HobBox::fresh();
    let token = WebDevice::join(&hob).await.log_in().await.grant().await;
    let with = |ttl: Value| {
        let mut body = submit(&token, &envelope(2048));
        body["ttl_s"] = ttl;
        body
    };
    for good in [json!(600), json!(600.0), json!(6e2), json!(4_294_967_295_u32)] {
        call(hob.address, "POST", "/v1/envelopes", None, Some(&with(good))).await.ok();
    }
    for bad in
        [json!(600.5), json!(-600), json!(-600.0), json!("600"), json!(1e300), json!(4_294_967_296_u64), Value::Null]
    {
        let answer = call(hob.address, "POST", "/v1/envelopes", None, Some(&with(bad.clone()))).await;
        assert_eq!(answer.problem(), Code::BadFrame, "{bad}");
    }
    // What stands in the query is read beside JSON too, so that a mistake there is told.
    for (query, code) in [("urgency=soon", Code::BadFrame), ("ttl_s=29", Code::TtlTooShort)] {
        let path = format!("/v1/envelopes?{query}");
        let answer = call(hob.address, "POST", &path, None, Some(&with(json!(600)))).await;
        assert_eq!(answer.problem(), code);
    }
    hob.assert_well();
}
