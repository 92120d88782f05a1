#include "skein/cluster/schema/document.h"

#include <string.h>

struct scan {
	struct report *report;
	const char *source;
	bool has_lines;
	unsigned depth, documents;
};

static struct origin origin_at(const struct scan *scan, yaml_mark_t mark)
{
	if (!scan->has_lines)
		return (struct origin){ scan->source, 0, 0 };
	return (struct origin){ scan->source, mark.line + 1, mark.column + 1 };
}

static void complain(struct scan *scan, yaml_mark_t mark, const char *problem)
{
	struct origin origin = origin_at(scan, mark);

	report_error(scan->report, &origin, SPAN_LIT(""), "%s", problem);
}

/* The reader, which looks at bytes, knows an offset only. */
static yaml_mark_t mark_of_offset(struct span text, size_t offset)
{
	yaml_mark_t mark = { 0 };

	for (size_t i = 0; i < offset && i < text.len; i++) {
		mark.column++;
		if (text.ptr[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

/* What libyaml only calls a character that cannot start any token. */
static const char *bad_start(struct span text, yaml_mark_t mark)
{
	size_t at = 0;

	for (size_t line = 0; line < mark.line && at < text.len; at++)
		line += text.ptr[at] == '\n';
	at += mark.column;
	if (at < text.len && text.ptr[at] == '\t')
		return "a tab: lines are indented by blanks";
	if (at < text.len && strchr("@`%", text.ptr[at]))
		return "a text that begins with @, % or ` stands in quotes";
	return NULL;
}

static void complain_of_syntax(struct scan *scan, const yaml_parser_t *parser, struct span text)
{
	const char *problem =
		parser->error == YAML_SCANNER_ERROR ? bad_start(text, parser->problem_mark) : NULL;

	if (!problem)
		problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_READER_ERROR)
		complain(scan, mark_of_offset(text, parser->problem_offset), problem);
	else
		complain(scan, parser->problem_mark, problem);
}

static void check_decoration(
	struct scan *scan, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		complain(scan, event->start_mark, "anchors and aliases are not supported");
	if (tag)
		complain(scan, event->start_mark, "tags are not supported");
}

static void enter(struct scan *scan, const yaml_event_t *event)
{
	if (++scan->depth == DOCUMENT_DEPTH_MAX)
		complain(scan, event->start_mark, "nested too deeply");
}

static void check_event(struct scan *scan, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++scan->documents == 2)
			complain(scan, event->start_mark, "a second document begins here; only one is read");
		break;
	case YAML_ALIAS_EVENT:
		complain(scan, event->start_mark, "anchors and aliases are not supported");
		break;
	case YAML_SCALAR_EVENT:
		check_decoration(scan, event, event->data.scalar.anchor, event->data.scalar.tag);
		break;
	case YAML_SEQUENCE_START_EVENT:
		check_decoration(
			scan, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		enter(scan, event);
		break;
	case YAML_MAPPING_START_EVENT:
		check_decoration(
			scan, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		enter(scan, event);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		scan->depth--;
		break;
	default:
		break;
	}
}

static void set_input(yaml_parser_t *parser, struct span text)
{
	CHECK(yaml_parser_initialize(parser));
	yaml_parser_set_input_string(parser, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
}

/* The document API resolves aliases without a trace, so the events are looked at first. */
static void scan_events(struct scan *scan, struct span text)
{
	unsigned errors = scan->report->errors;
	bool is_last = false;
	yaml_parser_t parser;
	yaml_event_t event;

	set_input(&parser, text);
	while (!is_last && scan->depth < DOCUMENT_DEPTH_MAX && scan->documents < 2) {
		if (!yaml_parser_parse(&parser, &event)) {
			/* What went before is often its cause. */
			if (scan->report->errors == errors)
				complain_of_syntax(scan, &parser, text);
			break;
		}
		check_event(scan, &event);
		is_last = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

bool document_parse(struct span text, const char *source, bool has_lines, struct report *report,
	yaml_document_t *document_out)
{
	struct scan scan = { report, source, has_lines, 0, 0 };
	unsigned errors = report->errors;
	yaml_parser_t parser;
	int is_loaded;

	scan_events(&scan, text);
	if (report->errors > errors)
		return false;
	set_input(&parser, text);
	is_loaded = yaml_parser_load(&parser, document_out);
	if (!is_loaded)
		complain_of_syntax(&scan, &parser, text);
	yaml_parser_delete(&parser);
	return is_loaded;
}

struct span document_text(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return (struct span){ 0 };
	return span_of((const char *)node->data.scalar.value, node->data.scalar.length);
}

yaml_node_t *document_child(yaml_document_t *document, const yaml_node_t *node, struct span key)
{
	if (!node || node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
		pair++) {
		yaml_node_t *name = yaml_document_get_node(document, pair->key);

		if (name->type == YAML_SCALAR_NODE && span_eq(document_text(name), key))
			return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}
