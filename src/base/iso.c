/* iso.c — Proleptic Gregorian dates from days (after Howard Hinnant's civil_from_days). */
#include "base/iso.h"

#include <assert.h>
#include <stdio.h>

const char *bt_iso_utc(int64_t us_since_1970, char out[BT_ISO_SIZE])
{
    int64_t seconds = us_since_1970 / 1000000, micros = us_since_1970 % 1000000;
    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    int64_t days = seconds / 86400, second = seconds % 86400;
    if (second < 0) {
        second += 86400;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * mp + 2) / 5 + 1;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = yoe + era * 400 + (month <= 2);
    int len = snprintf(out, BT_ISO_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int)year,
                       (int)month, (int)day, (int)(second / 3600), (int)(second / 60 % 60),
                       (int)(second % 60), (int)micros);
    assert(len > 0 && len < BT_ISO_SIZE); /* Years of any 64-bit microsecond count fit. */
    return out;
}
