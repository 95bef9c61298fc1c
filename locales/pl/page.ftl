page =
    .create_account = Utwórz konto
    .error = Błąd
    .colon = { ": " }
    .optional = opcjonalnie
    .continue_with = Kontynuuj przez { $provider }
    .or = lub
    .show = Pokaż
    .hide = Ukryj
    .show_password = Pokaż hasło
    .hide_password = Ukryj hasło
    .password_rules = Wymagania dotyczące hasła:
    .password_rules_unmet = Wybierz hasło, które spełnia wszystkie wymagania.
    .enter_password_again = Wpisz hasło ponownie.
    .submit = Utwórz konto
    .accept_terms = Akceptuję [regulamin].
    .new_tab = otwiera się w nowej karcie
    .have_account = Masz już konto?
    .log_in = Zaloguj się
    .reset_password = Zresetuj hasło
    .privacy = Polityka prywatności
    .choose = Wybierz opcję
    .success_title = Witamy
    .success_title_name = Witamy, { $name }
    .success_created = Twoje konto zostało utworzone.
    .success_created_email = Konto dla adresu { $email } zostało utworzone.
    .success_confirm_email = Sprawdź skrzynkę odbiorczą: jeśli znajdziesz wiadomość z prośbą o potwierdzenie adresu, otwórz zawarty w niej link.
    .success_log_in = Następnie zaloguj się, podając adres e-mail i hasło.
    .success_accepted_title = Sprawdź skrzynkę odbiorczą
    .success_accepted = Otrzymaliśmy Twoje zgłoszenie. Informacje o kolejnych krokach znajdziesz w skrzynce odbiorczej.
    .success_accepted_email = Otrzymaliśmy Twoje zgłoszenie. Informacje o kolejnych krokach znajdziesz w skrzynce odbiorczej { $email }.
    .back_to_form = Wróć do formularza
    .back_to_site = Wróć do { $site }
    .try_again_in = { $seconds ->
        [one] Spróbuj ponownie za { $seconds } sekundę.
        [few] Spróbuj ponownie za { $seconds } sekundy.
        [many] Spróbuj ponownie za { $seconds } sekund.
       *[other] Spróbuj ponownie za { $seconds } sekundy.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Spróbuj ponownie za { $minutes } minutę.
        [few] Spróbuj ponownie za { $minutes } minuty.
        [many] Spróbuj ponownie za { $minutes } minut.
       *[other] Spróbuj ponownie za { $minutes } minuty.
    }
    .reference = Numer referencyjny
    .leave_empty = Zostaw to pole puste
    .needs_script = Aby się zarejestrować, włącz JavaScript. Dzięki niemu sprawdzimy, że nie jesteś robotem.
    .script_suggestion = Czy chodziło o %address%?
    .script_caps_lock = Klawisz Caps Lock jest włączony.
    .script_password_shown = Hasło jest widoczne.
    .script_password_hidden = Hasło jest ukryte.
    .script_submitting = Tworzymy Twoje konto…
    .script_retrying = To trwa dłużej niż zwykle. Próbujemy dalej…
    .script_checking = Sprawdzamy, czy nie jesteś robotem…
    .script_offline_heading = Nie udało się połączyć
    .script_offline = Sprawdź połączenie z internetem i spróbuj ponownie. Wszystkie wpisane dane nadal tu są.
    .script_wait = Spróbuj ponownie za %seconds% s.
    .script_wait_minutes = Spróbuj ponownie za %minutes% min.
    .script_met = spełnione:
    .script_unmet = jeszcze niespełnione:

field =
    .email = Adres e-mail
    .password = Hasło
    .given_name = Imię
    .family_name = Nazwisko
    .name = Imię i nazwisko
    .nickname = Pseudonim
    .picture = Zdjęcie (adres internetowy)
    .username = Nazwa użytkownika
    .phone_number = Numer telefonu
    .terms = Regulamin
