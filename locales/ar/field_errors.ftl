required = املأ هذا الحقل.
    .email = أدخل عنوان بريدك الإلكتروني.
    .password = أدخل كلمة مرور.
    .given_name = أدخل اسمك الأول.
    .family_name = أدخل اسم عائلتك.
    .name = أدخل اسمك الكامل.
    .username = أدخل اسم مستخدم.
    .phone_number = أدخل رقم هاتفك.
too_long = { $max ->
    [one] استخدم حرفًا واحدًا ({ $max }) على الأكثر.
    [two] استخدم حرفين ({ $max }) على الأكثر.
    [few] استخدم { $max } أحرف على الأكثر.
    [many] استخدم { $max } حرفًا على الأكثر.
   *[other] استخدم { $max } حرف على الأكثر.
}
too_short = { $min ->
    [one] استخدم حرفًا واحدًا ({ $min }) على الأقل.
    [two] استخدم حرفين ({ $min }) على الأقل.
    [few] استخدم { $min } أحرف على الأقل.
    [many] استخدم { $min } حرفًا على الأقل.
   *[other] استخدم { $min } حرف على الأقل.
}
malformed = هذا ليس بالصيغة المتوقعة.
    .email = اكتب عنوانًا كاملًا، مثل name@example.com.
    .phone_number = ابدأ بعلامة + ورمز البلد، مثل ‎+97141234567‎.
not_allowed = هذا غير مسموح به هنا.
not_listed = اختر واحدًا من هذه: { $values }.
out_of_range = اكتب عددًا صحيحًا من { $min } إلى { $max }.
    .min = اكتب عددًا صحيحًا لا يقل عن { $min }.
    .max = اكتب عددًا صحيحًا لا يزيد عن { $max }.
domain_not_allowed = عناوين هذا النطاق غير مقبولة.
terms_required = وافق على الشروط للمتابعة.
unknown_field = لا يوجد حقل بهذا الاسم.
duplicate_field = ورد هذا الحقل أكثر من مرة.
wrong_type = يجب أن يكون من النوع { $expected }.
control_character = احذف رموز التحكم، مثل فواصل الأسطر.

password =
    .too_short = { $min_length ->
        [one] استخدم حرفًا واحدًا ({ $min_length }) على الأقل.
        [two] استخدم حرفين ({ $min_length }) على الأقل.
        [few] استخدم { $min_length } أحرف على الأقل.
        [many] استخدم { $min_length } حرفًا على الأقل.
       *[other] استخدم { $min_length } حرف على الأقل.
    }
    .too_long = كلمة المرور هذه طويلة جدًا. استخدم كلمة أقصر.
    .character_types = استخدم { $required } من هذه: { $types }.
    .character_types_all = أضف { $missing }.
    .repeated_characters = لا تكرّر الحرف نفسه أكثر من { $max } مرات متتالية.
    .sequential_characters = لا تستخدم أكثر من { $max } أحرف متسلسلة مثل abc أو 123.
    .too_common = كلمة المرور هذه شائعة جدًا.
    .contains_user_info = لا تستخدم اسمك أو اسم المستخدم أو عنوان بريدك الإلكتروني في كلمة المرور.
    .contains_user_info_kinds = Your password contains { $kinds }. Choose one that doesn't.
    .breached = كلمة المرور هذه ضمن تسريب بيانات معروف.
    .used_before = استُخدمت كلمة المرور هذه من قبل.
    .too_weak = كلمة المرور هذه ضعيفة جدًا.

password_rule =
    .too_short = { $min_length ->
        [one] استخدم حرفًا واحدًا ({ $min_length }) على الأقل.
        [two] استخدم حرفين ({ $min_length }) على الأقل.
        [few] استخدم { $min_length } أحرف على الأقل.
        [many] استخدم { $min_length } حرفًا على الأقل.
       *[other] استخدم { $min_length } حرف على الأقل.
    }
    .character_types = استخدم { $required } من هذه: { $types }.
    .character_types_all = استخدم كل ما يلي: { $types }.
    .repeated_characters = لا تكرّر الحرف نفسه أكثر من { $max } مرات متتالية.
    .sequential_characters = لا تستخدم أكثر من { $max } أحرف متسلسلة مثل abc أو 123.
    .contains_user_info = لا تستخدم اسمك أو اسم المستخدم أو عنوان بريدك الإلكتروني في كلمة المرور.

character_type =
    .lowercase = حرفًا لاتينيًا صغيرًا
    .uppercase = حرفًا لاتينيًا كبيرًا
    .number = رقمًا
    .special = رمزًا خاصًا
    .separator = { "، " }

personal_information =
    .email = your email address
    .given_name = your first name
    .family_name = your last name
    .name = your name
    .nickname = your nickname
    .username = your username
    .phone_number = your phone number
    .other = other personal information
