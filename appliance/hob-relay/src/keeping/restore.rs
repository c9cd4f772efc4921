//! The state from its events.

use std::time::Duration;

use hob_protocol::ids::MemberId;

use crate::Relay;
use crate::clock::LedgerTime;
use crate::event::{LedgerEvent, disk};
use crate::keeping::{AuditLine, AutomationToken, Keeper, KeeperId, Role, Scope, SetUp, Settings};

impl Relay {
    pub(crate) fn restore_keeping(&mut self, event: LedgerEvent) -> Option<()> {
        match event {
            LedgerEvent::Keeper(keeper) => {
                let id = KeeperId(keeper.id[..].try_into().ok()?);
                let keeper = Keeper {
                    id,
                    name: keeper.name,
                    role: Role::of_number(keeper.role)?,
                    password: keeper.password,
                    totp_secret: keeper.totp_secret.to_vec(),
                    made_at_s: keeper.made_at_s,
                };
                self.keeping.keepers.insert(id, keeper);
            }
            LedgerEvent::SetUp(set_up) => self.keeping.set_up = SetUp::of_number(set_up.done),
            LedgerEvent::Settings(settings) => {
                self.keeping.settings = settings_of(settings);
                self.apply_settings();
            }
            LedgerEvent::AutomationToken(token) => {
                let until = LedgerTime(token.expires_at_ms);
                let token = AutomationToken {
                    id: token.id[..].try_into().ok()?,
                    hash: token.hash[..].try_into().ok()?,
                    name: token.name,
                    scope: Scope::of_number(token.scope)?,
                    good_for: Duration::ZERO,
                    made_at_s: token.made_at_s,
                    made_by: token.made_by,
                };
                self.keeping.tokens.insert(token.id, (token, until));
            }
            LedgerEvent::Audit(line) => {
                self.remember_audit(AuditLine {
                    number: line.number,
                    at_s: line.at_s,
                    who: line.who,
                    what: line.what,
                    about: line.about,
                    from: line.from,
                });
            }
            LedgerEvent::Suspended(member) => {
                self.keeping.suspended.insert(MemberId::try_from(&member.member[..]).ok()?);
            }
            _ => return None,
        }
        Some(())
    }
}

fn settings_of(on_disk: disk::Settings) -> Settings {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let count = |count: u32| Some(count).filter(|count| *count > 0);
    Settings {
        box_name: text(on_disk.box_name),
        time_zone: text(on_disk.time_zone),
        retention: Some(on_disk.retention_s).filter(|seconds| *seconds > 0).map(Duration::from_secs),
        mailbox_envelopes: count(on_disk.mailbox_envelopes),
        mailbox_bytes: Some(on_disk.mailbox_bytes).filter(|bytes| *bytes > 0),
        members: count(on_disk.members),
        devices_per_member: count(on_disk.devices_per_member),
        inviting_role: Role::of_number(on_disk.inviting_role),
        revision: on_disk.revision,
    }
}
