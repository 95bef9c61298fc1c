# What is wrong with a field, to show beside it; each under the code of the fault.

required = Fill in this field.
too_long = Use at most { $max } characters.
too_short = Use at least { $min } characters.
malformed = This is not in the expected form.
    .email = Write a whole address, such as name@example.com.
    .phone_number = Write + and the country code first, such as +441632960961.
not_allowed = This is not allowed here.
not_listed = Choose one of these: { $values }.
out_of_range = Use a whole number from { $min } to { $max }.
    .min = Use a whole number of at least { $min }.
    .max = Use a whole number of at most { $max }.
domain_not_allowed = Addresses of this domain are not accepted.
terms_required = Accept the terms to go on.
unknown_field = There is no such field.
duplicate_field = This field was given more than once.
wrong_type = This must be of type { $expected }.
control_character = Remove control characters such as line breaks.

# The rules of a password. $types and $missing are lists of the character types below.
password =
    .too_short = Use at least { $min_length } characters.
    .too_long = Use at most { $max_bytes } bytes; letters beyond a to z take more than one.
    .character_types = Use { $required } of these: { $types }.
    .character_types_all = Add { $missing }.
    .repeated_characters = Do not use a character more than { $max } times in a row.
    .sequential_characters = Do not use more than { $max } neighbouring characters such as abc or 123.
    .too_common = This password is too common.
    .contains_user_info = Do not use your name, username or e-mail address in the password.
    .breached = This password is part of a known data breach.
    .used_before = This password was used before.
    .too_weak = This password is too weak.

# As they stand in a list, with what is between two of them.
character_type =
    .lowercase = a lower-case letter
    .uppercase = an upper-case letter
    .number = a digit
    .special = a special character
    .separator = { ", " }
