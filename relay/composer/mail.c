#include "relay/composer/mail.h"

#include <string.h>

#define TEMPLATE_MAX 64    // what the queue keeps
#define IDENTITY_ID_MAX 64 // a UUID, or another system's id
#define BRAND_MAX 255 // a client's id is as long as its maker likes; ORY Hydra's have at most 255
#define LOCALE_MAX 64
#define TIMEZONE_MAX 64
#define ACCEPT_LANGUAGE_MAX 1024
#define LOCALES_MAX 32
#define NAME_MAX_BYTES 4096  // of a name, 64 characters are ever shown
#define REQUEST_URL_MAX 8192 // more than a server takes
#define WISH_MAX 255         // more than a language's longest name
#define MINUTE_MS INT64_C(60000)
#define LIFETIME_MINUTES_MAX (366 * 24 * 60) // more is a mistake or an attack on our arithmetic

static bool is_printable(const char *text, size_t size, bool with_spaces)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < ' ' || text[i] > '~' || (text[i] == ' ' && !with_spaces))
            return false;
    }
    return true;
}

static const char *printable(const json_t *value, size_t max, bool with_spaces)
{
    size_t size = json_string_length(value);
    const char *text = json_string_value(value);
    return text && size > 0 && size <= max && is_printable(text, size, with_spaces) ? text : NULL;
}

// A short word of printable ASCII, or NULL for everything else.
static const char *word(const json_t *value, size_t max)
{
    return printable(value, max, false);
}

// What may be a zone's name: .NET's are words with spaces ("Central Europe Standard Time").
static const char *zone_name(const json_t *value)
{
    return printable(value, TIMEZONE_MAX, true);
}

// An absent key, null or a string without NUL.
static bool read_text(const json_t *object, const char *key, const char **ret_text,
                      struct error *err)
{
    const json_t *value = json_object_get(object, key);
    *ret_text = NULL;
    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return error_set(err, ERR_INPUT, "%s is no text", key);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return error_set(err, ERR_INPUT, "%s holds a NUL", key);
    if (json_string_length(value) > 0)
        *ret_text = json_string_value(value);
    return true;
}

static bool is_accept_language(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) <= ACCEPT_LANGUAGE_MAX;
}

static bool read_channel(const json_t *canonical, enum mail_channel *ret_channel, struct error *err)
{
    const char *name;
    if (!read_text(canonical, "channel", &name, err))
        return false;
    if (!name || strcmp(name, "email") == 0)
        *ret_channel = MAIL_EMAIL;
    else if (strcmp(name, "sms") == 0)
        *ret_channel = MAIL_SMS;
    else if (strcmp(name, "http") == 0)
        *ret_channel = MAIL_HTTP;
    else
        return error_set(err, ERR_INPUT, "channel is none of email, sms and http");
    return true;
}

static bool read_data(const json_t *canonical, const json_t **ret_data, struct error *err)
{
    *ret_data = json_object_get(canonical, "data");
    if (!*ret_data)
        return error_set(err, ERR_INPUT, "data is missing");
    return json_is_object(*ret_data) || error_set(err, ERR_INPUT, "data is no object");
}

static bool read_own_texts(const json_t *canonical, struct mail *mail, struct error *err)
{
    const json_t *own = json_object_get(canonical, "fallback");
    if (!own || json_is_null(own))
        return true;
    if (!json_is_object(own))
        return error_set(err, ERR_INPUT, "fallback is no object");
    return (read_text(own, "subject", &mail->subject, err) &&
            read_text(own, "text", &mail->text, err) && read_text(own, "html", &mail->html, err)) ||
           error_prefix(err, "fallback");
}

static int64_t lifetime_ms(const json_t *minutes)
{
    double value = json_number_value(minutes);
    if (!(value > 0))
        return 0;
    if (value > LIFETIME_MINUTES_MAX)
        value = LIFETIME_MINUTES_MAX;
    return (int64_t)(value * (double)MINUTE_MS);
}

// What the header says goes before what was kept of one.
static struct user_agent read_client(const json_t *canonical)
{
    struct user_agent client = {0};
    const json_t *header = json_object_get(canonical, "user_agent");
    const char *text = json_string_value(header);
    if (text && strlen(text) == json_string_length(header))
        user_agent_read(text, &client);
    const json_t *kept = json_object_get(canonical, "client");
    if (!client.browser && !client.system && kept)
        client = (struct user_agent){
            .browser = user_agent_word(json_string_value(json_object_get(kept, "browser"))),
            .system = user_agent_word(json_string_value(json_object_get(kept, "system"))),
        };
    return client;
}

bool mail_read(const json_t *canonical, struct mail *ret_mail, struct error *err)
{
    if (!json_is_object(canonical))
        return error_set(err, ERR_INPUT, "the mail is no object");
    struct mail mail = {.template = word(json_object_get(canonical, "template"), TEMPLATE_MAX)};
    if (!mail.template)
        mail.template = MAIL_TEMPLATE_UNKNOWN;
    if (!read_channel(canonical, &mail.channel, err) ||
        !read_text(canonical, "to", &mail.to, err) || !read_data(canonical, &mail.data, err) ||
        !read_own_texts(canonical, &mail, err))
        return false;

    const json_t *locales = json_object_get(canonical, "locales");
    if (json_is_array(locales) && json_array_size(locales) <= LOCALES_MAX)
        mail.locales = locales;
    const json_t *accept = json_object_get(canonical, "accept_language");
    if (is_accept_language(accept))
        mail.accept_language = json_string_value(accept);
    mail.default_locale = word(json_object_get(canonical, "default_locale"), LOCALE_MAX);
    mail.timezone = zone_name(json_object_get(canonical, "timezone"));
    mail.identity_id = word(json_object_get(canonical, "identity_id"), IDENTITY_ID_MAX);
    mail.brand = word(json_object_get(canonical, "brand"), BRAND_MAX);
    mail.client = read_client(canonical);
    mail.lifetime_ms = lifetime_ms(json_object_get(canonical, "expires_in_minutes"));
    *ret_mail = mail;
    return true;
}

static bool lacks(const json_t *canonical, const char *key)
{
    const json_t *value = json_object_get(canonical, key);
    if (json_is_string(value))
        return json_string_length(value) == 0;
    if (json_is_array(value))
        return json_array_size(value) == 0;
    return !value || json_is_null(value);
}

json_t *mail_with_defaults(json_t *canonical, json_t *defaults)
{
    json_t *filled = json_incref(canonical);
    const char *key;
    json_t *value;
    json_object_foreach(defaults, key, value)
    {
        if (!json_is_object(canonical) || !lacks(canonical, key))
            continue;
        if (filled == canonical) {
            json_decref(filled);
            filled = json_copy(canonical);
        }
        if (json_object_set_nocheck(filled, key, value) != 0) {
            json_decref(filled);
            return NULL;
        }
    }
    return filled;
}

// What mail_read() leaves out is not kept either, or a large wish would be too much of a mail.
static bool is_kept(const char *key, const json_t *value)
{
    static const struct {
        const char *key;
        size_t max;
    } words[] = {{"template", TEMPLATE_MAX},
                 {"default_locale", LOCALE_MAX},
                 {"identity_id", IDENTITY_ID_MAX},
                 {"brand", BRAND_MAX}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(key, words[i].key) == 0)
            return word(value, words[i].max);
    if (strcmp(key, "timezone") == 0)
        return zone_name(value);
    if (strcmp(key, "locales") == 0)
        return json_is_array(value) && json_array_size(value) <= LOCALES_MAX;
    if (strcmp(key, "accept_language") == 0)
        return is_accept_language(value);
    if (strcmp(key, "expires_in_minutes") == 0)
        return json_is_number(value);
    return value;
}

// The wishes that could be one. NULL: no memory.
static json_t *strip_locales(const json_t *locales)
{
    json_t *kept = json_array();
    for (size_t i = 0; i < json_array_size(locales); i++) {
        json_t *wish = json_array_get(locales, i);
        if (json_is_string(wish) && json_string_length(wish) <= WISH_MAX &&
            json_array_append(kept, wish) != 0) {
            json_decref(kept);
            return NULL;
        }
    }
    return kept;
}

static bool put_word(json_t *object, const char *key, const char *value)
{
    return !value || json_object_set_new_nocheck(object, key, json_string(value)) == 0;
}

// Of what only makes a mail nicer, what is longer than any use of it is left out: anybody who
// starts a flow chooses its request_url, and would make the mail too large to be stored.
static json_t *strip_data(json_t *data)
{
    static const struct {
        const char *key;
        size_t max;
    } nice[] = {{"name", NAME_MAX_BYTES}, {"request_url", REQUEST_URL_MAX}};
    json_t *kept = json_object();
    if (json_object_update(kept, data) != 0) {
        json_decref(kept);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(nice) / sizeof(nice[0]); i++) {
        const json_t *value = json_object_get(kept, nice[i].key);
        if (value && (!json_is_string(value) || json_string_length(value) > nice[i].max))
            json_object_del(kept, nice[i].key);
    }
    return kept;
}

// As it is kept: a new reference. NULL: no memory.
static json_t *strip_value(const char *key, json_t *value)
{
    if (strcmp(key, "locales") == 0)
        return strip_locales(value);
    return strcmp(key, "data") == 0 ? strip_data(value) : json_incref(value);
}

// Adds the words for who asked for the mail, where there are any.
static bool put_client(json_t *kept, const json_t *canonical)
{
    struct user_agent client = read_client(canonical);
    if (!client.browser && !client.system)
        return true;
    json_t *words = json_object();
    return json_object_set_new_nocheck(kept, "client", words) == 0 &&
           put_word(words, "browser", client.browser) && put_word(words, "system", client.system);
}

json_t *mail_strip(const json_t *canonical)
{
    static const char *const keys[] = {
        "channel",         "template",       "to",       "data",        "locales",
        "accept_language", "default_locale", "timezone", "identity_id", "expires_in_minutes",
        "brand",           "fallback",       "http",
    };
    json_t *kept = json_object();
    for (size_t i = 0; kept && i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *value = json_object_get(canonical, keys[i]);
        if (!is_kept(keys[i], value))
            continue;
        if (json_object_set_new_nocheck(kept, keys[i], strip_value(keys[i], value)) != 0) {
            json_decref(kept);
            return NULL;
        }
    }
    if (!kept || put_client(kept, canonical))
        return kept;
    json_decref(kept);
    return NULL;
}

const char *mail_channel_name(enum mail_channel channel)
{
    switch (channel) {
    case MAIL_EMAIL:
        return "email";
    case MAIL_SMS:
        return "sms";
    case MAIL_HTTP:
        return "http";
    }
    return "email";
}

const char *mail_data_text(const struct mail *mail, const char *key)
{
    const json_t *value = json_object_get(mail->data, key);
    return json_string_length(value) > 0 ? json_string_value(value) : NULL;
}

bool mail_has_secret(const struct mail *mail)
{
    const json_t *code = json_object_get(mail->data, "code");
    return (code && !json_is_null(code)) || mail_data_text(mail, "url");
}
