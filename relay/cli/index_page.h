// index_page.h - the page that leads to every mail that `render --all` has written.
//
// One self-contained HTML file: no script, nothing to load. Every text is escaped. The parts are
// written in the order of the functions; whoever reads the page looks at page->failed once.
#ifndef RELAY_CLI_INDEX_PAGE_H
#define RELAY_CLI_INDEX_PAGE_H

#include <stddef.h>

#include "relay/base/buffer.h"

void index_page_begin(struct buffer *page, size_t types, size_t locales, size_t brands);
// A brand: a table with a row for each type and a column for each locale.
void index_page_begin_brand(struct buffer *page, const char *id, const char *name);
// The head of the next column. language, dir: as in <html lang dir>.
void index_page_locale(struct buffer *page, const char *locale, const char *language,
                       const char *dir, const char *name);
void index_page_end_locales(struct buffer *page);
void index_page_begin_type(struct buffer *page, const char *type);

struct index_page_mail {
    const char *locale, *language, *dir;
    const char *subject; // NULL: there is no mail
    size_t subject_size;
    const char *path; // of its files, relative to the page, without their endings
    const char *park; // why there is no mail
};
void index_page_mail(struct buffer *page, const struct index_page_mail *mail);

void index_page_end_type(struct buffer *page);
void index_page_end_brand(struct buffer *page);
void index_page_end(struct buffer *page);

#endif
