/* SPDX-License-Identifier: Apache-2.0 */
#include "load_allocations.h"

static void read_sites(struct fields *fields, const struct node *node, const struct table *stacks,
	struct allocations *allocations)
{
	static const char *const kinds[] = {"native", "python", NULL};
	struct node array, item;
	size_t size = field_array(fields, node, "sites", NEEDED, &array);
	struct site *sites = pool_take(fields->pool, size, sizeof(*sites));

	allocations->sites = sites;
	for (size_t i = 0; i < size && element_object(fields, &array, i, &item); i++) {
		sites[i].stack = field_reference(fields, &item, "stack", NULLABLE, stacks);
		sites[i].python = field_choice(fields, &item, "kind", NEEDED, kinds) == 1;
		sites[i].count = field_number(fields, &item, "count", NEEDED);
		sites[i].bytes = field_number(fields, &item, "bytes", NEEDED);
		sites[i].oldest_ns = field_number(fields, &item, "oldest_ns", NULLABLE);
		sites[i].newest_ns = field_number(fields, &item, "newest_ns", NULLABLE);
		allocations->site_count = i + 1;
	}
}

static void read_total(struct fields *fields, const struct node *node, const char *key, int64_t *count, int64_t *bytes)
{
	struct node total;

	*count = *bytes = UNKNOWN;
	if (!field_object(fields, node, key, NULLABLE, &total))
		return;
	*count = field_number(fields, &total, "count", NULLABLE);
	*bytes = field_number(fields, &total, "bytes", NULLABLE);
}

void read_allocations(struct fields *fields, const struct node *root, const struct table *stacks, struct report *report)
{
	struct allocations *allocations = &report->allocations;
	struct node node;

	report->has_allocations = field_object(fields, root, "allocations", NULLABLE, &node);
	if (!report->has_allocations)
		return;
	read_sites(fields, &node, stacks, allocations);
	allocations->sites_dropped = field_number(fields, &node, "sites_dropped", NULLABLE);
	read_total(fields, &node, "dropped", &allocations->dropped_count, &allocations->dropped_bytes);
	read_total(fields, &node, "native", &allocations->native_count, &allocations->native_bytes);
	read_total(fields, &node, "python", &allocations->python_count, &allocations->python_bytes);
	allocations->frames = field_number(fields, &node, "frames", NULLABLE);
	allocations->sample = field_number(fields, &node, "sample", NULLABLE);
}
