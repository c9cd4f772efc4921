# The overview, and all that may be wrong with a box.

all-is-well = All is well.
overview-more = { $count ->
    [one] 1 more thing to look at
   *[other] { $count } more things to look at
}
overview-nobody = Nobody is here yet
overview-nobody-text = A box without members has nothing to do. Make an invitation and scan it with the app on a phone or computer.
overview-invite = Make an invitation
overview-now = Now
overview-charts = Charts
overview-traffic = Envelopes
overview-machine = The box

figure-members = Members online
figure-devices = Devices online
figure-waiting = Envelopes waiting
figure-waiting-bytes = Their size
figure-accepted = Accepted today
figure-forgotten = Forgotten today
figure-delivered = Delivered today
figure-expired = Expired today
figure-relayed = Relayed today
figure-log = The log takes
figure-disk = Disk used
figure-worn = Wear of the card
figure-written = Written since the start
figure-celsius = Temperature
figure-memory = Memory of the box
figure-machine-memory = Memory of the machine
figure-uptime = Running for
figure-compaction = Next compaction
figure-of = { $some } of { $all }
figure-percent = { $n } %
figure-degrees = { $n } °C
figure-in = in { $duration }
figure-not-due = not due

problem-disk-refuses = The disk refuses: the box accepts nothing new. What waits is still delivered.
problem-disk-refuses-remedy = Make room on the disk, or replace the card. Senders keep what was refused and try again by themselves.
problem-disk-refuses-button = See the log
problem-disk-nearly-full = The disk is nearly full: { $free } are free.
problem-disk-nearly-full-remedy = Remove what does not belong to the box. Compacting now may free a little.
problem-disk-nearly-full-button = See the log
problem-clock-lost = The box does not know the time.
problem-clock-lost-remedy = It asks for the time as soon as it reaches the internet. Until then invitations and tokens do not expire, and old mail is destroyed early rather than late.
problem-port-shut = The box cannot be reached at { $address }: { $why }
problem-port-shut-remedy = Another program may have the port. The network page says what to do.
problem-port-shut-button = See the network
problem-damaged-records = { $count ->
    [one] 1 record was found damaged and is kept aside.
   *[other] { $count } records were found damaged and are kept aside.
}
problem-damaged-records-remedy = Senders send again what was in them. If it happens more than once, replace the card.
problem-damaged-records-button = See what was damaged
problem-lost-windows = { $count ->
    [one] Half an hour of mail was lost.
   *[other] { $count } half hours of mail were lost.
}
problem-lost-windows-remedy = Nothing needs to be done: senders were told and send again.
problem-lost-windows-button = See the log
problem-check-after-restore = This box was restored from a backup of { $time }.
problem-check-after-restore-remedy = Whoever was removed since then is back. Look through the members.
problem-check-after-restore-button = Check the members
problem-never-backed-up = This box was never backed up.
problem-never-backed-up-remedy = If the card dies, every member has to join anew. A backup takes seconds.
problem-never-backed-up-button = Make a backup
problem-old-backup = The last backup is of { $time }.
problem-old-backup-remedy = Members and tokens that came since then are not in it.
problem-old-backup-button = Make a backup
problem-certificate-ends = The certificate ends on { $time }.
problem-certificate-ends-remedy = Browsers will warn from then on. Apps are not affected: they know the box by its identity.
problem-certificate-ends-button = See the certificate
problem-hot = The box is hot: { $celsius } °C.
problem-hot-remedy = Give it air. Above 80 °C most boards slow themselves down.
problem-card-worn = The card has used { $percent } % of its life.
problem-card-worn-remedy = Make a backup and plan for a new card.
problem-card-worn-button = Make a backup
problem-ended-suddenly = The last run ended suddenly: a power cut, or the system stopped it.
problem-ended-suddenly-remedy = Nothing that was accepted is lost. If it happens often, look at the power supply.
problem-ended-suddenly-button = See the log
problem-memory-short = The machine is short of memory: { $free } are free.
problem-memory-short-remedy = Stop what else runs on it, or restart it.
problem-doctor = { $text }
problem-doctor-remedy = { $text }

unusual-token = { $count } wrong delivery tokens came from { $places } in the last hour.
unusual-token-remedy = They were refused; nothing needs to be done.
unusual-join = { $count } wrong invitations came from { $places } in the last hour.
unusual-join-remedy = They were refused; nothing needs to be done.
unusual-proof = { $count } devices from { $places } failed to prove who they are in the last hour.
unusual-proof-remedy = They were refused. If a member cannot get in, the device may have to join again: make an invitation.
unusual-handshake = { $count } connections from { $places } broke off in the last hour before they were encrypted.
unusual-handshake-remedy = Nothing was said on them; nothing needs to be done.
unusual-fetch = { $count } fetches of members’ public keys came from { $places } in the last hour.
unusual-fetch-remedy = Each showed a token that a member gave out, so somebody’s app may be at fault; nothing is lost by it.
unusual-sign-in = { $count } wrong passwords were tried on this dashboard from { $places } in the last hour.
unusual-sign-in-remedy = They were refused. If it was not you, somebody in your network is guessing: use an app’s codes for signing in.
unusual-places = { $count ->
    [one] one place
   *[other] { $count } places
}
unusual-many-places = many places
unusual-before = { $hours ->
    [one] In the hour before it was { $count }.
   *[other] In the { $hours } hours before it was { $count }.
}
unusual-no-before = The box has not counted for long enough to say whether that is usual.
