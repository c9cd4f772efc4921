//! The driver: events from terminal, clock, signals and engine go to the model, effects to where they belong.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_util::StreamExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::backend::{self, now};
use super::look::Look;
use super::model::{Effect, Event, Model};
use super::talk::{Ask, News};
use super::terminal::{Screen, has_panicked};
use super::view;
use crate::engine::Engine;
use crate::error::ChatError;
use crate::handover::screen::{Second, attach};
use crate::handover::serve::Server;
use crate::out::stderr_line;
use crate::profile::{Folder, Passphrase, Profile, ProfileLock, lock};

/// How long another process may take to end, or to open the profile.
const TURN_PATIENCE: Duration = Duration::from_secs(30);
const TURN_EVERY: Duration = Duration::from_millis(20);
/// How long the system's wish to end waits for what is typed to be saved.
const LAST_SAVE: Duration = Duration::from_secs(2);
/// Drafts, toasts and days are looked after so often.
const TICK: Duration = Duration::from_secs(1);
/// Events that came together are drawn together.
const EVENTS_AT_ONCE: usize = 64;

/// The way to the engine.
struct Way {
    asks: UnboundedSender<Ask>,
    news: UnboundedReceiver<News>,
    /// Where this process has the profile itself.
    own: Option<(Rc<Engine>, Server)>,
}

/// What was asked for on the command line.
pub struct Wanted {
    /// Whose conversation is opened first.
    pub contact: Option<String>,
    /// Signs of ASCII alone.
    pub ascii: bool,
    /// Whether the desktop is told who wrote, while another window has the keyboard.
    pub notify: bool,
}

/// How the screen was left.
enum Left {
    ByThePerson,
    /// The process that had the profile ended.
    ByTheEngine,
}

/// Whether there is a terminal that a full screen can be drawn on.
pub fn is_possible() -> bool {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Shows the screen until it is left.
///
/// # Errors
/// The profile, or the terminal, cannot be had.
pub async fn run(folder: Folder, passphrase: Passphrase, wanted: Wanted) -> Result<ExitCode, ChatError> {
    let mut way = find_way(&folder, &passphrase).await?;
    let lost = |source| ChatError::Terminal { source };
    let size = crossterm::terminal::size().unwrap_or((80, 24));
    let mut model = Model::new(Look::of_environment(wanted.ascii), size, now(), wanted.contact);
    loop {
        let mut screen = Screen::take().map_err(lost)?;
        let left = show(&mut screen, &mut model, &mut way, wanted.notify).await;
        drop(screen);
        match left.map_err(lost)? {
            Left::ByThePerson => break,
            Left::ByTheEngine if way.own.is_some() => break,
            // Asked for on a terminal that is given back: a passphrase may be needed.
            Left::ByTheEngine => way = find_way(&folder, &passphrase).await?,
        }
    }
    let Way { asks, news, own } = way;
    drop((asks, news));
    let mut ended = Ok(());
    if let Some((engine, server)) = own {
        // Who wiped the profile under this screen has ended it.
        ended = engine.check();
        finish(engine, server).await;
    }
    ended?;
    Ok(if has_panicked() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What others do through this process comes to its end first.
async fn finish(engine: Rc<Engine>, server: Server) {
    let signals = tokio::task::spawn_local(crate::run::watch_signals(Rc::clone(&engine)));
    let mut finishing = std::pin::pin!(server.finish());
    if timeout(Duration::from_millis(300), &mut finishing).await.is_err() {
        stderr_line("another hob-chat works through this one: waiting for it to end (Ctrl-C ends both)");
        finishing.await;
    }
    engine.finish().await;
    signals.abort();
}

/// Takes the profile, or attaches to the process that has it.
async fn find_way(folder: &Folder, passphrase: &Passphrase) -> Result<Way, ChatError> {
    let since = Instant::now();
    loop {
        folder.prepare(false)?;
        if let Some(lock) = ProfileLock::try_take(folder)? {
            return own_way(folder, lock, passphrase);
        }
        if let Some(Second { asks, news }) = attach(folder).await? {
            return Ok(Way { asks, news, own: None });
        }
        if since.elapsed() > TURN_PATIENCE {
            return Err(ChatError::InUse { pid: lock::owner(folder), waited: TURN_PATIENCE });
        }
        sleep(TURN_EVERY).await;
    }
}

fn own_way(folder: &Folder, lock: ProfileLock, passphrase: &Passphrase) -> Result<Way, ChatError> {
    let (profile, state) = Profile::open(folder.clone(), lock, false, passphrase)?;
    let engine = Engine::start(profile, state.as_deref().map(Vec::as_slice))?;
    drop(state);
    if engine.ask(|client, _| client.home().is_none()) {
        return Err(hob_client::CommandError::NotJoined.into());
    }
    let server = Server::start(&engine, folder)?;
    let (asks, asked) = mpsc::unbounded_channel();
    let (tell, news) = mpsc::unbounded_channel();
    tokio::task::spawn_local(backend::serve(Rc::clone(&engine), asked, tell));
    Ok(Way { asks, news, own: Some((engine, server)) })
}

/// One stretch of the screen, until it is left or its engine is gone.
async fn show(screen: &mut Screen, model: &mut Model, way: &mut Way, notify: bool) -> std::io::Result<Left> {
    let mut keys = EventStream::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut must_end: Option<Instant> = None;
    let mut is_gone = false;
    let (columns, rows) = crossterm::terminal::size()?;
    let mut waiting = vec![Event::Size(columns, rows), Event::Attached];
    loop {
        for event in waiting.drain(..) {
            let effects = model.update(event);
            if carry_out(effects, screen, way, notify) {
                return Ok(Left::ByThePerson);
            }
        }
        if has_panicked() || must_end.is_some_and(|at| at <= Instant::now()) {
            return Ok(Left::ByThePerson);
        }
        if !is_gone && model.is_to_be_drawn() && screen.draw(|frame| view::draw(model, frame)).is_err() {
            // The line was cut: what is typed is saved all the same.
            is_gone = true;
            waiting.push(Event::Terminate);
            must_end.get_or_insert(Instant::now() + LAST_SAVE);
            continue;
        }
        tokio::select! {
            key = keys.next(), if !is_gone => match key {
                Some(Ok(key)) => waiting.extend(of_terminal(key)),
                // Nobody types any more.
                Some(Err(_)) | None => {
                    is_gone = true;
                    waiting.push(Event::Terminate);
                }
            },
            news = way.news.recv() => match news {
                Some(news) => {
                    waiting.push(Event::News(news));
                    while waiting.len() < EVENTS_AT_ONCE && let Ok(news) = way.news.try_recv() {
                        waiting.push(Event::News(news));
                    }
                }
                None => {
                    model.update(Event::Detached);
                    return Ok(Left::ByTheEngine);
                }
            },
            _ = tick.tick() => waiting.push(Event::Tick(now())),
            _ = terminate.recv() => waiting.push(Event::Terminate),
            _ = hang_up.recv() => waiting.push(Event::Terminate),
            _ = interrupt.recv() => waiting.push(Event::Terminate),
        }
        if waiting.iter().any(|event| matches!(event, Event::Terminate)) {
            must_end.get_or_insert(Instant::now() + LAST_SAVE);
        }
    }
}

fn of_terminal(event: TerminalEvent) -> Option<Event> {
    match event {
        TerminalEvent::Key(key) => Some(Event::Key(key)),
        TerminalEvent::Paste(text) => Some(Event::Paste(text)),
        TerminalEvent::Resize(columns, rows) => Some(Event::Size(columns, rows)),
        TerminalEvent::FocusGained => Some(Event::Focus(true)),
        TerminalEvent::FocusLost => Some(Event::Focus(false)),
        TerminalEvent::Mouse(_) => None,
    }
}

/// `true`: the screen is left.
fn carry_out(effects: Vec<Effect>, screen: &mut Screen, way: &Way, notify: bool) -> bool {
    for effect in effects {
        match effect {
            Effect::Ask(ask) => {
                // Where nobody listens any more, the model is told by the end of the news.
                let _ = way.asks.send(ask);
            }
            Effect::Tell(names) if notify => crate::notify::tell(names.iter().map(String::as_str)),
            Effect::Tell(_) => {}
            // A terminal that is gone is noticed at the next drawing.
            Effect::Clear => drop(screen.clear()),
            Effect::Quit => return true,
        }
    }
    false
}
