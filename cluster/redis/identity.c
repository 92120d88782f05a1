#include "redis/identity.h"

#include <stdio.h>

struct info {
	struct redis_identity *identity;
	struct server_state *state;
};

static void copy_text(char *out, size_t size, struct span text)
{
	size_t len = text.len < size ? text.len : size - 1;

	memcpy(out, text.ptr, len);
	out[len] = '\0';
}

static uint64_t number_or_0(struct span text)
{
	uint64_t value = 0;

	return span_parse_u64(text, UINT64_MAX, &value) ? value : 0;
}

static bool is_one(struct span text)
{
	return span_eq(text, SPAN_LIT("1"));
}

static void read_version(struct info *info, struct span value)
{
	copy_text(info->identity->version, sizeof(info->identity->version), value);
}

static void read_cluster(struct info *info, struct span value)
{
	info->state->cluster = is_one(value);
}

static void read_loading(struct info *info, struct span value)
{
	info->state->loading = is_one(value);
}

static void read_role(struct info *info, struct span value)
{
	info->state->replica = !span_eq(value, SPAN_LIT("master"));
}

static void read_master_host(struct info *info, struct span value)
{
	copy_text(info->state->master, sizeof(info->state->master) - 8, value);
}

static void read_master_port(struct info *info, struct span value)
{
	size_t len = strlen(info->state->master);

	snprintf(info->state->master + len, sizeof(info->state->master) - len, ":%.*s", SPAN_ARGS(value));
}

static void read_replication_id(struct info *info, struct span value)
{
	copy_text(info->identity->replication_id, sizeof(info->identity->replication_id), value);
}

static void read_replicas(struct info *info, struct span value)
{
	info->identity->replicas = (unsigned)number_or_0(value);
}

static void read_appendonly(struct info *info, struct span value)
{
	info->identity->appendonly = is_one(value) ? REDIS_YES : REDIS_NO;
	if (is_one(value))
		info->identity->persistent = REDIS_YES;
}

static void read_eviction(struct info *info, struct span value)
{
	copy_text(info->identity->eviction, sizeof(info->identity->eviction), value);
	info->identity->noeviction = span_eq(value, SPAN_LIT("noeviction")) ? REDIS_YES : REDIS_NO;
}

static void read_memory_used(struct info *info, struct span value)
{
	info->identity->memory_used = number_or_0(value);
}

static void read_memory_max(struct info *info, struct span value)
{
	info->identity->memory_max = number_or_0(value);
}

static const struct info_field {
	const char *name;
	void (*read)(struct info *info, struct span value);
} info_fields[] = {
	{ "redis_version", read_version },
	{ "cluster_enabled", read_cluster },
	{ "loading", read_loading },
	{ "role", read_role },
	{ "master_host", read_master_host },
	{ "master_port", read_master_port },
	{ "master_replid", read_replication_id },
	{ "connected_slaves", read_replicas },
	{ "aof_enabled", read_appendonly },
	{ "maxmemory_policy", read_eviction },
	{ "used_memory", read_memory_used },
	{ "maxmemory", read_memory_max },
};

/* Takes the text up to `end` off the front of `rest`, and `end` with it. */
static struct span take_until(struct span *rest, char end)
{
	size_t len = span_find(*rest, end);
	struct span part = span_take(*rest, len);

	*rest = span_drop(*rest, len < rest->len ? len + 1 : len);
	return part;
}

static void read_info_field(struct info *info, struct span name, struct span value)
{
	for (size_t i = 0; i < ARRAY_LEN(info_fields); i++)
		if (span_eq(name, span_of_str(info_fields[i].name)))
			info_fields[i].read(info, value);
}

void identity_read_info(struct span text, struct redis_identity *identity, struct server_state *state)
{
	struct info info = { identity, state };

	while (text.len) {
		struct span value = take_until(&text, '\n');
		struct span name = take_until(&value, ':');

		if (value.len && value.ptr[value.len - 1] == '\r')
			value.len--;
		read_info_field(&info, name, value);
	}
}

static struct span without_port(struct span address)
{
	size_t len = address.len;

	while (len && address.ptr[len - 1] != ':')
		len--;
	return span_take(address, len ? len - 1 : 0);
}

struct client_line client_line_read(struct span line)
{
	struct client_line client = { .same_host = REDIS_FACT_UNKNOWN };
	struct span theirs = { 0 }, ours = { 0 };

	while (line.len) {
		struct span value = take_until(&line, ' ');
		struct span name = take_until(&value, '=');

		if (span_eq(name, SPAN_LIT("addr")))
			theirs = without_port(value);
		else if (span_eq(name, SPAN_LIT("laddr")))
			ours = without_port(value);
		else if (span_eq(name, SPAN_LIT("name")))
			client.name = value;
	}
	if (theirs.len && ours.len)
		client.same_host = span_eq(theirs, ours) ? REDIS_YES : REDIS_NO;
	return client;
}

void identity_read_save(struct span value, struct redis_identity *identity)
{
	if (value.len)
		identity->persistent = REDIS_YES;
	else if (identity->appendonly == REDIS_NO)
		identity->persistent = REDIS_NO;
}
