/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proof.h"

uint32_t proof_epoch = 1;
