#include "relay/deliverer/curl_error.h"

// TLS that failed shows as such an error while the dialogue stands before it.
static bool is_tls(CURLcode rc)
{
    switch ((int)rc) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return true;
    default:
        return false;
    }
}

enum stage curl_error_stage(CURLcode rc, enum stage heard, bool is_connected, bool is_implicit)
{
    if (is_tls(rc) && heard <= STAGE_STARTTLS)
        return STAGE_STARTTLS;
    if (rc == CURLE_LOGIN_DENIED && heard == STAGE_EHLO)
        return STAGE_AUTH; // offered, but with no mechanism of ours
    if (heard == STAGE_CONNECT && is_connected)
        return is_implicit ? STAGE_STARTTLS : STAGE_GREETING;
    return heard;
}
