//! Writes every page in its main states into a folder, with an index and the assets beside: to be looked at, to be
//! photographed, and for tools that check HTML.
//!
//! `cargo run -p hob-admin-ui --example gallery -- FOLDER`

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use hob_admin_ui::chrome::Language;
use samples::Make;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    let hostile = Some("<b>\"'&\u{202e}\u{200b}Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamte");
    write(&folder, &Make::english())?;
    write(&folder.join("pseudo"), &Make { language: Language::Pseudo, hostile: None })?;
    write(&folder.join("hostile"), &Make { language: Language::English, hostile })?;
    Ok(())
}

fn write(folder: &std::path::Path, make: &Make) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(folder.join("assets"))?;
    for asset in hob_admin_ui::assets() {
        fs::write(folder.join(asset.path.trim_start_matches('/')), asset.bytes)?;
    }
    let mut index = String::from("<!DOCTYPE html><html lang=\"en\"><head><title>Pages</title></head><body><ul>");
    for sample in samples::all(make) {
        // Files have no root: links to assets become relative.
        let html = sample.html.replace("\"/assets/", "\"assets/");
        fs::write(folder.join(format!("{}.html", sample.name)), html)?;
        write!(index, "<li><a href=\"{0}.html\">{0}</a></li>", sample.name)?;
    }
    index.push_str("</ul></body></html>");
    fs::write(folder.join("index.html"), index)?;
    Ok(())
}
