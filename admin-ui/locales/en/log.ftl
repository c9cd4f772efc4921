# Log and memory, traffic, network, audit log, logs, about.

memory-lead = The box forgets: what it carried cannot be read from its disk later than { $duration } after it came.
memory-windows = The last hours
memory-no-windows = Nothing is kept at the moment.
memory-picture = Envelopes by the half hour in which they came
memory-picture-sum = { $windows ->
    [one] 1 half hour
   *[other] { $windows } half hours
}; { $waiting } envelopes wait in them
memory-windows-count = { $count ->
    [one] 1 window of half an hour
   *[other] { $count } windows of half an hour
}
memory-windows-hint = As soon as nothing waits in a window, the key of its contents is destroyed. The window itself, with all that is left of it, goes at the time in the last column.
memory-opened = Opened
memory-waiting = Waiting
memory-size = Size
memory-contents = Contents
memory-destroyed = Destroyed
memory-window-open = open, takes envelopes in
memory-window-readable = sealed, waits for owners
memory-window-unreadable = key destroyed
memory-ledger = What lasts
memory-ledger-text = Members, devices, tokens, settings and the audit log lie in the ledger. It is written anew from time to time, and the old copy is destroyed with its key.
memory-generation = Generation
memory-records = Records
memory-records-dead = { $count }, of which { $dead } mean nothing any more
memory-last-compaction = Last compaction
memory-compacted = { $before } records became { $after }, in { $ms } ms
memory-compact = Compact now …
memory-verify-title = Verifying
memory-verify-never = The box checks each record when it reads it. Verifying reads all of them now.
memory-verify-running = Reading: { $read } of { $all }
memory-verify-done = { $damaged ->
    [0] all { $records } records are whole.
   *[other] of { $records } records, { $damaged } are damaged. Senders send again what was in them; if it happens again, replace the card.
}
memory-verify-failed = Verifying did not finish: { $why }
memory-verify = Verify now …
memory-quarantine = Quarantine
memory-quarantine-none = Nothing was found damaged.
memory-quarantine-text = Damaged and kept aside, so that nothing of it is used. Whoever sent it was told and sends again.
memory-place = Place
memory-found = Found

traffic-lead = What passes through the box, in numbers: who writes to whom, it does not know.
traffic-hours = The last day, by hours
traffic-connections = Connected now
traffic-owners = Devices
traffic-senders = Others
traffic-senders-hint = Others bring envelopes and do not say who they are.
traffic-since = Since the start
traffic-started = Started
traffic-online-only = Only for who was online, never kept
traffic-duplicates = Came again, kept once
traffic-refusals = Refusals
traffic-refusals-none = Nothing was refused since the start.
traffic-refusals-text = Refused since the start, by reason
traffic-reason = Reason
traffic-times = Times
refused-BadFrame = Something that is no frame of the protocol
refused-UnsupportedVersion = A version of the protocol that is not spoken here
refused-UnknownFrame = A kind of frame that is not known here
refused-TooLarge = A frame larger than any that is taken
refused-NotProved = Asked before proving who it is
refused-NotAnonymous = Sent on a connection that had proved who it is
refused-BadProof = A device failed to prove who it is
refused-NotAMember = A device of no member
refused-ExporterMissing = A device did not bind its proof to the connection
refused-BadCursor = A place in a list that does not hold any more
refused-NoSession = No session, or one that ended
refused-ForeignOrigin = A web page that is not the box’s own
refused-NoSuchInvitation = An invitation that is not good
refused-InvitationExpired = An invitation that had expired
refused-TooManyTickets = Too many open tickets for further devices
refused-TooManyDevices = Too many devices of one member
refused-NoSuchToken = A delivery token that no mailbox takes
refused-NotAnEnvelope = Something that has the size of no envelope
refused-TtlTooShort = A time to live that is too short
refused-MailboxFull = The mailbox was full
refused-TooFast = Too fast
refused-TooManyTokens = Too many tokens of one mailbox
refused-NoBundle = No public keys were there to fetch
refused-BadBundle = Public keys of the wrong size
refused-CannotStore = The disk refused
refused-Restarting = The box was restarting
refused-BoxFull = No new members are taken
refused-TooSlow = The connection was too slow
refused-Superseded = Another connection of the device had taken over
refused-Revoked = The device was removed
refused-Suspended = The member is suspended
traffic-quotas = Limits
traffic-change = Change the limits

network-lead = How members reach the box, and what to do when they cannot.
network-ports = Ports
network-ports-text = Where the box listens
network-use = For
network-address = Address
network-state = State
network-open = open
network-shut = not open: { $why }
port-members = Members’ apps
port-dashboard = This dashboard
port-metrics = Figures for monitoring
network-addresses = Addresses in invitations
network-addresses-text = Apps look for the box at these, one after the other.
network-no-addresses = The box knows no address of its own. Name one in the settings, or members cannot find it.
network-only-private = These addresses are of your own network only: members reach the box while they are in it, and not from outside.
network-router = From outside
network-router-text = If members shall reach the box from the internet, your router has to let them through:
network-router-1 = Open your router’s page in a browser and look for “port forwarding” or “virtual server”.
network-router-2 = Forward TCP port { $port } to { $address }, port { $port }.
network-router-3 = Give this box a fixed address there, so that the rule stays right.
network-router-4 = Add your public address or name to the box’s addresses in its configuration. Never forward the port of this dashboard.
network-identity = Identity of the box
network-identity-text = Apps know the box by this key and by nothing else, so a new certificate or a new address cuts nobody off.
network-certificate = Certificate
network-certificate-own = The box uses your own certificate.
network-certificate-self = The box made its certificate itself, so browsers warn. Compare the fingerprint below with the one in the warning: if they are the same, nobody is in between.
network-ends = Valid until
network-names = Names
network-fingerprint = Fingerprint (SHA-256)
network-upload = Use a certificate of your own
certificate-file = Certificate
certificate-file-hint = PEM, with its chain
certificate-key = Its private key
certificate-key-hint = PEM. It is kept on the box, readable by the box only
network-upload-now = Use this certificate

filter = Filter
audit-lead = Every change that a keeper made. Nobody can change or remove what stands here; it goes with the box.
audit-who = Who
audit-what = What
audit-from = From the day
audit-to = Up to the day
audit-everybody = Everybody
audit-everything = Everything
audit-csv = Download as CSV
audit-none = Nothing was changed yet.
audit-nothing-found = Nothing matches. Choose fewer conditions.
audit-count = { $count ->
    [one] 1 entry
   *[other] { $count } entries
}
audit-when = When
audit-about = About
audit-where = From where
audit-console = on the box itself
audit-set-up = Set the box up
audit-signed-in = Signed in
audit-sign-in-refused = Failed to sign in
audit-signed-out = Signed out
audit-invited = Made invitations
audit-withdrawn = Withdrew an invitation
audit-member-removed = Removed a member
audit-member-suspended = Suspended a member
audit-member-resumed = Let a member in again
audit-device-revoked = Revoked a device
audit-compacted = Compacted the ledger
audit-verified = Verified the log
audit-setting-changed = Changed a setting
audit-password-changed = Changed the password
audit-totp-on = Turned codes of an app on
audit-totp-off = Turned codes of an app off
audit-session-revoked = Ended a session
audit-keeper-added = Added a keeper
audit-keeper-changed = Changed a keeper’s role
audit-keeper-removed = Removed a keeper
audit-keeper-reset = Reset the keeper on the console
audit-token-made = Made a token
audit-token-revoked = Revoked a token
audit-report-opened = Opened a report
audit-report-dismissed = Closed a report
audit-report-acted-on = Acted on a report
audit-backed-up = Made a backup
audit-restored = Restored a backup
audit-certificate-changed = Changed the certificate
audit-restarted = Restarted the box
audit-shut-down = Shut the box down
audit-reset = Reset the box

logs-lead = The last { $count } lines that the box wrote, newest first. They are kept in memory and are gone after a restart.
logs-level = How severe
logs-level-column = Level
logs-search = Search in the lines
logs-download = Download
logs-redacted = Lines name no address, token, mailbox or label. The download is looked through once more before it leaves the box.
logs-none = No line matches.
logs-count = { $count ->
    [one] 1 line
   *[other] { $count } lines
}
logs-line = Line
level-error-on = Errors
level-warn-on = Warnings and worse
level-info-on = What happens, and worse
level-debug-on = Everything
level-error = error
level-warn = warning
level-info = info
level-debug = debug
level-trace = trace

about-lead = Hob carries sealed messages between the devices of its members, and forgets them.
about-version = Version
about-system = Runs on
about-licence = Licence
about-licence-text = Hob is free software. You may use it under the MIT licence or the Apache License 2.0, as you choose.
about-parts = Whose work is in it
about-parts-text = Hob is built of these libraries. Thank you.
about-no-parts = This program was built without its list of libraries.
about-count = { $count } libraries
about-part = Library

wait-restart = The box restarts
wait-restart-text = Members were told and come back by themselves. This takes a few seconds.
wait-shut-down = The box goes down
wait-shut-down-text = You can close this page. To have the box back, start it where it stands: switch it off and on, or start its service.
wait-reset = The box forgets everything
wait-reset-text = Its keys are being overwritten. Afterwards it is as new, and shows a set-up code on its console.
wait-restore = The box comes back from the backup
wait-restore-text = It restarts with the members of the backup. Sign in with the password that you have now.
wait-asking = Waiting for the box …
wait-open = Open the dashboard
