/* page.c — The page: files that ui/tools/pack.mjs packed into the binary, served below /ui/.
 *
 * A pack begins with its number of header bytes and a line for each file: its name, a hash of its
 * content, and where it lies (offset and length) plain, gzipped and as brotli. A length of 0: not
 * there. Names below assets/ hold a hash, so whoever has one keeps it; everything else that is no
 * file is index.html, where the page's own router takes over. */
#include "base/num.h"
#include "server/router.h"

#include <stdio.h>

/* Only in binaries that are linked with page_pack.S. */
extern const char bt_page_pack[] __attribute__((weak)), bt_page_pack_end[] __attribute__((weak));

enum encoding { PLAIN, GZIP, BROTLI, ENCODINGS };
static const char *const encoding_names[ENCODINGS] = {"identity", "gzip", "br"};

struct file {
    struct bt_str name, hash, content[ENCODINGS];
};

#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'self'; "                  \
    "form-action 'self'; frame-ancestors 'none'"
#define BASE "<base href=\"./\""

static struct bt_str pack(void)
{
    const char *begin = bt_page_pack;
    return begin ? (struct bt_str){begin, (size_t)(bt_page_pack_end - begin)} : BT_STR("");
}

static bool next_word(struct bt_str *text, char end, struct bt_str *ret_word)
{
    const char *at = text->len ? memchr(text->at, end, text->len) : NULL;
    if (!at)
        return false;
    size_t len = (size_t)(at - text->at);
    *ret_word = bt_str_slice(*text, 0, len);
    *text = bt_str_slice(*text, len + 1, text->len);
    return true;
}

static bool next_number(struct bt_str *text, uint64_t *ret_number)
{
    struct bt_str word;
    return next_word(text, ' ', &word) && bt_parse_u64(word, ret_number);
}

/* A line: "name hash offset length offset length offset length ". */
static bool read_line(struct bt_str line, struct bt_str data, struct file *ret_file)
{
    if (!next_word(&line, ' ', &ret_file->name) || !next_word(&line, ' ', &ret_file->hash))
        return false;
    for (int i = 0; i < ENCODINGS; i++) {
        uint64_t at, len;
        if (!next_number(&line, &at) || !next_number(&line, &len) || at > data.len ||
            len > data.len - at)
            return false;
        ret_file->content[i] = bt_str_slice(data, (size_t)at, (size_t)(at + len));
    }
    return true;
}

static bool find(struct bt_str name, struct file *ret_file)
{
    struct bt_str text = pack(), first, line;
    uint64_t header_len;
    if (!next_word(&text, '\n', &first) || !bt_parse_u64(first, &header_len) ||
        header_len > text.len)
        return false;
    struct bt_str data = bt_str_slice(text, (size_t)header_len, text.len);
    text.len = (size_t)header_len;
    while (next_word(&text, '\n', &line))
        if (read_line(line, data, ret_file) && bt_str_eq(ret_file->name, name))
            return true;
    return false;
}

static const char *type_of(struct bt_str name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"},
                                           {".woff2", "font/woff2"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (bt_str_ends(name, bt_str_of(types[i][0])))
            return types[i][1];
    return "application/octet-stream";
}

/* --- What the client takes -------------------------------------------------------------------- */

/* ";q=0" and ";q=0.000" refuse. */
static bool is_refused(struct bt_str params)
{
    ptrdiff_t at = bt_str_find(params, BT_STR("q="), 0);
    if (at < 0)
        return false;
    for (size_t i = (size_t)at + 2; i < params.len; i++)
        if (params.at[i] != '0' && params.at[i] != '.' && params.at[i] != ' ')
            return false;
    return true;
}

static bool accepts(struct bt_str header, const char *encoding)
{
    for (size_t at = 0; at < header.len;) {
        ptrdiff_t comma = bt_str_find(header, BT_STR(","), at);
        size_t end = comma < 0 ? header.len : (size_t)comma;
        struct bt_str item = bt_str_slice(header, at, end);
        ptrdiff_t semicolon = bt_str_find(item, BT_STR(";"), 0);
        size_t name_end = semicolon < 0 ? item.len : (size_t)semicolon;
        if (bt_str_is(bt_str_trim(bt_str_slice(item, 0, name_end)), encoding))
            return !is_refused(bt_str_slice(item, name_end, item.len));
        at = end + 1;
    }
    return false;
}

static enum encoding best_of(const struct bt_request *request, const struct file *file)
{
    struct bt_str header = bt_header(request, "Accept-Encoding");
    for (int i = BROTLI; i > PLAIN; i--)
        if (file->content[i].len && accepts(header, encoding_names[i]))
            return (enum encoding)i;
    return PLAIN;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static bool is_known(struct bt_request *request, struct bt_str hash, unsigned depth)
{
    char tag[100];
    (void)snprintf(tag, sizeof tag, "\"%.*s-%u\"", BT_FMT(hash), depth); /* Hashes are short. */
    bt_respond_header(request, "ETag", "W/%s", tag);
    return bt_str_find(bt_header(request, "If-None-Match"), bt_str_of(tag), 0) >= 0;
}

static int give_file(struct bt_request *request, const struct file *file, bool is_for_ever)
{
    enum encoding encoding = best_of(request, file);
    bt_respond_header(request, "Cache-Control",
                      is_for_ever ? "private, max-age=31536000, immutable" : "no-cache");
    bt_respond_header(request, "Vary", "Accept-Encoding");
    if (is_known(request, file->hash, 0))
        return bt_respond(request, 304);
    if (encoding != PLAIN)
        bt_respond_header(request, "Content-Encoding", "%s", encoding_names[encoding]);
    request->response.constant = file->content[encoding];
    request->response.type = type_of(file->name);
    return bt_respond(request, 200);
}

/* Addresses in the page are relative, so that it also works below a path of a proxy; its base says
 * how far up /ui/ is from here. */
static int give_index(struct bt_request *request, const struct file *file, unsigned depth,
                      struct bt_err *err)
{
    struct bt_buf *out = &request->response.body;
    struct bt_str text = file->content[PLAIN];
    ptrdiff_t at = bt_str_find(text, BT_STR(BASE), 0);
    bt_respond_header(request, "Cache-Control", "no-cache");
    bt_respond_header(request, "Content-Security-Policy", POLICY);
    bt_respond_header(request, "Referrer-Policy", "same-origin");
    if (is_known(request, file->hash, depth))
        return bt_respond(request, 304);
    size_t head = at < 0 ? 0 : (size_t)at + sizeof BASE - sizeof "./\"";
    (void)bt_buf_add(out, bt_str_slice(text, 0, head)); /* All are checked by what follows. */
    for (unsigned i = 0; i < depth; i++)
        (void)bt_buf_adds(out, "../");
    (void)bt_buf_add(out, bt_str_slice(text, head, text.len));
    return bt_respond_text(request, "text/html; charset=utf-8", err);
}

static int give_none(struct bt_request *request)
{
    request->response.constant =
        BT_STR("This binary was built without the page.\n\n"
               "The API works: /api/v1/openapi.json describes it. To build the page, run\n\n"
               "    make ui\n\n"
               "in the source tree: it needs Node.js 18 or newer and the npm registry, and says "
               "what is missing.\n");
    request->response.type = "text/plain; charset=utf-8";
    return bt_respond(request, 404);
}

/* A relative address: right below a proxy's path too. */
static int go_to_page(struct bt_request *request, struct bt_err *err)
{
    (void)err;
    bt_respond_header(request, "Location", "ui/");
    return bt_respond(request, 307);
}

static unsigned slashes_of(struct bt_str uri)
{
    unsigned count = 0;
    for (size_t i = 0; i < uri.len && uri.at[i] != '?'; i++)
        count += uri.at[i] == '/';
    return count;
}

static int page(struct bt_request *request, struct bt_err *err)
{
    struct bt_str name = request->params[0];
    unsigned slashes = slashes_of(request->uri);
    struct file file;
    if (slashes < 2)
        return go_to_page(request, err);
    bool is_asset = bt_str_starts(name, BT_STR("assets/"));
    if (name.len && !bt_str_is(name, "index.html") && find(name, &file))
        return give_file(request, &file, is_asset);
    if (is_asset)
        return bt_fail(err, BT_NOT_FOUND, "the page has no file '%.*s'; load it again",
                       BT_FMT(name));
    if (!find(BT_STR("index.html"), &file))
        return give_none(request);
    return give_index(request, &file, slashes - 2, err);
}

#define QUICK (BT_ROUTE_QUICK | BT_ROUTE_HIDDEN)

const struct bt_route bt_routes_page[] = {
    {BT_GET, "//", go_to_page, QUICK, "getRoot", "Page", "The page", NULL, NULL, NULL},
    {BT_GET, "//ui/{path...}", page, QUICK, "getPage", "Page", "A file of the page", NULL, "Bytes",
     NULL},
    {0},
};
