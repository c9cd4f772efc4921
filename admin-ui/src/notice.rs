//! How what just happened is told.

use crate::chrome::Notice;
use crate::ui::Ui;

/// A notice as it is told.
pub(crate) struct Told {
    pub(crate) failed: bool,
    pub(crate) text: String,
}

/// Its text, and whether it is a failure.
pub(crate) fn told(ui: &Ui<'_>, notice: &Notice) -> Told {
    let good = |text: String| Told { failed: false, text };
    let bad = |text: String| Told { failed: true, text };
    match notice {
        Notice::StaleForm => bad(ui.t("notice-stale-form")),
        Notice::ChangedMeanwhile { by: None } => bad(ui.t("notice-changed-meanwhile")),
        Notice::ChangedMeanwhile { by: Some(by) } => bad(ui.t1("notice-changed-meanwhile-by", "name", by)),
        Notice::AlreadyDone => good(ui.t("notice-already-done")),
        Notice::SignedOut => good(ui.t("notice-signed-out")),
        Notice::SessionEnded => bad(ui.t("notice-session-ended")),
        Notice::SetUp => good(ui.t("notice-set-up")),
        Notice::MemberRemoved { label } => good(ui.t1("notice-member-removed", "name", label)),
        Notice::MemberSuspended { label } => good(ui.t1("notice-member-suspended", "name", label)),
        Notice::MemberResumed { label } => good(ui.t1("notice-member-resumed", "name", label)),
        Notice::DeviceRevoked => good(ui.t("notice-device-revoked")),
        Notice::Invited { count } => good(ui.t1("notice-invited", "count", *count)),
        Notice::Withdrawn => good(ui.t("notice-withdrawn")),
        Notice::Compacted { records_before, records_after } => {
            good(ui.t2("notice-compacted", "before", *records_before, "after", *records_after))
        }
        Notice::Verifying => good(ui.t("notice-verifying")),
        Notice::Saved => good(ui.t("notice-saved")),
        Notice::SavedForNextStart => good(ui.t("notice-saved-for-next-start")),
        Notice::PasswordChanged => good(ui.t("notice-password-changed")),
        Notice::TotpOn => good(ui.t("notice-totp-on")),
        Notice::TotpOff => good(ui.t("notice-totp-off")),
        Notice::SessionRevoked => good(ui.t("notice-session-revoked")),
        Notice::OtherSessionsRevoked => good(ui.t("notice-other-sessions-revoked")),
        Notice::KeeperAdded { name } => good(ui.t1("notice-keeper-added", "name", name)),
        Notice::KeeperChanged { name } => good(ui.t1("notice-keeper-changed", "name", name)),
        Notice::KeeperRemoved { name } => good(ui.t1("notice-keeper-removed", "name", name)),
        Notice::TokenRevoked => good(ui.t("notice-token-revoked")),
        Notice::ReportDismissed => good(ui.t("notice-report-dismissed")),
        Notice::ReportActedOn => good(ui.t("notice-report-acted-on")),
        Notice::CertificateTaken => good(ui.t("notice-certificate-taken")),
        Notice::Other { failed, text } => Told { failed: *failed, text: ui.t1("as-it-is", "text", text) },
    }
}
