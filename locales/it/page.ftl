page =
    .create_account = Crea il tuo account
    .error = Errore
    .colon = { ": " }
    .optional = facoltativo
    .continue_with = Continua con { $provider }
    .or = oppure
    .show = Mostra
    .hide = Nascondi
    .show_password = Mostra la password
    .hide_password = Nascondi la password
    .password_rules = La password deve rispettare questi requisiti:
    .password_rules_unmet = Scegli una password che rispetti tutti i requisiti.
    .enter_password_again = Inserisci di nuovo la password.
    .submit = Crea account
    .accept_terms = Accetto i [termini e le condizioni].
    .new_tab = si apre in una nuova scheda
    .have_account = Hai già un account?
    .log_in = Accedi
    .reset_password = Reimposta la password
    .privacy = Privacy
    .choose = Scegli un’opzione
    .success_title = Ti diamo il benvenuto
    .success_title_name = Ti diamo il benvenuto, { $name }
    .success_created = Il tuo account è stato creato.
    .success_created_email = Il tuo account per { $email } è stato creato.
    .success_confirm_email = Controlla la posta in arrivo: se hai ricevuto un’email per confermare il tuo indirizzo, apri il link che contiene.
    .success_log_in = Poi accedi con il tuo indirizzo email e la password.
    .success_accepted_title = Controlla la posta in arrivo
    .success_accepted = Abbiamo ricevuto la tua registrazione. Controlla la posta in arrivo per sapere come proseguire.
    .success_accepted_email = Abbiamo ricevuto la tua registrazione. Controlla la posta in arrivo di { $email } per sapere come proseguire.
    .back_to_form = Torna al modulo
    .back_to_site = Torna a { $site }
    .try_again_in = { $seconds ->
        [one] Riprova tra { $seconds } secondo.
       *[other] Riprova tra { $seconds } secondi.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Riprova tra { $minutes } minuto.
       *[other] Riprova tra { $minutes } minuti.
    }
    .reference = Riferimento
    .leave_empty = Lascia vuoto questo campo
    .needs_script = Attiva JavaScript per registrarti. Ci serve per verificare che tu non sia un robot.
    .script_suggestion = Intendevi %address%?
    .script_caps_lock = Il blocco maiuscole è attivo.
    .script_password_shown = La password è visibile.
    .script_password_hidden = La password è nascosta.
    .script_submitting = Creazione dell’account in corso…
    .script_retrying = Ci vuole più tempo del solito. Stiamo ancora provando…
    .script_checking = Stiamo verificando che tu non sia un robot…
    .script_offline_heading = Connessione non riuscita
    .script_offline = Controlla la connessione a internet e riprova. Tutto ciò che hai inserito è ancora qui.
    .script_wait = Riprova tra %seconds% secondi.
    .script_wait_minutes = Riprova tra %minutes% minuti.
    .script_met = soddisfatto:
    .script_unmet = non ancora soddisfatto:

field =
    .email = Indirizzo email
    .password = Password
    .given_name = Nome
    .family_name = Cognome
    .name = Nome e cognome
    .nickname = Soprannome
    .picture = Immagine (indirizzo web)
    .username = Nome utente
    .phone_number = Numero di telefono
    .terms = Termini e condizioni
