/*
 * Signs messages for another implementation to verify: dkim_sign KEY_FILE... (domain example.org, selectors
 * s0, s1, ...). Prints the record of each key as a line, then takes jobs from standard input until its end:
 * "LENGTH PIECE HEADER BODY\n" and the message, which is fed in pieces of PIECE octets and signed with each
 * key; HEADER and BODY are 's' or 'r'. Answers "LENGTH\n" and the fields, or "!" and why.
 */
#include "skein/proto/base/alloc.h"
#include "skein/proto/dkim/signer.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEYS_MAX = 4, MESSAGE_MAX = 16 * 1024 * 1024 };

static const int64_t signed_at_s = 1700000000;

static struct dkim_key *read_key(const char *path)
{
	char *text = mem_alloc(DKIM_KEY_TEXT_MAX);
	const char *why = "cannot be read";
	struct dkim_key *key = NULL;
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file) {
		len = fread(text, 1, DKIM_KEY_TEXT_MAX, file);
		fclose(file);
		if (dkim_key_parse(span_of(text, len), &key, &why) != ERR_OK)
			key = NULL;
	}
	mem_wipe(text, DKIM_KEY_TEXT_MAX);
	mem_free(text);
	if (!key) {
		fprintf(stderr, "dkim_sign: %s %s\n", path, why);
		exit(1);
	}
	return key;
}

static void print_record(const struct dkim_key *key)
{
	struct buf record = { 0 };

	dkim_key_append_record(key, &record);
	printf("%.*s\n", SPAN_ARGS(buf_span(&record)));
	buf_fini(&record);
}

static void sign(const struct dkim_signer_options *options, struct span message, size_t piece)
{
	struct dkim_signer *signer = dkim_signer_new(options);
	struct buf fields = { 0 };
	const char *why;

	while (message.len) {
		size_t len = message.len < piece ? message.len : piece;

		dkim_signer_feed(signer, span_take(message, len));
		message = span_drop(message, len);
	}
	if (dkim_signer_end(signer, signed_at_s, &fields, &why) != ERR_OK)
		printf("!%s\n", why);
	else
		printf("%zu\n%.*s", buf_len(&fields), SPAN_ARGS(buf_span(&fields)));
	dkim_signer_free(&signer);
	buf_fini(&fields);
}

static enum dkim_canon canon_of(char letter)
{
	return letter == 's' ? DKIM_SIMPLE : DKIM_RELAXED;
}

/* False: no more jobs. */
static bool run_job(struct dkim_rule *rules, size_t count)
{
	struct dkim_signer_options options = {
		.rules = rules,
		.rule_count = count,
		.header_size_max = 256 * 1024,
		.header_fields_max = 1000,
	};
	size_t len, piece;
	char header, body, line[64], *message;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (sscanf(line, "%zu %zu %c %c", &len, &piece, &header, &body) != 4 || len > MESSAGE_MAX || !piece) {
		fprintf(stderr, "dkim_sign: no job: %s", line);
		exit(1);
	}
	for (size_t i = 0; i < count; i++) {
		rules[i].header_canon = canon_of(header);
		rules[i].body_canon = canon_of(body);
	}
	message = mem_alloc(len);
	if (fread(message, 1, len, stdin) == len)
		sign(&options, span_of(message, len), piece);
	mem_free(message);
	return true;
}

int main(int argc, char **argv)
{
	static const char *const selectors[KEYS_MAX] = { "s0", "s1", "s2", "s3" };
	struct dkim_rule rules[KEYS_MAX];
	struct dkim_key *keys[KEYS_MAX];
	size_t count = (size_t)argc - 1;

	if (argc < 2 || count > KEYS_MAX) {
		fprintf(stderr, "usage: dkim_sign KEY_FILE...\n");
		return 2;
	}
	for (size_t i = 0; i < count; i++) {
		keys[i] = read_key(argv[i + 1]);
		print_record(keys[i]);
		rules[i] = (struct dkim_rule){
			.key = keys[i],
			.domain = SPAN_LIT("example.org"),
			.selector = span_of_str(selectors[i]),
		};
	}
	while (run_job(rules, count))
		continue;
	for (size_t i = 0; i < count; i++)
		dkim_key_free(&keys[i]);
	return 0;
}
