# Texts of the pages that belong to no problem and to no field error. The script_* texts are those of
# /signup.js, which replaces %name%.

page =
    .create_account = Create your account
    .error = Error
    .colon = { ": " }
    .optional = optional
    .continue_with = Continue with { $provider }
    .or = or
    .show = Show
    .hide = Hide
    .show_password = Show password
    .hide_password = Hide password
    .password_rules = Password requirements:
    .password_rules_unmet = Choose a password that meets every rule listed.
    .enter_password_again = Enter your password again.
    .submit = Create account
    .accept_terms = I accept the [terms].
    .new_tab = opens in a new tab
    .have_account = Already have an account?
    .log_in = Log in
    .reset_password = Reset your password
    .privacy = Privacy
    .choose = Choose an option
    .success_title = Welcome
    .success_title_name = Welcome, { $name }
    .success_created = Your account has been created.
    .success_created_email = Your account for { $email } has been created.
    .success_confirm_email = Check your inbox: if there's an email asking you to confirm your address, open the link in it.
    .success_log_in = Then log in with your email address and password.
    .success_accepted_title = Check your inbox
    .success_accepted = We've received your sign-up. Check your inbox for what to do next.
    .success_accepted_email = We've received your sign-up. Check the inbox of { $email } for what to do next.
    .back_to_form = Back to the form
    .back_to_site = Back to { $site }
    .try_again_in = { $seconds ->
        [one] Try again in { $seconds } second.
       *[other] Try again in { $seconds } seconds.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Try again in { $minutes } minute.
       *[other] Try again in { $minutes } minutes.
    }
    .reference = Reference
    .leave_empty = Leave this field empty
    .needs_script = Turn on JavaScript to sign up. We use it to check that you're not a robot.
    .script_suggestion = Did you mean %address%?
    .script_caps_lock = Caps Lock is on.
    .script_password_shown = Your password is visible.
    .script_password_hidden = Your password is hidden.
    .script_submitting = Creating your account…
    .script_retrying = This is taking longer than usual. We're still trying…
    .script_checking = Checking that you're not a robot…
    .script_offline_heading = We couldn't connect
    .script_offline = Check your internet connection, then try again. Everything you entered is still here.
    .script_wait = Try again in %seconds% seconds.
    .script_wait_minutes = Try again in %minutes% minutes.
    .script_met = done:
    .script_unmet = not yet:

# Names of the fields.
field =
    .email = Email address
    .password = Password
    .given_name = First name
    .family_name = Last name
    .name = Full name
    .nickname = Nickname
    .picture = Picture (web address)
    .username = Username
    .phone_number = Phone number
    .terms = Terms
