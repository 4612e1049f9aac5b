/* fs_int.h — What fs.c shows to its test. */
#pragma once

/* Opens beneath `root` without openat2(2): links are refused altogether. -1 with errno. */
int fs_open_stepwise(int root, const char *path, int flags);
