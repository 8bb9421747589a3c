// user_agent.h - which browser, on which system, asked for a mail: two words for its reader.
//
// The header is a stranger's text. What is told of it are words of a fixed table and nothing of
// its own, and only where the whole header is of a form that the browser's own is known to have:
// "Firefox" in a mail is to mean Firefox, not a robot or an app that also says it is.
#ifndef RELAY_COMPOSER_USER_AGENT_H
#define RELAY_COMPOSER_USER_AGENT_H

#define USER_AGENT_SIZE_MAX 1024

struct user_agent {
    const char *browser; // "Firefox", "Samsung Internet"; NULL: not known, or none
    const char *system;  // "Windows", "iPhone"; NULL: not known
};

// Reads a User-Agent header (RFC 9110 §10.1.5) of any bytes; NULL, or one longer than
// USER_AGENT_SIZE_MAX, tells nothing. The words are static.
void user_agent_read(const char *header, struct user_agent *ret_agent);

// The table's own copy where text is one of its words, of either kind; else, or for NULL, NULL.
const char *user_agent_word(const char *text);

#endif
