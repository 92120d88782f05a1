#include "auth/sasl_internal.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/utf8.h"

static void nothing(struct sasl *sasl)
{
	(void)sasl;
}

static const struct mechanism {
	const char *name;
	const char *prompt; /* the first challenge, when there is no initial response */
	void (*start)(struct sasl *sasl);
	enum sasl_step (*respond)(struct sasl *sasl, struct span response, struct sasl_output *output);
	void (*end)(struct sasl *sasl);
} mechanisms[SASL_MECHANISM_COUNT] = {
	[SASL_SCRAM_SHA_256_PLUS] = { "SCRAM-SHA-256-PLUS", "", sasl_scram_start, sasl_scram_respond,
		sasl_scram_end },
	[SASL_SCRAM_SHA_256] = { "SCRAM-SHA-256", "", sasl_scram_start, sasl_scram_respond, sasl_scram_end },
	[SASL_GSSAPI] = { "GSSAPI", "", sasl_gssapi_start, sasl_gssapi_respond, nothing },
	[SASL_NTLM] = { "NTLM", "", sasl_ntlm_start, sasl_ntlm_respond, sasl_ntlm_end },
	[SASL_LOGIN] = { "LOGIN", "Username:", nothing, sasl_login_respond, nothing },
	[SASL_PLAIN] = { "PLAIN", "", nothing, sasl_plain_respond, nothing },
};

struct span sasl_mechanism_name(enum sasl_mechanism mechanism)
{
	return span_of_str(mechanisms[mechanism].name);
}

bool sasl_mechanism_find(struct span name, enum sasl_mechanism *mechanism_out)
{
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (!span_eq_nocase(name, span_of_str(mechanisms[i].name)))
			continue;
		*mechanism_out = (enum sasl_mechanism)i;
		return true;
	}
	return false;
}

unsigned sasl_offer(
	unsigned enabled, const struct sasl_settings *settings, const struct sasl_channel *channel)
{
	bool can_bind = channel->server_end_point.len || channel->exporter.len;

	if (settings->binding == SASL_BINDING_OFF || !can_bind)
		enabled &= ~SASL_BIT(SASL_SCRAM_SHA_256_PLUS);
	if (settings->binding == SASL_BINDING_REQUIRE)
		enabled &= ~SASL_BIT(SASL_SCRAM_SHA_256);
	return enabled;
}

void sasl_offer_format(struct buf *out, unsigned offered)
{
	bool is_first = true;

	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (!(offered & SASL_BIT(i)))
			continue;
		if (!is_first)
			buf_append_byte(out, ' ');
		buf_append_str(out, mechanisms[i].name);
		is_first = false;
	}
}

struct sasl *sasl_new(enum sasl_mechanism mechanism, const struct sasl_settings *settings,
	const struct sasl_channel *channel)
{
	struct sasl *sasl = mem_zalloc(sizeof(*sasl));

	CHECK(channel->offered & SASL_BIT(mechanism));
	sasl->settings = settings;
	sasl->mechanism = mechanism;
	sasl->offered = channel->offered;
	sasl->filetime = channel->filetime;
	memcpy(sasl->random, channel->random, sizeof(sasl->random));
	sasl->server_end_point = arena_dup(&sasl->arena, channel->server_end_point);
	sasl->exporter = arena_dup(&sasl->arena, channel->exporter);
	mechanisms[mechanism].start(sasl);
	return sasl;
}

void sasl_free(struct sasl **sasl)
{
	if (!*sasl)
		return;
	mechanisms[(*sasl)->mechanism].end(*sasl);
	sasl_wipe_buf(&(*sasl)->secret);
	buf_fini(&(*sasl)->challenge);
	arena_fini(&(*sasl)->arena);
	mem_wipe(*sasl, sizeof(**sasl));
	mem_free(*sasl);
	*sasl = NULL;
}

enum sasl_step sasl_begin(
	struct sasl *sasl, bool has_initial, struct span initial, struct sasl_output *output_out)
{
	const struct mechanism *mechanism = &mechanisms[sasl->mechanism];

	CHECK(sasl->turn == TURN_BEGIN);
	sasl->turn = TURN_CLIENT;
	if (has_initial)
		return sasl_respond(sasl, initial, output_out);
	return sasl_end_step(sasl, sasl_challenge(sasl, span_of_str(mechanism->prompt), output_out));
}

enum sasl_step sasl_respond(struct sasl *sasl, struct span response, struct sasl_output *output_out)
{
	CHECK(sasl->turn == TURN_CLIENT);
	*output_out = (struct sasl_output){ 0 };
	if (++sasl->responses > SASL_RESPONSES_MAX)
		return sasl_end_step(sasl, sasl_malformed(output_out, "the exchange does not end"));
	return sasl_end_step(sasl, mechanisms[sasl->mechanism].respond(sasl, response, output_out));
}

enum sasl_step sasl_refuse(struct sasl_output *output, const char *why)
{
	output->why = why;
	return SASL_REFUSED;
}

enum sasl_step sasl_malformed(struct sasl_output *output, const char *why)
{
	output->why = why;
	return SASL_MALFORMED;
}

enum sasl_step sasl_unavailable(struct sasl_output *output, const char *why)
{
	output->why = why;
	return SASL_UNAVAILABLE;
}

enum sasl_step sasl_challenge(struct sasl *sasl, struct span bytes, struct sasl_output *output)
{
	buf_clear(&sasl->challenge);
	buf_append(&sasl->challenge, bytes);
	output->challenge = buf_span(&sasl->challenge);
	return SASL_CHALLENGE;
}

enum sasl_step sasl_ask(struct sasl *sasl, enum sasl_question question, struct sasl_output *output)
{
	sasl->question = output->ask.question = question;
	return SASL_ASK;
}

enum sasl_step sasl_accept(struct sasl *sasl, struct sasl_output *output)
{
	output->accepted = sasl->accepted;
	return SASL_ACCEPTED;
}

bool sasl_take_answer(struct sasl *sasl, enum sasl_question question, enum sasl_verdict verdict,
	struct sasl_output *output, enum sasl_step *step_out)
{
	CHECK(sasl->turn == TURN_BACK_END && sasl->question == question);
	*output = (struct sasl_output){ 0 };
	sasl_wipe_buf(&sasl->secret);
	if (verdict == SASL_YES)
		return true;
	*step_out =
		sasl_end_step(sasl, verdict == SASL_NO ? sasl_refuse(output, "the back end refuses")
						       : sasl_unavailable(output, "the back end cannot say"));
	return false;
}

enum sasl_step sasl_end_step(struct sasl *sasl, enum sasl_step step)
{
	if (step == SASL_CHALLENGE)
		sasl->turn = TURN_CLIENT;
	else if (step == SASL_ASK)
		sasl->turn = TURN_BACK_END;
	else
		sasl->turn = TURN_NOBODY;
	return step;
}

/* A control character begins here: C0, DEL, or C1 (U+0080 to U+009F) in UTF-8. */
static bool is_control(struct span text)
{
	const unsigned char *bytes = (const unsigned char *)text.ptr;

	return bytes[0] < ' ' || bytes[0] == 0x7f || (bytes[0] == 0xc2 && text.len > 1 && bytes[1] < 0xa0);
}

bool sasl_is_text(struct span text, size_t len_max)
{
	if (text.len > len_max || !utf8_is_valid(text))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (is_control(span_drop(text, i)))
			return false;
	}
	return true;
}

bool sasl_keep_name(struct sasl *sasl, struct span name, struct span *name_out)
{
	if (!sasl_is_text(name, SASL_NAME_MAX))
		return false;
	*name_out = arena_dup(&sasl->arena, name);
	return true;
}

bool sasl_keep_authzid(struct sasl *sasl, struct span authzid)
{
	if (span_eq(authzid, sasl->accepted.name))
		authzid = span_of("", 0);
	return sasl_keep_name(sasl, authzid, &sasl->accepted.authzid);
}

struct span sasl_binding_data(struct sasl *sasl)
{
	static const struct span prefix = { "tls-server-end-point:", 21 };
	char *data;

	if (sasl->settings->binding == SASL_BINDING_OFF || !sasl->server_end_point.len)
		return span_of("", 0);
	data = arena_alloc(&sasl->arena, prefix.len + sasl->server_end_point.len);
	memcpy(data, prefix.ptr, prefix.len);
	memcpy(data + prefix.len, sasl->server_end_point.ptr, sasl->server_end_point.len);
	return span_of(data, prefix.len + sasl->server_end_point.len);
}

void sasl_wipe_buf(struct buf *buf)
{
	mem_wipe(buf->base, buf->cap);
	buf_fini(buf);
}
