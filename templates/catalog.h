// catalog.h - the texts of mails in one language, from locales/<tag>.json.
//
//   {"locale": "hu", "name": "magyar",
//    "texts": {"greeting": "Szia {name}!", ...},            common to all types of mail
//    "types": {"login_code_valid": {"subject": ..., ...}}}  of one type; they go first
//
// A text is a string, or an object of strings by plural class, of which {minutes} chooses:
// {"one": "... {minutes} ...", "other": "... {minutes} ..."}.
//
// "hu-x-formal" is a variant of "hu": a whole catalog that addresses its readers in another
// way. x-formal and x-informal are the ones there are; a brand chooses, never a reader.
//
// All that can be wrong with catalogs is found when they are loaded. A text that is always
// shown uses nothing but what each mail of its type has, so it can always be written.
// Nothing changes after loading: any thread may read.
#ifndef TEMPLATES_CATALOG_H
#define TEMPLATES_CATALOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "templates/mail_type.h"
#include "templates/message.h"
#include "templates/plural.h"
#include "templates/source.h"

#define CATALOG_TAG_SIZE 65

enum text_key {
    TEXT_SUBJECT,
    TEXT_SUBJECT_CODE, // in place of subject, where the brand lets a locked phone show the code
    TEXT_PREHEADER,
    TEXT_PREHEADER_CODE,
    TEXT_HEADING,
    TEXT_INTRO,
    TEXT_CONTEXT,      // what the mail was asked for with
    TEXT_CONTEXT_TIME, // and when, where the reader's zone is known
    TEXT_BUTTON,
    TEXT_OUTRO,
    TEXT_HAPPENED, // when the thing that a notice tells of was done
    TEXT_NOT_YOU,
    TEXT_GREETING,
    TEXT_GREETING_NAMELESS,
    TEXT_CODE_LABEL,
    TEXT_EXPIRY_CODE,
    TEXT_EXPIRY_LINK,
    TEXT_EXPIRY_CODE_UNTIL, // in place of expiry_code, where the reader's zone is known
    TEXT_EXPIRY_LINK_UNTIL,
    TEXT_LINK_HINT,
    TEXT_FOOTER,
    TEXT_SUBJECT_OWN, // for Kratos' own text, where that comes without a subject
    TEXT_COUNT,       // is none
};
const char *text_key_name(enum text_key key); // as it stands in the file

struct text {
    struct message *forms[PLURAL_COUNT]; // without plural classes: PLURAL_OTHER alone
    unsigned placeholders;               // of PLURAL_OTHER
    size_t line;                         // in the file; 0: the catalog has no such text
};

struct catalog_type {
    char *name;
    enum mail_need need;
    size_t line;
    struct text texts[TEXT_COUNT];
};

struct catalog {
    char tag[CATALOG_TAG_SIZE];      // BCP 47: "hu", "hu-x-formal"
    char language[CATALOG_TAG_SIZE]; // the tag without its variant: "hu"
    char *name;                      // of the language, in itself
    char *path;                      // for faults
    struct plural_rules *plural;
    size_t common_line, types_line;
    struct text common[TEXT_COUNT];
    struct catalog_type *types;
    size_t type_count;
};

struct catalogs {
    struct catalog **items; // by tag, ascending
    size_t count;
    char (*unread)[CATALOG_TAG_SIZE]; // tags of files nothing of which could be read
    size_t unread_count;
};

// Loads dir/locales/*.json and holds them against each other: against the one of reference,
// or the first where there is none such. Every fault is appended to faults; what is returned is
// good to be used only if there was none. NULL: no memory.
struct catalogs *catalogs_load(const char *dir, const char *reference, json_t *faults);
void catalogs_destroy(struct catalogs *catalogs); // NULL is a no-op

// Reads the catalog of tag from source, whose path is what faults call it. NULL: nothing of it
// could be read. Release with catalog_destroy().
struct catalog *catalog_load(const char *tag, struct source *source, json_t *faults);
void catalog_destroy(struct catalog *catalog); // NULL is a no-op

bool catalog_is_variant(const struct catalog *catalog); // "hu-x-formal"

// By its tag, letter for letter but for their case; NULL where there is none.
const struct catalog *catalogs_find(const struct catalogs *catalogs, const char *tag);
bool catalogs_is_unread(const struct catalogs *catalogs, const char *tag); // it is one of unread

// NULL where the catalog does not know this type of mail.
const struct catalog_type *catalog_find_type(const struct catalog *catalog, const char *name);
// The type's text, else the common one, else NULL. type may be NULL.
const struct text *catalog_text(const struct catalog *catalog, const struct catalog_type *type,
                                enum text_key key);

// Appends the form of text that goes with minutes. False, with nothing appended, where text
// needs a value that this mail does not have.
bool catalog_write(const struct catalog *catalog, const struct text *text, int minutes,
                   const struct message_values *values, struct buffer *out);

// Holds catalogs against each other and against what their types need (catalog_check.c).
void catalogs_check(const struct catalogs *catalogs, const char *reference, json_t *faults);

#endif
