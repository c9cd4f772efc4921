//! A browser without a screen: it keeps cookies, follows nothing by itself, and fills forms in as they are shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::boxes::{HobBox, Start};
use crate::http::{Http, Reply};

/// The owner's name and password.
pub const OWNER: &str = "ada";
pub const PASSWORD: &str = "correct horse battery";

/// A browser.
#[derive(Debug, Clone)]
pub struct Browser {
    pub address: SocketAddr,
    /// Another address of this machine, 127.0.0.0/8.
    pub from: [u8; 4],
    pub cookies: BTreeMap<String, String>,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub struct Shown {
    pub status: u16,
    pub reply: Reply,
}

impl Shown {
    pub fn html(&self) -> String {
        String::from_utf8(self.reply.body.clone()).unwrap()
    }

    /// Where it leads.
    pub fn leads_to(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.html());
        self.reply.header("location").unwrap().to_owned()
    }

    /// The token of its forms.
    pub fn csrf(&self) -> String {
        let html = self.html();
        let rest = html.split("name=\"csrf\" value=\"").nth(1).unwrap_or_else(|| panic!("no form in {html}"));
        rest.split('"').next().unwrap().to_owned()
    }

    pub fn has(&self, text: &str) -> bool {
        self.html().contains(text)
    }
}

impl Browser {
    pub fn of(hob: &HobBox) -> Self {
        Self { address: hob.dashboard.expect("a dashboard"), from: [127, 0, 0, 1], cookies: BTreeMap::new() }
    }

    pub fn from(mut self, from: [u8; 4]) -> Self {
        self.from = from;
        self
    }

    /// A request as it is given, with the cookies.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Shown {
        let mut http = Http::connect_from(self.from, self.address).await;
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("Cookie", &cookies));
        }
        let reply = http.send(method, path, &all, body).await;
        for (_, value) in reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (pair, attributes) = value.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{name}");
            for wanted in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
                assert!(attributes.contains(wanted), "{wanted} in {attributes}");
            }
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Shown { status: reply.status, reply }
    }

    pub async fn get(&mut self, path: &str) -> Shown {
        self.send("GET", path, &[], b"").await
    }

    /// Sends fields as a browser would from a page of the box.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let origin = format!("https://{}", self.address);
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        self.send("POST", path, &headers, encoded(fields).as_bytes()).await
    }

    /// Opens a page, fills its form in and sends it to a path.
    pub async fn fill(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Shown {
        let csrf = self.get(page).await.csrf();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    pub async fn sign_in(&mut self, name: &str, password: &str) -> Shown {
        self.fill("/sign-in", "/sign-in", &[("name", name), ("password", password)]).await
    }
}

/// `application/x-www-form-urlencoded`.
pub fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(escape).collect::<String>()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}

/// A box with its owner signed in: the set-up is done, by the screens.
pub async fn house() -> (HobBox, Browser) {
    let hob = Start::with_dashboard().fresh();
    let browser = set_up(&hob).await;
    (hob, browser)
}

/// Goes through the set-up.
pub async fn set_up(hob: &HobBox) -> Browser {
    let mut browser = Browser::of(hob);
    let code = hob.setup_code.clone().expect("nobody set it up yet");
    assert_eq!(browser.get("/").await.leads_to(), "/setup");
    assert_eq!(browser.fill("/setup", "/setup", &[("code", &code)]).await.leads_to(), "/setup/password");
    let chosen = [("name", OWNER), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(browser.fill("/setup/password", "/setup/password", &chosen).await.leads_to(), "/setup/box");
    let named = [("name", "The house"), ("zone", "Europe/Vienna")];
    assert_eq!(browser.fill("/setup/box", "/setup/box", &named).await.leads_to(), "/setup/invite");
    assert_eq!(browser.fill("/setup/invite", "/setup/invite", &[]).await.leads_to(), "/");
    browser
}

/// The one-time code of a step (RFC 6238), by Python's own HMAC: a second opinion.
pub fn one_time_code(secret: &[u8], step: u64) -> String {
    let hex = data_encoding::HEXLOWER.encode(secret);
    let script = format!(
        "import hmac,struct\nh=hmac.new(bytes.fromhex('{hex}'),struct.pack('>Q',{step}),'sha1').digest()\n\
         o=h[-1]&15\nprint('%06d'%((struct.unpack('>I',h[o:o+4])[0]&0x7fffffff)%1000000))"
    );
    let python = crate::boxes::tool("python3", "python3");
    let output = std::process::Command::new(python).args(["-c", &script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
