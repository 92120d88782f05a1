/* One exchange, and what it said last. */
#ifndef TESTS_UNIT_PROTO_AUTH_SASL_FIXTURE_H
#define TESTS_UNIT_PROTO_AUTH_SASL_FIXTURE_H

#include "cmocka_all.h"

#include "skein/proto/auth/sasl.h"

struct fixture {
	struct sasl_settings settings;
	struct sasl_channel channel;
	struct sasl *sasl;
	struct sasl_output output;
};

static inline void set_up(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	f->settings.binding = SASL_BINDING_ACCEPT;
	f->settings.fake_salt_key = SPAN_LIT("0123456789abcdef");
	f->channel.offered = (1u << SASL_MECHANISM_COUNT) - 1;
	f->channel.server_end_point = SPAN_LIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	memset(f->channel.random, 7, sizeof(f->channel.random));
}

static inline enum sasl_step begin(struct fixture *f, enum sasl_mechanism mechanism, struct span initial)
{
	sasl_free(&f->sasl);
	f->sasl = sasl_new(mechanism, &f->settings, &f->channel);
	return sasl_begin(f->sasl, true, initial, &f->output);
}

/* A copy that ends where the response ends, so that sanitizers see who reads on. */
static inline enum sasl_step respond(struct fixture *f, struct span response)
{
	char *copy = test_malloc(response.len + 1);
	enum sasl_step step;

	memcpy(copy + 1, response.len ? response.ptr : "", response.len);
	step = sasl_respond(f->sasl, span_of(copy + 1, response.len), &f->output);
	test_free(copy);
	return step;
}

#endif
