/* iso.h — Instants as ISO-8601 text in UTC. Pure; no zones (value/time has those). */
#pragma once
#include "base/str.h"

enum { BT_ISO_SIZE = 80 };

/* "2026-11-24T08:02:35.000123Z"; micros always six digits. Returns `out`. */
const char *bt_iso_utc(int64_t us_since_1970, char out[BT_ISO_SIZE]);
