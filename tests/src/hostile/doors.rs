//! TLS, HTTP, and a box that is another one.

use hob_tests::boxes::{HobBox, Start};
use hob_tests::chat::{Person, ada_and_bob};
use hob_tests::people::reachable;
use hob_tests::wire::handshake;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes on a bare connection and reads to its end.
async fn answer_to(hob: &HobBox, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(hob.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // However it ends, it ends: a reset is an end too.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(30), reading).await.expect("the box closes");
    answer
}

#[tokio::test]
async fn plain_http_to_the_tls_port_is_answered_by_a_sentence() {
    let mut hob = HobBox::fresh();
    for request in ["GET / HTTP/1.1\r\nHost: hob\r\n\r\n", "POST /v1/socket HTTP/1.0\r\n\r\n"] {
        let answer = String::from_utf8(answer_to(&hob, request.as_bytes()).await).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        assert!(body.contains("https://"), "{body}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}: {} bytes", body.len());
    }
    hob.assert_well();
}

#[tokio::test]
async fn tls_1_2_is_refused_by_name() {
    let mut hob = HobBox::fresh();
    let answer = answer_to(&hob, &hello_of_tls_1_2()).await;
    // A record of type alert (21), fatal (2), protocol_version (70): RFC 8446, sections 5.1 and 6.2.
    assert_eq!((answer.first(), answer.get(5..7)), (Some(&21), Some(&[2, 70][..])), "{answer:?}");
    hob.assert_well();
}

/// A TLS 1.2 ClientHello as an old client sends it: no supported_versions (RFC 5246, section 7.4.1.2).
fn hello_of_tls_1_2() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(&[0x42; 32]);
    body.push(0);
    // ECDHE with ECDSA and RSA, AES-128-GCM.
    body.extend_from_slice(&[0, 4, 0xc0, 0x2b, 0xc0, 0x2f]);
    body.extend_from_slice(&[1, 0]);
    let extensions = [&[0, 10, 0, 4, 0, 2, 0, 23][..], &[0, 11, 0, 2, 1, 0], &[0, 13, 0, 6, 0, 4, 4, 3, 4, 1]].concat();
    body.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&extensions);
    let mut handshake = vec![1, 0];
    handshake.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    handshake.extend_from_slice(&body);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend_from_slice(&handshake);
    record
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_ends_its_connection_only() {
    let mut hob = HobBox::fresh();
    let (_, mut owner, _) = reachable(&hob).await;
    let garbage: [&[u8]; 5] = [
        &[0; 64],
        &[0xff; 4096],
        &[22, 3, 1, 0xff, 0xff, 1],
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"SSH-2.0-OpenSSH_10.0\r\n",
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(hob.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.len() < 1024, "{answer:?}");
    }
    owner.assert_open().await;
    hob.assert_well();
}

#[tokio::test]
async fn http_that_is_no_upgrade_gets_a_clear_answer() {
    let mut hob = HobBox::fresh();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let requests = [
        ("GET /v1/socket HTTP/1.1\r\n".to_owned(), "426"),
        (format!("GET /v1/socket HTTP/1.1\r\n{upgrade}"), "400"),
        (format!("GET /v1/socket HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"), "400"),
        (format!("GET /v1/socket HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Protocol: other\r\n"), "400"),
        (format!("POST /v1/socket HTTP/1.1\r\n{upgrade}{key}Content-Length: 0\r\n"), "405"),
        ("GET /etc/passwd HTTP/1.1\r\n".to_owned(), "404"),
        ("GET /join HTTP/1.1\r\n".to_owned(), "200"),
        ("garbage\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nX: {}\r\n", "x".repeat(64 << 10)), "431"),
    ];
    for (request, status) in requests {
        let mut stream = handshake(hob.address).await.unwrap();
        // The box may have answered and closed before a long request is written to its end.
        let _ = stream.write_all(format!("{request}Host: hob\r\nConnection: close\r\n\r\n").as_bytes()).await;
        let _ = stream.flush().await;
        let answer = String::from_utf8_lossy(&read_to_end(&mut stream).await).into_owned();
        let first = request.lines().next().unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{first}: {answer}");
    }
    hob.assert_well();
}

#[tokio::test]
async fn a_host_that_is_missing_twice_there_or_none_is_refused() {
    let mut hob = HobBox::fresh();
    let cases = [
        ("", "400"),
        ("Host: hob\r\nHost: hob\r\n", "400"),
        ("Host: a b\r\n", "400"),
        ("Host: ada@hob\r\n", "400"),
        ("Host: hob:port\r\n", "400"),
        ("Host: hob/join\r\n", "400"),
        ("Host:\r\n", "200"),
        ("Host: hob:8443\r\n", "200"),
        ("Host: [::1]\r\n", "200"),
    ];
    for (host, status) in cases {
        let mut stream = handshake(hob.address).await.unwrap();
        let request = format!("GET /join HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = String::from_utf8_lossy(&read_to_end(&mut stream).await).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host:?}: {answer}");
    }
    hob.assert_well();
}

#[tokio::test]
async fn a_body_that_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_a_request() {
    let mut hob = HobBox::fresh();
    let codings = ["identity, chunked, chunked", "gzip, chunked", "xchunked", "chunked\r\nTransfer-Encoding: chunked"];
    for coding in codings {
        let mut stream = handshake(hob.address).await.unwrap();
        let head = "POST /v1/auth/login HTTP/1.1\r\nHost: hob\r\nContent-Type: application/json\r\nTransfer-Encoding: ";
        let behind = "0\r\n\r\nGET /join HTTP/1.1\r\nHost: hob\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{head}{coding}\r\n\r\n{behind}").as_bytes()).await.unwrap();
        let answer = String::from_utf8_lossy(&read_to_end(&mut stream).await).into_owned();
        assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("HTTP/1.1 200"), "{coding}: {answer}");
    }
    hob.assert_well();
}

#[test]
fn a_box_with_another_identity_at_the_same_address_is_refused_and_named() {
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    assert!(hob.stop().success());
    let mut other = Start::default().port(hob.address.port()).fresh();
    assert_ne!(hob.identity, other.identity);
    let said = bob.fails(3, &["send", "ada", "supper at eight"]);
    assert!(said.contains("!!!") && said.contains("NOT THE ONE"), "{said}");
    assert!(said.contains(&other.identity) && said.contains(&hob.identity), "both are named: {said}");
    let said = ada.fails(1, &["receive"]);
    assert!(said.contains("not the one this device knows"), "{said}");
    assert_eq!((other.status("accepted"), other.status("members")), (0, 0), "nothing was sent to it");
    other.assert_well();
    other.kill();
    hob.start_again();
    bob.ok(&["contacts"]);
    assert_eq!(ada.texts(), ["supper at eight"], "it went out once the box was back");
    hob.assert_well();
}

#[test]
fn a_box_whose_identity_is_gone_or_damaged_does_not_begin_anew_over_its_log() {
    let mut hob = HobBox::fresh();
    let ada = Person::joined(hob.invitation.as_ref().unwrap(), "ada");
    assert!(hob.stop().success());
    let identity = hob.data.join("keys/identity.key");
    let aside = hob.data.with_extension("aside");
    std::fs::rename(&identity, &aside).unwrap();
    let said = Start::default().over(&hob.data).err().unwrap();
    assert!(said.contains("exit status: 1") && said.contains("backup"), "{said}");
    // A copy keeps the mode: who may read it is not what this is about.
    for damage in [0, 20, 40] {
        std::fs::copy(&aside, &identity).unwrap();
        let mut bytes = std::fs::read(&aside).unwrap();
        bytes[damage] ^= 1;
        std::fs::write(&identity, bytes).unwrap();
        let said = Start::default().over(&hob.data).err().unwrap();
        assert!(said.contains("exit status: 1") && said.contains("backup") && !said.contains("panic"), "{said}");
    }
    std::fs::rename(&aside, &identity).unwrap();
    hob.start_again();
    assert_eq!(ada.texts(), [] as [&str; 0]);
    hob.assert_well();
}
