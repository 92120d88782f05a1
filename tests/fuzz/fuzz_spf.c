/*
 * Any answers to an SPF evaluation. The first line is the sender, with IPv6 when it begins with "6"; each
 * further one answers a question: "n" NXDOMAIN, "e" no data, "t" an error, "a" the client's address, "b"
 * another one, anything else records parted by tabs. Checked: questions are few and can be asked, and what a
 * verdict promises.
 */
#include "skein/proto/base/check.h"
#include "skein/proto/spf/spf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 16 };

static const uint8_t client[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t other[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 };

static struct span take_until(struct span *rest, char byte)
{
	struct span taken = span_take(*rest, span_find(*rest, byte));

	*rest = span_drop(*rest, taken.len < rest->len ? taken.len + 1 : taken.len);
	return taken;
}

static struct spf_answer make_answer(
	struct span line, const struct spf_question *question, struct span records[RECORDS_MAX])
{
	struct spf_answer answer = { SPF_ANSWER_RECORDS, records, 0 };
	size_t len = question->type == SPF_QUERY_A ? 4 : 16;

	if (!line.len || span_eq(line, SPAN_LIT("e"))) {
		answer.status = SPF_ANSWER_NO_DATA;
	} else if (span_eq(line, SPAN_LIT("n"))) {
		answer.status = SPF_ANSWER_NXDOMAIN;
	} else if (span_eq(line, SPAN_LIT("t"))) {
		answer.status = SPF_ANSWER_TEMPERROR;
	} else if (line.len == 1 && (line.ptr[0] == 'a' || line.ptr[0] == 'b')) {
		records[answer.count++] =
			span_of((const char *)(line.ptr[0] == 'a' ? client : other) + 16 - len, len);
	} else {
		while (line.len && answer.count < RECORDS_MAX)
			records[answer.count++] = take_until(&line, '\t');
	}
	return answer;
}

static void check_question(const struct spf_question *question)
{
	size_t label = 0;

	CHECK(question->type <= SPF_QUERY_PTR);
	CHECK(question->name.len > 0 && question->name.len <= SPF_NAME_LEN_MAX);
	for (size_t i = 0; i < question->name.len; i++) {
		char c = question->name.ptr[i];

		CHECK(c >= ' ' && c <= '~' && c != '\\');
		CHECK(c != '.' || label > 0);
		label = c == '.' ? 0 : label + 1;
		CHECK(label <= 63);
	}
	CHECK(label > 0);
}

static void check_verdict(const struct spf_verdict *verdict)
{
	bool is_error = verdict->result == SPF_NONE || verdict->result == SPF_TEMPERROR ||
			verdict->result == SPF_PERMERROR;

	CHECK(spf_result_name(verdict->result));
	CHECK((verdict->problem.len > 0) == is_error);
	CHECK(!verdict->explanation.len || verdict->result == SPF_FAIL);
	CHECK(verdict->explanation.len <= SPF_EXPLANATION_LEN_MAX);
	for (size_t i = 0; i < verdict->explanation.len; i++)
		CHECK(verdict->explanation.ptr[i] >= ' ' && verdict->explanation.ptr[i] <= '~');
	CHECK(verdict->result == SPF_PERMERROR || verdict->dns_terms <= SPF_DNS_TERMS_MAX);
	CHECK(verdict->result == SPF_PERMERROR || verdict->void_lookups <= SPF_VOID_LOOKUPS_MAX);
	if (verdict->result != SPF_NEUTRAL && !is_error)
		CHECK(verdict->matched.number > 0 && verdict->matched.term.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);
	struct spf_request request = { .helo = SPAN_LIT("mail.example.org"), .receiver = SPAN_LIT("mx") };
	struct spf_check *check;
	struct spf_question question;
	unsigned questions = 0;

	request.mail_from = take_until(&rest, '\n');
	request.client_len = request.mail_from.len && request.mail_from.ptr[0] == '6' ? 16 : 4;
	memcpy(request.client, client + 16 - request.client_len, request.client_len);
	check = spf_check_new(&request);
	while (spf_check_question(check, &question)) {
		struct span records[RECORDS_MAX];
		struct spf_answer answer = make_answer(take_until(&rest, '\n'), &question, records);

		check_question(&question);
		CHECK(++questions <= SPF_QUESTIONS_MAX);
		spf_check_answer(check, &answer);
	}
	check_verdict(spf_check_verdict(check));
	spf_check_free(&check);
	return 0;
}
