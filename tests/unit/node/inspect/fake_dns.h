/* fake_dns: a resolver in place of ours, which answers from a table. A test has it once. */
#ifndef TESTS_FAKE_DNS_H
#define TESTS_FAKE_DNS_H

#include "dns/resolver.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"

/* `data`: of TXT the text, of A four numbers. What is not in the table does not exist. */
struct fake_record {
	const char *name;
	enum dns_type type;
	enum dns_status status; /* DNS_TIMEOUT: never answered */
	const char *data;
};

struct dns_question {
	struct dns_asker asker;
	struct loop_task answer;
	enum dns_type type;
	const struct fake_record *record; /* NULL: there is none */
};

static struct {
	const struct fake_record *records;
	size_t count;
	unsigned open, asked;
} fake_dns;

static inline struct span fake_data(const struct fake_record *record, struct arena *arena)
{
	struct span text = span_of_str(record->data);
	struct buf data = { 0 };

	if (record->type == DNS_A)
		return arena_dup(arena, span_take(text, 4));
	while (text.len) {
		struct span piece = span_take(text, text.len < 255 ? text.len : 255);

		buf_append_byte(&data, (char)piece.len);
		buf_append(&data, piece);
		text = span_drop(text, piece.len);
	}
	text = arena_dup(arena, buf_span(&data));
	buf_fini(&data);
	return text;
}

static inline void fake_answer(void *arg)
{
	struct dns_question *question = arg;
	struct dns_asker asker = question->asker;
	const struct fake_record *record = question->record;
	struct dns_answer *answer =
		dns_answer_of_failure(record ? record->status : DNS_NXDOMAIN, "as the test says");
	struct span *records = arena_alloc(&answer->arena, sizeof(*records));

	if (record && record->status == DNS_OK) {
		records[0] = fake_data(record, &answer->arena);
		answer->records = records;
		answer->count = 1;
	}
	fake_dns.open--;
	mem_free(question);
	asker.fn(asker.arg, answer);
	dns_answer_unref(&answer);
}

struct dns_question *resolver_ask(
	struct resolver *resolver, const char *name, enum dns_type type, const struct dns_asker *asker)
{
	struct dns_question *question = mem_zalloc(sizeof(*question));

	(void)resolver;
	question->asker = *asker;
	question->type = type;
	for (size_t i = 0; i < fake_dns.count && !question->record; i++)
		if (fake_dns.records[i].type == type &&
			span_eq_nocase(span_of_str(fake_dns.records[i].name), span_of_str(name)))
			question->record = &fake_dns.records[i];
	fake_dns.open++;
	fake_dns.asked++;
	loop_task_init(&question->answer, fake_answer, question);
	if (!question->record || question->record->status != DNS_TIMEOUT)
		loop_defer(asker->loop, &question->answer);
	return question;
}

void dns_question_cancel(struct dns_question **question)
{
	if (*question) {
		loop_task_cancel(&(*question)->answer);
		fake_dns.open--;
		mem_free(*question);
	}
	*question = NULL;
}

#endif
