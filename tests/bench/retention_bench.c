/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retention_bench - time and memory of the passes over a heap-like graph: retention_bench [NODES]...
 *
 * The graph is what a Python heap looks like: 2 of 5 nodes have out-edges, objects refer to neighbours (allocated
 * together) and to one of a few classes, containers to what was made with them and to later containers; most leaves
 * are private, some are shared by thousands; a few registrations. One line of JSON a size: raw data, no verdict.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "retention/dominators.h"
#include "retention/reach.h"

#define CLASSES 2000u
#define REGISTRATIONS 100u
#define SHARED (REGISTRATIONS + CLASSES)  /* first of 1000 leaves used everywhere */
#define GROUP 250u                        /* nodes allocated together */
#define OWNED 40u                         /* groups that only registrations hold, unless an object refers far */
#define HEAP (14 * GROUP)                 /* first of them */

static uint64_t state = UINT64_C(0x2545f4914f6cdd1d);

static uint32_t below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 11) % limit);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void must(int result)
{
	if (result < 0) {
		fprintf(stderr, "retention_bench: %s\n", strerror(-result));
		exit(1);
	}
}

/* The first of the groups that only registrations hold. */
static uint32_t owned(uint32_t nodes)
{
	return (nodes / GROUP - OWNED) * GROUP;
}

/* An inner node of the group at @base. */
static uint32_t neighbour(uint32_t base, uint32_t width)
{
	return base + below(width) / 5 * 5 + below(2);
}

/* A container of the inner nodes of its group. */
static void build_container(struct graph *graph, uint32_t base, uint32_t width)
{
	for (uint32_t member = 0; member + 1 < width; member += 5) {
		must(graph_edge(graph, base + member));
		must(graph_edge(graph, base + member + 1));
	}
}

static void build_object(struct graph *graph, uint32_t node, uint32_t base, uint32_t width, uint32_t nodes)
{
	must(graph_edge(graph, REGISTRATIONS + below(below(2) ? 20 : CLASSES)));
	for (uint32_t leaf = node + 2; leaf <= node + 2 + node % 5 && leaf < nodes; leaf++)
		must(graph_edge(graph, leaf));
	if (below(2))
		must(graph_edge(graph, neighbour(base, width)));
	if (!below(4))
		must(graph_edge(graph, SHARED + below(1000)));
	if (!below(30))
		must(graph_edge(graph, REGISTRATIONS + below(nodes - REGISTRATIONS)));
}

static void build_edges(struct graph *graph, uint32_t node, uint32_t nodes)
{
	uint32_t base = node / GROUP * GROUP, width = nodes - base < GROUP ? nodes - base : GROUP;

	if (node < REGISTRATIONS) {
		must(graph_edge(graph, owned(nodes) + node % OWNED * GROUP));
	} else if (node < SHARED) {
		must(graph_edge(graph, REGISTRATIONS + below(CLASSES)));
	} else if (node < HEAP) {
		return;
	} else if (node == base) {
		build_container(graph, base, width);
		for (unsigned i = 0; i < 2 && base + GROUP < owned(nodes); i++)
			must(graph_edge(graph, base + GROUP * (i ? 1 + below((owned(nodes) - base) / GROUP) : 1)));
	} else if (node % 5 < 2) {
		build_object(graph, node, base, width, nodes);
	}
}

static void build(struct graph *graph, uint32_t nodes)
{
	graph_init(graph);
	for (uint32_t node = 0; node < nodes; node++) {
		must(graph_begin_node(graph));
		build_edges(graph, node, nodes);
	}
	must(graph_end(graph));
	for (uint32_t node = 0; node < nodes; node++) {
		if (node < REGISTRATIONS)
			graph->flags[node] = NODE_REGISTRATION;
		else if (node < REGISTRATIONS + CLASSES)
			graph->flags[node] = node % 10 ? NODE_NAMESPACE | NODE_ROOT : NODE_NAMESPACE;
		else if (node == HEAP || (node > HEAP && node % GROUP == 0 && node < owned(nodes) && !below(10)))
			graph->flags[node] = NODE_ROOT;
	}
}

/* Pages in use now, and at most so far. */
static double resident_peak(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024;
}

static uint64_t one(void *context, uint32_t node)
{
	(void)context;
	(void)node;
	return 1;
}

static void none(void *context, uint32_t node)
{
	(void)context;
	(void)node;
}

static void measure(uint32_t nodes)
{
	double before = resident_peak(), start = now(), built, reversed, marked, dominated, sized, freed;
	uint32_t *parent, wanted[REGISTRATIONS], inner = 0, alive = 0;
	uint64_t objects[REGISTRATIONS], bytes[REGISTRATIONS];
	struct reach_scratch *scratch;
	struct dominators tree;
	struct graph graph;
	uint8_t *reach;
	int64_t dead;

	build(&graph, nodes);
	built = now();
	must(graph_reverse(&graph));
	reversed = now();
	reach = malloc(nodes);
	parent = malloc((size_t)nodes * sizeof(*parent));
	scratch = reach_scratch_new(&graph);
	must(reach && parent && scratch ? reach_mark(&graph, reach, parent) : -1);
	marked = now();
	must(dominators_compute(&graph, &tree));
	dominated = now();
	for (uint32_t i = 0; i < REGISTRATIONS; i++)
		wanted[i] = graph.target[graph.first[i]];
	must(dominators_retained(&tree, wanted, REGISTRATIONS, one, NULL, objects, bytes));
	sized = now();
	for (uint32_t node = 0; node < nodes; node++) {
		inner += graph.first[node] != graph.first[node + 1];
		alive += reach[node] == REACH_ROOT;
		reach[node] = reach[node] != REACH_ROOT;
		wanted[node % REGISTRATIONS] = node % REGISTRATIONS;
	}
	dead = reach_freed(&graph, reach, wanted, REGISTRATIONS, NULL, 0, scratch, none, NULL);
	must(dead < 0 ? -1 : 0);
	freed = now();
	printf("{\"nodes\": %u, \"inner\": %u, \"edges\": %u, \"reached\": %u, \"freed\": %lld, ", nodes, inner,
	       graph.edges, alive, (long long)dead);
	printf("\"build_ms\": %.1f, \"reverse_ms\": %.1f, \"mark_ms\": %.1f, \"dominators_ms\": %.1f, ", built - start,
	       reversed - built, marked - reversed, dominated - marked);
	printf("\"retained_ms\": %.1f, \"freed_ms\": %.1f, \"passes_ns_per_node\": %.1f, ", sized - dominated,
	       freed - sized, (freed - built) * 1e6 / nodes);
	printf("\"peak_bytes_per_node_beyond_8_an_edge\": %.1f}\n",
	       (resident_peak() - before - 8.0 * graph.edges) / nodes);
	reach_scratch_free(scratch);
	dominators_finish(&tree);
	graph_finish(&graph);
	free(reach);
	free(parent);
}

/* Each size in a process of its own, for a peak of its own. */
static void measure_apart(uint32_t nodes)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		measure(nodes);
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "retention_bench: %u nodes not measured\n", nodes);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		unsigned long nodes = strtoul(argv[i], NULL, 10);

		if (nodes < 50000 || nodes > 500000000) {
			fprintf(stderr, "usage: retention_bench [NODES, 50000 to 500000000]...\n");
			return 2;
		}
		measure_apart((uint32_t)nodes);
	}
	if (argc == 1) {
		measure_apart(2500000);
		measure_apart(25000000);
	}
	return 0;
}
