//! `hob serve`: runs the box.

use std::future::IntoFuture as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hob_log::OpenError;
use hob_protocol::invitation::Invitation;
use hob_relay::keeping::By;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::admin::{self, Admin};
use crate::again::Program;
use crate::cli::Serve;
use crate::clock::Pace;
use crate::cmd::listen;
use crate::cmd::ready::Ready;
use crate::config::Config;
use crate::control::{Control, StartStory, routes, socket};
use crate::engine::{self, Engine, EngineOptions};
use crate::failure::Failure;
use crate::last_stop::Why;
use crate::net::witness::Watch;
use crate::sockets::Sockets;
use crate::{folder, identity, last_stop, logging, net, service};

/// How long the first member's invitation is good.
const FIRST_INVITATION: Duration = Duration::from_secs(24 * 3600);

/// What clients are told when the box stops: a restart seldom takes longer.
const BACK_IN: Duration = Duration::from_secs(10);

/// The same for a restart in place, in whole seconds as the protocol has them.
const BACK_IN_AGAIN: Duration = Duration::from_secs(1);

/// How long connections may take to read what was written to them last.
const GOODBYES_WITHIN: Duration = Duration::from_millis(300);

/// How long clients may take to hear it and the log to close; a stop takes at most five seconds in all.
const STOP_WITHIN: Duration = Duration::from_millis(3500);

/// Threads that read bodies from the log. A card serves one read at a time; each thread more is memory.
const READERS: usize = 8;

/// How long tasks may take to end after that.
const END_WITHIN: Duration = Duration::from_millis(500);

/// How often the machine's addresses are looked up.
const ADDRESSES_EVERY: Duration = Duration::from_secs(60);

/// Runs the box until it is told to stop.
///
/// # Errors
/// A setting is not possible, or the box cannot start.
pub fn run(args: &Serve) -> Result<(), Failure> {
    // First of all: what is opened before would lie where handed-over sockets belong.
    let mut sockets = Sockets::take();
    let config = Config::load(args.config.as_deref(), &args.settings.0)?;
    let data = config.data_folder()?;
    // Whatever makes a file from here on, sled too, makes it for this user only.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    logging::start(&config);
    let program = Arc::new(Program::of_this_process());
    loop {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(READERS)
            .enable_all()
            .build()
            .map_err(|error| Failure::of(&error))?;
        let ended = runtime.block_on(serve(args, &config, &data, &mut sockets, &program));
        runtime.shutdown_timeout(END_WITHIN);
        match ended? {
            End::Stop => return Ok(()),
            End::Reset => folder::wipe(&data).map_err(|error| Failure::of(&error))?,
            End::Again => {
                let error = sockets.exec(program.command());
                tracing::error!(%error, "the program that was to take over cannot be started: this one goes on");
            }
        }
    }
}

/// Why the box ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is told to stop.
    Stop,
    /// It is told to restart in place.
    Again,
    /// It is told to destroy everything and begin anew, as another box.
    Reset,
}

#[cfg(feature = "demo-clock")]
fn pace(args: &Serve) -> Result<Pace, Failure> {
    if !args.demo_clock {
        return Ok(Pace::default());
    }
    let open = |path| std::fs::File::open(path).map_err(|error| Failure::of(&error));
    let ahead = args.clock_file.as_ref().map(open).transpose()?;
    let speed = if ahead.is_some() { 1 } else { args.clock_speed };
    tracing::warn!(speed, "demo clock: what is kept is forgotten this much faster, or when the clock's file says so");
    // One a process, for as long as it lives.
    Ok(Pace { speed, ahead: ahead.map(|file| &*Box::leak(Box::new(file))) })
}

#[cfg(not(feature = "demo-clock"))]
#[expect(clippy::unnecessary_wraps, reason = "a demo build has another one")]
const fn pace(_: &Serve) -> Result<Pace, Failure> {
    Ok(Pace {})
}

async fn serve(
    args: &Serve,
    config: &Config,
    data: &Path,
    sockets: &mut Sockets,
    program: &Arc<Program>,
) -> Result<End, Failure> {
    // From here on a signal waits for its turn, so that a start is never cut in half.
    let mut stop = StopSignals::new()?;
    // Before anything is made in it. What else is wrong with it is told by whoever needs it, in better words.
    if let Err(error @ OpenError::NewerFormat { .. }) = hob_log::check_data_format(data) {
        return Err(Failure::of(&error));
    }
    let mut identity = identity::load_or_make(data).map_err(|error| Failure::of(&error))?;
    if let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) {
        identity.show_own(certificate, key).map_err(|error| Failure::of(&error))?;
    }
    let identity = Arc::new(identity);
    // The log is opened, and what is due destroyed, before any port is.
    let (engine, engine_task) = engine::start(EngineOptions {
        data: data.to_owned(),
        relay: config.relay.clone(),
        identity,
        pace: pace(args)?,
    })
    .map_err(|error| Failure::of(&error))?;
    tell_recovery(engine.recovery());
    let last_stop = last_stop::take(data, engine.is_first_start());
    let start = StartStory { last_stop, activated: sockets.is_activated(), run: run_number()? };
    let running = match Running::open(config, data, &engine, sockets, start, program).await {
        Ok(running) => running,
        Err(failure) => {
            last_stop::write(data, Why::NoPort);
            engine.stop(Duration::ZERO).await;
            return Err(failure);
        }
    };
    let announced = running.announce(args, data).await;
    let end = match announced {
        Ok(()) => running.until(&mut stop).await,
        Err(_) => End::Stop,
    };
    running.stop(data, engine_task, end).await;
    announced.map(|()| end)
}

fn run_number() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| Failure::of(&error))
}

/// What the start found that the keeper should know.
fn tell_recovery(report: &hob_log::RecoveryReport) {
    if report.cut_tails > 0 {
        tracing::info!(
            tails = report.cut_tails,
            bytes = report.cut_bytes,
            "the last stop was sudden; what was half written, and never acknowledged, was cut off"
        );
    }
    if !report.destroyed_windows.is_empty() {
        tracing::info!(windows = report.destroyed_windows.len(), "windows whose time was up were destroyed");
    }
    if report.ledger_restored > 0 {
        tracing::warn!(records = report.ledger_restored, "damaged records of the ledger were restored from its copy");
    }
    if report.ledger_lost > 0 {
        tracing::error!(
            records = report.ledger_lost,
            "records of the ledger are lost; members may have to join again: see `hob members`"
        );
    }
}

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    again: Signal,
}

impl StopSignals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::of(&error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            again: listen(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> End {
        tokio::select! {
            _ = self.terminate.recv() => End::Stop,
            _ = self.interrupt.recv() => End::Stop,
            _ = self.again.recv() => End::Again,
        }
    }
}

/// A box with open ports.
struct Running {
    control: Control,
    members: JoinHandle<()>,
    keeper: JoinHandle<io::Result<()>>,
    admin: Arc<Admin>,
    dashboard: JoinHandle<()>,
    ending: watch::Sender<bool>,
}

impl Running {
    async fn open(
        config: &Config,
        data: &Path,
        engine: &Engine,
        sockets: &mut Sockets,
        start: StartStory,
        program: &Arc<Program>,
    ) -> Result<Self, Failure> {
        let listeners = sockets.main(config.listen, listen::on).map_err(|error| Failure::of(&error))?;
        let local_addr = listeners.first().ok_or(io::ErrorKind::NotConnected.into()).and_then(TcpListener::local_addr);
        let listening_on = local_addr.map_err(|error| Failure::of(&error))?;
        let metrics = config.metrics.and_then(bind_metrics);
        let control = Control {
            engine: engine.clone(),
            set_addresses: config.addresses.clone().into(),
            listening_on,
            metrics: metrics.as_ref().map(|(_, bound)| *bound),
            start: Arc::new(start),
            watch: Watch::begin(engine.clocks()).map_err(|error| Failure::of(&error))?,
            program: Arc::clone(program),
            again: Arc::new(Notify::new()),
            stop: Arc::new(Notify::new()),
            reset: Arc::new(Notify::new()),
            stopping: Arc::new(AtomicBool::new(false)),
        };
        let _ = engine.set_addresses(control.addresses()).await;
        let (ending, ended) = watch::channel(false);
        let dashboard = config.admin.and_then(bind_dashboard);
        let admin_on = dashboard.as_ref().map(|(_, bound)| *bound);
        let admin = Admin::new(control.clone(), data.to_owned(), admin_on).map_err(|error| Failure::of(&error))?;
        let keeper = open_control(data, &admin, ended.clone())?;
        let dashboard = tokio::spawn(serve_dashboard(Arc::clone(&admin), dashboard.map(|(listener, _)| listener)));
        if let Some((listener, _)) = metrics {
            let server = axum::serve(listener, routes::health(control.clone()));
            tokio::spawn(server.with_graceful_shutdown(is_true(ended)).into_future());
        }
        let endpoint = net::Endpoint::new(engine.clone(), config.gate.to_rules(), Arc::clone(&control.watch))
            .map_err(|error| Failure::of(&error))?;
        let members = tokio::spawn(async move {
            if let Err(error) = net::serve(endpoint, listeners).await {
                tracing::error!(%error, "the port cannot be served");
            }
        });
        Ok(Self { control, members, keeper, admin, dashboard, ending })
    }

    async fn announce(&self, args: &Serve, data: &Path) -> Result<(), Failure> {
        let invitation = self.first_invitation().await;
        Ready {
            control: &self.control,
            data,
            invitation: invitation.as_ref(),
            metrics: self.control.metrics,
            admin: self.admin.listening_on,
            set_up_code: self.admin.open_code().await,
            as_json: args.ready_json,
        }
        .tell()
    }

    async fn first_invitation(&self) -> Option<Invitation> {
        if !self.control.engine.is_first_start() {
            return None;
        }
        match self.control.invite(By::console(), FIRST_INVITATION).await {
            Ok(invitation) => Some(invitation),
            Err(error) => {
                tracing::warn!(%error, "no invitation was made; make one with `hob invite`");
                None
            }
        }
    }

    /// Runs until told to stop. Meanwhile the network may change: hellos then tell the new addresses.
    async fn until(&self, signals: &mut StopSignals) -> End {
        let mut told = self.control.addresses();
        let mut timer = tokio::time::interval(ADDRESSES_EVERY);
        loop {
            tokio::select! {
                end = signals.next() => match end {
                    End::Stop | End::Reset => return end,
                    End::Again => self.check_and_restart(),
                },
                () = self.control.again.notified() => return End::Again,
                () = self.control.stop.notified() => return End::Stop,
                () = self.control.reset.notified() => return End::Reset,
                _ = timer.tick() => {}
            }
            let now = self.control.addresses();
            if now != told && self.control.engine.set_addresses(now.clone()).await.is_ok() {
                tracing::info!("the box's addresses have changed");
                told = now;
            }
        }
    }

    /// A signal has nobody to answer: what is wrong goes to the log.
    fn check_and_restart(&self) {
        let control = self.control.clone();
        tokio::spawn(async move {
            if let Err(error) = control.restart().await {
                tracing::error!(error, "not restarted");
            }
        });
    }

    /// Tells clients, closes the log, and ends in time whatever happens: what was acknowledged is durable already.
    async fn stop(self, data: &Path, engine_task: JoinHandle<()>, end: End) {
        let (why, back_in) = match end {
            End::Stop | End::Reset => {
                tracing::info!("stopping");
                service::stopping();
                (Why::Asked, BACK_IN)
            }
            End::Again => {
                tracing::info!("restarting in place");
                service::restarting();
                (Why::Restart, BACK_IN_AGAIN)
            }
        };
        self.control.stopping.store(true, Ordering::Relaxed);
        // Who comes from now on waits in the kernel's queue: for the next program, if there is one.
        self.members.abort();
        self.dashboard.abort();
        // Before the log lets go of the folder: after that the name may be the next box's.
        socket::remove(data);
        let closed = async {
            self.control.engine.stop(back_in).await;
            let _ = engine_task.await;
        };
        // While the log holds the folder: after that the line may be the next box's.
        last_stop::write(data, why);
        if tokio::time::timeout(STOP_WITHIN, closed).await.is_err() {
            tracing::warn!("the log did not close in time; the next start will check it");
            last_stop::write(data, Why::AskedAndSlow);
        }
        self.control.engine.goodbyes(GOODBYES_WITHIN).await;
        self.ending.send_replace(true);
        // Whoever gave the order gets an answer.
        let _ = tokio::time::timeout(GOODBYES_WITHIN, self.keeper).await;
        tracing::info!("stopped");
    }
}

fn open_control(
    data: &Path,
    admin: &Arc<Admin>,
    ended: watch::Receiver<bool>,
) -> Result<JoinHandle<io::Result<()>>, Failure> {
    let cannot = |error| Failure::because(format!("cannot open the control socket in {}: {error}", data.display()));
    let listener = socket::listen(data).map_err(cannot)?;
    let listener = tokio::net::UnixListener::from_std(listener).map_err(cannot)?;
    let server = axum::serve(listener, routes::keeper(Arc::clone(admin))).with_graceful_shutdown(is_true(ended));
    Ok(tokio::spawn(server.into_future()))
}

async fn serve_dashboard(admin: Arc<Admin>, listener: Option<tokio::net::TcpListener>) {
    let counting = Arc::clone(&admin).count();
    let serving = async {
        let Some(listener) = listener else { return };
        if let Err(error) = admin::listen::serve(admin, listener).await {
            tracing::error!(%error, "the dashboard cannot be served");
        }
    };
    tokio::join!(counting, serving);
}

/// Members come first: a taken port costs the dashboard, not the box.
fn bind_dashboard(address: SocketAddr) -> Option<(tokio::net::TcpListener, SocketAddr)> {
    bind(address)
        .inspect_err(|_| tracing::warn!("admin.listen cannot be opened, so there is no dashboard: choose another port"))
        .ok()
}

/// Figures are a convenience: a taken port is a warning, not an end.
fn bind_metrics(address: SocketAddr) -> Option<(tokio::net::TcpListener, SocketAddr)> {
    bind(address)
        .inspect_err(|_| {
            tracing::warn!("metrics.listen cannot be opened; the figures are on the control socket only");
        })
        .ok()
}

fn bind(address: SocketAddr) -> Result<(tokio::net::TcpListener, SocketAddr), String> {
    let listener = listen::on(address).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let bound = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((listener, bound))
}

async fn is_true(mut ended: watch::Receiver<bool>) {
    let _ = ended.wait_for(|ended| *ended).await;
}
