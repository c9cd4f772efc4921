//! `/network`: where the box can be reached, and what to do if it cannot.

use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Network. Its form: POST `/network/certificate` (multipart) with the files `certificate` and `key`.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The listeners.
    pub ports: Vec<Port>,
    /// What invitations name as the box's addresses.
    pub addresses: Vec<String>,
    /// Those are of this machine's private network only: nobody gets in from outside.
    pub only_private: bool,
    /// The box's identity, in hex: what apps pin.
    pub identity: String,
    /// The certificate.
    pub certificate: Certificate,
    /// The port and the private address that a router has to forward to.
    pub forward: Option<(u16, String)>,
    /// A certificate can be sent from here.
    pub takes_certificate: bool,
    /// What is wrong.
    pub errors: Errors,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What it is for.
    pub use_of: PortUse,
    /// Address and port.
    pub address: String,
    /// Why it is not open, as the system says it; `None`: it is open.
    pub shut: Option<String>,
}

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortUse {
    /// Members' apps, JSON.
    Members,
    /// This dashboard.
    Dashboard,
    /// Figures for monitoring.
    Metrics,
}

impl PortUse {
    const fn key(self) -> &'static str {
        match self {
            Self::Members => "port-members",
            Self::Dashboard => "port-dashboard",
            Self::Metrics => "port-metrics",
        }
    }
}

/// The certificate that browsers see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The keeper's own; else self-made.
    pub own: bool,
    /// The names in it.
    pub names: Vec<String>,
    /// Its end; 0: unknown.
    pub ends_unix_s: u64,
    /// SHA-256 of it, in hex: to be compared with what a browser warns of.
    pub fingerprint: String,
}

impl Page for Network {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-network")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "certificate" => "certificate-file",
            "key" => "certificate-key",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Network, "network.html");
