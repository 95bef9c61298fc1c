page =
    .create_account = Konto erstellen
    .error = Fehler
    .colon = { ": " }
    .optional = optional
    .continue_with = Weiter mit { $provider }
    .or = oder
    .show = Anzeigen
    .hide = Ausblenden
    .show_password = Passwort anzeigen
    .hide_password = Passwort ausblenden
    .password_rules = Anforderungen an Ihr Passwort:
    .password_rules_unmet = Wählen Sie ein Passwort, das alle Anforderungen erfüllt.
    .enter_password_again = Geben Sie Ihr Passwort bitte noch einmal ein.
    .submit = Konto erstellen
    .accept_terms = Ich stimme den [Nutzungsbedingungen] zu.
    .new_tab = öffnet sich in einem neuen Tab
    .have_account = Sie haben bereits ein Konto?
    .log_in = Anmelden
    .reset_password = Passwort zurücksetzen
    .privacy = Datenschutz
    .choose = Bitte wählen
    .success_title = Willkommen
    .success_title_name = Willkommen, { $name }
    .success_created = Ihr Konto wurde erstellt.
    .success_created_email = Ihr Konto für { $email } wurde erstellt.
    .success_confirm_email = Sehen Sie in Ihrem Posteingang nach: Wenn Sie eine E-Mail zur Bestätigung Ihrer Adresse erhalten haben, öffnen Sie den Link darin.
    .success_log_in = Melden Sie sich danach mit Ihrer E-Mail-Adresse und Ihrem Passwort an.
    .success_accepted_title = Sehen Sie in Ihrem Posteingang nach
    .success_accepted = Wir haben Ihre Registrierung erhalten. Wie es weitergeht, erfahren Sie per E-Mail.
    .success_accepted_email = Wir haben Ihre Registrierung erhalten. Wie es weitergeht, erfahren Sie in einer E-Mail an { $email }.
    .back_to_form = Zurück zum Formular
    .back_to_site = Zurück zu { $site }
    .try_again_in = { $seconds ->
        [one] Versuchen Sie es in { $seconds } Sekunde noch einmal.
       *[other] Versuchen Sie es in { $seconds } Sekunden noch einmal.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Versuchen Sie es in { $minutes } Minute noch einmal.
       *[other] Versuchen Sie es in { $minutes } Minuten noch einmal.
    }
    .reference = Referenznummer
    .leave_empty = Dieses Feld bitte leer lassen
    .needs_script = Aktivieren Sie JavaScript, um sich zu registrieren. Damit prüfen wir, ob Sie ein Mensch sind.
    .script_suggestion = Meinten Sie %address%?
    .script_caps_lock = Die Feststelltaste ist aktiviert.
    .script_password_shown = Ihr Passwort wird angezeigt.
    .script_password_hidden = Ihr Passwort ist ausgeblendet.
    .script_submitting = Ihr Konto wird erstellt …
    .script_retrying = Das dauert länger als üblich. Wir versuchen es weiter …
    .script_checking = Wir prüfen, ob Sie ein Mensch sind …
    .script_offline_heading = Verbindung fehlgeschlagen
    .script_offline = Prüfen Sie Ihre Internetverbindung und versuchen Sie es noch einmal. Ihre Eingaben sind noch da.
    .script_wait = Versuchen Sie es in %seconds% Sekunden noch einmal.
    .script_wait_minutes = Versuchen Sie es in %minutes% Minuten noch einmal.
    .script_met = erfüllt:
    .script_unmet = noch nicht erfüllt:

field =
    .email = E-Mail-Adresse
    .password = Passwort
    .given_name = Vorname
    .family_name = Nachname
    .name = Vollständiger Name
    .nickname = Spitzname
    .picture = Bild (Webadresse)
    .username = Benutzername
    .phone_number = Telefonnummer
    .terms = Bedingungen
