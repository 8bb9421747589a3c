// curl_ear.h - what a smarthost says, overheard while libcurl reads it: is it SMTP, and is it all?
//
// libcurl takes a second reply for the answer to its next command, so that each verdict would be
// that of the message before. So what was said is held against what has come over the wire.
#ifndef RELAY_DELIVERER_CURL_EAR_H
#define RELAY_DELIVERER_CURL_EAR_H

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/deliverer/dialogue.h"
#include "relay/deliverer/wire.h"

struct curl_ear {
    CURL *curl;               // borrowed, as is
    struct wire *wire;        // this
    struct dialogue dialogue; // with the connection
    uint64_t clear_bytes;     // heard before TLS
    uint64_t recv_before;     // read_shim_recv_bytes() before this connection
    uint64_t tls_before;      // ... and read_shim_tls_bytes()
};

// A connection is being opened.
void curl_ear_open(struct curl_ear *ear);

// The connection's encryption, or NULL where there is none (yet).
SSL *curl_ear_encryption(struct curl_ear *ear);

// Has the smarthost said no more than we have heard?
bool curl_ear_is_in_step(struct curl_ear *ear);

enum curl_heard {
    CURL_HEARD_WRONG, // no SMTP, or one reply too many, so that dialogue tells of no answer
    CURL_HEARD_PART,  // of a reply
    CURL_HEARD_REPLY,
    CURL_HEARD_LAST, // a reply: the verdict, and a farewell behind it
};
// A line, or a part of one, as libcurl's header callback is given it.
enum curl_heard curl_ear_hear(struct curl_ear *ear, const char *data, size_t size);

#endif
