/*
 * libyaml says where each entry begins and ends. A list is written in lines ("- 10.0.0.0/8"), in brackets, or
 * is one entry without a list around it; each has its own way to take one more.
 */
#include "acl_text.h"

#include "skein/cluster/schema/document.h"

struct list {
	yaml_document_t document;
	struct span text;
	yaml_node_t *node; /* of match.network */
};

/* Marks count characters. */
static size_t offset_of(struct span text, yaml_mark_t mark)
{
	size_t at = 0, characters = 0;

	while (at < text.len && (characters < mark.index || ((unsigned char)text.ptr[at] & 0xc0) == 0x80)) {
		characters += ((unsigned char)text.ptr[at] & 0xc0) != 0x80;
		at++;
	}
	return at;
}

static size_t begin_of(const struct list *list, const yaml_node_t *node)
{
	return offset_of(list->text, node->start_mark);
}

static size_t end_of(const struct list *list, const yaml_node_t *node)
{
	return offset_of(list->text, node->end_mark);
}

/* --- finding the list ---------------------------------------------------------------------------- */

static yaml_node_t *find_rule(yaml_document_t *document, struct span name)
{
	yaml_node_t *clients =
		document_child(document, yaml_document_get_root_node(document), SPAN_LIT("clients"));

	if (!clients || clients->type != YAML_SEQUENCE_NODE)
		return NULL;
	for (yaml_node_item_t *item = clients->data.sequence.items.start;
		item < clients->data.sequence.items.top; item++) {
		yaml_node_t *rule = yaml_document_get_node(document, *item);

		if (span_eq(document_text(document_child(document, rule, SPAN_LIT("name"))), name))
			return rule;
	}
	return NULL;
}

static bool find_list(struct list *list, struct span rule_name, struct buf *why)
{
	yaml_node_t *rule = find_rule(&list->document, rule_name);
	yaml_node_t *match;

	if (!rule) {
		buf_printf(why, "there is no rule \"%.*s\"", SPAN_ARGS(rule_name));
		return false;
	}
	match = document_child(&list->document, rule, SPAN_LIT("match"));
	list->node = document_child(&list->document, match, SPAN_LIT("network"));
	if (!list->node)
		buf_printf(why, "the rule \"%.*s\" has no match.network: it is about clients from everywhere",
			SPAN_ARGS(rule_name));
	return list->node != NULL;
}

static size_t count_items(const struct list *list)
{
	if (list->node->type != YAML_SEQUENCE_NODE)
		return 1;
	return (size_t)(list->node->data.sequence.items.top - list->node->data.sequence.items.start);
}

static yaml_node_t *item_of(struct list *list, size_t index)
{
	if (list->node->type != YAML_SEQUENCE_NODE)
		return list->node;
	return yaml_document_get_node(&list->document, list->node->data.sequence.items.start[index]);
}

/* The index of the network, or the number of items. */
static size_t find_network(struct list *list, const struct cidr *network)
{
	size_t count = count_items(list), index;

	for (index = 0; index < count; index++) {
		struct cidr cidr = { .prefix = 0 };

		if (!cidr_parse(document_text(item_of(list, index)), &cidr) &&
			memcmp(cidr.bytes, network->bytes, sizeof(cidr.bytes)) == 0 &&
			cidr.prefix == network->prefix && cidr.is_v6 == network->is_v6)
			break;
	}
	return index;
}

/* --- editing ------------------------------------------------------------------------------------- */

/* In quotes where a colon might mean something. */
static void append_network(struct buf *out, const struct cidr *network)
{
	buf_printf(out, network->is_v6 ? "'%s'" : "%s", cidr_format(network).text);
}

static void copy_range(struct buf *out, struct span text, size_t from, size_t to)
{
	buf_append(out, span_of(text.ptr + from, to - from));
}

static size_t line_begin(struct span text, size_t at)
{
	while (at && text.ptr[at - 1] != '\n')
		at--;
	return at;
}

/* Behind the newline, or the end of the text. */
static size_t line_end(struct span text, size_t at)
{
	at += span_find(span_drop(text, at), '\n');
	return at < text.len ? at + 1 : at;
}

static void add_line(struct list *list, const struct cidr *network, struct buf *out)
{
	const yaml_node_t *last = item_of(list, count_items(list) - 1);
	size_t begin = begin_of(list, last), line = line_begin(list->text, begin);
	size_t end = line_end(list->text, end_of(list, last));

	copy_range(out, list->text, 0, end);
	if (list->text.ptr[end - 1] != '\n')
		buf_append_byte(out, '\n');
	copy_range(out, list->text, line, begin); /* "      - " */
	append_network(out, network);
	buf_append_byte(out, '\n');
	copy_range(out, list->text, end, list->text.len);
}

static void add_in_brackets(struct list *list, const struct cidr *network, struct buf *out)
{
	size_t at = end_of(list, item_of(list, count_items(list) - 1));

	copy_range(out, list->text, 0, at);
	buf_append_str(out, ", ");
	append_network(out, network);
	copy_range(out, list->text, at, list->text.len);
}

static void add_to_single(struct list *list, const struct cidr *network, struct buf *out)
{
	size_t begin = begin_of(list, list->node), end = end_of(list, list->node);

	copy_range(out, list->text, 0, begin);
	buf_append_byte(out, '[');
	copy_range(out, list->text, begin, end);
	buf_append_str(out, ", ");
	append_network(out, network);
	buf_append_byte(out, ']');
	copy_range(out, list->text, end, list->text.len);
}

static bool is_in_brackets(const struct list *list)
{
	return list->node->data.sequence.style == YAML_FLOW_SEQUENCE_STYLE;
}

static bool add(struct list *list, const struct cidr *network, struct buf *out, struct buf *why)
{
	if (find_network(list, network) < count_items(list)) {
		buf_printf(why, "%s is there already", cidr_format(network).text);
		return false;
	}
	if (list->node->type != YAML_SEQUENCE_NODE)
		add_to_single(list, network, out);
	else if (is_in_brackets(list))
		add_in_brackets(list, network, out);
	else
		add_line(list, network, out);
	return true;
}

static void remove_in_brackets(struct list *list, size_t index, struct buf *out)
{
	bool is_last = index + 1 == count_items(list);
	size_t from = is_last ? end_of(list, item_of(list, index - 1)) : begin_of(list, item_of(list, index));
	size_t to = is_last ? end_of(list, item_of(list, index)) : begin_of(list, item_of(list, index + 1));

	copy_range(out, list->text, 0, from);
	copy_range(out, list->text, to, list->text.len);
}

static bool cut(struct list *list, const struct cidr *network, struct buf *out, struct buf *why)
{
	size_t count = count_items(list), index = find_network(list, network), begin;

	if (index == count) {
		buf_printf(why, "%s is not there", cidr_format(network).text);
		return false;
	}
	/* A rule without networks would be one for everywhere. */
	if (count == 1) {
		buf_printf(why,
			"%s is the only network of the rule: take the rule out, with skeinctl policy edit",
			cidr_format(network).text);
		return false;
	}
	if (is_in_brackets(list)) {
		remove_in_brackets(list, index, out);
		return true;
	}
	begin = begin_of(list, item_of(list, index));
	copy_range(out, list->text, 0, line_begin(list->text, begin));
	copy_range(out, list->text, line_end(list->text, begin), list->text.len);
	return true;
}

bool acl_text_edit(struct span text, enum acl_edit edit, struct span rule, const struct cidr *network,
	struct buf *text_out, struct buf *why_out)
{
	struct report report = { 0 };
	struct list list = { .text = text };
	bool is_ok;

	if (!document_parse(text, "policy", true, &report, &list.document)) {
		buf_append_str(why_out, "the policy is not YAML");
		report_fini(&report);
		return false;
	}
	is_ok = find_list(&list, rule, why_out) && (edit == ACL_ADD ? add(&list, network, text_out, why_out)
								    : cut(&list, network, text_out, why_out));
	yaml_document_delete(&list.document);
	report_fini(&report);
	return is_ok;
}
