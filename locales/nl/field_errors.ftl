required = Vul dit veld in.
    .email = Vul je e-mailadres in.
    .password = Vul een wachtwoord in.
    .given_name = Vul je voornaam in.
    .family_name = Vul je achternaam in.
    .name = Vul je naam in.
    .username = Vul een gebruikersnaam in.
    .phone_number = Vul je telefoonnummer in.
too_long = { $max ->
    [one] Gebruik maximaal { $max } teken.
   *[other] Gebruik maximaal { $max } tekens.
}
too_short = { $min ->
    [one] Gebruik minimaal { $min } teken.
   *[other] Gebruik minimaal { $min } tekens.
}
malformed = De notatie klopt niet.
    .email = Vul het zo in: naam@example.com.
    .phone_number = Begin met + en het landnummer, zonder (0), bijvoorbeeld +31201234567.
not_allowed = Deze waarde is niet toegestaan.
not_listed = Kies een van deze opties: { $values }.
out_of_range = Vul een geheel getal in van { $min } tot en met { $max }.
    .min = Vul een geheel getal in van { $min } of hoger.
    .max = Vul een geheel getal in van { $max } of lager.
domain_not_allowed = E-mailadressen van dit domein worden niet geaccepteerd. Gebruik een ander adres.
terms_required = Ga akkoord met de voorwaarden om door te gaan.
terms_changed = De voorwaarden zijn gewijzigd. Laad de pagina opnieuw om akkoord te gaan met de nieuwe voorwaarden.
    .on_new_form = De voorwaarden zijn gewijzigd. Ga akkoord met de nieuwe voorwaarden om door te gaan.
unknown_field = Dit veld wordt niet geaccepteerd.
duplicate_field = Dit veld is meer dan één keer verzonden.
wrong_type = De waarde moet van het type { $expected } zijn.
control_character = Verwijder regeleinden en andere onzichtbare tekens.

password =
    .too_short = { $min_length ->
        [one] Gebruik minimaal { $min_length } teken.
       *[other] Gebruik minimaal { $min_length } tekens.
    }
    .too_long = Dit wachtwoord is te lang. Kies een korter wachtwoord.
    .character_types = Gebruik minimaal { $required } van de volgende: { $types }.
    .character_types_all = Voeg { $missing } toe.
    .repeated_characters = Gebruik hetzelfde teken niet meer dan { $max } keer achter elkaar.
    .sequential_characters = Gebruik niet meer dan { $max } opeenvolgende tekens, zoals abc of 123.
    .too_common = Dit wachtwoord wordt te vaak gebruikt. Kies een ander wachtwoord.
    .contains_user_info = Gebruik geen persoonlijke gegevens, zoals je e-mailadres, in je wachtwoord.
    .contains_user_info_kinds = Je wachtwoord bevat { $kinds }. Kies een ander wachtwoord.
    .breached = Dit wachtwoord is uitgelekt bij een datalek. Kies een ander wachtwoord.
    .used_before = Je hebt dit wachtwoord al eerder gebruikt. Kies een ander wachtwoord.
    .too_weak = Dit wachtwoord is te zwak. Kies een sterker wachtwoord.

password_rule =
    .too_short = { $min_length ->
        [one] Minimaal { $min_length } teken
       *[other] Minimaal { $min_length } tekens
    }
    .character_types = Minimaal { $required } van de volgende: { $types }
    .character_types_all = Al het volgende: { $types }
    .repeated_characters = Maximaal { $max } dezelfde tekens achter elkaar
    .sequential_characters = Maximaal { $max } opeenvolgende tekens, zoals abc of 123
    .contains_user_info = Geen persoonlijke gegevens, zoals je e-mailadres

character_type =
    .lowercase = een kleine letter
    .uppercase = een hoofdletter
    .number = een cijfer
    .special = een speciaal teken
    .separator = { ", " }

personal_information =
    .email = je e-mailadres
    .given_name = je voornaam
    .family_name = je achternaam
    .name = je naam
    .nickname = je bijnaam
    .username = je gebruikersnaam
    .phone_number = je telefoonnummer
    .other = andere persoonlijke gegevens
