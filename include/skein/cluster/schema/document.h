/*
 * document: YAML text as a tree of libyaml, within what settings need: one document, no anchors, aliases or
 * tags, a bounded depth. So the tree is a tree, and each node is at the place where its text is.
 */
#ifndef SKEIN_CLUSTER_SCHEMA_DOCUMENT_H
#define SKEIN_CLUSTER_SCHEMA_DOCUMENT_H

#include "skein/cluster/schema/report.h"

#include <yaml.h>

enum { DOCUMENT_DEPTH_MAX = 16 };

/*
 * True: `document_out` is to be ended with yaml_document_delete(); its root is NULL when the text is empty.
 * False: the report says why. `text` is borrowed for the call. Nodes of a source without lines have no place
 * to show.
 */
bool document_parse(struct span text, const char *source, bool has_lines, struct report *report,
	yaml_document_t *document_out) WARN_UNUSED;

/* The value of a mapping's key; NULL when `node` is NULL or no mapping, or has no such key. */
yaml_node_t *document_child(yaml_document_t *document, const yaml_node_t *node, struct span key);
/* The text of a scalar, borrowed; empty for NULL and for any other node. */
struct span document_text(const yaml_node_t *node);

#endif
