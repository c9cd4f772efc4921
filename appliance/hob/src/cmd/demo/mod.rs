//! `hob demo`: a real box and real clients, on data that is thrown away.
//!
//! # Layout
//! - [`stage`]: what is seen: chapters, commands, their output.
//! - [`cast`]: who plays: the box and the clients, each a process of its own.
//! - [`story`]: what happens, chapter by chapter, and what must come of it.
//! - [`log_view`]: the log as the box itself sees it.

mod cast;
mod log_view;
mod stage;
mod story;

use std::io::{self, IsTerminal as _};

use crate::cli::Demo;
use crate::cmd::demo::cast::Cast;
use crate::cmd::demo::stage::Stage;
use crate::failure::Failure;

/// Plays the story. Then, on a terminal, the box stays for whoever wants to join in.
///
/// # Errors
/// A step did not do what it must: which, and what it said.
pub fn run(args: &Demo) -> Result<(), Failure> {
    let stays = !args.once && io::stdin().is_terminal() && io::stdout().is_terminal();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Failure::of(&error))?;
    runtime.block_on(play(stays))
}

async fn play(stays: bool) -> Result<(), Failure> {
    let stage = Stage::new(stays);
    let mut cast = Cast::assemble(stage)?;
    let ended = tokio::select! {
        ended = story::tell(&mut cast) => ended,
        _ = tokio::signal::ctrl_c() => Err(Failure::because("the demo was interrupted")),
    };
    let ended = match ended {
        Ok(()) if stays => story::stay(&mut cast).await,
        Ok(()) => Ok(()),
        Err(failure) => {
            cast.show_log_of_box();
            Err(failure)
        }
    };
    cast.leave().await;
    ended
}
