/* fence.c — Keeps requests away from private addresses, where that is wanted. The check is made on
 * the address that is connected to, so that neither a name, a redirect nor a kept connection leads
 * around it.
 *
 * Environment: BATON_HTTP_PRIVATE_ADDRESSES=deny closes it for all tasks (they cannot open it
 * again); BATON_HTTP_ALLOW=10.1.2.3/32,fd00::/8 lists what may be reached all the same. */
#include "http_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct net {
    const char *text;
    const char *what;
};

static const struct net private_nets[] = {
    {"0.0.0.0/8", "unspecified"}, {"10.0.0.0/8", "private"},        {"100.64.0.0/10", "shared"},
    {"127.0.0.0/8", "loopback"},  {"169.254.0.0/16", "link-local"}, {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "reserved"}, {"192.168.0.0/16", "private"},    {"198.18.0.0/15", "reserved"},
    {"224.0.0.0/4", "multicast"}, {"240.0.0.0/4", "reserved"},      {"::/127", "loopback"},
    {"fc00::/7", "private"},      {"fe80::/10", "link-local"},      {"fec0::/10", "private"},
    {"ff00::/8", "multicast"},
};

bool http_fence_is_forced(void)
{
    const char *setting = getenv("BATON_HTTP_PRIVATE_ADDRESSES");
    return setting && strcasecmp(setting, "deny") == 0;
}

/* An address as 16 bytes; IPv4 in its mapped form. */
struct address {
    unsigned char at[16];
};

static void map_v4(const unsigned char *v4, struct address *ret_address)
{
    memset(ret_address->at, 0, 10);
    ret_address->at[10] = ret_address->at[11] = 0xFF;
    memcpy(ret_address->at + 12, v4, 4);
}

static bool is_v4(const struct address *address)
{
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    return memcmp(address->at, mapped, 12) == 0;
}

static bool parse_address(const char *text, struct address *ret_address)
{
    unsigned char v4[4];
    if (inet_pton(AF_INET, text, v4) == 1) {
        map_v4(v4, ret_address);
        return true;
    }
    return inet_pton(AF_INET6, text, ret_address->at) == 1;
}

/* Whether the address is in the net "10.0.0.0/8" (or is that very address). */
static bool is_in(const struct address *address, const char *net, size_t len)
{
    char text[64];
    struct address base;
    if (len >= sizeof text)
        return false;
    memcpy(text, net, len);
    text[len] = '\0';
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    if (!parse_address(text, &base) || is_v4(&base) != is_v4(address))
        return false;
    unsigned long bits = slash ? strtoul(slash + 1, NULL, 10) : 128;
    bits = slash && is_v4(&base) ? bits + 96 : bits;
    for (unsigned long i = 0; i < bits && i < 128; i++)
        if ((base.at[i / 8] ^ address->at[i / 8]) >> (7 - i % 8) & 1)
            return false;
    return true;
}

static bool is_listed(const struct address *address)
{
    const char *list = getenv("BATON_HTTP_ALLOW");
    while (list && *list) {
        list += strspn(list, ", ");
        size_t len = strcspn(list, ", ");
        if (len > 0 && is_in(address, list, len))
            return true;
        list += len;
    }
    return false;
}

/* NAT64 and 6to4 carry an IPv4 address inside. */
static struct address inner(const struct address *address)
{
    static const unsigned char nat64[12] = {0, 0x64, 0xFF, 0x9B};
    static const unsigned char compatible[12] = {0};
    struct address out = *address;
    if (memcmp(address->at, nat64, 12) == 0)
        map_v4(address->at + 12, &out);
    else if (address->at[0] == 0x20 && address->at[1] == 0x02)
        map_v4(address->at + 2, &out);
    else if (memcmp(address->at, compatible, 12) == 0 && (address->at[12] || address->at[13]))
        map_v4(address->at + 12, &out);
    return out;
}

/* NULL, or what kind of address it is that may not be reached. */
static const char *why_not(const struct address *address)
{
    struct address real = inner(address);
    if (is_listed(address) || is_listed(&real))
        return NULL;
    for (size_t i = 0; i < sizeof private_nets / sizeof private_nets[0]; i++)
        if (is_in(&real, private_nets[i].text, strlen(private_nets[i].text)))
            return private_nets[i].what;
    return NULL;
}

static bool may_reach(struct http_call *call, const struct address *address, const char *text)
{
    const char *what = why_not(address);
    if (what)
        (void)snprintf(call->refused, sizeof call->refused, "%.46s is a %s address", text,
                       what); /* Fits. */
    return !what;
}

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *at)
{
    struct http_call *call = data;
    struct address address;
    char text[INET6_ADDRSTRLEN] = "";
    (void)purpose; /* Only connections are made. */
    if (at->family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&at->addr;
        map_v4((const unsigned char *)&v4->sin_addr, &address);
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    } else if (at->family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&at->addr;
        memcpy(address.at, &v6->sin6_addr, 16);
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    } else {
        return CURL_SOCKET_BAD;
    }
    if (!may_reach(call, &address, text))
        return CURL_SOCKET_BAD;
    return socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
}

/* The host of the URL when it is a plain address: a proxy would be asked for it. */
static bool may_ask_for(struct http_call *call)
{
    CURLU *url = curl_url();
    char *host = NULL;
    struct address address;
    bool may = true;
    if (url && curl_url_set(url, CURLUPART_URL, call->url.at, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        size_t len = strlen(host);
        if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
            host[len - 1] = '\0';
            memmove(host, host + 1, len - 1);
        }
        if (parse_address(host, &address))
            may = may_reach(call, &address, host);
    }
    curl_free(host);
    curl_url_cleanup(url);
    return may;
}

/* Also a connection that an earlier call left open is looked at. */
static int before_request(void *data, char *remote, char *local, int remote_port, int local_port)
{
    struct http_call *call = data;
    struct address address;
    (void)local;
    (void)remote_port;
    (void)local_port;
    if (!parse_address(remote, &address) || !may_reach(call, &address, remote) ||
        !may_ask_for(call))
        return CURL_PREREQFUNC_ABORT;
    return CURL_PREREQFUNC_OK;
}

void http_fence_set(struct http_call *call)
{
    call->refused[0] = '\0';
    if (!call->opt.is_fenced)
        return;
    curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(call->easy, CURLOPT_PREREQDATA, call);
}
