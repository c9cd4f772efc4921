//! Links between the documents lead somewhere.

use std::fs;
use std::path::Path;

use crate::repository::{documents, root};

/// `](target)`, `src="target"` and `[name]: target`, outside blocks of code.
fn targets(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        for (open, close) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            let ends = line.split(open).skip(1).filter_map(|rest| rest.split(close).next());
            found.extend(ends.map(str::to_owned));
        }
        if let Some((name, target)) = line.split_once("]: ")
            && name.starts_with('[')
        {
            found.push(target.trim().to_owned());
        }
    }
    found
}

/// The anchor of a heading as repository hosts make it: lower case, spaces to dashes, most marks dropped.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(document: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(document).unwrap();
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == wanted)
}

#[test]
fn every_relative_link_in_the_documents_leads_to_a_file_and_a_heading() {
    let mut looked_at = 0;
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            looked_at += 1;
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let file = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            let is_whole = file.exists() && (heading.is_empty() || has_anchor(&file, heading));
            if !is_whole {
                let from = document.strip_prefix(root()).unwrap();
                broken.push(format!("{}: {target}", from.display()));
            }
        }
    }
    assert!(looked_at > 10, "links were found at all: {looked_at}");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}
