// Sources named here are curl 7.88.1's.
#include "relay/deliverer/curl_ear.h"

#include "relay/deliverer/read_shim.h"

void curl_ear_open(struct curl_ear *ear)
{
    ear->recv_before = read_shim_recv_bytes();
    ear->tls_before = read_shim_tls_bytes();
    ear->clear_bytes = 0;
    dialogue_open(&ear->dialogue);
}

SSL *curl_ear_encryption(struct curl_ear *ear)
{
    const struct curl_tlssessioninfo *tls = NULL;
    bool known = curl_easy_getinfo(ear->curl, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls &&
                 tls->backend == CURLSSLBACKEND_OPENSSL;
    return known ? tls->internals : NULL;
}

// What libcurl has been given of the smarthost's words and has not shown us.
static uint64_t kept_bytes(const struct curl_ear *ear, bool is_encrypted)
{
    const struct dialogue *dialogue = &ear->dialogue;
    return is_encrypted
               ? read_shim_tls_bytes() - ear->tls_before - (dialogue->bytes - ear->clear_bytes)
               : read_shim_recv_bytes() - ear->recv_before - dialogue->bytes;
}

// libcurl keeps a second reply for the next command (pingpong.c, Curl_pp_readresp). Of what came by
// TLS and was not read yet, some may be no reply; but from MAIL on none of it was seen to be
// (session tickets come before the first reply), but for the end behind the last one.
bool curl_ear_is_in_step(struct curl_ear *ear)
{
    const struct dialogue *dialogue = &ear->dialogue;
    SSL *ssl = curl_ear_encryption(ear);
    if (!ssl)
        return wire_is_in_step(ear->wire, dialogue->bytes);
    return kept_bytes(ear, true) == 0 && SSL_pending(ssl) == 0 &&
           (dialogue->stage < STAGE_MAIL || dialogue->stage == STAGE_DOT ||
            !wire_has_unread(ear->wire));
}

// Out of step: is it a farewell that has come too much? libcurl has been given it along with the
// reply, or it can be had still.
static bool is_farewell_left(struct curl_ear *ear)
{
    enum { ENOUGH = 4 };
    char unread[ENOUGH];
    SSL *ssl = curl_ear_encryption(ear);
    uint64_t kept = kept_bytes(ear, ssl != NULL);
    if (kept > READ_SHIM_KEPT)
        return false;
    if (kept > 0) {
        const char *last = read_shim_last((size_t)kept);
        return last && reply_is_farewell(last, (size_t)kept);
    }
    int size = ssl ? SSL_peek(ssl, unread, sizeof(unread))
                   : (int)wire_peek(ear->wire, unread, sizeof(unread));
    return size > 0 && reply_is_farewell(unread, (size_t)size);
}

// Of a reply that was read to its end. One too many may have come before it, so that it is not what
// it seems. A refusal before the dot ends the connection anyway; and behind the verdict a smarthost
// may say that it leaves, which nobody has to ask it for.
static enum curl_heard weigh(struct curl_ear *ear)
{
    const struct dialogue *dialogue = &ear->dialogue;
    if (dialogue->stage < STAGE_DOT && dialogue->reply.code >= 400)
        return CURL_HEARD_REPLY;
    if (dialogue->stage == STAGE_DOT && !wire_is_acknowledged(ear->wire))
        return CURL_HEARD_WRONG;
    if (curl_ear_is_in_step(ear))
        return CURL_HEARD_REPLY;
    bool is_last = dialogue->stage == STAGE_DOT && is_farewell_left(ear);
    return is_last ? CURL_HEARD_LAST : CURL_HEARD_WRONG;
}

enum curl_heard curl_ear_hear(struct curl_ear *ear, const char *data, size_t size)
{
    struct dialogue *dialogue = &ear->dialogue;
    if (!dialogue_heard(dialogue, data, size))
        return CURL_HEARD_WRONG;
    if (dialogue->stage <= STAGE_STARTTLS && !curl_ear_encryption(ear))
        ear->clear_bytes = dialogue->bytes;
    if (dialogue->due > 0)
        return CURL_HEARD_PART;
    enum curl_heard heard = weigh(ear);
    if (heard == CURL_HEARD_WRONG) {
        dialogue_enter(dialogue, dialogue->stage);
        dialogue->broken = true;
    }
    return heard;
}
