-- Prosody with Debian's modules for one person's messages; offline messages in files, its default.
-- Fair: no rate limit, no TLS, passwords as they are, so that no message pays for a hash.
pidfile = "@DIR@/prosody.pid"
data_path = "@DIR@"
run_as_root = true
interfaces = { "127.0.0.1" }
c2s_ports = { @PORT@ }
s2s_ports = {}
http_ports = {}
https_ports = {}
modules_enabled = {
    "disco", "roster", "saslauth", "blocklist", "carbons", "pep", "private", "smacks", "csi_simple", "ping", "register",
    "time", "uptime", "version", "posix",
}
modules_disabled = { "s2s", "tls" }
authentication = "internal_plain"
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
allow_registration = true
log = { error = "@DIR@/prosody.err" }
VirtualHost "localhost"
