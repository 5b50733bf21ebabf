/* SPDX-License-Identifier: Apache-2.0 */
#include "report/holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forkheld/report.h"
#include "ledger/strings.h"
#include "python/describe.h"
#include "python/registry.h"
#include "retention/path.h"

/* A path beyond this is not followed: only its start and its last step are told. */
#define CHAIN_MAX 512u
/* A longer path is shown by its start and its end. */
#define CHAIN_SHOWN 24u

#define KIND_TEXT(name, text) KIND_##name,
enum { FORKHELD_HOLDER_KINDS(KIND_TEXT) KIND_COUNT };
#define KIND_NAME(name, text) text,
static const char *const kind_names[] = {FORKHELD_HOLDER_KINDS(KIND_NAME)};

/* The way to an owner: nodes from the start to the direct referrer, then the owner. */
struct chain {
	const struct analysis *analysis;
	uint32_t nodes[CHAIN_MAX + 1];
	uint32_t count;
	bool cut_off;  /* too long: only the last step is here */
};

struct path_search *holders_search(struct analysis *analysis)
{
	analysis->map = (struct path_map){&analysis->heap.graph, &analysis->dominators, analysis->reach, analysis->parent};
	return path_search_new(&analysis->map);
}

static bool has_type(const pyobject *object, const char *const *names)
{
	for (const pytype *type = object->type; type; type = type->base)
		for (unsigned i = 0; names[i]; i++)
			if (strcmp(type->name, names[i]) == 0)
				return true;
	return false;
}

static bool is_thread(const pyobject *object)
{
	static const char *const names[] = {"Thread", "_thread._local", "_thread._localdummy", NULL};
	return has_type(object, names);
}

static bool is_context(const pyobject *object)
{
	static const char *const names[] = {"Context", "_contextvars.Context", "hamt", "hamt_bitmap_node",
					    "hamt_array_node", "hamt_collision_node", "ContextVar",
					    "_contextvars.ContextVar", "Token", NULL};
	return has_type(object, names);
}

static bool is_atexit(const pyobject *object)
{
	return object_is(object, py.PyModule_Type) && strcmp(describe_module_name((pyobject *)object), "atexit") == 0;
}

static bool is_frame(const pyobject *object)
{
	return object->type == py.PyFrame_Type || object->type == py.PyGen_Type || object->type == py.PyCoro_Type ||
	       object->type == py.PyAsyncGen_Type;
}

/* Is @object, the dict, the __dict__ of the instance before it in the chain? */
static bool is_instance_dict(const struct chain *chain, uint32_t at)
{
	pyobject *dict = chain->analysis->heap.objects[chain->nodes[at]];
	pyobject *before = at ? chain->analysis->heap.objects[chain->nodes[at - 1]] : NULL;
	return before && object_is(dict, py.PyDict_Type) &&
	       strcmp(describe_edge(before, dict), ".__dict__") == 0;
}

/* Something between an owner and what really holds it? */
static bool passes_on(const struct chain *chain, uint32_t at)
{
	const pyobject *object = chain->analysis->heap.objects[chain->nodes[at]];
	return (chain->analysis->heap.graph.flags[chain->nodes[at]] & NODE_PLUMBING) || is_container(object) ||
	       object->type == py.PyMethod_Type || object->type == py.PyFunction_Type || object->type == py.PyCell_Type ||
	       object_is(object, py.PyCFunction_Type) || is_instance_dict(chain, at);
}

/* The nearest thing on the way up from the owner that is more than a wrapper or a container gives the kind. */
static int kind_of(const struct chain *chain)
{
	const struct heap *heap = &chain->analysis->heap;
	for (uint32_t at = chain->count - 1; at-- > 0;) {
		uint32_t node = chain->nodes[at];
		if (node < heap->registration_count)
			return KIND_FORK_REGISTRATION;
		if (heap->graph.flags[node] & NODE_CLASS_DICT)
			return KIND_CLASS_ATTRIBUTE;
		if (heap->graph.flags[node] & NODE_MODULE_DICT)
			return KIND_MODULE_ATTRIBUTE;
		const pyobject *object = heap->objects[node];
		if (is_frame(object))
			return KIND_FRAME;
		if (is_context(object))
			return KIND_CONTEXT;
		if (is_thread(object))
			return KIND_THREAD;
		if (is_atexit(object))
			return KIND_ATEXIT;
		if (!passes_on(chain, at))
			return KIND_INSTANCE;
	}
	return KIND_C_REFERENCE;
}

static void token(struct holder *holder, const char *text)
{
	if (holder->path_length < HOLDER_PATH_MAX)
		holder->path[holder->path_length++] = text;
}

static void token_of(struct holder *holder, const char *before, const char *text)
{
	char buffer[1024];
	snprintf(buffer, sizeof buffer, "%s%s", before, text ? text : "?");
	token(holder, strings_intern(buffer));
}

static void class_tokens(struct holder *holder, pyobject *type)
{
	struct type_text text = describe_type(type);
	char buffer[1024];
	if (!describe_class_module(type)) {
		snprintf(buffer, sizeof buffer, "class %s.%s", text.module, text.qualname);
		token(holder, strings_intern(buffer));
		return;
	}
	token_of(holder, "module ", text.module);
	for (const char *part = text.qualname; *part;) {
		size_t length = strcspn(part, ".");
		snprintf(buffer, sizeof buffer, ".%.*s", (int)length, part);
		token(holder, strings_intern(buffer));
		part += length + (part[length] == '.');
	}
}

static void start_tokens(const struct chain *chain, struct holder *holder, uint32_t at)
{
	const struct heap *heap = &chain->analysis->heap;
	uint32_t node = chain->nodes[at];
	if (node < heap->registration_count) {
		holder->registration = heap->registrations[node].record->sequence;
		token(holder, "fork registration");
		return;
	}
	pyobject *object = heap->objects[node];
	if (object_is(object, py.PyModule_Type))
		token_of(holder, "module ", describe_module_name(object));
	else if (object_is(object, py.PyType_Type))
		class_tokens(holder, object);
	else if (holder->own)
		token(holder, describe_type((pyobject *)object->type).qualname);
	else if (heap->graph.flags[node] & NODE_UNEXPLAINED)
		token_of(holder, "C reference to ", describe_type((pyobject *)object->type).qualname);
	else
		token(holder, describe_type((pyobject *)object->type).qualname);
}

static const char *registration_edge(const struct heap_registration *registration, const pyobject *callable)
{
	static const char *const phases[PHASES] = {FORKHELD_PHASE_BEFORE, FORKHELD_PHASE_PARENT, FORKHELD_PHASE_CHILD};
	for (int phase = 0; phase < PHASES; phase++)
		if (registration->callable[phase] == callable)
			return phases[phase];
	return "?";
}

/* ".name" for an entry of a namespace or an instance's dict, which itself is not shown. */
static const char *attribute_label(pyobject *dict, pyobject *value)
{
	const char *label = describe_edge(dict, value);
	size_t length = strlen(label);
	if (strncmp(label, "['", 2) != 0 || length < 5)
		return label;
	char buffer[1024];
	snprintf(buffer, sizeof buffer, ".%.*s", (int)length - 4, label + 2);
	return strings_intern(buffer);
}

static void edge_tokens(const struct chain *chain, struct holder *holder, uint32_t first)
{
	const struct heap *heap = &chain->analysis->heap;
	bool namespace = false;
	for (uint32_t at = first; at + 1 < chain->count; at++) {
		uint32_t node = chain->nodes[at];
		pyobject *to = heap->objects[chain->nodes[at + 1]];
		if (chain->count - first > 2 * CHAIN_SHOWN && at == first + CHAIN_SHOWN / 2) {
			token(holder, "...");
			at = chain->count - CHAIN_SHOWN;
			namespace = false;
			continue;
		}
		if (node < heap->registration_count) {
			token(holder, registration_edge(&heap->registrations[node], to));
			continue;
		}
		const char *label = namespace ? attribute_label(heap->objects[node], to)
					      : describe_edge(heap->objects[node], to);
		namespace = !namespace && strcmp(label, ".__dict__") == 0 && at + 2 < chain->count;
		if (!namespace)
			token(holder, label);
	}
}

static void describe_chain(const struct chain *chain, struct holder *holder)
{
	const struct heap *heap = &chain->analysis->heap;
	uint32_t first = 0;
	for (uint32_t at = 1; at + 1 < chain->count; at++)
		if (heap->graph.flags[chain->nodes[at]] & NODE_NAMESPACE)
			first = at;
	int kind = kind_of(chain);
	bool fork_only = chain->analysis->reach[holder->referrer] == REACH_FORK;
	if (chain->cut_off && kind == KIND_C_REFERENCE) {
		/* A step out of nowhere: what it comes from is known all the same. */
		kind = fork_only ? KIND_FORK_REGISTRATION : KIND_INSTANCE;
		token(holder, fork_only ? "fork registration" : "...");
		if (fork_only)
			token(holder, "...");
	} else {
		start_tokens(chain, holder, first);
	}
	holder->kind = kind_names[kind];
	edge_tokens(chain, holder, first);
}

/* Every path to a node that the owner dominates passes the owner: the part after it is the way in its own circle. */
static void own_chain(struct chain *chain, uint32_t referrer, uint32_t owner)
{
	uint32_t length = 0;
	for (uint32_t node = referrer; node != owner && node != NODE_NONE && length < CHAIN_MAX - 1;
	     node = chain->analysis->parent[node])
		length++;
	chain->count = length + 1;
	chain->nodes[0] = owner;
	uint32_t at = length;
	for (uint32_t node = referrer; at > 0; node = chain->analysis->parent[node])
		chain->nodes[at--] = node;
}

static void outside_chain(struct chain *chain, struct path_search *search, uint32_t referrer, uint32_t owner)
{
	int64_t count = path_to(search, referrer, owner, chain->nodes, CHAIN_MAX);
	chain->cut_off = count <= 0 || count > CHAIN_MAX;
	if (chain->cut_off) {
		chain->nodes[0] = referrer;
		count = 1;
	}
	chain->count = (uint32_t)count;
}

void holder_through(struct analysis *analysis, struct path_search *search, uint32_t node, uint32_t referrer,
		    struct holder *holder)
{
	static struct chain chain;
	*holder = (struct holder){.registration = REGISTRATION_NONE, .referrer = referrer};
	holder->own = dominators_above(&analysis->dominators, node, referrer);
	chain.analysis = analysis;
	chain.cut_off = false;
	if (holder->own)
		own_chain(&chain, referrer, node);
	else
		outside_chain(&chain, search, referrer, node);
	chain.nodes[chain.count++] = node;
	describe_chain(&chain, holder);
}

static void found_unexplained(const char *kind, const char *first, const char *second, const char *last,
			      void (*found)(void *context, const struct holder *holder), void *context)
{
	struct holder holder = {.registration = REGISTRATION_NONE, .referrer = NODE_NONE, .kind = kind};
	token_of(&holder, first, second);
	if (last)
		token_of(&holder, ".", last);
	found(context, &holder);
}

/* References that no object has: those of running frames by the names there, the rest as C references. */
static uint32_t unexplained_holders(struct analysis *analysis, uint32_t node, uint32_t count, uint32_t limit,
				    void (*found)(void *context, const struct holder *holder), void *context)
{
	pyobject *object = analysis->heap.objects[node];
	uint32_t left = heap_leftover(&analysis->heap, node);
	uint32_t named = 0;
	if (analysis->frozen && !analysis->looked_at_frames)
		running_collect(&analysis->running, &analysis->heap);
	analysis->looked_at_frames = true;
	for (uint32_t i = 0; i < analysis->running.count; i++) {
		const struct running_local *local = &analysis->running.locals[i];
		if (local->object == object && count + named++ < limit)
			found_unexplained(kind_names[KIND_FRAME], "frame ", local->function, local->name, found, context);
	}
	if (!named || left == 0 || left > named) {
		const char *type = describe_type((pyobject *)object->type).qualname;
		if (count + named++ < limit)
			found_unexplained(kind_names[KIND_C_REFERENCE], "C reference to ", type, NULL, found, context);
	}
	return count + named;
}

uint32_t holders_of(struct analysis *analysis, struct path_search *search, uint32_t node, uint32_t limit,
		    void (*found)(void *context, const struct holder *holder), void *context)
{
	const struct graph *graph = &analysis->heap.graph;
	uint32_t count = 0;
	for (int own = 0; own < 2; own++) {
		uint32_t previous = NODE_NONE;
		for (uint32_t i = graph->reverse_first[node]; i < graph->reverse_first[node + 1]; i++) {
			uint32_t referrer = graph->source[i];
			if (referrer == previous || analysis->reach[referrer] == REACH_NONE)
				continue;
			previous = referrer;
			if (dominators_above(&analysis->dominators, node, referrer) != (bool)own || count++ >= limit)
				continue;
			struct holder holder;
			holder_through(analysis, search, node, referrer, &holder);
			found(context, &holder);
		}
		if (!own && (graph->flags[node] & NODE_UNEXPLAINED))
			count = unexplained_holders(analysis, node, count, limit, found, context);
	}
	return count;
}
