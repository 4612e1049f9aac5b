/* banned.h — Functions that are too easy to use wrongly: using one does not compile.
 * Force-included into every source of ours by the build. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca
#pragma GCC poison strcpy strcat strtok sprintf vsprintf gets atoi atol atoll alloca system popen
