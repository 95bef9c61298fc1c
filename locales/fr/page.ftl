page =
    .create_account = Créez votre compte
    .error = Erreur
    .colon = { " : " }
    .optional = facultatif
    .continue_with = Continuer avec { $provider }
    .or = ou
    .show = Afficher
    .hide = Masquer
    .show_password = Afficher le mot de passe
    .hide_password = Masquer le mot de passe
    .password_rules = Votre mot de passe doit respecter ces règles :
    .password_rules_unmet = Choisissez un mot de passe qui respecte toutes les règles indiquées.
    .enter_password_again = Saisissez à nouveau votre mot de passe.
    .submit = Créer mon compte
    .accept_terms = J’accepte les [conditions d’utilisation].
    .new_tab = s’ouvre dans un nouvel onglet
    .have_account = Vous avez déjà un compte ?
    .log_in = Se connecter
    .reset_password = Réinitialiser le mot de passe
    .privacy = Confidentialité
    .choose = Choisissez une option
    .success_title = Bienvenue
    .success_title_name = Bienvenue, { $name }
    .success_created = Votre compte a été créé.
    .success_created_email = Votre compte a été créé avec l’adresse { $email }.
    .success_confirm_email = Consultez votre boîte de réception : si un e-mail vous demande de confirmer votre adresse, ouvrez le lien qu’il contient.
    .success_log_in = Connectez-vous ensuite avec votre adresse e-mail et votre mot de passe.
    .success_accepted_title = Consultez votre boîte de réception
    .success_accepted = Nous avons bien reçu votre demande. La suite vous attend dans votre boîte de réception.
    .success_accepted_email = Nous avons bien reçu votre demande. La suite vous attend dans la boîte de réception de { $email }.
    .back_to_form = Retour au formulaire
    .back_to_site = Retour à { $site }
    .try_again_in = { $seconds ->
        [one] Réessayez dans { $seconds } seconde.
       *[other] Réessayez dans { $seconds } secondes.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Réessayez dans { $minutes } minute.
       *[other] Réessayez dans { $minutes } minutes.
    }
    .reference = Référence
    .leave_empty = Laissez ce champ vide
    .needs_script = Activez JavaScript pour vous inscrire. Il nous permet de vérifier que vous n’êtes pas un robot.
    .script_suggestion = Vouliez-vous dire %address% ?
    .script_caps_lock = La touche Verr. Maj est activée.
    .script_password_shown = Votre mot de passe est visible.
    .script_password_hidden = Votre mot de passe est masqué.
    .script_submitting = Création de votre compte…
    .script_retrying = C’est plus long que d’habitude. Nous continuons d’essayer…
    .script_checking = Nous vérifions que vous n’êtes pas un robot…
    .script_offline_heading = Connexion impossible
    .script_offline = Vérifiez votre connexion Internet, puis réessayez. Tout ce que vous avez saisi est encore là.
    .script_wait = Réessayez dans %seconds% secondes.
    .script_wait_minutes = Réessayez dans %minutes% minutes.
    .script_met = règle respectée :
    .script_unmet = pas encore respectée :

field =
    .email = Adresse e-mail
    .password = Mot de passe
    .given_name = Prénom
    .family_name = Nom de famille
    .name = Nom complet
    .nickname = Pseudo
    .picture = Image (adresse web)
    .username = Nom d’utilisateur
    .phone_number = Numéro de téléphone
    .terms = Conditions d’utilisation
