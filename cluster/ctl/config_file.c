#include "config_file.h"

#include "skein/cluster/schema/document.h"

#include <errno.h>
#include <stdio.h>

enum { CONFIG_SIZE_MAX = 1024 * 1024 };

struct section {
	yaml_document_t *document;
	const yaml_node_t *node; /* NULL, or no mapping: has no keys */
};

static struct section child(struct section section, const char *key)
{
	return (struct section){ section.document,
		document_child(section.document, section.node, span_of_str(key)) };
}

/* NULL when it is not there, is no scalar, or is empty. */
static const char *scalar(struct section section, const char *key, struct arena *arena)
{
	struct span text = document_text(child(section, key).node);

	return text.len ? arena_strdup(arena, text) : NULL;
}

static void fill(const char **field, struct section section, const char *key, struct arena *arena)
{
	if (!*field)
		*field = scalar(section, key, arena);
}

static void read_tls(struct section tls, struct ctl_options *options)
{
	const char *enabled = scalar(tls, "enabled", &options->arena);

	/* Whoever gave a TLS option by hand means to have TLS as said there. */
	if (options->tls.on || !enabled || (strcmp(enabled, "true") != 0 && strcmp(enabled, "yes") != 0))
		return;
	options->tls.on = true;
	fill(&options->tls.ca_file, tls, "ca", &options->arena);
	fill(&options->tls.cert_file, tls, "certificate", &options->arena);
	fill(&options->tls.key_file, tls, "key", &options->arena);
	fill(&options->tls.server_name, tls, "server_name", &options->arena);
}

/* A list of texts, or one, as one text with commas. */
static const char *joined(struct section list, struct arena *arena)
{
	struct buf text = { 0 };
	const char *copy = NULL;

	if (list.node && list.node->type == YAML_SEQUENCE_NODE) {
		for (yaml_node_item_t *item = list.node->data.sequence.items.start;
			item < list.node->data.sequence.items.top; item++) {
			struct span word = document_text(yaml_document_get_node(list.document, *item));

			buf_printf(&text, buf_len(&text) ? ",%.*s" : "%.*s", SPAN_ARGS(word));
		}
	} else {
		buf_append(&text, document_text(list.node));
	}
	if (buf_len(&text))
		copy = arena_strdup(arena, buf_span(&text));
	buf_fini(&text);
	return copy;
}

/* Where it is was told before, or is told here. */
static void read_place(struct section redis, struct ctl_options *options)
{
	const char *sentinel_tls = scalar(redis, "sentinel_tls", &options->arena);

	if (!options_has_redis(options)) {
		fill(&options->redis, redis, "address", &options->arena);
		options->sentinels = joined(child(redis, "sentinels"), &options->arena);
	}
	fill(&options->master_name, redis, "master_name", &options->arena);
	fill(&options->sentinel_user, redis, "sentinel_user", &options->arena);
	fill(&options->sentinel_password_file, redis, "sentinel_password_file", &options->arena);
	if (sentinel_tls && strcmp(sentinel_tls, "none") == 0)
		options->sentinel_in_clear = true;
}

static void read_redis(struct section redis, struct ctl_options *options)
{
	read_place(redis, options);
	fill(&options->user, redis, "user", &options->arena);
	fill(&options->password_file, redis, "password_file", &options->arena);
	fill(&options->prefix, redis, "prefix", &options->arena);
	read_tls(child(redis, "tls"), options);
}

static bool read_file(const char *path, struct buf *text, struct buf *why)
{
	FILE *file = fopen(path, "rb");
	bool is_ok = file != NULL;
	size_t len;

	if (file) {
		buf_reserve(text, CONFIG_SIZE_MAX + 1);
		len = fread(buf_tail(text), 1, CONFIG_SIZE_MAX + 1, file);
		is_ok = !ferror(file);
		buf_commit(text, len);
	}
	if (!is_ok)
		buf_printf(why, "cannot read %s: %s", path, strerror(errno));
	else if (buf_len(text) > CONFIG_SIZE_MAX)
		buf_printf(why, "%s is larger than 1 MiB", path);
	if (file)
		fclose(file);
	return is_ok && buf_len(text) <= CONFIG_SIZE_MAX;
}

bool config_file_read(const char *path, struct ctl_options *options, struct buf *why_out)
{
	struct report report = { 0 };
	struct buf text = { 0 };
	yaml_document_t document;
	bool is_ok = read_file(path, &text, why_out);

	if (is_ok && !document_parse(buf_span(&text), path, true, &report, &document)) {
		struct span first = buf_span(&report.text);

		buf_append(why_out, span_take(first, span_find(first, '\n')));
		is_ok = false;
	} else if (is_ok) {
		struct section root = { &document, yaml_document_get_root_node(&document) };

		read_redis(child(root, "redis"), options);
		fill(&options->key_file, child(root, "cluster"), "key_file", &options->arena);
		fill(&options->hostname, child(root, "node"), "hostname", &options->arena);
		fill(&options->users_file, child(child(root, "auth"), "file"), "path", &options->arena);
		yaml_document_delete(&document);
	}
	report_fini(&report);
	buf_fini(&text);
	return is_ok;
}

const char *config_file_value(const char *path, const char *setting, struct arena *arena)
{
	struct report report = { 0 };
	struct buf text = { 0 }, why = { 0 };
	yaml_document_t document;
	const char *value = NULL;

	if (read_file(path, &text, &why) && document_parse(buf_span(&text), path, true, &report, &document)) {
		struct section section = { &document, yaml_document_get_root_node(&document) };
		struct span rest = span_of_str(setting);
		size_t dot = span_find(rest, '.');

		while (dot < rest.len) {
			section = child(section, arena_strdup(arena, span_take(rest, dot)));
			rest = span_drop(rest, dot + 1);
			dot = span_find(rest, '.');
		}
		value = scalar(section, arena_strdup(arena, rest), arena);
		yaml_document_delete(&document);
	}
	report_fini(&report);
	buf_fini(&text);
	buf_fini(&why);
	return value;
}
