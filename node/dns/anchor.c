#include "dns/anchor.h"

#include <errno.h>
#include <stdio.h>
#include <unbound.h>

enum { LINE_SIZE = 4096, CLASS_IN = 1, TYPE_A = 1 };

/* A record's type is a word of its own, before any comment. */
static bool has_record(struct span line)
{
	line = span_take(line, span_find(line, ';'));
	while (line.len) {
		size_t len = 0;
		struct span word;

		while (len < line.len && line.ptr[len] > ' ')
			len++;
		word = span_take(line, len);
		if (span_eq_nocase(word, SPAN_LIT("DS")) || span_eq_nocase(word, SPAN_LIT("DNSKEY")))
			return true;
		line = span_drop(line, len < line.len ? len + 1 : len);
	}
	return false;
}

static bool has_any_record(FILE *file)
{
	char line[LINE_SIZE];

	while (fgets(line, sizeof(line), file)) {
		if (has_record(span_of_str(line)))
			return true;
	}
	return false;
}

/* A context of its own reads it at its first question, which it answers by itself. */
static bool is_read_by_library(const char *path)
{
	struct ub_ctx *ctx = ub_ctx_create();
	struct ub_result *result = NULL;
	bool is_read = false;

	if (ctx) {
		(void)ub_ctx_debugout(ctx, NULL);
		is_read = ub_ctx_add_ta_file(ctx, path) == 0 &&
			  ub_resolve(ctx, "localhost", TYPE_A, CLASS_IN, &result) == 0;
		ub_resolve_free(result);
		ub_ctx_delete(ctx);
	}
	return is_read;
}

bool dns_anchor_check(const char *path, struct buf *why_out)
{
	FILE *file = fopen(path, "re");
	bool has_any;

	if (!file) {
		buf_append_str(why_out, strerrordesc_np(errno));
		return false;
	}
	has_any = has_any_record(file);
	(void)fclose(file);
	if (!has_any)
		buf_append_str(why_out, "holds no DS or DNSKEY record");
	else if (!is_read_by_library(path))
		buf_append_str(why_out, "holds a DS or DNSKEY record that cannot be read");
	else
		return true;
	return false;
}
