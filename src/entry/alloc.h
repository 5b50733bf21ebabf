/* SPDX-License-Identifier: Apache-2.0 */
/* alloc.h - the malloc family as the host calls it: forwarded, or in the frozen copy served from snapshot/bump. */
#ifndef ENTRY_ALLOC_H
#define ENTRY_ALLOC_H
#include <stdbool.h>

/* alloc_init - find the real functions now instead of at the first call. Thread: any. Signal: not safe. */
void alloc_init(void);

/* alloc_keep_links - after alloc_init: from now on blocks are given to the host as the allocator gives them. */
void alloc_keep_links(void);

/* alloc_clear - blocks that the host does not allocate for Python's own objects come zeroed from now on, if they are
 * small, unless alloc_keep_links has been called or MALLOC_PERTURB_ fills them. Thread: any. */
void alloc_clear(void);

/* alloc_in_use - false where the host brings a malloc of its own that goes before ours: then the frozen copy's heap
 * serves only this library, and an analysis may wait for a lock of the host's allocator. */
bool alloc_in_use(void);

/* alloc_python - in the constructor: Python's blocks need not come by malloc's wrapper where the hook in Python's own
 * table has seen them, unless another malloc goes before ours. */
void alloc_python(void);

#endif
