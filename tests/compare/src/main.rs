//! `just compare`: Hob beside its peers, in one run on one machine, with the same work.
//!
//! # Layout
//! - [`server`]: who is compared, how each is started; the configurations lie in `config/`.
//! - [`conn`]: one client's connection, a file a protocol; [`certificate`]: for those with TLS.
//! - [`work`]: what they are given to do; [`measure`]: what it costs them.
//! - [`table`], [`chart`]: how it is shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a measurement that cannot go on stops; what it prints is what it is for"
)]

mod certificate;
mod chart;
mod conn;
mod measure;
mod server;
mod table;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::server::{Kind, ROWS, Row};
use crate::work::{Amounts, Figures};

/// Hob beside Mosquitto, NATS JetStream, Prosody and ejabberd: the same work on the same machine in one run.
///
/// Prints the tables and writes them to docs/compared.md and docs/images/compared.svg; ends with one line. Fails if Hob lost
/// a message that it had acknowledged.
#[derive(Debug, Parser)]
#[command(name = "compare")]
struct Arguments {
    /// A fifth of the work: prints the tables and writes nothing.
    #[arg(long)]
    quick: bool,
    /// Only these: hob, mosquitto, nats, prosody, ejabberd. Writes nothing.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Where the servers write: a folder on a file system of its own, so that the device's counter is theirs alone.
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// The repository, whose page and picture are written.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    repository: PathBuf,
}

const LONG: Amounts =
    Amounts { pairs: 50, online: 10_000, paced: 3_000, stored: 10_000, idle: 1_000, killed_after: 1_000 };
const SHORT: Amounts =
    Amounts { pairs: 50, online: 2_000, paced: 1_000, stored: 2_000, idle: 100, killed_after: 1_000 };

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wanted = |row: &Row| arguments.only.is_empty() || arguments.only.iter().any(|name| name == row.word());
    let rows: Vec<Row> = ROWS.iter().copied().filter(wanted).collect();
    if rows.is_empty() {
        eprintln!("nobody has that name: see --help");
        return ExitCode::FAILURE;
    }
    for row in &rows {
        let (program, package) = row.program();
        if row.kind != Kind::Hob {
            hob_tests::boxes::tool(program, package);
        }
    }
    let amounts = if arguments.quick { SHORT } else { LONG };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let figures = match runtime.block_on(measure_all(&rows, amounts, &arguments.folder)) {
        Ok(figures) => figures,
        Err(error) => {
            println!("compare: not finished: {error}");
            return ExitCode::FAILURE;
        }
    };
    let measured = table::print(&figures);
    println!("{measured}");
    if !arguments.quick && arguments.only.is_empty() {
        write(&arguments.repository, &measured, &figures);
    }
    verdict(&figures)
}

async fn measure_all(rows: &[Row], amounts: Amounts, parent: &std::path::Path) -> std::io::Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        eprintln!("{} of {}: {}", at + 1, rows.len(), row.name());
        let folder = tempfile::Builder::new().prefix("compare-").tempdir_in(parent)?;
        let named = |error| std::io::Error::other(format!("{}: {error}", row.name()));
        figures.push(work::all(*row, amounts, folder.path()).await.map_err(named)?);
    }
    Ok(figures)
}

fn write(repository: &std::path::Path, measured: &str, figures: &[Figures]) {
    let page = repository.join("docs/compared.md");
    let text = std::fs::read_to_string(&page).expect("docs/compared.md");
    let text = table::put_into(&text, measured).expect("docs/compared.md has a measured part");
    std::fs::write(&page, text).expect("docs/compared.md is written");
    std::fs::write(repository.join("docs/images/compared.svg"), chart::draw(figures)).expect("the picture is written");
}

fn verdict(figures: &[Figures]) -> ExitCode {
    let Some(hob) = figures.iter().find(|of| of.row.kind == Kind::Hob) else {
        println!("compare: {} rows without Hob", figures.len());
        return ExitCode::SUCCESS;
    };
    let others = figures.iter().filter(|of| of.row.kind != Kind::Hob);
    let ratio = figures
        .iter()
        .find(|of| of.row.kind == Kind::Nats)
        .map_or(String::new(), |nats| format!(", {:.2} times NATS JetStream's", hob.large.online / nats.large.online));
    let acknowledged: usize = figures.iter().map(|of| of.lost.1).sum();
    let lost_elsewhere: usize = others.map(|of| of.lost.0).sum();
    println!(
        "compare: {} rows; Hob lost {} of {} acknowledged by SIGKILL ({} of {} elsewhere); online {} a CPU-second{ratio}",
        figures.len(),
        hob.lost.0,
        hob.lost.1,
        lost_elsewhere,
        acknowledged - hob.lost.1,
        table::number(hob.large.online),
    );
    if hob.lost.0 == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
