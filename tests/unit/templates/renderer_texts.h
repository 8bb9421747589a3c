// renderer_texts.h - the files of a small templates folder, for tests of the renderer.
#ifndef TESTS_UNIT_TEMPLATES_RENDERER_TEXTS_H
#define TESTS_UNIT_TEMPLATES_RENDERER_TEXTS_H

static const char CODE[] __attribute__((unused)) = "750046";
static const char URL[] __attribute__((unused)) = "https://auth.example.org/verify?flow=1&code=2";

static const char TEXT_FRAME[] =
    "{{>head}}\n"
    "{{#heading}}\n# {{heading}}\n{{/heading}}\n"
    "{{greeting}} {{intro}}\n"
    "{{#code}}\n{{code_label}}: {{code}}\n{{/code}}\n"
    "{{#link}}\n{{link.button}}: {{link.url}} ({{link.host}})\n{{/link}}\n"
    "{{#expiry}}\n{{expiry}}\n{{/expiry}}\n"
    "{{#own.lines}}\n{{text}}\n{{/own.lines}}\n";
static const char HTML_FRAME[] =
    "<html lang=\"{{lang}}\" dir=\"{{dir}}\" class=\"{{start}} {{locale}} {{template}}\">\n"
    "<!--{{preheader}}-->{{#greeting}}<p>{{greeting}}</p>{{/greeting}}{{code}}|{{link.url}}|\n"
    "{{#own_html}}{{{own_html}}}{{/own_html}}"
    "{{^own_html}}{{#own.lines}}<i>{{text}}</i>{{/own.lines}}{{/own_html}}\n</html>\n";
static const char BRAND[] = "{\"name\": \"Brand\", \"x\": \"y\", \"code_in_subject\": true}";
static const char EN[] =
    "{\"locale\": \"en\", \"name\": \"English\", \"texts\": {\n"
    "\"greeting\": \"Hi {name},\", \"greeting_nameless\": \"Hi,\", \"code_label\": \"Code\",\n"
    "\"expiry_code\": {\"one\": \"{minutes} minute\", \"other\": \"{minutes} minutes\"},\n"
    "\"expiry_link\": {\"one\": \"link {minutes}\", \"other\": \"link {minutes}\"},\n"
    "\"subject_own\": \"From {brand}\"},\n"
    "\"types\": {\n"
    "\"login_code_valid\": {\"subject\": \"Sign in\", \"subject_code\": \"{code} for {brand}\", "
    "\"preheader\": \"Inside\", \"preheader_code\": \"Code {code}\", "
    "\"heading\": \"Sign in\", \"intro\": \"Enter it.\"},\n"
    "\"verification_code_valid\": {\"subject\": \"Verify\", \"intro\": \"Enter or click.\", "
    "\"button\": \"Verify\"},\n"
    "\"recovery_valid\": {\"subject\": \"Recover\", \"intro\": \"Click.\", \"button\": "
    "\"Recover\"},\n"
    "\"recovery_invalid\": {\"subject\": \"Nobody\", \"intro\": \"No account.\"}}}\n";
#define AR_MINUTES                                                                                 \
    "{\"zero\": \"{minutes}\", \"one\": \"{minutes}\", \"two\": \"{minutes}\", \"few\": "          \
    "\"{minutes}\", "                                                                              \
    "\"many\": \"{minutes}\", \"other\": \"{minutes}\"}"
static const char AR[] =
    "{\"locale\": \"ar\", \"name\": \"\u0627\u0644\u0639\u0631\u0628\u064a\u0629\", \"texts\": {\n"
    "\"greeting\": \"{name}\", \"greeting_nameless\": \"-\", \"code_label\": \"C\",\n"
    "\"expiry_code\": " AR_MINUTES ", \"expiry_link\": " AR_MINUTES ", \"subject_own\": "
    "\"{brand}\"},\n"
    "\"types\": {\n"
    "\"login_code_valid\": {\"subject\": \"S\", \"subject_code\": \"{code} {brand}\", "
    "\"preheader\": \"P\", \"preheader_code\": \"{code}\", \"heading\": \"H\", "
    "\"intro\": \"I\"},\n"
    "\"verification_code_valid\": {\"subject\": \"V\", \"intro\": \"I\", \"button\": \"B\"},\n"
    "\"recovery_valid\": {\"subject\": \"R\", \"intro\": \"I\", \"button\": \"B\"},\n"
    "\"recovery_invalid\": {\"subject\": \"N\", \"intro\": \"I\"}}}\n";

#endif
