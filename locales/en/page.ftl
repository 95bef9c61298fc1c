# Texts of the pages that belong to no problem and to no field error. The script_* texts are those of
# /signup.js, which replaces %name%.

page =
    .create_account = Create your account
    .error = Error
    .optional = optional
    .show = Show
    .show_password = Show password
    .password_rules = Your password must have:
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
    .success_confirm_email = Check your inbox for an email to confirm your address.
    .success_log_in = Then log in with your email address and password.
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
    .needs_script = Turn on JavaScript for this page, so that we can check that you're not a robot.
    .script_suggestion = Did you mean %address%?
    .script_offline = The connection failed. Your details are still here. Send the form again.
    .script_wait = Try again in %seconds% seconds.
    .script_wait_minutes = Try again in %minutes% minutes.
    .script_working = One moment…
    .script_met = done:
    .script_unmet = not yet:
    .script_created = Your account was created.
    .script_accepted = Thank you. Check your inbox for what to do next.

# Names of the fields.
field =
    .email = Email address
    .password = Password
    .given_name = First name
    .family_name = Last name
    .name = Name
    .nickname = Nickname
    .picture = Picture (web address)
    .username = Username
    .phone_number = Phone number
    .terms = Terms
