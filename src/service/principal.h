/* principal.h — Who asks. Every service function takes one; all authorisation looks at it. */
#pragma once

struct bt_principal {
    const char *tenant; /* "main" by default. */
    const char *user;   /* For the audit log; "local" for the command line on this machine. */
};

/* The person at this machine's command line: everything in tenant "main". */
static inline struct bt_principal bt_principal_local(void)
{
    return (struct bt_principal){.tenant = "main", .user = "local"};
}
