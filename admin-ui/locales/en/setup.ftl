# First start and signing in.

setup-step = Step { $step } of { $of }
setup-code-title = Set up this box
setup-code-lead = Welcome. The box has shown a code of twelve digits. It proves that you are the one who started it.
setup-code = Set-up code
setup-code-hint = Twelve digits; spaces do not matter
setup-code-where = Where do I find the code?
setup-code-where-text = On the screen that is connected to the box, or where you started it. This command shows it again on the box itself:

setup-password-title = Choose a password
setup-password-lead = You become the owner of this box. Only you and those whom you let in can open this dashboard.
keeper-name = Your name
keeper-name-hint = Other keepers see it in the audit log
password-new = Password
password-new-hint = Four or five random words are strong and easy to type. The box makes no other rules.
password-again = The same password again
strength-weak = Strength: weak. Somebody in your network could guess it.
strength-fair = Strength: fair. Longer is better.
strength-strong = Strength: strong.

setup-box-title = Name the box
setup-box-lead = You can change both later in the settings.
box-name = Name of the box
box-name-hint = Members see it when they join, such as “Maple Street 4”
zone = Your time zone
zone-hint = All times on these pages are shown in it

setup-invite-title = Let the first device in
setup-invite-lead = Start with your own phone or computer. Open the app on it and scan this code.
setup-joined = { $name } has joined. The box is ready.
setup-invite-again = Make the invitation
setup-done = Go to the overview
setup-later = Later: go to the overview

sign-in-title = Sign in
sign-in-name = Your name
password = Password
totp = Code of your app
totp-hint = Six digits. Leave this empty if you do not use an app for signing in
sign-in = Sign in
forgot = Forgot the password?
forgot-text = Nobody can look it up, and nobody can reset it from here. This command on the box itself gives you a new set-up code for a new password; members and their mail stay as they are:
