required = Este campo es obligatorio.
    .email = Escribe tu correo electrónico.
    .password = Escribe una contraseña.
    .given_name = Escribe tu nombre.
    .family_name = Escribe tus apellidos.
    .name = Escribe tu nombre completo.
    .username = Escribe un nombre de usuario.
    .phone_number = Escribe tu número de teléfono.
too_long = { $max ->
    [one] Usa como máximo { $max } carácter.
   *[other] Usa como máximo { $max } caracteres.
}
too_short = { $min ->
    [one] Usa al menos { $min } carácter.
   *[other] Usa al menos { $min } caracteres.
}
malformed = El formato no es válido.
    .email = Escríbelo así: nombre@example.com.
    .phone_number = Empieza por + y el prefijo del país, sin (0), por ejemplo, +34912345678.
not_allowed = Este valor no está permitido.
not_listed = Elige una de estas opciones: { $values }.
out_of_range = Escribe un número entero entre { $min } y { $max }.
    .min = Escribe un número entero igual o mayor que { $min }.
    .max = Escribe un número entero igual o menor que { $max }.
domain_not_allowed = No se aceptan correos electrónicos de este dominio. Usa otro.
terms_required = Acepta los términos y condiciones para continuar.
terms_changed = Los términos y condiciones han cambiado. Recarga la página para aceptar los nuevos.
    .on_new_form = Los términos y condiciones han cambiado. Acepta los nuevos para continuar.
unknown_field = Este campo no se acepta.
duplicate_field = Este campo se envió más de una vez.
wrong_type = El valor debe ser de tipo { $expected }.
control_character = Quita los saltos de línea y otros caracteres invisibles.

password =
    .too_short = { $min_length ->
        [one] Usa al menos { $min_length } carácter.
       *[other] Usa al menos { $min_length } caracteres.
    }
    .too_long = Esta contraseña es demasiado larga. Elige una más corta.
    .character_types = Usa al menos { $required } de estos elementos: { $types }.
    .character_types_all = Añade { $missing }.
    .repeated_characters = No uses el mismo carácter más de { $max } veces seguidas.
    .sequential_characters = No uses más de { $max } caracteres consecutivos, como abc o 123.
    .too_common = Esta contraseña es demasiado común. Elige otra.
    .contains_user_info = No uses datos personales, como tu correo electrónico, en la contraseña.
    .contains_user_info_kinds = Tu contraseña contiene { $kinds }. Elige otra.
    .breached = Esta contraseña ha aparecido en una filtración de datos. Elige otra.
    .used_before = Ya has usado esta contraseña. Elige otra.
    .too_weak = Esta contraseña es demasiado débil. Elige una más segura.

password_rule =
    .too_short = { $min_length ->
        [one] Al menos { $min_length } carácter
       *[other] Al menos { $min_length } caracteres
    }
    .character_types = Al menos { $required } de estos elementos: { $types }
    .character_types_all = Todos estos elementos: { $types }
    .repeated_characters = No más de { $max } caracteres iguales seguidos
    .sequential_characters = No más de { $max } caracteres consecutivos, como abc o 123
    .contains_user_info = Sin datos personales, como tu correo electrónico

character_type =
    .lowercase = una minúscula
    .uppercase = una mayúscula
    .number = un número
    .special = un carácter especial
    .separator = { ", " }

personal_information =
    .email = tu correo electrónico
    .given_name = tu nombre
    .family_name = tus apellidos
    .name = tu nombre completo
    .nickname = tu apodo
    .username = tu nombre de usuario
    .phone_number = tu número de teléfono
    .other = otros datos personales
