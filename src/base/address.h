/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - what an address of the host's can be. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

/* The kernel gives nobody memory above, unless he asks for it by an address there. */
#ifdef __aarch64__
#define ADDRESS_BITS 48u
#else
#define ADDRESS_BITS 47u
#endif

#endif
