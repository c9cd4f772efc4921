//! What the stream of live figures (`/live`, server-sent events) sends: texts for elements that carry `data-live`, and
//! versions of parts that carry `data-part`, which the script fetches again when they differ.

use serde_json::{Map, Value, json};

use crate::chrome::Chrome;
use crate::ui::Ui;
use crate::view::overview::{Figures, figure_texts};

/// Versions of what pages show: any text that differs when they do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// Health, charts and unusual activity of the overview.
    pub overview: String,
    /// The list of members, and one member's page.
    pub members: String,
    /// The lists of invitations; the last screen of the set-up waits for it, too.
    pub invitations: String,
    /// Windows and verifying.
    pub memory: String,
    /// The list of reports.
    pub reports: String,
}

/// One event's data: a line of JSON.
pub fn event(figures: &Figures, versions: &Versions, chrome: &Chrome) -> String {
    let ui = Ui::new(chrome);
    let texts: Map<String, Value> =
        figure_texts(figures, &ui).into_iter().map(|(key, text)| (key.to_owned(), Value::String(text))).collect();
    let Versions { overview, members, invitations, memory, reports } = versions;
    let parts = json!({
        "overview": overview, "members": members, "invitations": invitations, "memory": memory, "reports": reports,
    });
    json!({ "texts": texts, "parts": parts }).to_string()
}
