/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - words, numbers and colour of what people read. Texts of a report come cleaned from the loader. */
#ifndef TOOLS_TEXT_H
#define TOOLS_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "model.h"

/* Escape sequences, or empty where standard output is no terminal, NO_COLOR is set or TERM is dumb. */
extern struct style {
	const char *error, *warning, *note, *strong, *dim, *off;
} style;

/* text_start - decide about colour. text_end - flush; a full disk is one line on stderr and turns a good @status into
 * STATUS_REPORT. Return: the status to end with. */
void text_start(void);
int text_end(int status);

/* Room for one number or name in words. */
#define WORD_SIZE 64

/* text_size - "999 bytes", "1.9 MB" (powers of 1000), "unknown". Return: @word. */
char *text_size(char word[WORD_SIZE], int64_t bytes);
/* text_count - "1 object", "5 objects"; "an unknown number of objects". @noun in the singular, its plural takes s. */
char *text_count(char word[WORD_SIZE], int64_t count, const char *noun);
/* text_time - "1.2 ms". */
char *text_time(char word[WORD_SIZE], int64_t ns);

/* text_level - the style of a level. */
const char *text_level(enum level level);

/* text_place - "FILE:LINE", as much as is known; NULL where nothing is. Owner: pool. */
const char *text_place(struct pool *pool, const struct place *place);
/* text_frame - where a stack was, in the reader's code: its innermost Python or else native frame. NULL: unknown. */
const struct frame *text_frame(const struct stack *stack);
/* text_frame_name, text_frame_place - function and place of a frame; packages from their name on, native frames as
 * module+0xoffset. Never NULL. */
const char *text_frame_name(const struct frame *frame);
const char *text_frame_place(struct pool *pool, const struct frame *frame);
/* text_package - the part of a path from the name of an installed package, or of Python's library, on; else NULL. */
const char *text_package(const char *path);
/* text_own - is a Python frame the reader's own code, neither the standard library's nor an installed package's? */
bool text_own(const struct frame *frame);

/* text_type - "module.type"; builtins without module. */
const char *text_type(struct pool *pool, const struct object *object);
/* text_callable - "method Reader._at_fork", "symbol in libx.so", ... */
const char *text_callable(struct pool *pool, const struct callable *callable);
/* text_slot - "symbol in libx.so", "closure of function in libx.so": what leads to @block. */
const char *text_slot(struct pool *pool, const struct block *block);
/* text_path - the elements of a holder's path from @first on, joined. */
const char *text_path(struct pool *pool, const struct holder *holder, size_t first);
/* text_phases - "before, child". */
const char *text_phases(struct pool *pool, const struct registration *registration);

/* sum_of - @a + @b, UNKNOWN counting as 0, stopping at the largest number. */
int64_t sum_of(int64_t a, int64_t b);

#endif
