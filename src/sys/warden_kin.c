/* warden_kin.c — Finds processes through /proc: parents, groups, sessions, start times, marks. */
#include "sys/warden_int.h"

#include "base/num.h"
#include "base/own.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { STAT_SIZE = 1024, ENVIRON_SIZE = 1 << 16 };

static size_t read_proc(pid_t pid, const char *file, char *at, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file); /* Fits. */
    BT_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    while (fd >= 0 && len < size) {
        ssize_t got = read(fd, at + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    return len;
}

/* The n-th blank-separated word (0-based) as a number. */
static bool word_at(struct bt_str text, unsigned n, uint64_t *ret_number)
{
    size_t at = 0;
    for (; n > 0; n--) {
        const char *blank = memchr(text.at + at, ' ', text.len - at);
        if (!blank)
            return false;
        at = (size_t)(blank - text.at) + 1;
    }
    size_t end = at;
    while (end < text.len && text.at[end] != ' ')
        end++;
    return bt_parse_u64(bt_str_slice(text, at, end), ret_number);
}

static bool is_zero_at(struct bt_str text, unsigned n)
{
    uint64_t number;
    return word_at(text, n, &number) && number == 0; /* A negative one is not zero either. */
}

static bool read_kin(pid_t pid, struct kin *ret_kin)
{
    char stat[STAT_SIZE];
    size_t len = read_proc(pid, "stat", stat, sizeof stat);
    const char *after = len ? memrchr(stat, ')', len) : NULL; /* The name may hold anything. */
    if (!after || after + 4 > stat + len)
        return false;
    struct bt_str words = {after + 2, (size_t)(stat + len - after) - 2};
    uint64_t parent, group, session, start;
    if (!word_at(words, 1, &parent) || !word_at(words, 2, &group) || !word_at(words, 3, &session) ||
        !word_at(words, 19, &start))
        return false;
    *ret_kin = (struct kin){
        .pid = pid,
        .parent = (pid_t)parent,
        .group = (pid_t)group,
        .session = (pid_t)session,
        .start_ticks = start,
        .has_terminal = !is_zero_at(words, 4),
        .is_dead = words.at[0] == 'Z' || words.at[0] == 'X',
    };
    return true;
}

void kin_each(void (*visit)(void *data, const struct kin *kin), void *data)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        int64_t pid;
        struct kin kin;
        if (bt_parse_i64(bt_str_of(entry->d_name), &pid) && read_kin((pid_t)pid, &kin))
            visit(data, &kin);
    }
    if (dir)
        (void)closedir(dir); /* Read only. */
}

uint64_t kin_mark(pid_t pid, const char *key)
{
    static const char mark[] = WARDEN_MARK;
    char text[ENVIRON_SIZE];
    size_t len = read_proc(pid, "environ", text, sizeof text);
    size_t key_len = strlen(key);
    for (size_t at = 0; at < len;) {
        const char *nul = memchr(text + at, '\0', len - at);
        struct bt_str entry = {text + at, nul ? (size_t)(nul - text) - at : len - at};
        at += entry.len + 1;
        if (!bt_str_starts(entry, BT_STR(mark)))
            continue;
        entry = bt_str_slice(entry, sizeof mark - 1, entry.len);
        uint64_t number;
        if (entry.len > key_len && memcmp(entry.at, key, key_len) == 0 &&
            entry.at[key_len] == '-' &&
            bt_parse_u64(bt_str_slice(entry, key_len + 1, entry.len), &number))
            return number;
    }
    return 0;
}

bool kin_is_in(pid_t pid, const char *key)
{
    char link[64];
    char path[4096];
    (void)snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid); /* Fits. */
    ssize_t len = readlink(link, path, sizeof path);
    return len > 0 && bt_str_find((struct bt_str){path, (size_t)len}, bt_str_of(key), 0) >= 0;
}

uint64_t kin_now_ticks(void)
{
    struct timespec now;
    long per_second = sysconf(_SC_CLK_TCK);
    (void)clock_gettime(CLOCK_BOOTTIME, &now); /* Cannot fail with this id. */
    return (uint64_t)now.tv_sec * (uint64_t)per_second +
           (uint64_t)now.tv_nsec * (uint64_t)per_second / 1000000000u;
}
