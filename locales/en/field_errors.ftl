# Field errors, shown beside their fields. Each message has the code of its error as its id; an
# attribute named after a field replaces the message for that field.

required = This field is required.
    .email = Enter your email address.
    .password = Enter a password.
    .given_name = Enter your first name.
    .family_name = Enter your last name.
    .name = Enter your full name.
    .username = Enter a username.
    .phone_number = Enter your phone number.
too_long = { $max ->
    [one] Use at most { $max } character.
   *[other] Use at most { $max } characters.
}
too_short = { $min ->
    [one] Use at least { $min } character.
   *[other] Use at least { $min } characters.
}
malformed = This isn't in the right format.
    .email = Use the format name@example.com.
    .phone_number = Start with + and the country code, without (0), such as +441632960961.
not_allowed = This value isn't allowed.
not_listed = Choose one of these: { $values }.
out_of_range = Enter a whole number from { $min } to { $max }.
    .min = Enter a whole number of { $min } or more.
    .max = Enter a whole number of { $max } or less.
domain_not_allowed = Email addresses at this domain aren't accepted. Use a different address.
terms_required = Accept the terms to continue.
terms_changed = The terms have changed. Reload the page to accept the new ones.
    .on_new_form = The terms have changed. Accept the new ones to continue.
unknown_field = This field isn't accepted.
duplicate_field = This field was sent more than once.
wrong_type = This must be of type { $expected }.
control_character = Remove line breaks and other invisible characters.

# Password errors. $types and $missing are lists of the character types below.
password =
    .too_short = { $min_length ->
        [one] Use at least { $min_length } character.
       *[other] Use at least { $min_length } characters.
    }
    .too_long = This password is too long. Use a shorter one.
    .character_types = Use at least { $required } of these: { $types }.
    .character_types_all = Add { $missing }.
    .repeated_characters = Don't use the same character more than { $max } times in a row.
    .sequential_characters = Don't use more than { $max } characters in sequence, such as abc or 123.
    .too_common = This password is too common. Choose a different one.
    .contains_user_info = Don't use personal information, such as your email address, in your password.
    .contains_user_info_kinds = Your password contains { $kinds }. Choose one that doesn't.
    .breached = This password has appeared in a data breach. Choose a different one.
    .used_before = You've used this password before. Choose a different one.
    .too_weak = This password is too weak. Choose a stronger one.

# Password rules, listed under page.password_rules before a password is chosen.
password_rule =
    .too_short = { $min_length ->
        [one] At least { $min_length } character
       *[other] At least { $min_length } characters
    }
    .character_types = At least { $required } of these: { $types }
    .character_types_all = Each of these: { $types }
    .repeated_characters = No more than { $max } identical characters in a row
    .sequential_characters = No more than { $max } characters in sequence, such as abc or 123
    .contains_user_info = No personal information, such as your email address

# Character types, as they appear in a list, and the separator between two of them.
character_type =
    .lowercase = a lowercase letter
    .uppercase = an uppercase letter
    .number = a number
    .special = a special character
    .separator = { ", " }

# Kinds of personal information that a password contains, as they appear in a list.
personal_information =
    .email = your email address
    .given_name = your first name
    .family_name = your last name
    .name = your name
    .nickname = your nickname
    .username = your username
    .phone_number = your phone number
    .other = other personal information
