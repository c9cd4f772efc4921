//! From what was typed to an exit code: takes the profile, or hands the job to the process that has it.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::cli::{Arguments, Command};
use crate::cmd;
use crate::engine::Engine;
use crate::engine::session::Session;
use crate::error::ChatError;
use crate::handover::ask::{Answer, ask};
use crate::handover::serve::Server;
use crate::job::Job;
use crate::out::{Out, Place, stderr_line};
use crate::profile::{Folder, Passphrase, Profile, ProfileLock, lock};
use crate::screen::front::{self, Wanted};

/// How long another process may take to end, or to open the profile, until it takes jobs.
const TURN_PATIENCE: Duration = Duration::from_secs(30);
const TURN_EVERY: Duration = Duration::from_millis(20);

/// Does what was typed.
pub fn run(arguments: Arguments) -> ExitCode {
    match try_run(arguments) {
        Ok(code) => code,
        Err(error) => {
            stderr_line(&format!("hob-chat: {}", error.chain()));
            ExitCode::from(error.exit_code())
        }
    }
}

fn try_run(arguments: Arguments) -> Result<ExitCode, ChatError> {
    let Arguments { global, command } = arguments;
    let place = Place::here(global.json);
    let folder = Folder::choose(global.profile)?;
    let command = match command {
        None if front::is_possible() && folder.holds_a_profile() => {
            let wanted = Wanted { contact: None, ascii: global.ascii, notify: false };
            return on_screen(folder, global.passphrase, wanted);
        }
        None => return cmd::first_run::run(&folder, &Out::here(place)),
        Some(Command::Open { name, notify }) if front::is_possible() => {
            let wanted = Wanted { contact: name, ascii: global.ascii, notify };
            return on_screen(folder, global.passphrase, wanted);
        }
        Some(Command::Open { .. }) => return cmd::first_run::run(&folder, &Out::here(place)),
        Some(Command::Completions { shell }) => return cmd::paper::completions(shell),
        Some(Command::Man { folder }) => return cmd::paper::man(&folder, &Out::here(place)),
        Some(command) => command,
    };
    let job = Job::resolve(command, folder.path())?;
    let passphrase = Passphrase::new(global.passphrase);
    let runtime = runtime()?;
    let code = LocalSet::new().block_on(&runtime, take_turn(folder, job, place, passphrase));
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
    code
}

fn on_screen(folder: Folder, passphrase: bool, wanted: Wanted) -> Result<ExitCode, ChatError> {
    let passphrase = Passphrase::new(passphrase);
    let runtime = runtime()?;
    let code = LocalSet::new().block_on(&runtime, front::run(folder, passphrase, wanted));
    runtime.shutdown_background();
    code
}

fn runtime() -> Result<tokio::runtime::Runtime, ChatError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|source| ChatError::Runtime { source })
}

async fn take_turn(folder: Folder, job: Job, place: Place, passphrase: Passphrase) -> Result<ExitCode, ChatError> {
    let since = Instant::now();
    loop {
        folder.prepare(job.starts_a_profile())?;
        if let Some(lock) = ProfileLock::try_take(&folder)? {
            return be_first(folder, lock, job, place, &passphrase).await;
        }
        if let Answer::Done(code) = ask(&folder, &job, place).await? {
            return Ok(code);
        }
        if since.elapsed() > TURN_PATIENCE {
            return Err(ChatError::InUse { pid: lock::owner(&folder), waited: TURN_PATIENCE });
        }
        sleep(TURN_EVERY).await;
    }
}

async fn be_first(
    folder: Folder,
    lock: ProfileLock,
    job: Job,
    place: Place,
    passphrase: &Passphrase,
) -> Result<ExitCode, ChatError> {
    if matches!(job, Job::Forget) {
        // Also what cannot be opened any more can be wiped.
        crate::profile::wipe(&folder)?;
        cmd::forget::say(&Out::here(place))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (profile, state) = Profile::open(folder.clone(), lock, job.starts_a_profile(), passphrase)?;
    let engine = Engine::start(profile, state.as_deref().map(Vec::as_slice))?;
    drop(state);
    let signals = tokio::task::spawn_local(watch_signals(Rc::clone(&engine)));
    let server = Server::start(&engine, &folder)?;
    let session = Session::new(&engine, Out::here(place));
    let code = cmd::run(&session, job).await;
    drop(session);
    server.finish().await;
    engine.finish().await;
    signals.abort();
    Ok(ExitCode::from(code))
}

/// The first signal ends all commands in order; the second one ends the program, as if nobody listened.
pub async fn watch_signals(engine: Rc<Engine>) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    for _ in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if engine.is_interrupted() {
            // Every save is durable as it is: there is nothing to tidy.
            std::process::exit(130);
        }
        engine.interrupt();
    }
}
