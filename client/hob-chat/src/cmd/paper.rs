//! `completions` and `man`: made from the command line's own description, so they cannot fall behind it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;
use hob_client::display::escape_line;
use serde_json::json;

use crate::cli::Arguments;
use crate::error::ChatError;
use crate::out::Out;

/// The script for a shell, on stdout.
pub fn completions(shell: Shell) -> Result<ExitCode, ChatError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "hob-chat", &mut script);
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(&script).and_then(|()| stdout.flush());
    written.map_err(|source| ChatError::Output { source })?;
    Ok(ExitCode::SUCCESS)
}

/// A page for the program and one for each command: hob-chat.1, hob-chat-send.1, hob-chat-contact-add.1, …
pub fn man(folder: &Path, out: &Out) -> Result<ExitCode, ChatError> {
    let cannot = |source| ChatError::WriteFile { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(cannot)?;
    clap_mangen::generate_to(Arguments::command().disable_help_subcommand(true), folder).map_err(cannot)?;
    let written = std::fs::read_dir(folder).map_err(cannot)?.flatten().map(|entry| entry.path());
    let is_ours = |path: &std::path::PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("hob-chat") && name.ends_with(".1"))
    };
    let mut pages: Vec<_> = written.filter(is_ours).collect();
    pages.sort();
    for page in pages {
        let shown = page.display().to_string();
        if out.json() {
            out.object(&json!({ "page": shown }))?;
        } else {
            out.line(&escape_line(&shown))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
