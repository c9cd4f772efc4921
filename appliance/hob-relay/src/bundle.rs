//! Bundles: what a sender needs to seal to a device. Opaque to the box; fetching consumes nothing.

use std::time::Duration;

use bytes::Bytes;
use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::ServerBody;
use hob_protocol::ids::{DeliveryToken, MailboxId};
use hob_protocol::limits::BUNDLE_TTL_MAX;
use hob_protocol::planted;

use crate::clock::{LedgerTime, Now};
use crate::event::{LedgerEvent, disk};
use crate::mailbox::Published;
use crate::{ConnId, Effects, Relay};

/// How long a sender is told to wait for an owner who has to publish first.
const PUBLISHED_AFTER: Duration = Duration::from_secs(300);

impl Relay {
    pub(crate) fn publish(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        bundle: Bytes,
        ttl: Duration,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let number = self.owner_of(conn)?;
        self.charge_owner(now.box_time, number, 1)?;
        let Some(mailbox) = self.mailboxes.get_mut(number) else {
            return Err(Refused::finally(Code::NotAMember));
        };
        let expires_at = now.ledger_time.plus(ttl.min(BUNDLE_TTL_MAX));
        let event = LedgerEvent::Bundle(disk::Bundle {
            mailbox: mailbox.id.0.to_vec().into(),
            bundle,
            expires_at_ms: expires_at.0,
        });
        let asked = std::mem::take(&mut mailbox.bundle_is_stale).then(|| mailbox.event());
        if asked.is_some() {
            // What the box was not sure of goes; the new one is handed out when it is durable.
            mailbox.bundle = None;
        }
        self.append_ledger(event, effects);
        if let Some(device) = asked {
            self.append_ledger(device, effects);
        }
        self.reply_when_durable(conn, request, ServerBody::Done, effects);
        Ok(())
    }

    /// A bundle is durable: from here on it is handed out. One that a power cut could take back would be followed by an
    /// older one, and whoever fetched it would take the box for a liar.
    pub(crate) fn is_published(&mut self, bundle: disk::Bundle) -> Option<()> {
        let number = self.mailboxes.number_of(&MailboxId::try_from(&bundle.mailbox[..]).ok()?)?;
        let expires_at = LedgerTime(bundle.expires_at_ms);
        self.mailboxes.get_mut(number)?.bundle = Some(Published { bundle: bundle.bundle, expires_at });
        Some(())
    }

    pub(crate) fn fetch(
        &mut self,
        now: Now,
        conn: ConnId,
        request: u64,
        token: &DeliveryToken,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let number = self.good_token(now, conn, token, effects)?;
        let (per_hour, hour) = (self.config.bundle_fetches_per_hour, Duration::from_secs(3600));
        let Some(token) = self.tokens.get_mut(number) else {
            return Err(Refused::finally(Code::NoSuchToken));
        };
        token
            .fetches
            .take(now.box_time, 1, per_hour, (per_hour, hour))
            .or_else(|after| if planted!("bundle-fetch-unbounded") { Ok(()) } else { Err(after) })
            .map_err(|after| Refused::for_now(Code::TooFast, after))?;
        let published = self.mailboxes.get(token.mailbox).filter(|mailbox| !mailbox.bundle_is_stale);
        let bundle = published
            .and_then(|mailbox| mailbox.bundle.as_ref())
            .filter(|bundle| bundle.expires_at > now.ledger_time)
            .ok_or(Refused::for_now(Code::NoBundle, PUBLISHED_AFTER))?;
        effects.send(conn, request, ServerBody::Bundle { bundle: bundle.bundle.clone() });
        Ok(())
    }
}
