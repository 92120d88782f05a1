/*
 * Encodes messages for another implementation to read: takes jobs from standard input until its end,
 * "LENGTH PIECE\n" and the message, which is fed in pieces of PIECE octets. Answers "LENGTH\n" and what came
 * out, or "!" and why nothing did.
 */
#include "skein/proto/base/alloc.h"
#include "skein/proto/mail/downgrade.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 16 * 1024 * 1024 };

static void downgrade(struct span message, size_t piece)
{
	struct downgrade *downgrade = downgrade_new();
	struct buf out = { 0 };
	enum downgrade_verdict verdict;

	while (message.len) {
		size_t len = message.len < piece ? message.len : piece;

		(void)downgrade_feed(downgrade, span_take(message, len), &out);
		message = span_drop(message, len);
	}
	verdict = downgrade_end(downgrade, &out);
	if (verdict == DOWNGRADE_OK) {
		printf("%zu\n", buf_len(&out));
		fwrite(buf_span(&out).ptr, 1, buf_len(&out), stdout);
	} else {
		printf("!%s\n", downgrade_verdict_text(verdict));
	}
	downgrade_free(&downgrade);
	buf_fini(&out);
}

/* False: no more jobs. */
static bool run_job(void)
{
	size_t len, piece;
	char line[64], *message;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (sscanf(line, "%zu %zu", &len, &piece) != 2 || len > MESSAGE_MAX || !piece) {
		fprintf(stderr, "downgrade: no job: %s", line);
		exit(1);
	}
	message = mem_alloc(len);
	if (fread(message, 1, len, stdin) == len)
		downgrade(span_of(message, len), piece);
	mem_free(message);
	return true;
}

int main(void)
{
	while (run_job())
		continue;
	return 0;
}
