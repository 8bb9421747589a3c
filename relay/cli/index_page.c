#include "relay/cli/index_page.h"

#include <string.h>

// On a narrow screen a row is a block, and each of its cells says its language itself.
static const char head[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<title>Mails of courier-relay</title>\n"
    "<style>\n"
    ":root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --back: #ffffff;"
    " --head: #f3f5f7; --line: #d0d7de; --link: #0550ae; --fault: #a40e26; }\n"
    "@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --quiet: #9aa4af;"
    " --back: #15191e; --head: #1f242b; --line: #3a424c; --link: #79b8ff; --fault: #ff9492; } }\n"
    "body { margin: 0 auto; max-width: 100rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif;"
    " color: var(--text); background: var(--back); }\n"
    "h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }\n"
    "p { margin: .25rem 0; color: var(--quiet); } a { color: var(--link); }\n"
    "code { font-family: ui-monospace, monospace; }\n"
    "table { border-collapse: collapse; width: 100%; }\n"
    "th, td { border: 1px solid var(--line); padding: .5rem .75rem; text-align: start;"
    " vertical-align: top; overflow-wrap: break-word; }\n"
    "th { background: var(--head); font-weight: 600; }\n"
    "thead th { position: sticky; top: 0; }\n"
    ".files { display: block; font-size: .875rem; } .fault { color: var(--fault); }\n"
    "td .locale { display: none; color: var(--quiet); font-size: .875rem; }\n"
    "@media (max-width: 60rem) {\n"
    "  thead { position: absolute; width: 1px; height: 1px; overflow: hidden;"
    " clip-path: inset(50%); }\n"
    "  tr, th, td { display: block; } tr { margin: 0 0 1rem; } td { border-top: 0; }\n"
    "  td .locale { display: block; }\n"
    "}\n"
    "</style>\n"
    "</head>\n"
    "<body>\n"
    "<h1>Mails of courier-relay</h1>\n";

static void put_escaped(struct buffer *page, const char *text, size_t size)
{
    for (const char *at = text; at < text + size; at++) {
        switch (*at) {
        case '&':
            buffer_puts(page, "&amp;");
            break;
        case '<':
            buffer_puts(page, "&lt;");
            break;
        case '>':
            buffer_puts(page, "&gt;");
            break;
        case '"':
            buffer_puts(page, "&quot;");
            break;
        case '\'':
            buffer_puts(page, "&#39;");
            break;
        default:
            buffer_putc(page, *at);
        }
    }
}

// before TEXT behind, of which only the text is escaped.
static void put(struct buffer *page, const char *before, const char *text, const char *behind)
{
    buffer_puts(page, before);
    put_escaped(page, text, strlen(text));
    buffer_puts(page, behind);
}

static void put_language(struct buffer *page, const char *language, const char *dir)
{
    put(page, " lang=\"", language, "\"");
    put(page, " dir=\"", dir, "\"");
}

void index_page_begin(struct buffer *page, size_t types, size_t locales, size_t brands)
{
    buffer_puts(page, head);
    buffer_printf(page, "<p>%zu type%s × %zu locale%s × %zu brand%s</p>\n", types,
                  types == 1 ? "" : "s", locales, locales == 1 ? "" : "s", brands,
                  brands == 1 ? "" : "s");
}

void index_page_begin_brand(struct buffer *page, const char *id, const char *name)
{
    put(page, "<h2><bdi>", name, "</bdi>");
    put(page, " <code>", id, "</code></h2>\n<table>\n<thead><tr><th scope=\"col\">Type</th>");
}

void index_page_locale(struct buffer *page, const char *locale, const char *language,
                       const char *dir, const char *name)
{
    put(page, "<th scope=\"col\"><code>", locale, "</code> <bdi");
    put_language(page, language, dir);
    put(page, ">", name, "</bdi></th>");
}

void index_page_end_locales(struct buffer *page)
{
    buffer_puts(page, "</tr></thead>\n<tbody>\n");
}

void index_page_begin_type(struct buffer *page, const char *type)
{
    buffer_puts(page, "<tr><th scope=\"row\"><code>");
    for (const char *at = type; *at; at++) {
        put_escaped(page, at, 1);
        if (*at == '_')
            buffer_puts(page, "<wbr>"); // where the long name may be broken
    }
    buffer_puts(page, "</code></th>\n");
}

void index_page_mail(struct buffer *page, const struct index_page_mail *mail)
{
    put(page, "<td><code class=\"locale\">", mail->locale, "</code>");
    if (mail->subject) {
        put(page, "<a href=\"", mail->path, ".html\"");
        put_language(page, mail->language, mail->dir);
        buffer_putc(page, '>');
        put_escaped(page, mail->subject, mail->subject_size);
        put(page, "</a><span class=\"files\"><a href=\"", mail->path, ".txt\">text</a>");
        put(page, " <a href=\"", mail->path, ".eml\">message</a></span>");
    } else {
        put(page, "<span class=\"fault\">no mail: ", mail->park, "</span>");
    }
    buffer_puts(page, "</td>\n");
}

void index_page_end_type(struct buffer *page)
{
    buffer_puts(page, "</tr>\n");
}

void index_page_end_brand(struct buffer *page)
{
    buffer_puts(page, "</tbody>\n</table>\n");
}

void index_page_end(struct buffer *page)
{
    buffer_puts(page, "</body>\n</html>\n");
}
