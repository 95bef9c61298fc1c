required = Ce champ est obligatoire.
    .email = Saisissez votre adresse e-mail.
    .password = Saisissez un mot de passe.
    .given_name = Saisissez votre prénom.
    .family_name = Saisissez votre nom de famille.
    .name = Saisissez votre nom complet.
    .username = Saisissez un nom d’utilisateur.
    .phone_number = Saisissez votre numéro de téléphone.
too_long = { $max ->
    [one] Utilisez au maximum { $max } caractère.
   *[other] Utilisez au maximum { $max } caractères.
}
too_short = { $min ->
    [one] Utilisez au moins { $min } caractère.
   *[other] Utilisez au moins { $min } caractères.
}
malformed = Le format n’est pas valide.
    .email = Format attendu : nom@example.com.
    .phone_number = Commencez par + et l’indicatif du pays, sans (0), par exemple +33199001234.
not_allowed = Cette valeur n’est pas autorisée.
not_listed = Choisissez l’une de ces options : { $values }.
out_of_range = Saisissez un nombre entier compris entre { $min } et { $max }.
    .min = Saisissez un nombre entier supérieur ou égal à { $min }.
    .max = Saisissez un nombre entier inférieur ou égal à { $max }.
domain_not_allowed = Les adresses e-mail de ce domaine ne sont pas acceptées. Utilisez-en une autre.
terms_required = Acceptez les conditions d’utilisation pour continuer.
terms_changed = Les conditions d’utilisation ont changé. Rechargez la page pour accepter les nouvelles.
    .on_new_form = Les conditions d’utilisation ont changé. Acceptez les nouvelles pour continuer.
unknown_field = Ce champ n’est pas accepté.
duplicate_field = Ce champ a été envoyé plusieurs fois.
wrong_type = La valeur doit être de type { $expected }.
control_character = Supprimez les sauts de ligne et autres caractères invisibles.

password =
    .too_short = { $min_length ->
        [one] Utilisez au moins { $min_length } caractère.
       *[other] Utilisez au moins { $min_length } caractères.
    }
    .too_long = Ce mot de passe est trop long. Choisissez-en un plus court.
    .character_types = Utilisez au moins { $required } de ces éléments : { $types }.
    .character_types_all = Ajoutez { $missing }.
    .repeated_characters = N’utilisez pas le même caractère plus de { $max } fois de suite.
    .sequential_characters = N’utilisez pas plus de { $max } caractères qui se suivent, comme abc ou 123.
    .too_common = Ce mot de passe est trop courant. Choisissez-en un autre.
    .contains_user_info = N’utilisez pas d’informations personnelles, comme votre adresse e-mail, dans votre mot de passe.
    .contains_user_info_kinds = Votre mot de passe contient { $kinds }. Choisissez-en un autre.
    .breached = Ce mot de passe figure dans une fuite de données. Choisissez-en un autre.
    .used_before = Vous avez déjà utilisé ce mot de passe. Choisissez-en un autre.
    .too_weak = Ce mot de passe est trop faible. Choisissez-en un plus robuste.

password_rule =
    .too_short = { $min_length ->
        [one] Au moins { $min_length } caractère
       *[other] Au moins { $min_length } caractères
    }
    .character_types = Au moins { $required } de ces éléments : { $types }
    .character_types_all = Tous ces éléments : { $types }
    .repeated_characters = Pas plus de { $max } caractères identiques de suite
    .sequential_characters = Pas plus de { $max } caractères qui se suivent, comme abc ou 123
    .contains_user_info = Aucune information personnelle, comme votre adresse e-mail

character_type =
    .lowercase = une minuscule
    .uppercase = une majuscule
    .number = un chiffre
    .special = un caractère spécial
    .separator = { ", " }

personal_information =
    .email = votre adresse e-mail
    .given_name = votre prénom
    .family_name = votre nom de famille
    .name = votre nom complet
    .nickname = votre pseudo
    .username = votre nom d’utilisateur
    .phone_number = votre numéro de téléphone
    .other = d’autres informations personnelles
