required = Remplissez ce champ.
    .email = Saisissez votre adresse e-mail.
    .password = Saisissez un mot de passe.
    .given_name = Saisissez votre prénom.
    .family_name = Saisissez votre nom de famille.
    .name = Saisissez votre nom.
    .username = Saisissez un nom d’utilisateur.
    .phone_number = Saisissez votre numéro de téléphone.
too_long = { $max ->
    [one] Utilisez { $max } caractère au plus.
   *[other] Utilisez { $max } caractères au plus.
}
too_short = { $min ->
    [one] Utilisez au moins { $min } caractère.
   *[other] Utilisez au moins { $min } caractères.
}
malformed = Ce n’est pas la forme attendue.
    .email = Écrivez une adresse complète, comme nom@example.com.
    .phone_number = Commencez par + et l’indicatif du pays, comme +33123456789.
not_allowed = Ce n’est pas autorisé ici.
not_listed = Choisissez parmi : { $values }.
out_of_range = Indiquez un nombre entier de { $min } à { $max }.
    .min = Indiquez un nombre entier d’au moins { $min }.
    .max = Indiquez un nombre entier d’au plus { $max }.
domain_not_allowed = Les adresses de ce domaine ne sont pas acceptées.
terms_required = Acceptez les conditions pour continuer.
unknown_field = Ce champ n’existe pas.
duplicate_field = Ce champ a été donné plus d’une fois.
wrong_type = La valeur doit être de type { $expected }.
control_character = Retirez les caractères de contrôle, comme les retours à la ligne.

password =
    .too_short = { $min_length ->
        [one] Utilisez au moins { $min_length } caractère.
       *[other] Utilisez au moins { $min_length } caractères.
    }
    .too_long = Ce mot de passe est trop long. Choisissez-en un plus court.
    .character_types = Utilisez { $required } de ces éléments : { $types }.
    .character_types_all = Ajoutez { $missing }.
    .repeated_characters = N’utilisez pas un caractère plus de { $max } fois de suite.
    .sequential_characters = N’utilisez pas plus de { $max } caractères qui se suivent, comme abc ou 123.
    .too_common = Ce mot de passe est trop courant.
    .contains_user_info = N’utilisez ni votre nom, ni votre nom d’utilisateur, ni votre adresse e-mail dans le mot de passe.
    .contains_user_info_kinds = Your password contains { $kinds }. Choose one that doesn't.
    .breached = Ce mot de passe figure dans une fuite de données connue.
    .used_before = Ce mot de passe a déjà été utilisé.
    .too_weak = Ce mot de passe est trop faible.

password_rule =
    .too_short = { $min_length ->
        [one] Utilisez au moins { $min_length } caractère.
       *[other] Utilisez au moins { $min_length } caractères.
    }
    .character_types = Utilisez { $required } de ces éléments : { $types }.
    .character_types_all = Utilisez tous ces éléments : { $types }.
    .repeated_characters = N’utilisez pas un caractère plus de { $max } fois de suite.
    .sequential_characters = N’utilisez pas plus de { $max } caractères qui se suivent, comme abc ou 123.
    .contains_user_info = N’utilisez ni votre nom, ni votre nom d’utilisateur, ni votre adresse e-mail dans le mot de passe.

character_type =
    .lowercase = une minuscule
    .uppercase = une majuscule
    .number = un chiffre
    .special = un caractère spécial
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
