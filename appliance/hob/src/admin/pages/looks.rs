//! Pages that only show: `/traffic`, `/network`, `/about`.

use std::net::IpAddr;

use hob_admin_ui::Here;
use hob_admin_ui::chart::{Chart, Step};
use hob_admin_ui::view::about::{About, Part};
use hob_admin_ui::view::network::{Certificate, Network, Port, PortUse};
use hob_admin_ui::view::traffic::{Quota, Refusals, Traffic};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::Role;

use crate::admin::guard::is_private;
use crate::admin::request::{At, Reply};
use crate::cmd::doctor::certificate;
use crate::config::{self, Config};

/// Settings that bound the traffic.
const QUOTAS: [&str; 6] = [
    "retention",
    "quota.mailbox_envelopes",
    "quota.mailbox_bytes",
    "quota.token_per_second",
    "quota.members",
    "quota.box_bytes",
];

/// `/traffic`.
pub async fn traffic(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let stopping = || at.not_done(crate::control::NotDone::Stopping);
    let status = at.admin.figures().await.ok_or_else(stopping)?;
    let Answer::Limits { in_force, .. } = at.ask(Ask::Limits).await? else { return Err(at.not_found()) };
    let counters = &status.counters;
    let mut refusals: Vec<Refusals> =
        counters.refusals.iter().map(|(code, count)| Refusals { code: (*code).to_owned(), count: *count }).collect();
    refusals.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.code.cmp(&b.code)));
    let mut config = Config { relay: *in_force, ..Config::default() };
    let quotas = QUOTAS.iter().filter_map(|key| {
        let setting = config::setting(key)?;
        let value = setting.kind.shown(&mut config)?.trim_matches('"').to_owned();
        Some(Quota { key: setting.key.to_owned(), value, doc: setting.doc.to_owned() })
    });
    let view = Traffic {
        hours: by_hours(&at.admin.traffic.last_day(at.admin.unix_s())),
        online_only: counters.online_only,
        duplicates: counters.duplicates,
        since_unix_s: at.admin.unix_s().saturating_sub(at.admin.control.engine.uptime().as_secs()),
        refusals,
        owners: status.owners_connected,
        senders: status.others_connected,
        quotas: quotas.collect(),
    };
    Ok(at.page(Here::Traffic, |chrome| view.render(chrome)))
}

/// Two half hours make an hour.
fn by_hours(half_hours: &Chart) -> Chart {
    let hour = |pair: &[Step]| {
        let mut sum = Step::default();
        for step in pair {
            sum.accepted += step.accepted;
            sum.delivered += step.delivered;
            sum.expired += step.expired;
            sum.refused += step.refused;
        }
        sum
    };
    Chart {
        from_unix_s: half_hours.from_unix_s,
        step_s: half_hours.step_s * 2,
        steps: half_hours.steps.chunks(2).map(hour).collect(),
    }
}

/// `/network`.
pub async fn network(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let control = &at.admin.control;
    let open = |use_of, address: String| Port { use_of, address, shut: None };
    let mut ports = vec![open(PortUse::Members, control.listening_on.to_string())];
    ports.extend(at.admin.listening_on.map(|on| open(PortUse::Dashboard, on.to_string())));
    ports.extend(control.metrics.map(|on| open(PortUse::Metrics, on.to_string())));
    let addresses: Vec<String> = control.addresses().iter().map(ToString::to_string).collect();
    let ips: Vec<IpAddr> =
        addresses.iter().filter_map(|address| address.parse::<std::net::SocketAddr>().ok()).map(|on| on.ip()).collect();
    let only_private = ips.len() == addresses.len() && ips.iter().all(|ip| is_private(*ip));
    let private = ips.iter().find(|ip| is_private(**ip) && !ip.is_loopback());
    let identity = control.engine.identity();
    let shown = identity.certificates_der.first().and_then(|der| certificate::read(der));
    let fingerprint = identity.certificates_der.first().map(|der| {
        use sha2::Digest as _;
        super::hex(&sha2::Sha256::digest(der))
    });
    let view = Network {
        ports,
        only_private,
        identity: identity.public.to_string(),
        certificate: Certificate {
            own: shown.as_ref().is_some_and(|shown| !shown.is_self_made),
            names: shown.as_ref().map(|shown| shown.names.clone()).unwrap_or_default(),
            ends_unix_s: shown.as_ref().map_or(0, |shown| shown.ends_unix_s),
            fingerprint: fingerprint.unwrap_or_default(),
        },
        forward: private.map(|ip| (control.listening_on.port(), ip.to_string())),
        addresses,
        ..Network::default()
    };
    Ok(at.page(Here::Network, |chrome| view.render(chrome)))
}

/// `/about`.
pub async fn about(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let uname = rustix::system::uname();
    let text = |word: &std::ffi::CStr| word.to_string_lossy().into_owned();
    let view = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        identity: at.admin.control.engine.identity().public.to_string(),
        system: format!("{} {}, {}", text(uname.sysname()), text(uname.release()), text(uname.machine())),
        parts: Part::all(),
    };
    Ok(at.page(Here::About, |chrome| view.render(chrome)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_hours_are_added_up_to_hours() {
        let step = |accepted| Step { accepted, ..Step::default() };
        let hours = by_hours(&Chart { from_unix_s: 0, step_s: 1800, steps: vec![step(1), step(2), step(4), step(8)] });
        assert_eq!((hours.step_s, hours.steps), (3600, vec![step(3), step(12)]));
    }
}
