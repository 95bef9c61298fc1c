page =
    .create_account = Crie sua conta
    .error = Erro
    .colon = { ": " }
    .optional = opcional
    .continue_with = Continuar com { $provider }
    .or = ou
    .show = Mostrar
    .hide = Ocultar
    .show_password = Mostrar senha
    .hide_password = Ocultar senha
    .password_rules = Sua senha precisa atender a estes requisitos:
    .password_rules_unmet = Escolha uma senha que atenda a todos os requisitos.
    .enter_password_again = Digite sua senha novamente.
    .submit = Criar conta
    .accept_terms = Eu aceito os [termos].
    .new_tab = abre em uma nova guia
    .have_account = Já tem uma conta?
    .log_in = Entrar
    .reset_password = Redefinir senha
    .privacy = Privacidade
    .choose = Escolha uma opção
    .success_title = Boas-vindas
    .success_title_name = Boas-vindas, { $name }
    .success_created = Sua conta foi criada.
    .success_created_email = Sua conta foi criada com o e-mail { $email }.
    .success_confirm_email = Confira sua caixa de entrada: se você recebeu um e-mail para confirmar seu endereço, abra o link da mensagem.
    .success_log_in = Depois, entre com seu e-mail e sua senha.
    .success_accepted_title = Confira sua caixa de entrada
    .success_accepted = Recebemos seu cadastro. Confira sua caixa de entrada para saber como continuar.
    .success_accepted_email = Recebemos seu cadastro. Confira a caixa de entrada de { $email } para saber como continuar.
    .back_to_form = Voltar ao formulário
    .back_to_site = Voltar para { $site }
    .try_again_in = { $seconds ->
        [one] Tente novamente em { $seconds } segundo.
       *[other] Tente novamente em { $seconds } segundos.
    }
    .try_again_in_minutes = { $minutes ->
        [one] Tente novamente em { $minutes } minuto.
       *[other] Tente novamente em { $minutes } minutos.
    }
    .reference = Código de referência
    .leave_empty = Deixe este campo em branco
    .needs_script = Ative o JavaScript para criar sua conta. Usamos isso para verificar que você não é um robô.
    .script_suggestion = Você quis dizer %address%?
    .script_caps_lock = O Caps Lock está ativado.
    .script_password_shown = Sua senha está visível.
    .script_password_hidden = Sua senha está oculta.
    .script_submitting = Criando sua conta…
    .script_retrying = Está demorando mais do que o normal. Ainda estamos tentando…
    .script_checking = Verificando que você não é um robô…
    .script_offline_heading = Não foi possível conectar
    .script_offline = Verifique sua conexão com a internet e tente novamente. Tudo o que você digitou continua aqui.
    .script_wait = Tente novamente em %seconds% segundos.
    .script_wait_minutes = Tente novamente em %minutes% minutos.
    .script_met = atendido:
    .script_unmet = ainda não atendido:

field =
    .email = E-mail
    .password = Senha
    .given_name = Nome
    .family_name = Sobrenome
    .name = Nome completo
    .nickname = Apelido
    .picture = Foto (endereço na web)
    .username = Nome de usuário
    .phone_number = Número de telefone
    .terms = Termos
