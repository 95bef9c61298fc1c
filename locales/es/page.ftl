page =
    .create_account = Crea tu cuenta
    .error = Error
    .colon = { ": " }
    .optional = opcional
    .continue_with = Continuar con { $provider }
    .or = o
    .show = Mostrar
    .hide = Ocultar
    .show_password = Mostrar la contraseña
    .hide_password = Ocultar la contraseña
    .password_rules = La contraseña debe cumplir estos requisitos:
    .password_rules_unmet = Elige una contraseña que cumpla todos los requisitos.
    .enter_password_again = Vuelve a escribir la contraseña.
    .submit = Crear cuenta
    .accept_terms = Acepto los [términos y condiciones].
    .new_tab = se abre en una pestaña nueva
    .have_account = ¿Ya tienes una cuenta?
    .log_in = Iniciar sesión
    .reset_password = Restablecer la contraseña
    .privacy = Privacidad
    .choose = Elige una opción
    .success_title = Te damos la bienvenida
    .success_title_name = Te damos la bienvenida, { $name }
    .success_created = Tu cuenta se ha creado.
    .success_created_email = Se ha creado tu cuenta con el correo { $email }.
    .success_confirm_email = Revisa tu bandeja de entrada: si has recibido un mensaje para confirmar tu correo, abre el enlace que contiene.
    .success_log_in = Después, inicia sesión con tu correo electrónico y tu contraseña.
    .success_accepted_title = Revisa tu bandeja de entrada
    .success_accepted = Hemos recibido tu registro. Revisa tu bandeja de entrada para saber cómo continuar.
    .success_accepted_email = Hemos recibido tu registro. Revisa la bandeja de entrada de { $email } para saber cómo continuar.
    .back_to_form = Volver al formulario
    .back_to_site = Volver a { $site }
    .try_again_in = { $seconds ->
        [one] Vuelve a intentarlo en { $seconds } segundo.
       *[other] Vuelve a intentarlo en { $seconds } segundos.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Vuelve a intentarlo en { $minutes } minuto.
       *[other] Vuelve a intentarlo en { $minutes } minutos.
    }
    .reference = Referencia
    .leave_empty = Deja este campo vacío
    .needs_script = Activa JavaScript para registrarte. Lo usamos para comprobar que no eres un robot.
    .script_suggestion = ¿Quisiste decir %address%?
    .script_caps_lock = El bloqueo de mayúsculas está activado.
    .script_password_shown = Tu contraseña está visible.
    .script_password_hidden = Tu contraseña está oculta.
    .script_submitting = Creando tu cuenta…
    .script_retrying = Está tardando más de lo habitual. Seguimos intentándolo…
    .script_checking = Comprobando que no eres un robot…
    .script_offline_heading = No se pudo conectar
    .script_offline = Revisa tu conexión a internet y vuelve a intentarlo. Todo lo que escribiste sigue aquí.
    .script_wait = Vuelve a intentarlo en %seconds% segundos.
    .script_wait_minutes = Vuelve a intentarlo en %minutes% minutos.
    .script_met = cumplido:
    .script_unmet = aún no cumplido:

field =
    .email = Correo electrónico
    .password = Contraseña
    .given_name = Nombre
    .family_name = Apellidos
    .name = Nombre completo
    .nickname = Apodo
    .picture = Imagen (dirección web)
    .username = Nombre de usuario
    .phone_number = Número de teléfono
    .terms = Términos y condiciones
