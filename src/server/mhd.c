/* mhd.c — Loads libmicrohttpd. */
#include "server/mhd.h"

#include "base/own.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

struct bt_mhd bt_mhd;

int bt_mhd_load(struct bt_err *err)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define X(name) {"MHD_" #name, offsetof(struct bt_mhd, name)},
        BT_MHD_FUNCTIONS(X)
#undef X
    };
    if (bt_mhd.start_daemon)
        return BT_OK;
    void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    struct bt_mhd loaded;
    for (size_t i = 0; library && i < BT_COUNT(functions); i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return bt_fail(err, BT_UNAVAILABLE, "libmicrohttpd.so.12 has no %s", functions[i].name);
        memcpy((char *)&loaded + functions[i].offset, &function, sizeof function);
    }
    if (!library) {
        (void)bt_fail(err, BT_UNAVAILABLE, "libmicrohttpd.so.12 is not on this machine");
        return bt_hint(err, "install the package libmicrohttpd12");
    }
    bt_mhd = loaded;
    return BT_OK;
}
