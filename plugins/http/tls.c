/* tls.c — Certificates and keys: PEM text, a file of the internal storage, or a path on the worker.
 */
#include "http_int.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *path;
    CURLoption option;
} pems[3] = {
    {"options.ssl.ca", CURLOPT_CAINFO_BLOB},
    {"options.ssl.clientCertificate", CURLOPT_SSLCERT_BLOB},
    {"options.ssl.clientKey", CURLOPT_SSLKEY_BLOB},
};

static int read_storage(struct http_call *call, const char *uri, struct bytes *out)
{
    struct bt_reader *reader = NULL;
    char part[4096];
    ptrdiff_t got = -1;
    if (call->host->file_open(call->run, uri, &reader) == BT_PLUGIN_OK) {
        while ((got = call->host->file_read(reader, part, sizeof part)) > 0)
            bytes_add(out, part, (size_t)got);
        call->host->file_close(reader);
    }
    return got == 0 ? BT_PLUGIN_OK : BT_PLUGIN_IO;
}

static int read_path(const char *path, struct bytes *out)
{
    char part[4096];
    FILE *file = fopen(path, "re");
    if (!file)
        return BT_PLUGIN_IO;
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
        bytes_add(out, part, got);
    int rc = ferror(file) ? BT_PLUGIN_IO : BT_PLUGIN_OK;
    (void)fclose(file); /* Only read from. */
    return rc;
}

int http_tls_read(struct http_call *call)
{
    for (size_t i = 0; i < 3; i++) {
        const char *text = http_prop(call, pems[i].path);
        int rc = BT_PLUGIN_OK;
        if (!text)
            continue;
        if (strstr(text, "-----BEGIN"))
            bytes_adds(&call->pem[i], text);
        else if (http_is_storage_uri(text_of(text)))
            rc = read_storage(call, text, &call->pem[i]);
        else if (text[0] == '/')
            rc = read_path(text, &call->pem[i]);
        else
            return HTTP_FAIL(call, "%s is no PEM text, no storage URI and no absolute path",
                             pems[i].path);
        if (rc != BT_PLUGIN_OK)
            return HTTP_FAIL(call, "%s: '%.200s' cannot be read", pems[i].path, text);
        if (call->pem[i].is_failed)
            return HTTP_FAIL(call, "%s is larger than %d bytes", pems[i].path, HTTP_PEM_BYTES_MAX);
    }
    if (call->pem[1].len > 0 && call->pem[2].len == 0 &&
        !strstr(call->pem[1].at, "PRIVATE KEY-----"))
        return HTTP_FAIL(call, "options.ssl: clientCertificate needs a clientKey");
    return BT_PLUGIN_OK;
}

static void set_pem(struct http_call *call, CURLoption option, const struct bytes *pem)
{
    struct curl_blob blob = {pem->at, pem->len, CURL_BLOB_NOCOPY};
    curl_easy_setopt(call->easy, option, &blob);
}

int http_tls_set(struct http_call *call)
{
    const char *min = call->opt.tls_min;
    for (size_t i = 0; i < 3; i++)
        if (call->pem[i].len > 0)
            set_pem(call, pems[i].option, &call->pem[i]);
    if (call->pem[1].len > 0 && call->pem[2].len == 0) /* Both in one text. */
        set_pem(call, CURLOPT_SSLKEY_BLOB, &call->pem[1]);
    const char *password = http_prop(call, "options.ssl.clientKeyPassword");
    if (password)
        curl_easy_setopt(call->easy, CURLOPT_KEYPASSWD, password);
    if (call->opt.is_insecure) {
        curl_easy_setopt(call->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(call->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (min && strcmp(min, "TLSv1.2") != 0 && strcmp(min, "TLSv1.3") != 0)
        return HTTP_FAIL(call, "options.ssl.minVersion: '%.20s' is none of TLSv1.2, TLSv1.3", min);
    curl_easy_setopt(
        call->easy, CURLOPT_SSLVERSION,
        (long)(min && min[6] == '3' ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2));
    return BT_PLUGIN_OK;
}
