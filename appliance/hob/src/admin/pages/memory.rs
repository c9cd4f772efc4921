//! `/memory`: windows, generations, compacting, verifying.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hob_admin_ui::Here;
use hob_admin_ui::view::memory::{Compaction, Generation, Memory, Quarantined, Verify, Window};
use hob_log::CompactReport;
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::Role;

use crate::admin::Admin;
use crate::admin::request::{At, Reply};

/// What the last reading of all records found, and what the last compaction did.
#[derive(Debug, Default)]
pub struct Verifying {
    version: AtomicU64,
    verify: Mutex<Verify>,
    compaction: Mutex<Option<Compaction>>,
}

impl Verifying {
    /// Differs when something changed.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    fn set(&self, verify: Verify) {
        *self.verify.lock().unwrap_or_else(PoisonError::into_inner) = verify;
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    fn verify(&self) -> Verify {
        self.verify.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether records are being read.
    pub fn is_running(&self) -> bool {
        matches!(self.verify(), Verify::Running { .. })
    }
}

/// Compacts, and remembers what it did.
///
/// # Errors
/// What the log says, in words.
pub async fn compact(admin: &Admin) -> Result<CompactReport, String> {
    let began = Instant::now();
    let report = admin.control.engine.compact().await?;
    let done = Compaction {
        at_unix_s: admin.unix_s(),
        records_before: report.records_before,
        records_after: report.records_after,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    *admin.verifying.compaction.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
    admin.verifying.version.fetch_add(1, Ordering::Relaxed);
    Ok(report)
}

/// Begins to read all records, unless that is being done.
pub async fn begin_to_verify(admin: &Arc<Admin>) {
    if admin.verifying.is_running() {
        return;
    }
    let all_bytes = admin.control.engine.log_stats().await.map(|log| log.bytes_on_disk).unwrap_or_default();
    admin.verifying.set(Verify::Running { read_bytes: 0, all_bytes });
    let admin = Arc::clone(admin);
    tokio::task::spawn_blocking(move || {
        let found = hob_log::verify_running(&admin.data);
        admin.verifying.set(match found {
            Ok(verdicts) => Verify::Done {
                at_unix_s: admin.unix_s(),
                records: verdicts.iter().map(|verdict| verdict.records).sum(),
                damaged: verdicts.iter().map(|verdict| verdict.damaged).sum(),
            },
            Err(error) => Verify::Failed { why: crate::failure::chain(&error) },
        });
    });
}

/// The page.
pub async fn page(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let stopping = |_| at.not_done(crate::control::NotDone::Stopping);
    let log = at.admin.control.engine.log_stats().await.map_err(stopping)?;
    let Answer::Limits { in_force, .. } = at.ask(Ask::Limits).await? else { return Err(at.not_found()) };
    let windows = log.windows.iter().map(|window| {
        let lives_for: Duration = window.destroyed_at.since(window.opened);
        Window {
            opened_unix_s: window.opened_unix_ms / 1000,
            open: window.is_open,
            waiting: window.pending,
            // The log does not tell these two apart: what does not wait any more was mostly delivered.
            delivered: window.accepted.saturating_sub(window.pending),
            expired: 0,
            bytes: window.journal_bytes,
            readable: window.has_body_key,
            destroyed_unix_s: window.opened_unix_ms / 1000 + lives_for.as_secs(),
        }
    });
    let damaged = log.windows.iter().filter(|window| window.damaged_records > 0).map(|window| Quarantined {
        place: format!("windows/{}", window.number),
        found_unix_s: 0,
        records: window.damaged_records,
        destroyed_unix_s: (window.opened_unix_ms / 1000)
            .saturating_add(window.destroyed_at.since(window.opened).as_secs()),
    });
    let version = super::live::versions(&at.admin).await.memory;
    let view = Memory {
        retention_s: in_force.retention.as_secs(),
        windows: windows.collect(),
        generation: Generation {
            number: log.generation,
            records: log.ledger_records,
            dead: log.ledger_records.saturating_sub(log.ledger_live),
            bytes: 0,
            made_unix_s: 0,
        },
        last_compaction: at.admin.verifying.compaction.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        next_compaction_s: None,
        quarantine: damaged.collect(),
        verify: at.admin.verifying.verify(),
        version,
    };
    Ok(at.page(Here::Memory, |chrome| view.render(chrome)))
}
