/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"

__thread unsigned guard_depth;
