# The frame of every page, words that many pages use, numbers and times, what went wrong.
#
# Names in braces are filled in. Plain text only: no HTML.

skip = Skip to the content
nav = Pages
menu = Menu
menu-close = Close the menu
sign-out = Sign out
box-without-a-name = Box without a name
title-error = Error:
continue = Continue
cancel = Cancel
search = Search
copy = Copy
copied = Copied
print = Print
actions = Actions
save = Save
needs-keeper = You may look, but not change anything here: that takes the role “keeper”.
needs-owner = You may look, but not change anything here: that takes the role “owner”.

nav-overview = Overview
nav-members = Members
nav-invitations = Invitations
nav-reports = Reports
nav-traffic = Traffic
nav-memory = Log and memory
nav-network = Network
nav-settings = Settings
nav-audit = Audit log
nav-logs = Logs
nav-about = About
nav-problems = { $count ->
    [one] 1 thing to look at
   *[other] { $count } things to look at
}
nav-open-reports = { $count ->
    [one] 1 open report
   *[other] { $count } open reports
}

role-viewer = viewer
role-keeper = keeper
role-owner = owner
role-viewer-means = Viewer: sees the figures, changes nothing
role-keeper-means = Keeper: lets members in and out, handles reports
role-owner-means = Owner: everything, settings and other keepers too

pages = Pages of the list
page-of = Page { $page } of { $pages }
page-before = Previous page
page-after = Next page

# Numbers, sizes, times.
number = { $n }
size-b = { $n } B
size-kib = { $n } KiB
size-mib = { $n } MiB
size-gib = { $n } GiB
size-tib = { $n } TiB
time-d = { $n } d
time-h = { $n } h
time-min = { $n } min
time-s = { $n } s
time-unknown = unknown (the box has no clock)
today = today
yesterday = yesterday
date = { $day } { $month } { $year }
date-and-time = { $date }, { $time }
month-1 = Jan
month-2 = Feb
month-3 = Mar
month-4 = Apr
month-5 = May
month-6 = Jun
month-7 = Jul
month-8 = Aug
month-9 = Sep
month-10 = Oct
month-11 = Nov
month-12 = Dec

# Charts.
chart-hour = The last hour
chart-day = The last day
chart-accepted = Accepted
chart-delivered = Delivered
chart-expired = Expired
chart-refused = Refused
chart-sum-accepted = { $count } accepted
chart-sum-delivered = { $count } delivered
chart-sum-expired = { $count } expired
chart-sum-refused = { $count } refused
chart-empty = Nothing passed through the box in this time.
chart-table = Show the numbers
chart-table-of = { $title } in numbers; times without any are left out
chart-from = From

# What is wrong with a field.
summary-title = There is a problem
summary-line = { $field }: { $text }
wrong-empty = Fill this in
wrong-too-long = This is too long: at most { $max } characters
wrong-too-short = This is too short: at least { $min } characters
wrong-not-a-number = Type a whole number, such as 3
wrong-out-of-bounds = This must be between { $from } and { $to }
wrong-not-text = This holds something that is no text; type it again
wrong-not-the-same = The two passwords differ; type both again
wrong-not-accepted = That did not match; try again
wrong-code = This is not the code; look at the console again, the newest one counts
wrong-wait = Too many tries; wait { $duration } and try again
wrong-not-that-name = This is not the name; type it as it stands above
wrong-taken = This name is taken; choose another one
wrong-no-choice = Choose one of these
wrong-no-zone = Choose a time zone from the list
wrong-not-that-file = This file cannot be read; choose another one
# What the box says in its own English.
as-it-is = { $text }

# What just happened.
notice-stale-form = This page was open for too long, so nothing was changed. What you typed is still here: check it and send it again.
notice-changed-meanwhile = Somebody else changed this in the meantime, so nothing was saved. What you typed is still here: compare it and send it again.
notice-changed-meanwhile-by = { $name } changed this in the meantime, so nothing was saved. What you typed is still here: compare it and send it again.
notice-already-done = This was sent twice and done once.
notice-signed-out = You are signed out.
notice-session-ended = Your session has ended. Sign in, and you are brought back to where you were.
notice-set-up = The box is set up.
notice-member-removed = { $name } was removed, with all devices and what waited for them.
notice-member-suspended = { $name } is suspended.
notice-member-resumed = { $name } may use the box again.
notice-device-revoked = The device was revoked.
notice-invited = { $count ->
    [one] The invitation was made.
   *[other] { $count } invitations were made.
}
notice-withdrawn = The invitation was withdrawn. Whoever has it can no longer join with it.
notice-compacted = Compacted: the ledger had { $before } records and now has { $after }.
notice-verifying = The box is reading all records. You can leave this page.
notice-saved = Saved.
notice-saved-for-next-start = Saved. This holds once the box was restarted.
notice-password-changed = The password was changed. All other sessions have ended.
notice-totp-on = From now on, signing in asks for a code of your app.
notice-totp-off = Signing in no longer asks for a code.
notice-session-revoked = The session was ended.
notice-other-sessions-revoked = All other sessions were ended.
notice-keeper-added = { $name } was added.
notice-keeper-changed = The role of { $name } was changed.
notice-keeper-removed = { $name } was removed.
notice-token-revoked = The token was revoked.
notice-report-dismissed = The report was closed.
notice-report-acted-on = Done. The report is closed.
notice-certificate-taken = The certificate is in use.

# What could not be done.
failed-back = Back
failed-not-found = There is nothing here
failed-not-found-text = The address is wrong, or what was here is gone: members, invitations and reports can be removed by another keeper.
failed-not-that-way = This cannot be opened that way
failed-not-that-way-text = This address only takes what a form sends. Go back and use the buttons.
failed-needs-role = You may not do this
failed-needs-role-text = This takes the role “{ $role }”. Ask an owner of the box to do it, or to change your role.
failed-foreign-form = This did not come from here
failed-foreign-form-text = The form was sent from another site, or without its proof, so nothing was changed. If that was you, go back, load the page again and send it once more.
failed-wrong-host = This is not the name of this box
failed-wrong-host-text = The dashboard only answers to its own address. Open it with the address that the box shows on its console.
failed-too-large = That was too much
failed-too-large-text = At most { $max } are taken here, so nothing was changed.
failed-not-a-form = That could not be read
failed-not-a-form-text = What was sent is not a form, or not text. Nothing was changed. Go back, load the page again and send it once more.
failed-too-often = Too many tries
failed-too-often-text = Wait { $duration } and try again.
failed-public-address = Only from your own network
failed-public-address-text = The dashboard does not answer to addresses on the internet. Open it from the network that the box is in.
failed-cannot-store = The disk refuses
failed-cannot-store-text = Nothing was changed, because the box cannot write to its disk. The overview says what to do.
failed-stopping = The box is going down
failed-stopping-text = Nothing was changed. Try again when it is back.
failed-internal = Something went wrong in the box
failed-internal-text = Nothing was changed as far as the box can tell. The logs have a line with { $reference }: it says more.
