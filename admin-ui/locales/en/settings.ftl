# Settings, sign-in of oneself, keepers, tokens, backup.

yes = yes
no = no
never = never

settings-more = More settings
settings-back = Settings
settings-names = Name and time
settings-default = Default: { $value }.
settings-bounds = From { $from } to { $to }.
settings-fixed = It cannot be changed here: { $by } sets it.
settings-needs-restart = It holds once the box was restarted.
settings-telemetry = Telemetry
settings-telemetry-text = There is none. The box calls nobody, counts for nobody, and reports to nobody. There is nothing to switch off.
settings-power = Power and reset
settings-restart = Restart …
settings-shut-down = Shut down …
settings-reset = Reset to new …
settings-group-box = How long, and where
settings-group-quota = Limits
settings-group-gate = Connections of strangers
settings-group-invite = Invitations
settings-group-tls = Certificate
settings-group-metrics = Monitoring
settings-group-log = Logs
settings-group-admin = Dashboard

setting = Setting
setting-listen = Where members reach the box
setting-data = Folder of keys and log
setting-addresses = Addresses in invitations
setting-retention = How long anything is kept, at most
setting-quota-mailbox-envelopes = Envelopes that one mailbox holds
setting-quota-mailbox-bytes = Size that one mailbox holds
setting-quota-mailbox-small-places = Places of a mailbox left to the smallest envelopes
setting-quota-token-burst = Envelopes that one token may bring at once
setting-quota-token-per-second = Envelopes a second that one token may bring after that
setting-quota-credit-max = Envelopes on their way to one device at a time
setting-quota-bundle-fetches-per-hour = Fetches of public keys an hour, for each token
setting-quota-owner-burst = Changes of tokens that one device may make at once
setting-quota-owner-per-minute = Changes of tokens a minute after that
setting-quota-members = Members that the box takes
setting-quota-devices-per-member = Devices of one member
setting-quota-box-bytes = Size that may wait in the whole box
setting-quota-box-ids = Envelopes that the whole box remembers
setting-quota-unproven-for = How long a connection may stay without showing anything
setting-quota-sender-idle-for = How long a sender may stay silent
setting-gate-half-open = Connections of one address that have shown nothing yet
setting-gate-new-per-second = New connections a second of one address
setting-gate-burst = New connections of one address at once
setting-gate-waiting = Connections of one address that may wait
setting-tls-certificate = Certificate
setting-tls-key = Its private key
setting-metrics-listen = Where figures are served
setting-admin-listen = Where this dashboard listens
setting-invite-by = Who may invite
setting-log-format = Form of the log
setting-log-level = Least severe lines of the log
choice-keepers = Keepers
choice-members = Keepers and members
choice-owners = Owners
choice-off = Nobody

sessions-title = Your sign-in
sessions = Sessions
sessions-text = Where you are signed in
session-browser = Browser
session-from = From
session-began = Signed in
session-used = Last used
session-this = this one
session-end = End …
sessions-end-others = End all others …
password-change = Change your password
password-current = Your password now
password-change-now = Change the password
totp-title = Codes of an app
totp-text = With an app for sign-in codes, somebody who learns your password cannot get in with it.
totp-qr = QR code for the app
totp-scan = Scan this code with the app, then type the six digits that it shows.
totp-secret = If you cannot scan, type this into the app:
totp-first = Code of the app
totp-begin = Set it up
totp-on = Turn it on
totp-off = Turn it off

keepers-title = Keepers
keepers-lead = Who may open this dashboard. Keepers need not be members, and members cannot see who keeps the box.
keepers-count = { $count ->
    [one] 1 keeper
   *[other] { $count } keepers
}
keeper-name-column = Name
keeper-role = Role
keeper-role-of = Role of { $name }
keeper-totp = Codes of an app
keeper-this = you
keeper-change = Change
keeper-remove = Remove …
keeper-new = Add a keeper
keeper-new-name = Name
keeper-new-name-hint = Seen by other keepers and in the audit log
keeper-new-role = Role
keeper-new-password = First password
keeper-new-password-hint = Tell it in person; the keeper can change it afterwards
keeper-add = Add

tokens-title = Tokens for programs
tokens-lead = With a token, a program of yours can ask the box what this dashboard shows, or read its figures.
tokens-none = There are none.
tokens-count = { $count ->
    [one] 1 token
   *[other] { $count } tokens
}
token-name = Name
token-scope = May
token-by = Made by
token-used = Last used
token-expires = Ends
token-revoke = Revoke …
token-made = The token “{ $name }” was made. Copy it now: it is not shown again.
token-secret = Token
token-new = New token
token-new-name = Name
token-new-name-hint = What will use it, such as “Grafana”
token-new-scope = What it may do
token-new-expires = Good for
token-days = { $days ->
    [7] 1 week
    [30] 30 days
    [90] 90 days
    [365] 1 year
   *[other] { $days } days
}
token-make = Make the token
scope-metrics = read the figures only
scope-viewer = look at everything that a viewer sees
scope-read = look at everything that a viewer sees
scope-keeper = do what a keeper may do
scope-owner = do what an owner may do

backup-title = Backup
backup-lead = A backup holds the box’s identity, its members, tokens and settings, sealed with a passphrase. It never holds messages.
backup-make = Make one
backup-last = The last backup was made:
backup-never = There is none yet. If the card dies without one, every member has to join anew.
backup-passphrase = Passphrase
backup-passphrase-hint = Without it nobody can open the backup, and nobody can look it up
backup-again = The same passphrase again
backup-download = Download a backup
restore-title = Come back from one
restore-at-machine = At the machine, into a new and empty folder:
restore-text = You see what is in the file before anything changes.
restore-file = Backup file
restore-passphrase = Its passphrase
restore-look = Look into it
restore-preview = This is in the file. Restoring puts it in the place of what the box has now, and restarts the box.
restore-box = Box
restore-other-box = another box
restore-made = Made
restore-lost = These members joined since, and would have to join again
restore-returning = These members were removed since, and would be back
restore-now = Restore this backup
