/* job.h — The job and its result, as the engine and the workers share them. */
#pragma once
#include "engine/job.h"
