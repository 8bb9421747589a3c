// mail_type.h - what a mail cannot do without, told from its template's name.
#ifndef TEMPLATES_MAIL_TYPE_H
#define TEMPLATES_MAIL_TYPE_H

enum mail_need {
    NEED_NOTHING, // notices, and what Kratos sends to those who have no account
    NEED_CODE,    // a one-time code; a link beside it is welcome
    NEED_LINK,
};

// By the suffix of the name: "login_code_valid" needs a code, "recovery_valid" a link.
enum mail_need mail_type_need(const char *template);

#endif
