# The words of the pages that are neither a problem nor a message about a field.

page =
    .create_account = Create your account
    .error = Error
    .optional = optional
    .show = Show
    .show_password = Show password
    .password_rules = The password needs all of this
    .type_again = Type the password again; it is not kept.
    .submit = Create account
    .accept_terms = I accept the [terms].
    .new_tab = opens in a new tab
    .have_account = Already have an account?
    .log_in = Log in
    .reset_password = Reset the password
    .privacy = Privacy
    .choose = Choose
    .created = Welcome
    .created_mail = Look into your mail: there may be a message to confirm your address.
    .created_log_in = Then log in with your e-mail address and password.
    .back_to_form = Back to the form
    .try_again_in = Try again in { $seconds } s.
    .reference = Reference
    .leave_empty = Leave this empty
    .needs_script = Allow JavaScript on this page, so that it can check that you are a person.
    .script_suggestion = Did you mean %address%?
    .script_offline = The connection failed. Nothing is lost: send the form again.
    .script_wait = Try again in %seconds% s.
    .script_working = One moment …
    .script_met = met:
    .script_unmet = not met yet:
    .script_created = Your account was created.
    .script_accepted = Thank you. Look into your mail for what comes next.

# What the fields are called.
field =
    .email = E-mail address
    .password = Password
    .given_name = First name
    .family_name = Last name
    .name = Name
    .nickname = Nickname
    .picture = Picture (web address)
    .username = Username
    .phone_number = Phone number
    .terms = Terms
