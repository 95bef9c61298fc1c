required = Questo campo è obbligatorio.
    .email = Inserisci il tuo indirizzo email.
    .password = Inserisci una password.
    .given_name = Inserisci il tuo nome.
    .family_name = Inserisci il tuo cognome.
    .name = Inserisci nome e cognome.
    .username = Inserisci un nome utente.
    .phone_number = Inserisci il tuo numero di telefono.
too_long = { $max ->
    [one] Usa al massimo { $max } carattere.
   *[other] Usa al massimo { $max } caratteri.
}
too_short = { $min ->
    [one] Usa almeno { $min } carattere.
   *[other] Usa almeno { $min } caratteri.
}
malformed = Il formato non è valido.
    .email = Formato richiesto: nome@example.com.
    .phone_number = Inizia con + e il prefisso internazionale, senza (0), ad esempio +390612345678.
not_allowed = Questo valore non è consentito.
not_listed = Scegli una di queste opzioni: { $values }.
out_of_range = Inserisci un numero intero compreso tra { $min } e { $max }.
    .min = Inserisci un numero intero maggiore o uguale a { $min }.
    .max = Inserisci un numero intero minore o uguale a { $max }.
domain_not_allowed = Gli indirizzi email di questo dominio non sono accettati. Usane un altro.
terms_required = Accetta i termini e le condizioni per continuare.
terms_changed = I termini e le condizioni sono cambiati. Ricarica la pagina per accettare quelli nuovi.
    .on_new_form = I termini e le condizioni sono cambiati. Accetta quelli nuovi per continuare.
unknown_field = Questo campo non è accettato.
duplicate_field = Questo campo è stato inviato più volte.
wrong_type = Il valore deve essere di tipo { $expected }.
control_character = Elimina le interruzioni di riga e gli altri caratteri invisibili.

password =
    .too_short = { $min_length ->
        [one] Usa almeno { $min_length } carattere.
       *[other] Usa almeno { $min_length } caratteri.
    }
    .too_long = Questa password è troppo lunga. Scegline una più corta.
    .character_types = Usa almeno { $required } di questi elementi: { $types }.
    .character_types_all = Aggiungi { $missing }.
    .repeated_characters = Non usare lo stesso carattere più di { $max } volte di seguito.
    .sequential_characters = Non usare più di { $max } caratteri in sequenza, come abc o 123.
    .too_common = Questa password è troppo comune. Scegline un’altra.
    .contains_user_info = Non usare dati personali, come il tuo indirizzo email, nella password.
    .contains_user_info_kinds = La tua password contiene { $kinds }. Scegline un’altra.
    .breached = Questa password è comparsa in una violazione di dati. Scegline un’altra.
    .used_before = Hai già usato questa password. Scegline un’altra.
    .too_weak = Questa password è troppo debole. Scegline una più sicura.

password_rule =
    .too_short = { $min_length ->
        [one] Almeno { $min_length } carattere
       *[other] Almeno { $min_length } caratteri
    }
    .character_types = Almeno { $required } di questi elementi: { $types }
    .character_types_all = Tutti questi elementi: { $types }
    .repeated_characters = Non più di { $max } caratteri uguali di seguito
    .sequential_characters = Non più di { $max } caratteri in sequenza, come abc o 123
    .contains_user_info = Nessun dato personale, come il tuo indirizzo email

character_type =
    .lowercase = una lettera minuscola
    .uppercase = una lettera maiuscola
    .number = un numero
    .special = un carattere speciale
    .separator = { ", " }

personal_information =
    .email = il tuo indirizzo email
    .given_name = il tuo nome
    .family_name = il tuo cognome
    .name = il tuo nome completo
    .nickname = il tuo soprannome
    .username = il tuo nome utente
    .phone_number = il tuo numero di telefono
    .other = altri dati personali
