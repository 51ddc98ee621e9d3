#include "common/notify/transfer.h"

#include <string.h>

#include "common/base/str.h"
#include "common/notify/post.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { CONNECT_MS = 15000 };

static size_t take_answer(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;
    size_t room = sizeof t->said - 1 - t->nsaid;
    size_t keep = len < room ? len : room;
    memcpy(t->said + t->nsaid, data, keep);
    t->nsaid += keep;
    t->got += len;
    return t->got <= POST_ANSWER_MAX ? len : 0;
}

static int progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
    (void)arg;
    (void)dltotal;
    (void)dlnow;
    (void)ultotal;
    (void)ulnow;
    return interrupt_requested() ? 1 : 0;
}

static CURLcode set_limits(struct transfer *t, const char *protocols, uint64_t timeout_ms)
{
    CURL *c = t->curl;
    long timeout = timeout_ms < 1 ? 1 : (long)timeout_ms;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, protocols);
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_PROXY, "") : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, timeout < CONNECT_MS ? timeout : CONNECT_MS)
                 : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, progress) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->problem) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer) : rc;
    return rc == 0 ? curl_easy_setopt(c, CURLOPT_WRITEDATA, t) : rc;
}

static CURLcode set_tls(struct transfer *t, const char *ca_file)
{
    CURL *c = t->curl;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) : rc;
    /* Either these or the system's, never both. */
    rc = rc == 0 && ca_file != NULL ? curl_easy_setopt(c, CURLOPT_CAINFO, ca_file) : rc;
    return rc == 0 && ca_file != NULL ? curl_easy_setopt(c, CURLOPT_CAPATH, NULL) : rc;
}

int transfer_init(struct transfer *t, const char *protocols, const char *ca_file, uint64_t timeout_ms,
                  struct error *err)
{
    *t = (struct transfer){ .curl = NULL };
    CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);
    t->curl = rc == 0 ? curl_easy_init() : NULL;
    if (t->curl == NULL)
        return error_set(err, E_NOMEM, "libcurl does not start");
    rc = set_limits(t, protocols, timeout_ms);
    rc = rc == 0 ? set_tls(t, ca_file) : rc;
    return rc == 0 ? 0 : error_set(err, E_INTERNAL, "libcurl: %s", curl_easy_strerror(rc));
}

void transfer_free(struct transfer *t)
{
    curl_easy_cleanup(t->curl);
    t->curl = NULL;
}

static int code_of(CURLcode rc)
{
    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return E_RETRY;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_USE_SSL_FAILED:
    case CURLE_LOGIN_DENIED:
        return E_AUTH;
    case CURLE_OUT_OF_MEMORY:
        return E_NOMEM;
    default:
        return E_IO;
    }
}

int transfer_run(struct transfer *t, const char *where, struct error *err)
{
    char safe[2 * CURL_ERROR_SIZE];
    CURLcode rc = curl_easy_perform(t->curl);
    /* A long answer is cut off; its first line has said all. */
    if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && t->got > POST_ANSWER_MAX))
        return 0;
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        return interrupt_check(err);
    return error_set(
        err, code_of(rc), "%s: %s", where,
        str_printable(safe, sizeof safe, t->problem[0] != '\0' ? t->problem : curl_easy_strerror(rc)));
}
