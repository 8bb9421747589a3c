#include "relay/deliverer/certificates.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <time.h>

static int64_t time_ms(const ASN1_TIME *time)
{
    struct tm parts;
    return time && ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) * 1000 : 0;
}

// Called for each certificate of the chain, from the authority's to the server's, and once more for
// each fault. The first fault of one is the one that counts.
static int on_verified(int is_good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct probe *probe = ssl ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int depth = X509_STORE_CTX_get_error_depth(store);
    if (!probe || !certificate || depth < 0 || depth >= PROBE_CERTIFICATES_MAX)
        return is_good;
    struct probe_certificate *noted = &probe->certificates[depth];
    if (probe->certificate_count <= (size_t)depth)
        probe->certificate_count = (size_t)depth + 1;
    // Not printable bytes come as \xHH.
    X509_NAME_oneline(X509_get_subject_name(certificate), noted->subject, PROBE_TEXT_SIZE);
    X509_NAME_oneline(X509_get_issuer_name(certificate), noted->issuer, PROBE_TEXT_SIZE);
    noted->not_before_ms = time_ms(X509_get0_notBefore(certificate));
    noted->not_after_ms = time_ms(X509_get0_notAfter(certificate));
    if (!is_good && !noted->fault[0])
        snprintf(noted->fault, sizeof(noted->fault), "%s",
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    return is_good;
}

void certificates_note(void *ssl_context, struct probe *probe)
{
    SSL_CTX *context = ssl_context;
    SSL_CTX_set_app_data(context, probe);
    SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), on_verified);
}

void certificates_version(CURL *curl, char ret_version[OUTCOME_TLS_SIZE])
{
    const struct curl_tlssessioninfo *tls = NULL;
    bool known = curl_easy_getinfo(curl, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls &&
                 tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals;
    snprintf(ret_version, OUTCOME_TLS_SIZE, "%s", known ? SSL_get_version(tls->internals) : "");
}

int64_t certificates_end_ms(const void *ssl)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    return certificate ? time_ms(X509_get0_notAfter(certificate)) : 0;
}
