//! What a person does on a page.

use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, Locator};

/// A browser's window on the dashboard.
pub struct Page {
    /// The window.
    pub client: Client,
    /// `https://host:port`.
    pub at: String,
}

impl Page {
    /// Opens a path of the dashboard.
    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.at)).await.expect("the page opens");
    }

    /// Where it is: the path only.
    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Waits until a form or a link has led to a path.
    pub async fn led_to(&self, path: &str) {
        let url = format!("{}{path}", self.at).parse().unwrap();
        let led = self.client.wait().at_most(Duration::from_secs(20)).for_url(&url).await;
        assert!(led.is_ok(), "{} and not {path}: {}", self.path().await, self.text().await);
    }

    /// All that can be read on it; nothing while another page comes in its place.
    pub async fn text(&self) -> String {
        self.find("body").await.text().await.unwrap_or_default()
    }

    /// The source, as the server sent it or script has made it since.
    pub async fn source(&self) -> String {
        self.client.source().await.unwrap()
    }

    /// The element that a CSS selector names; waits for it.
    pub async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(Duration::from_secs(20)).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(why) => panic!("nothing on {} is {css}: {why}\n{}", self.path().await, self.source().await),
        }
    }

    /// Whether a CSS selector names anything now.
    pub async fn has(&self, css: &str) -> bool {
        !self.client.find_all(Locator::Css(css)).await.unwrap().is_empty()
    }

    /// Types into the field of a name, in place of what stands there.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("[name='{name}']:not([type=hidden])")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What stands in a field.
    pub async fn value(&self, name: &str) -> String {
        let field = self.find(&format!("[name='{name}']:not([type=hidden])")).await;
        field.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Presses what a CSS selector names.
    pub async fn press(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Presses the button of the form that goes to a path.
    pub async fn send(&self, action: &str) {
        self.press(&format!("main form[action='{action}'] button:not([data-copy])")).await;
    }

    /// Follows a link of the navigation.
    pub async fn go(&self, path: &str) {
        self.open(path).await;
        assert_eq!(self.path().await, path);
    }

    /// One key, wherever the focus is.
    pub async fn key(&self, key: Key) {
        let focused = self.client.active_element().await.unwrap();
        focused.send_keys(&key.to_string()).await.unwrap();
    }

    /// Types wherever the focus is.
    pub async fn type_here(&self, text: &str) {
        self.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    }

    /// Tabs on until the focus is on what a CSS selector names: a keyboard gets there.
    pub async fn tab_to(&self, css: &str) {
        for _ in 0..80 {
            let focused = self.client.active_element().await.unwrap();
            let wanted = self.client.find_all(Locator::Css(css)).await.unwrap();
            if wanted.iter().any(|one| one.element_id() == focused.element_id()) {
                return;
            }
            self.key(Key::Tab).await;
        }
        panic!("Tab does not get to {css} on {}", self.path().await);
    }

    /// Waits until the page says something.
    pub async fn wait_for_text(&self, words: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return;
            }
            assert!(Instant::now() < until, "{} never says {words:?}: {text}", self.path().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What a phone's camera reads off the screen: the text of the QR code in the picture of the window.
    pub async fn scan(&self) -> String {
        let code = self.find("svg.qr").await;
        let script = "document.querySelector('svg.qr').scrollIntoView({block: 'center'});";
        self.client.execute(script, Vec::new()).await.unwrap();
        let png = code.screenshot().await.unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_luma8();
        let mut prepared = rqrr::PreparedImage::prepare(picture);
        let grids = prepared.detect_grids();
        let grid = grids.first().expect("a QR code is to be seen");
        grid.decode().expect("the QR code can be read").1
    }

    /// Whether the page is wider than the window: somebody has to scroll sideways.
    pub async fn is_too_wide(&self) -> bool {
        let script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth + 1;";
        self.client.execute(script, Vec::new()).await.unwrap().as_bool().unwrap()
    }
}
