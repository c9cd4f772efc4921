//! A small HTTP/1.1 client over TLS, and a web device that speaks JSON with it.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::SigningKey;
use hob_protocol::code::Code;
use hob_protocol::envelope::Envelope;
use hob_protocol::ids::{BoxIdentity, DeliveryToken, DeviceKey, MailboxId};
use hob_protocol::invitation::Invitation;
use hob_protocol::transcript::{BoundTo, prove, redeem_mac};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::boxes::HobBox;
use crate::people::{Device, random};
use crate::wire::{handshake, tcp_from, tls};

/// How long a box may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub struct Http {
    pub stream: BufReader<TlsStream<TcpStream>>,
    address: SocketAddr,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The code of a problem document, whose form is checked.
    pub fn problem(&self) -> Code {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        let code = Code::from_number(u32::try_from(document["code"].as_u64().unwrap()).unwrap()).unwrap();
        assert_eq!(document["status"], self.status, "{document}");
        assert_eq!(document["name"], code.name(), "{document}");
        assert_eq!(document["title"], code.text(), "{document}");
        assert_eq!(document["type"], format!("/v1/problems#{}", code.name()), "{document}");
        let retry_after = document["retry_after_s"].as_u64().map(|after| after.to_string());
        assert_eq!(self.header("retry-after"), retry_after.as_deref(), "{document}");
        code
    }

    /// What went well.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
}

impl Http {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: BufReader::new(handshake(address).await.unwrap()), address }
    }

    /// The same from another address of this machine.
    pub async fn connect_from(from: [u8; 4], address: SocketAddr) -> Self {
        let stream = tcp_from(from, address).await.unwrap();
        let tls = tls().connect(ServerName::try_from("hob.invalid").unwrap(), stream).await.unwrap();
        Self { stream: BufReader::new(tls), address }
    }

    /// Sends a request's head and body as they are given; a header `Host` takes the place of the address.
    pub async fn write(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let bytes = [head.as_bytes(), body].concat();
        // Whoever was closed notices when reading.
        let _ = self.stream.get_mut().write_all(&bytes).await;
        let _ = self.stream.get_mut().flush().await;
    }

    /// The head of the next response; `None` once the box has closed.
    pub async fn head(&mut self) -> Option<Reply> {
        let reading = async {
            let mut status = String::new();
            if self.stream.read_line(&mut status).await.ok()? == 0 {
                return None;
            }
            let status = status.split(' ').nth(1)?.parse().ok()?;
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                self.stream.read_line(&mut line).await.ok()?;
                let Some((name, value)) = line.trim_end().split_once(": ") else { break };
                headers.push((name.to_owned(), value.to_owned()));
            }
            Some(Reply { status, headers, body: Vec::new() })
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the box answers in time")
    }

    /// The next response; `None` once the box has closed.
    pub async fn read(&mut self) -> Option<Reply> {
        let mut reply = self.head().await?;
        if reply.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                reply.body.extend(chunk);
            }
        } else if let Some(length) = reply.header("content-length") {
            reply.body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut reply.body).await.ok()?;
        }
        Some(reply)
    }

    /// The next chunk of a response; `None` at its end.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let reading = async {
            let mut size = String::new();
            self.stream.read_line(&mut size).await.ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).await.ok()?;
            chunk.truncate(size);
            Some(chunk).filter(|chunk| !chunk.is_empty())
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the box goes on in time")
    }

    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.write(method, path, headers, body).await;
        self.read().await.expect("an answer")
    }

    /// JSON there and back, with an access token where there is one.
    pub async fn call(&mut self, method: &str, path: &str, access: Option<&str>, body: Option<&Value>) -> Reply {
        let bearer = access.map(|access| format!("Bearer {access}"));
        let mut headers = Vec::new();
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        headers.extend(body.map(|_| ("Content-Type", "application/json")));
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.send(method, path, &headers, body.as_bytes()).await
    }
}

/// One call on a connection of its own.
pub async fn call(address: SocketAddr, method: &str, path: &str, access: Option<&str>, body: Option<&Value>) -> Reply {
    Http::connect(address).await.call(method, path, access, body).await
}

/// A device that is registered as web.
pub struct WebDevice {
    pub key: SigningKey,
    pub mailbox: MailboxId,
    pub address: SocketAddr,
    pub identity: BoxIdentity,
}

impl WebDevice {
    /// Joins with a new invitation.
    pub async fn join(hob: &HobBox) -> Self {
        let invitation = Invitation::parse(&hob.invite()).unwrap();
        let key = Device::random_key();
        let reply = register(hob.address, &invitation, &key).await.ok();
        let device_key = DeviceKey(key.verifying_key().to_bytes());
        let mailbox = MailboxId::of_device(&device_key);
        assert_eq!(reply["mailbox"], mailbox.to_string());
        Self { key, mailbox, address: hob.address, identity: invitation.box_identity }
    }

    pub fn public(&self) -> DeviceKey {
        DeviceKey(self.key.verifying_key().to_bytes())
    }

    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The body of a login for a challenge.
    pub fn proof(&self, nonce: &[u8; 32], origin: &str) -> Value {
        let signature = prove(nonce, &self.identity, BoundTo::Origin(origin)).sign(&self.key);
        json!({
            "nonce": HEXLOWER.encode(nonce),
            "device_key": self.public().to_string(),
            "signature": HEXLOWER.encode(&signature),
            "origin": origin,
        })
    }

    /// A session on a connection: access and refresh token.
    pub async fn log_in_on(&self, http: &mut Http) -> (String, String) {
        let nonce = challenge(http).await;
        let pair = http.call("POST", "/v1/auth/login", None, Some(&self.proof(&nonce, &self.origin()))).await.ok();
        (text(&pair["access_token"]), text(&pair["refresh_token"]))
    }

    /// A connection with a session.
    pub async fn log_in(&self) -> Session {
        let mut http = Http::connect(self.address).await;
        let (access, refresh) = self.log_in_on(&mut http).await;
        Session { http, access, refresh }
    }
}

/// A connection with a session.
pub struct Session {
    pub http: Http,
    pub access: String,
    pub refresh: String,
}

impl Session {
    pub async fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.http.call(method, path, Some(&self.access), body).await
    }

    /// A new token for the device's mailbox.
    pub async fn grant(&mut self) -> DeliveryToken {
        let token = DeliveryToken(random());
        let body = json!({ "token_hash": token.hash().to_string(), "kind": "contact" });
        self.call("POST", "/v1/tokens", Some(&body)).await.ok();
        token
    }

    /// Ids of everything that waits, page by page.
    pub async fn ids(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        let mut path = "/v1/envelopes".to_owned();
        loop {
            let page = self.call("GET", &path, None).await.ok();
            ids.extend(page["envelopes"].as_array().unwrap().iter().map(|kept| text(&kept["id"])));
            match page["cursor"].as_str() {
                Some(cursor) => path = format!("/v1/envelopes?cursor={cursor}"),
                None => return ids,
            }
        }
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// Something to sign.
pub async fn challenge(http: &mut Http) -> [u8; 32] {
    let challenge = http.call("POST", "/v1/auth/challenge", None, None).await.ok();
    HEXLOWER.decode(text(&challenge["nonce"]).as_bytes()).unwrap().try_into().unwrap()
}

/// Redeems an invitation as a web device.
pub async fn register(address: SocketAddr, invitation: &Invitation, key: &SigningKey) -> Reply {
    let device_key = DeviceKey(key.verifying_key().to_bytes());
    let mac = redeem_mac(&invitation.secret, &device_key, &invitation.box_identity, None);
    let body = json!({
        "invitation": invitation.id.to_string(),
        "device_key": device_key.to_string(),
        "label": "webtester",
        "mac": HEXLOWER.encode(&mac),
    });
    call(address, "POST", "/v1/auth/register", None, Some(&body)).await
}

/// The body of a submit for ten minutes.
pub fn submit(token: &DeliveryToken, envelope: &Envelope) -> Value {
    json!({
        "token": HEXLOWER.encode(token.expose()),
        "envelope": BASE64.encode(envelope.bytes()),
        "ttl_s": 600,
    })
}
