//! `/`: is it well, and if not, what is there to do.

use hob_admin_ui::Here;
use hob_admin_ui::view::overview::{Figures, Overview, Problem, Unusual, UnusualKind};
use hob_log::LogStats;
use hob_relay::activity::{Kind, Places, sentences};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{Role, SetUp, Settings};
use hob_relay::status::Status;

use crate::admin::Admin;
use crate::admin::machine::Machine;
use crate::admin::request::{At, Reply};
use crate::control::metrics;
use crate::notes;

/// Less than this is little room, in bytes.
const ROOM_BYTES_MIN: u64 = 512 << 20;

/// Less than this is little memory, in bytes.
const MEMORY_BYTES_MIN: u64 = 48 << 20;

/// From here on a board slows itself down.
const HOT_CELSIUS: u32 = 80;

/// From here on a card is to be replaced soon.
const WORN_PERCENT: u32 = 80;

/// A backup that is older should be made again.
const BACKUP_OLD_S: u64 = 30 * 86_400;

/// All that the overview is made of.
pub struct Known {
    status: Status,
    log: LogStats,
    machine: Machine,
    members_online: u64,
    time_is_known: bool,
}

impl Known {
    /// Asks.
    pub async fn ask(admin: &Admin) -> Option<Self> {
        let status = admin.figures().await?;
        let log = admin.control.engine.log_stats().await.ok()?;
        let clock = admin.control.engine.clock_view().await.ok()?;
        let Ok(Answer::Members(members)) = admin.control.ask(Ask::Members).await else { return None };
        let online = members.iter().filter(|member| member.devices.iter().any(|device| device.connected));
        Some(Self {
            status,
            log,
            machine: Machine::look(&admin.data),
            members_online: online.count() as u64,
            time_is_known: clock.old_mail_for.is_none(),
        })
    }

    /// The figures.
    pub fn figures(&self, admin: &Admin, settings: &Settings) -> Figures {
        let today = admin.traffic.since(midnight(admin.unix_s(), settings));
        let (status, machine) = (&self.status, &self.machine);
        Figures {
            members_online: self.members_online,
            members: status.members,
            devices_online: status.owners_connected,
            devices: status.devices,
            waiting: status.pending,
            waiting_bytes: status.pending_bytes,
            accepted_today: today.accepted,
            delivered_today: today.delivered,
            expired_today: today.expired,
            relayed_today_bytes: None,
            log_bytes: self.log.bytes_on_disk,
            disk_used_bytes: machine.disk.map(|(used, _)| used),
            disk_bytes: machine.disk.map(|(_, size)| size),
            card_worn_percent: machine.worn_percent,
            written_bytes: machine.written_bytes,
            celsius: machine.celsius,
            memory_bytes: metrics::resident_bytes(),
            machine_memory_bytes: machine.memory_bytes,
            uptime_s: admin.control.engine.uptime().as_secs(),
            next_compaction_s: None,
        }
    }

    /// What is wrong, worst first.
    pub fn problems(&self, admin: &Admin) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (status, machine) = (&self.status, &self.machine);
        if status.storing_fails {
            problems.push(Problem::DiskRefuses);
        }
        if !self.time_is_known {
            problems.push(Problem::ClockLost);
        }
        if self.log.quarantined_records > 0 {
            problems.push(Problem::DamagedRecords { count: self.log.quarantined_records });
        }
        if status.lost_windows > 0 {
            problems.push(Problem::LostWindows { count: status.lost_windows });
        }
        if let Some(free_bytes) = machine.disk_free_bytes.filter(|free| *free < ROOM_BYTES_MIN) {
            problems.push(Problem::DiskNearlyFull { free_bytes });
        }
        if let Some(percent) = machine.worn_percent.filter(|percent| *percent >= WORN_PERCENT) {
            problems.push(Problem::CardWorn { percent });
        }
        if let Some(celsius) = machine.celsius.filter(|celsius| *celsius >= HOT_CELSIUS) {
            problems.push(Problem::Hot { celsius });
        }
        if let Some(free_bytes) = machine.memory_free_bytes.filter(|free| *free < MEMORY_BYTES_MIN) {
            problems.push(Problem::MemoryShort { free_bytes });
        }
        if let Some(restored) = notes::restored(&admin.data) {
            problems.push(Problem::CheckAfterRestore { backup_unix_s: unix_s_of(&restored.backup_made) });
        }
        match notes::last_backup(&admin.data) {
            None if status.members > 0 => problems.push(Problem::NeverBackedUp),
            Some(made) if unix_s_of(&made) + BACKUP_OLD_S < admin.unix_s() => {
                problems.push(Problem::OldBackup { made_unix_s: unix_s_of(&made) });
            }
            _ => {}
        }
        if admin.control.start.last_stop.starts_with("it ended suddenly") {
            problems.push(Problem::EndedSuddenly);
        }
        problems
    }
}

/// RFC 3339; 0 where it is none.
pub fn unix_s_of(text: &str) -> u64 {
    let timestamp = text.trim().parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second);
    timestamp.ok().and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0)
}

/// When the keeper's day began, Unix seconds.
fn midnight(unix_s: u64, settings: &Settings) -> u64 {
    let zone = settings.time_zone.as_deref().and_then(|zone| jiff::tz::TimeZone::get(zone).ok());
    let second = i64::try_from(unix_s).ok();
    let began = second
        .and_then(|second| jiff::Timestamp::from_second(second).ok())
        .and_then(|now| now.to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC)).start_of_day().ok());
    began.and_then(|began| u64::try_from(began.timestamp().as_second()).ok()).unwrap_or(unix_s / 86_400 * 86_400)
}

/// What is unusual, worst first.
fn unusual(admin: &Admin) -> Vec<Unusual> {
    let snapshot = admin.control.watch.snapshot();
    let hours = snapshot.compared_with.as_secs() / 3600;
    let told = sentences(&snapshot);
    let seen = told.iter().filter_map(|sentence| snapshot.seen.iter().find(|seen| seen.kind == sentence.kind));
    seen.map(|seen| Unusual {
        kind: match seen.kind {
            Kind::Token => UnusualKind::Token,
            Kind::Join => UnusualKind::Join,
            Kind::Proof => UnusualKind::Proof,
            Kind::Handshake => UnusualKind::Handshake,
            Kind::Fetch => UnusualKind::Fetch,
        },
        last_hour: seen.last_hour,
        places: match seen.places {
            Places::None => Some(0),
            Places::One => Some(1),
            Places::Some(places) => Some(places as u64),
            Places::Many => None,
        },
        before: (hours > 0).then_some((hours, seen.day_before)),
    })
    .collect()
}

/// The overview; before the set-up is done, its owner goes on with that.
pub async fn page(at: At) -> Reply {
    let keeper = at.signed_in(Role::Viewer)?;
    if at.keeping.set_up != SetUp::Done && keeper.role == Role::Owner {
        return Ok(at.go("/setup"));
    }
    let stopping = || at.not_done(crate::control::NotDone::Stopping);
    let known = Known::ask(&at.admin).await.ok_or_else(stopping)?;
    let overview = Overview {
        problems: known.problems(&at.admin),
        unusual: unusual(&at.admin),
        figures: known.figures(&at.admin, &at.keeping.settings),
        last_hour: at.admin.traffic.last_hour(at.admin.unix_s()),
        last_day: at.admin.traffic.last_day(at.admin.unix_s()),
        version: super::live::versions(&at.admin).await.overview,
    };
    Ok(at.page(Here::Overview, |chrome| overview.render(chrome)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_at_the_keepers_midnight() {
        let settings = |zone: &str| Settings { time_zone: Some(zone.to_owned()), ..Settings::default() };
        let now = 1_790_000_000; // 2026-09-21T14:13:20Z
        assert_eq!(midnight(now, &Settings::default()), unix_s_of("2026-09-21T00:00:00Z"));
        assert_eq!(midnight(now, &settings("Asia/Tokyo")), unix_s_of("2026-09-20T15:00:00Z"));
        assert_eq!(unix_s_of("yesterday"), 0);
    }
}
