page =
    .create_account = إنشاء حساب
    .error = خطأ
    .colon = { ": " }
    .optional = اختياري
    .continue_with = المتابعة باستخدام { "\u2068" }{ $provider }{ "\u2069" }
    .or = أو
    .show = إظهار
    .hide = إخفاء
    .show_password = إظهار كلمة المرور
    .hide_password = إخفاء كلمة المرور
    .password_rules = متطلبات كلمة المرور:
    .password_rules_unmet = يُرجى اختيار كلمة مرور تستوفي جميع المتطلبات.
    .enter_password_again = يُرجى إدخال كلمة المرور مرة أخرى.
    .submit = إنشاء الحساب
    .accept_terms = أوافق على [الشروط والأحكام].
    .new_tab = يُفتح في علامة تبويب جديدة
    .have_account = هل لديك حساب؟
    .log_in = تسجيل الدخول
    .reset_password = إعادة تعيين كلمة المرور
    .privacy = الخصوصية
    .choose = يُرجى الاختيار
    .success_title = مرحبًا بك
    .success_title_name = مرحبًا بك، { "\u2068" }{ $name }{ "\u2069" }
    .success_created = تم إنشاء حسابك.
    .success_created_email = تم إنشاء حسابك بالعنوان { "\u2068" }{ $email }{ "\u2069" }.
    .success_confirm_email = يُرجى تفقُّد البريد الوارد: إذا وصلتك رسالة لتأكيد عنوانك، فيُرجى فتح الرابط الوارد فيها.
    .success_log_in = يمكنك بعد ذلك تسجيل الدخول بعنوان بريدك الإلكتروني وكلمة المرور.
    .success_accepted_title = يُرجى تفقُّد البريد الوارد
    .success_accepted = تلقّينا طلب التسجيل. الخطوة التالية في بريدك الوارد.
    .success_accepted_email = تلقّينا طلب التسجيل. الخطوة التالية في البريد الوارد للعنوان { "\u2068" }{ $email }{ "\u2069" }.
    .back_to_form = العودة إلى النموذج
    .back_to_site = العودة إلى { "\u2068" }{ $site }{ "\u2069" }
    .try_again_in = { PLURAL($seconds) ->
        [one] يُرجى إعادة المحاولة بعد ثانية واحدة.
        [two] يُرجى إعادة المحاولة بعد ثانيتين.
        [few] يُرجى إعادة المحاولة بعد { $seconds } ثوانٍ.
       *[other] يُرجى إعادة المحاولة بعد { $seconds } ثانية.
    }
    .try_again_in_minutes = { PLURAL($minutes) ->
        [one] يُرجى إعادة المحاولة بعد دقيقة واحدة.
        [two] يُرجى إعادة المحاولة بعد دقيقتين.
        [few] يُرجى إعادة المحاولة بعد { $minutes } دقائق.
       *[other] يُرجى إعادة المحاولة بعد { $minutes } دقيقة.
    }
    .reference = الرقم المرجعي
    .leave_empty = يُرجى ترك هذا الحقل فارغًا
    .needs_script = يجب تفعيل JavaScript للتسجيل. نستخدمه للتحقق من أنك لست روبوتًا.
    .script_suggestion = هل المقصود %address%؟
    .script_caps_lock = مفتاح Caps Lock مُفعَّل.
    .script_password_shown = كلمة المرور ظاهرة.
    .script_password_hidden = كلمة المرور مخفية.
    .script_submitting = جارٍ إنشاء حسابك…
    .script_retrying = يستغرق هذا وقتًا أطول من المعتاد. ما زلنا نحاول…
    .script_checking = جارٍ التحقق من أنك لست روبوتًا…
    .script_offline_heading = تعذّر الاتصال
    .script_offline = يُرجى التحقق من اتصال الإنترنت ثم إعادة المحاولة. كل ما أدخلته ما زال هنا.
    .script_wait = يُرجى إعادة المحاولة بعد الوقت التالي بالثواني: %seconds%.
    .script_wait_minutes = يُرجى إعادة المحاولة بعد الوقت التالي بالدقائق: %minutes%.
    .script_met = مستوفى:
    .script_unmet = غير مستوفى بعد:

field =
    .email = عنوان البريد الإلكتروني
    .password = كلمة المرور
    .given_name = الاسم الأول
    .family_name = اسم العائلة
    .name = الاسم الكامل
    .nickname = الاسم المستعار
    .picture = الصورة (عنوان ويب)
    .username = اسم المستخدم
    .phone_number = رقم الهاتف
    .terms = الشروط والأحكام
