#include "config_file.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

struct section {
	yaml_document_t *document;
	yaml_node_t *node; /* NULL, or no mapping: has no keys */
};

static struct section child(struct section section, const char *key)
{
	struct section none = { section.document, NULL };

	if (!section.node || section.node->type != YAML_MAPPING_NODE)
		return none;
	for (yaml_node_pair_t *pair = section.node->data.mapping.pairs.start;
		pair < section.node->data.mapping.pairs.top; pair++) {
		yaml_node_t *name = yaml_document_get_node(section.document, pair->key);

		if (name->type == YAML_SCALAR_NODE && strcmp((char *)name->data.scalar.value, key) == 0)
			return (struct section){ section.document,
				yaml_document_get_node(section.document, pair->value) };
	}
	return none;
}

/* NULL when it is not there, is no scalar, or is empty. */
static const char *scalar(struct section section, const char *key, struct arena *arena)
{
	yaml_node_t *node = child(section, key).node;

	if (!node || node->type != YAML_SCALAR_NODE || node->data.scalar.length == 0)
		return NULL;
	return arena_strdup(arena, span_of((char *)node->data.scalar.value, node->data.scalar.length));
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

static void read_redis(struct section redis, struct ctl_options *options)
{
	fill(&options->redis, redis, "address", &options->arena);
	fill(&options->user, redis, "user", &options->arena);
	fill(&options->password_file, redis, "password_file", &options->arena);
	fill(&options->prefix, redis, "prefix", &options->arena);
	read_tls(child(redis, "tls"), options);
}

bool config_file_read(const char *path, struct ctl_options *options, struct buf *why_out)
{
	FILE *file = fopen(path, "rb");
	struct section root = { .node = NULL };
	yaml_document_t document;
	yaml_parser_t parser;
	bool is_ok;

	if (!file) {
		buf_printf(why_out, "cannot read %s: ", path);
		buf_append_str(why_out, strerror(errno));
		return false;
	}
	CHECK(yaml_parser_initialize(&parser));
	yaml_parser_set_input_file(&parser, file);
	is_ok = yaml_parser_load(&parser, &document);
	if (is_ok) {
		root.document = &document;
		root.node = yaml_document_get_root_node(&document);
		read_redis(child(root, "redis"), options);
		yaml_document_delete(&document);
	} else {
		buf_printf(why_out, "%s:%zu: %s", path, parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "not readable");
	}
	yaml_parser_delete(&parser);
	fclose(file);
	return is_ok;
}
