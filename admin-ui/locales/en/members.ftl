# Members, devices, invitations, and the questions before destructive things.

members-lead = Everybody whom the box carries mail for.
members-none = Nobody is here yet
members-none-text = A member comes in by an invitation: a code to scan, good for one device. Members choose the label themselves; the box knows no names, numbers or e-mail addresses.
members-search = Search by label or id
members-not-found = Nobody matches “{ $search }”.
members-all = Show everybody
members-count = { $count ->
    [one] 1 member
   *[other] { $count } members
}
members-found = { $count } of { $all } members
members-label = Label
members-seen = Last seen
members-devices = Devices
members-joined = Joined
members-back = All members
members-unknown = What the box does not know
members-unknown-text = What members write, to whom, and whom they know. It keeps no list of contacts and no rooms, it records no sender, and it notes the day on which a device was last here, not the hour.
seen-now = online now
seen-unknown = not since the box counts

member-title = { $name }
member-suspended = suspended
member-suspended-text = This member is suspended: the devices are refused, and nothing is accepted for them. What waits expires in its time.
member-id = Id
member-devices = Devices
member-no-devices = This member has no device left.
member-do = What you can do
member-suspend = Suspend …
member-resume = Let in again …
member-remove = Remove …
device = Device
device-native = App
device-web = Browser
device-waiting = Envelopes waiting
device-revoke = Revoke …

invitations-lead = An invitation lets one device in, once. Give it to the one whom you mean: whoever has it can use it.
invite-new = New invitation
invite-how-many = How many
invite-how-many-hint = One for each person: 1 to 50
invite-expires = Good for
invite-for-hours = { $hours ->
    [1] 1 hour
    [24] 1 day
    [72] 3 days
    [168] 1 week
    [720] 30 days
   *[other] { $hours } hours
}
invite-make = Make invitations
invite-open = Open invitations
invite-none = There are none. An invitation disappears from here when it was used, when it expired, or when you withdraw it.
invite-count = { $count ->
    [one] 1 invitation that nobody used yet
   *[other] { $count } invitations that nobody used yet
}
invite-name = Invitation
invite-for = For
invite-for-new = a new member
invite-for-device = a further device of { $name }
invite-until = Good until
invite-show = Show
invite-withdraw = Withdraw …
invite-print-all = Print all

ticket-title = { $count ->
    [one] Invitation
   *[other] Invitations
}
ticket-to = { $all ->
    [one] Invitation to { $name }
   *[other] Invitation { $n } of { $all } to { $name }
}
ticket-back = All invitations
ticket-lead = Show the code, send the link, or print this page. Each invitation lets one device in, once.
ticket-qr = QR code of the invitation
ticket-how-1 = Install the app on your phone or computer.
ticket-how-2 = Choose “Join a box” and scan this code.
ticket-how-3 = Choose a label, so that the others know you.
ticket-good-until = Good until
ticket-link = Or open this link on the device
ticket-link-hint = Whoever has it can join: send it only to the one whom you mean
ticket-gone = This invitation was used, has expired, or was withdrawn.

confirm-typed = The name
confirm-type-name = Type “{ $name }” to confirm
confirm-remove-member = Remove { $name }?
confirm-remove-member-happens = { $devices ->
    [one] The device is cut off, and its mailbox is destroyed with the { $waiting } envelopes that wait in it.
   *[other] All { $devices } devices are cut off, and their mailboxes are destroyed with the { $waiting } envelopes that wait in them.
}
confirm-remove-member-stays = What is on the member’s devices stays there. To come back, the member needs a new invitation, and contacts need a new code.
confirm-remove-member-button = Remove the member
confirm-suspend-member = Suspend { $name }?
confirm-suspend-member-happens = The devices are cut off until you let the member in again. Nothing new is accepted for them.
confirm-suspend-member-stays = What already waits stays until it expires; nothing else is destroyed.
confirm-suspend-member-button = Suspend
confirm-resume-member = Let { $name } in again?
confirm-resume-member-happens = The devices can connect at once, and get what still waits.
confirm-resume-member-button = Let in again
confirm-revoke-device = Revoke a device of { $name }?
confirm-revoke-device-happens = The device is cut off, and its mailbox is destroyed with the { $waiting } envelopes that wait in it. It cannot come back without a new invitation.
confirm-revoke-device-last = It is the last device of { $name }, so the member is removed with it.
confirm-revoke-device-button = Revoke the device
confirm-withdraw = Withdraw the invitation?
confirm-withdraw-happens = Whoever has it can no longer join with it.
confirm-withdraw-button = Withdraw
confirm-compact = Compact the ledger now?
confirm-compact-happens = The box writes what is alive of its ledger anew and destroys the old copy with its key. The open half hour is closed. This takes seconds, and members notice nothing.
confirm-compact-button = Compact now
confirm-verify = Read all records now?
confirm-verify-happens = The box reads its whole log and checks every record. Members notice nothing; on a slow card it can take minutes.
confirm-verify-button = Verify now
confirm-restart = Restart the box?
confirm-restart-happens = Members are told and come back by themselves within seconds. Nothing is lost.
confirm-restart-button = Restart
confirm-shut-down = Shut the box down?
confirm-shut-down-happens = Members are told. Until somebody starts the box again, nothing is delivered, and this dashboard is gone. What waits expires in its time.
confirm-shut-down-button = Shut down
confirm-reset = Reset the box to how it was new?
confirm-reset-happens = { $members ->
    [one] Everything on the box is destroyed: its identity, its 1 member, all settings and all that waits. The member has to join anew; a backup can bring all back but the mail.
   *[other] Everything on the box is destroyed: its identity, its { $members } members, all settings and all that waits. Every member has to join anew; a backup can bring all back but the mail.
}
confirm-reset-button = Go on
confirm-reset-now = Last step: destroy everything?
confirm-reset-now-happens = This cannot be undone. { $members ->
    [one] The keys of the box are overwritten first, so what 1 member had waiting cannot be read afterwards by anybody.
   *[other] The keys of the box are overwritten first, so what { $members } members had waiting cannot be read afterwards by anybody.
}
confirm-reset-now-button = Destroy everything
confirm-revoke-session = End this session?
confirm-revoke-session-happens = Whoever uses it has to sign in again.
confirm-revoke-session-button = End the session
confirm-revoke-other-sessions = End all other sessions?
confirm-revoke-other-sessions-happens = Everybody who is signed in with your name elsewhere has to sign in again. This session stays.
confirm-revoke-other-sessions-button = End the others
confirm-remove-keeper = Remove the keeper { $name }?
confirm-remove-keeper-happens = The keeper can no longer sign in. What was done stays in the audit log.
confirm-remove-keeper-button = Remove the keeper
confirm-revoke-token = Revoke the token “{ $name }”?
confirm-revoke-token-happens = Programs that use it are refused at once.
confirm-revoke-token-button = Revoke
