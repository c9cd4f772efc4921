//! `/members`. Never contents, contacts or rooms: the box does not know them.

use hob_admin_ui::Here;
use hob_admin_ui::view::members::{Device, DeviceKind, LastSeen, Member, Members, Row};
use hob_protocol::frame::Binding;
use hob_protocol::ids::MemberId;
use hob_relay::admin::{Answer, Ask, DeviceView, MemberView};
use hob_relay::keeping::Role;

use crate::admin::pages::{hex, id_of};
use crate::admin::request::{At, Reply};

/// Members of one page.
const PER_PAGE: usize = 50;

const DAY_S: u64 = 86_400;

/// Everybody.
///
/// # Errors
/// The page that says why there is no answer.
pub async fn all(at: &At) -> Result<Vec<MemberView>, axum::response::Response> {
    match at.ask(Ask::Members).await? {
        Answer::Members(members) => Ok(members),
        _ => Ok(Vec::new()),
    }
}

/// The member whom the path names.
///
/// # Errors
/// The page that says that there is none.
pub async fn of_path(at: &At) -> Result<MemberView, axum::response::Response> {
    let id = id_of(at.key("id")).map(MemberId);
    let found = all(at).await?.into_iter().find(|member| Some(member.id) == id);
    found.ok_or_else(|| at.not_found())
}

fn last_seen<'a>(devices: impl IntoIterator<Item = &'a DeviceView>) -> LastSeen {
    let mut last = None;
    for device in devices {
        if device.connected {
            return LastSeen::Now;
        }
        last = last.max(device.last_seen_day);
    }
    // Noon: the day is the same in nearly every zone.
    last.map_or(LastSeen::Unknown, |day| LastSeen::Day { unix_s: day * DAY_S + DAY_S / 2 })
}

/// The list, with its search.
pub async fn list(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let search = at.query.trimmed("q");
    let wanted = search.to_lowercase();
    let mut everybody = all(&at).await?;
    let total = everybody.len() as u64;
    everybody.retain(|member| {
        wanted.is_empty() || member.label.to_lowercase().contains(&wanted) || hex(&member.id.0).starts_with(&wanted)
    });
    everybody.sort_by_cached_key(|member| (member.label.to_lowercase(), member.id));
    let pages = everybody.len().div_ceil(PER_PAGE).max(1);
    let page = at.query.get("page").parse::<usize>().unwrap_or(1).clamp(1, pages);
    let rows = everybody.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).map(|member| Row {
        id: hex(&member.id.0),
        label: member.label.clone(),
        joined_unix_s: member.joined_at_s,
        last_seen: last_seen(&member.devices),
        devices: member.devices.len() as u64,
        suspended: member.suspended,
    });
    let view = Members {
        rows: rows.collect(),
        total,
        found: everybody.len() as u64,
        search,
        page: page as u64,
        pages: pages as u64,
        version: super::live::versions(&at.admin).await.members,
    };
    Ok(at.page(Here::Members, |chrome| view.render(chrome)))
}

/// One member.
pub async fn one(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let member = of_path(&at).await?;
    let devices = member.devices.iter().map(|device| Device {
        id: hex(&device.mailbox.0),
        kind: match device.binding {
            Binding::Native => DeviceKind::Native,
            Binding::Web => DeviceKind::Web,
        },
        last_seen: last_seen([device]),
        waiting: u64::from(device.pending),
        waiting_bytes: None,
    });
    let view = Member {
        id: hex(&member.id.0),
        label: member.label.clone(),
        joined_unix_s: member.joined_at_s,
        suspended: member.suspended,
        devices: devices.collect(),
        version: super::live::versions(&at.admin).await.members,
    };
    Ok(at.page(Here::Members, |chrome| view.render(chrome)))
}
