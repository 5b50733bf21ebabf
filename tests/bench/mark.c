/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark BLOCKS SIZE SHAPE - so many blocks of that size, alive at exit. All are linked in an order that has nothing to
 * do with where they lie:
 *   mixed   a third each hangs in a hash table's chains (four long), in a search tree, in lists of a thousand; besides,
 *           each names another one at random, and half of them the middle of a third; a static variable leads to them
 *   chain   one list of all: the next block is known when the one before has been read, nothing can be asked for ahead
 *   slot    as mixed, but a tenth (lists of a thousand) hangs off a fork handler's variable alone, and the rest names
 *           none of these
 * The other words are small numbers, text and floating-point numbers, in turn.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST 1000u
#define CHAIN 4u

struct block {
	struct block *next, *left, *right, *any;
	void *middle;
	uint64_t data[];
};

static struct holder {
	struct block **chains, **lists, *tree;
} *volatile root;
static struct block **volatile kept;

static uint64_t state = 1;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static void *need(void *memory)
{
	if (!memory)
		exit(3);
	return memory;
}

static struct block *make(size_t size)
{
	static const double number = 1.5;
	struct block *block = need(malloc(size));
	size_t words = (size - sizeof(*block)) / sizeof(uint64_t);

	memset(block, 0, sizeof(*block));
	for (size_t i = 0; i < words; i++) {
		block->data[i] = chance(1000);
		if (i % 3 == 1)
			memcpy(&block->data[i], "somebody", sizeof(uint64_t));
		else if (i % 3 == 2)
			memcpy(&block->data[i], &number, sizeof(number));
	}
	return block;
}

/* Lists of @length each of @count blocks; their heads. */
static struct block **link_lists(struct block **blocks, size_t count, size_t length)
{
	struct block **heads = need(calloc(count / length + 1, sizeof(*heads)));

	for (size_t i = 0; i < count; i++) {
		blocks[i]->next = heads[i / length];
		heads[i / length] = blocks[i];
	}
	return heads;
}

static void link_tree(struct block **blocks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i]->left = 2 * i + 1 < count ? blocks[2 * i + 1] : NULL;
		blocks[i]->right = 2 * i + 2 < count ? blocks[2 * i + 2] : NULL;
	}
}

static void link_mixed(struct block **blocks, size_t count, size_t size)
{
	size_t third = count / 3;

	root->chains = link_lists(blocks, third, CHAIN);
	root->lists = link_lists(blocks + third, third, LIST);
	link_tree(blocks + 2 * third, count - 2 * third);
	root->tree = blocks[2 * third];
	for (size_t i = 0; i < count; i++) {
		blocks[i]->any = blocks[chance(count)];
		blocks[i]->middle = i % 2 ? (char *)blocks[chance(count)] + size / 2 : NULL;
	}
}

static void handler(void)
{
	for (struct block **list = kept; list && *list; list++)
		(*list)->data[0]++;
}

int main(int count, char **arguments)
{
	size_t blocks = count > 3 ? strtoull(arguments[1], NULL, 10) : 0;
	size_t size = blocks ? strtoull(arguments[2], NULL, 10) : 0;
	struct block **made;

	if (blocks < 12 || size < sizeof(struct block) + sizeof(uint64_t))
		return 2;
	made = need(malloc(blocks * sizeof(*made)));
	root = need(calloc(1, sizeof(*root)));
	for (size_t i = 0; i < blocks; i++)
		made[i] = make(size);
	for (size_t i = blocks - 1; i > 0; i--) {
		size_t other = chance(i + 1);
		struct block *block = made[i];

		made[i] = made[other];
		made[other] = block;
	}
	if (strcmp(arguments[3], "slot") == 0) {
		size_t tenth = blocks / 10;

		if (pthread_atfork(handler, NULL, NULL) != 0)
			return 3;
		kept = link_lists(made + (blocks - tenth), tenth, LIST);
		link_mixed(made, blocks - tenth, size);
	} else if (strcmp(arguments[3], "chain") == 0) {
		root->lists = link_lists(made, blocks, blocks);
	} else {
		link_mixed(made, blocks, size);
	}
	/* Freed, but the allocator gives its memory back: no stale words. */
	memset(made, 0, blocks * sizeof(*made));
	free(made);
	return 0;
}
