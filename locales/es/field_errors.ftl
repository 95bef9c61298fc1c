required = Rellene este campo.
    .email = Escriba su dirección de correo electrónico.
    .password = Escriba una contraseña.
    .given_name = Escriba su nombre.
    .family_name = Escriba sus apellidos.
    .name = Escriba su nombre completo.
    .username = Escriba un nombre de usuario.
    .phone_number = Escriba su número de teléfono.
too_long = { $max ->
    [one] Use como máximo { $max } carácter.
   *[other] Use como máximo { $max } caracteres.
}
too_short = { $min ->
    [one] Use al menos { $min } carácter.
   *[other] Use al menos { $min } caracteres.
}
malformed = No tiene la forma esperada.
    .email = Escriba una dirección completa, como nombre@example.com.
    .phone_number = Empiece con + y el prefijo del país, como +34912345678.
not_allowed = Aquí no se permite.
not_listed = Elija una de estas opciones: { $values }.
out_of_range = Indique un número entero de { $min } a { $max }.
    .min = Indique un número entero de { $min } como mínimo.
    .max = Indique un número entero de { $max } como máximo.
domain_not_allowed = No se aceptan direcciones de este dominio.
terms_required = Acepte las condiciones para continuar.
unknown_field = Este campo no existe.
duplicate_field = Este campo se ha dado más de una vez.
wrong_type = Debe ser de tipo { $expected }.
control_character = Quite los caracteres de control, como los saltos de línea.

password =
    .too_short = { $min_length ->
        [one] Use al menos { $min_length } carácter.
       *[other] Use al menos { $min_length } caracteres.
    }
    .too_long = Esta contraseña es demasiado larga. Use una más corta.
    .character_types = Use { $required } de estos elementos: { $types }.
    .character_types_all = Añada { $missing }.
    .repeated_characters = No use un carácter más de { $max } veces seguidas.
    .sequential_characters = No use más de { $max } caracteres consecutivos, como abc o 123.
    .too_common = Esta contraseña es demasiado común.
    .contains_user_info = No use su nombre, su nombre de usuario ni su dirección de correo en la contraseña.
    .contains_user_info_kinds = Your password contains { $kinds }. Choose one that doesn't.
    .breached = Esta contraseña aparece en una filtración de datos conocida.
    .used_before = Esta contraseña ya se usó antes.
    .too_weak = Esta contraseña es demasiado débil.

password_rule =
    .too_short = { $min_length ->
        [one] Use al menos { $min_length } carácter.
       *[other] Use al menos { $min_length } caracteres.
    }
    .character_types = Use { $required } de estos elementos: { $types }.
    .character_types_all = Use todos estos elementos: { $types }.
    .repeated_characters = No use un carácter más de { $max } veces seguidas.
    .sequential_characters = No use más de { $max } caracteres consecutivos, como abc o 123.
    .contains_user_info = No use su nombre, su nombre de usuario ni su dirección de correo en la contraseña.

character_type =
    .lowercase = una minúscula
    .uppercase = una mayúscula
    .number = un número
    .special = un carácter especial
    .separator = { ", " }

personal_information =
    .email = your email address
    .given_name = your first name
    .family_name = your last name
    .name = your name
    .nickname = your nickname
    .username = your username
    .phone_number = your phone number
    .other = other personal information
