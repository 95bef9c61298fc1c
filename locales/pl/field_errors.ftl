required = To pole jest wymagane.
    .email = Wpisz swój adres e-mail.
    .password = Wpisz hasło.
    .given_name = Wpisz swoje imię.
    .family_name = Wpisz swoje nazwisko.
    .name = Wpisz swoje imię i nazwisko.
    .username = Wpisz nazwę użytkownika.
    .phone_number = Wpisz swój numer telefonu.
too_long = { $max ->
    [one] Wpisz maksymalnie { $max } znak.
    [few] Wpisz maksymalnie { $max } znaki.
    [many] Wpisz maksymalnie { $max } znaków.
   *[other] Wpisz maksymalnie { $max } znaku.
}
too_short = { $min ->
    [one] Wpisz co najmniej { $min } znak.
    [few] Wpisz co najmniej { $min } znaki.
    [many] Wpisz co najmniej { $min } znaków.
   *[other] Wpisz co najmniej { $min } znaku.
}
malformed = Nieprawidłowy format.
    .email = Wpisz w formie imie@example.com.
    .phone_number = Zacznij od + i numeru kierunkowego kraju, bez (0), np. +48221234567.
not_allowed = Ta wartość jest niedozwolona.
not_listed = Wybierz jedną z tych opcji: { $values }.
out_of_range = Wpisz liczbę całkowitą od { $min } do { $max }.
    .min = Wpisz liczbę całkowitą nie mniejszą niż { $min }.
    .max = Wpisz liczbę całkowitą nie większą niż { $max }.
domain_not_allowed = Adresy e-mail w tej domenie nie są akceptowane. Użyj innego adresu.
terms_required = Aby kontynuować, zaakceptuj regulamin.
terms_changed = Regulamin się zmienił. Odśwież stronę, aby zaakceptować nowy.
    .on_new_form = Regulamin się zmienił. Aby kontynuować, zaakceptuj nowy.
unknown_field = To pole nie jest akceptowane.
duplicate_field = To pole zostało wysłane więcej niż raz.
wrong_type = Wartość musi być typu { $expected }.
control_character = Usuń znaki końca wiersza i inne niewidoczne znaki.

password =
    .too_short = { $min_length ->
        [one] Wpisz co najmniej { $min_length } znak.
        [few] Wpisz co najmniej { $min_length } znaki.
        [many] Wpisz co najmniej { $min_length } znaków.
       *[other] Wpisz co najmniej { $min_length } znaku.
    }
    .too_long = To hasło jest za długie. Wybierz krótsze.
    .character_types = Użyj co najmniej { $required } z tych elementów: { $types }.
    .character_types_all = Dodaj { $missing }.
    .repeated_characters = { $max ->
        [one] Ten sam znak może wystąpić z rzędu najwyżej { $max } raz.
       *[other] Ten sam znak może wystąpić z rzędu najwyżej { $max } razy.
    }
    .sequential_characters = Nie używaj więcej niż { $max } kolejnych znaków, takich jak abc czy 123.
    .too_common = To hasło jest zbyt popularne. Wybierz inne.
    .contains_user_info = Nie używaj w haśle danych osobowych, takich jak adres e-mail.
    .contains_user_info_kinds = Twoje hasło zawiera { $kinds }. Wybierz inne.
    .breached = To hasło pojawiło się w wycieku danych. Wybierz inne.
    .used_before = To hasło było już używane. Wybierz inne.
    .too_weak = To hasło jest za słabe. Wybierz silniejsze.

password_rule =
    .too_short = { $min_length ->
        [one] Co najmniej { $min_length } znak
        [few] Co najmniej { $min_length } znaki
        [many] Co najmniej { $min_length } znaków
       *[other] Co najmniej { $min_length } znaku
    }
    .character_types = Co najmniej { $required } z tych elementów: { $types }
    .character_types_all = Wszystkie te elementy: { $types }
    .repeated_characters = { $max ->
        [few] Najwyżej { $max } takie same znaki z rzędu
       *[other] Najwyżej { $max } takich samych znaków z rzędu
    }
    .sequential_characters = { $max ->
        [few] Najwyżej { $max } kolejne znaki, np. abc lub 123
       *[other] Najwyżej { $max } kolejnych znaków, np. abc lub 123
    }
    .contains_user_info = Bez danych osobowych, takich jak adres e-mail

character_type =
    .lowercase = małą literę
    .uppercase = wielką literę
    .number = cyfrę
    .special = znak specjalny
    .separator = { ", " }

personal_information =
    .email = Twój adres e-mail
    .given_name = Twoje imię
    .family_name = Twoje nazwisko
    .name = Twoje imię i nazwisko
    .nickname = Twój pseudonim
    .username = Twoją nazwę użytkownika
    .phone_number = Twój numer telefonu
    .other = inne dane osobowe
