/* banned.h — Functions that are too easy to use wrongly: using one does not compile.
 * Force-included into every source of ours by the build. alloca() is refused by -Walloca. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strtok sprintf vsprintf gets atoi atol atoll system popen
