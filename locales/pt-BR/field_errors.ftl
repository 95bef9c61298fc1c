required = Este campo é obrigatório.
    .email = Digite seu e-mail.
    .password = Digite uma senha.
    .given_name = Digite seu nome.
    .family_name = Digite seu sobrenome.
    .name = Digite seu nome completo.
    .username = Digite um nome de usuário.
    .phone_number = Digite seu número de telefone.
too_long = { $max ->
    [one] Use no máximo { $max } caractere.
   *[other] Use no máximo { $max } caracteres.
}
too_short = { $min ->
    [one] Use pelo menos { $min } caractere.
   *[other] Use pelo menos { $min } caracteres.
}
malformed = O formato não é válido.
    .email = Use o formato nome@example.com.
    .phone_number = Comece com + e o código do país, sem (0), como +5511912345678.
not_allowed = Este valor não é permitido.
not_listed = Escolha uma destas opções: { $values }.
out_of_range = Digite um número inteiro de { $min } a { $max }.
    .min = Digite um número inteiro igual ou maior que { $min }.
    .max = Digite um número inteiro igual ou menor que { $max }.
domain_not_allowed = E-mails deste domínio não são aceitos. Use outro e-mail.
terms_required = Aceite os termos para continuar.
terms_changed = Os termos mudaram. Recarregue a página para aceitar os novos.
    .on_new_form = Os termos mudaram. Aceite os novos para continuar.
unknown_field = Este campo não é aceito.
duplicate_field = Este campo foi enviado mais de uma vez.
wrong_type = O valor deve ser do tipo { $expected }.
control_character = Remova quebras de linha e outros caracteres invisíveis.

password =
    .too_short = { $min_length ->
        [one] Use pelo menos { $min_length } caractere.
       *[other] Use pelo menos { $min_length } caracteres.
    }
    .too_long = Esta senha é longa demais. Escolha uma mais curta.
    .character_types = Use pelo menos { $required } destes itens: { $types }.
    .character_types_all = Inclua { $missing }.
    .repeated_characters = Não use o mesmo caractere mais de { $max } vezes seguidas.
    .sequential_characters = Não use mais de { $max } caracteres em sequência, como abc ou 123.
    .too_common = Esta senha é comum demais. Escolha outra.
    .contains_user_info = Não use dados pessoais, como seu e-mail, na senha.
    .contains_user_info_kinds = Sua senha contém { $kinds }. Escolha outra.
    .breached = Esta senha apareceu em um vazamento de dados. Escolha outra.
    .used_before = Você já usou esta senha. Escolha outra.
    .too_weak = Esta senha é fraca demais. Escolha uma mais forte.

password_rule =
    .too_short = { $min_length ->
        [one] Pelo menos { $min_length } caractere
       *[other] Pelo menos { $min_length } caracteres
    }
    .character_types = Pelo menos { $required } destes itens: { $types }
    .character_types_all = Todos estes itens: { $types }
    .repeated_characters = No máximo { $max } caracteres iguais seguidos
    .sequential_characters = No máximo { $max } caracteres em sequência, como abc ou 123
    .contains_user_info = Nenhum dado pessoal, como seu e-mail

character_type =
    .lowercase = uma letra minúscula
    .uppercase = uma letra maiúscula
    .number = um número
    .special = um caractere especial
    .separator = { ", " }

personal_information =
    .email = seu e-mail
    .given_name = seu nome
    .family_name = seu sobrenome
    .name = seu nome completo
    .nickname = seu apelido
    .username = seu nome de usuário
    .phone_number = seu número de telefone
    .other = outros dados pessoais
