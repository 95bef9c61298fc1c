page =
    .create_account = Maak je account aan
    .error = Fout
    .colon = { ": " }
    .optional = optioneel
    .continue_with = Doorgaan met { $provider }
    .or = of
    .show = Tonen
    .hide = Verbergen
    .show_password = Wachtwoord tonen
    .hide_password = Wachtwoord verbergen
    .password_rules = Eisen aan je wachtwoord:
    .password_rules_unmet = Kies een wachtwoord dat aan alle eisen voldoet.
    .enter_password_again = Vul je wachtwoord opnieuw in.
    .submit = Account aanmaken
    .accept_terms = Ik ga akkoord met de [voorwaarden].
    .new_tab = opent in een nieuw tabblad
    .have_account = Heb je al een account?
    .log_in = Inloggen
    .reset_password = Wachtwoord opnieuw instellen
    .privacy = Privacy
    .choose = Maak een keuze
    .success_title = Welkom
    .success_title_name = Welkom, { $name }
    .success_created = Je account is aangemaakt.
    .success_created_email = Je account voor { $email } is aangemaakt.
    .success_confirm_email = Kijk in je inbox: heb je een e-mail gekregen om je adres te bevestigen, open dan de link daarin.
    .success_log_in = Log daarna in met je e-mailadres en wachtwoord.
    .success_accepted_title = Kijk in je inbox
    .success_accepted = We hebben je registratie ontvangen. In je inbox lees je hoe het verder gaat.
    .success_accepted_email = We hebben je registratie ontvangen. In de inbox van { $email } lees je hoe het verder gaat.
    .back_to_form = Terug naar het formulier
    .back_to_site = Terug naar { $site }
    .try_again_in = { $seconds ->
        [one] Probeer het over { $seconds } seconde opnieuw.
       *[other] Probeer het over { $seconds } seconden opnieuw.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Probeer het over { $minutes } minuut opnieuw.
       *[other] Probeer het over { $minutes } minuten opnieuw.
    }
    .reference = Referentienummer
    .leave_empty = Laat dit veld leeg
    .needs_script = Zet JavaScript aan om je te registreren. Daarmee controleren we of je geen robot bent.
    .script_suggestion = Bedoel je %address%?
    .script_caps_lock = Caps Lock staat aan.
    .script_password_shown = Je wachtwoord is zichtbaar.
    .script_password_hidden = Je wachtwoord is verborgen.
    .script_submitting = Je account wordt aangemaakt…
    .script_retrying = Dit duurt langer dan normaal. We proberen het nog steeds…
    .script_checking = We controleren of je geen robot bent…
    .script_offline_heading = Verbinding mislukt
    .script_offline = Controleer je internetverbinding en probeer het opnieuw. Alles wat je hebt ingevuld, staat er nog.
    .script_wait = Probeer het over %seconds% seconden opnieuw.
    .script_wait_minutes = Probeer het over %minutes% minuten opnieuw.
    .script_met = voldaan:
    .script_unmet = nog niet voldaan:

field =
    .email = E-mailadres
    .password = Wachtwoord
    .given_name = Voornaam
    .family_name = Achternaam
    .name = Volledige naam
    .nickname = Bijnaam
    .picture = Afbeelding (webadres)
    .username = Gebruikersnaam
    .phone_number = Telefoonnummer
    .terms = Voorwaarden
