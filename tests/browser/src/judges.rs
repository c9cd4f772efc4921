//! Judges that nobody here wrote: axe-core in the browser, html-validate over the sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use hob_tests::boxes::tool;
use serde_json::Value;

use crate::page::Page;

/// Where npm put them.
pub struct Judges {
    folder: PathBuf,
    axe: String,
    sources: tempfile::TempDir,
    seen: std::cell::Cell<usize>,
}

impl Judges {
    /// From the folder with `node_modules`, which the recipe makes.
    pub fn new(folder: &Path) -> Self {
        let axe = std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js"));
        let axe = axe.expect("axe-core is there: run tests/recipes/browser");
        Self { folder: folder.to_path_buf(), axe, sources: tempfile::tempdir().unwrap(), seen: std::cell::Cell::new(0) }
    }

    /// Pages that they have seen.
    pub const fn seen(&self) -> usize {
        self.seen.get()
    }

    /// axe-core's judgement of a page, and its source kept for the end.
    pub async fn look_at(&self, page: &Page, how: &str) {
        self.seen.set(self.seen.get() + 1);
        let path = page.path().await;
        let name = format!("{how}{path}").replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        std::fs::write(self.sources.path().join(format!("{name}.html")), page.source().await).unwrap();
        page.client.execute(&self.axe, Vec::new()).await.expect("axe-core loads");
        let ask = "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']})\
                   .then(found => done(found.violations), error => done(String(error)));";
        let found = page.client.execute_async(ask, Vec::new()).await.expect("axe-core runs");
        let Value::Array(violations) = found else { panic!("axe-core says {found}") };
        let told: Vec<String> = violations.iter().map(tell).collect();
        assert!(told.is_empty(), "{path} ({how}): axe-core finds\n{}", told.join("\n"));
    }

    /// html-validate's judgement of all sources.
    pub fn validate(&self) {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join(".htmlvalidate.json");
        let output = Command::new(tool("node", "nodejs"))
            .arg(self.folder.join("node_modules/html-validate/bin/html-validate.mjs"))
            .arg("--config")
            .arg(config)
            .arg(self.sources.path().join("*.html"))
            .output()
            .unwrap();
        assert!(output.status.success(), "html-validate finds\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

fn tell(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let targets: Vec<String> = nodes.iter().map(|node| format!("    {}: {}", node["target"], node["html"])).collect();
    format!("  {}: {}\n{}", violation["id"], violation["help"], targets.join("\n"))
}
