//! ChromeDriver (W3C WebDriver), and the windows that it opens.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hob_tests::boxes::tool;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// A running ChromeDriver. Ends with its browsers when dropped.
pub struct Driver {
    child: Child,
    at: String,
}

/// How somebody looks at the dashboard.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// In words.
    pub name: &'static str,
    /// CSS pixels.
    pub width: u32,
    /// CSS pixels.
    pub height: u32,
    /// Device pixels for each CSS pixel: 2 at 200 % zoom, which halves the room.
    pub pixel_ratio: u32,
    /// Whether the browser runs scripts.
    pub script: bool,
    /// `prefers-color-scheme`.
    pub dark: bool,
}

impl Look {
    /// At a desk.
    pub const DESK: Self =
        Self { name: "at a desk", width: 1280, height: 900, pixel_ratio: 1, script: true, dark: false };
    /// At a desk at night.
    pub const DARK: Self = Self { name: "in the dark", dark: true, ..Self::DESK };
    /// In a browser that runs no script.
    pub const SCRIPTLESS: Self = Self { name: "without JavaScript", script: false, ..Self::DESK };
    /// On a small phone.
    pub const PHONE: Self = Self { name: "on a phone", width: 360, height: 740, pixel_ratio: 2, ..Self::DESK };
    /// At 200 % zoom.
    pub const ZOOMED: Self = Self { name: "at 200 % zoom", width: 640, height: 450, pixel_ratio: 2, ..Self::DESK };
}

impl Driver {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let mut command = Command::new(tool("chromedriver", "chromium-driver"));
        let mut child = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "chromedriver ended before it listened");
            if let Some((_, port)) = line.trim_end().rsplit_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        std::thread::spawn(move || said.read_to_string(&mut String::new()));
        Self { child, at: format!("http://127.0.0.1:{port}") }
    }

    /// Opens a window.
    pub async fn window(&self, look: Look) -> Client {
        tool("chromium", "chromium");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = ClientBuilder::new(connector).capabilities(capabilities(look)).connect(&self.at).await;
        let client = client.expect("chromium opens a window");
        if look.dark {
            let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
            devtools(&client, "Emulation.setEmulatedMedia", json!({ "features": features })).await;
        }
        client
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn capabilities(look: Look) -> Capabilities {
    let Look { width, height, pixel_ratio, .. } = look;
    let metrics = json!({ "width": width, "height": height, "pixelRatio": pixel_ratio, "touch": width < 600 });
    let mut chrome = json!({
        "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
        "mobileEmulation": { "deviceMetrics": metrics },
    });
    if !look.script {
        // As somebody does who blocks JavaScript in the settings.
        chrome["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let all = json!({ "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": chrome });
    let Value::Object(all) = all else { panic!("it is an object") };
    all.into_iter().collect()
}

/// What ChromeDriver hands on to the browser's own protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

/// Asks the browser by its own protocol.
pub async fn devtools(client: &Client, command: &str, parameters: Value) -> Value {
    let asked = DevTools(json!({ "cmd": command, "params": parameters }));
    client.issue_cmd(asked).await.expect("the browser does what DevTools asks")
}
