#include "cmocka_all.h"

#include "skein/proto/base/check.h"
#include "skein/proto/mail/envelope.h"
#include "skein/proto/mail/return_path.h"

#include <stdio.h>

/* FNV-1a: for a test it is keyed enough by its seed. */
static void mac(const void *arg, struct span text, unsigned char mac_out[SRS_MAC_LEN])
{
	uint64_t hash = 14695981039346656037U ^ *(const uint64_t *)arg;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211U;
	for (size_t i = 0; i < SRS_MAC_LEN; i++)
		mac_out[i] = (unsigned char)(hash >> 8 * (i % 8));
}

static const uint64_t key = 1, other_key = 2;

static struct srs srs_at(uint64_t day)
{
	return (struct srs){ SPAN_LIT("ours.test"), day, mac, &key };
}

static void assert_text(struct buf *buf, const char *expected)
{
	assert_int_equal(buf_len(buf), strlen(expected));
	assert_memory_equal(buf_span(buf).ptr, expected, strlen(expected));
	buf_clear(buf);
}

static void a_sender_gets_another_domain(void **state)
{
	static const struct {
		const char *sender, *expected;
	} rows[] = {
		{ "a@old.example", "a@new.test" },
		{ "\"a@b\"@old.example", "\"a@b\"@new.test" },
		{ "a@[192.0.2.1]", "a@new.test" },
		{ "a", NULL },
		{ "@b", NULL },
		{ "a@", NULL },
		{ "\"@b", NULL },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool done = return_path_domain(&out, span_of_str(rows[i].sender), SPAN_LIT("new.test"));

		assert_int_equal(done, rows[i].expected != NULL);
		assert_text(&out, rows[i].expected ? rows[i].expected : "");
	}
	buf_fini(&out);
}

static void verp_names_the_recipient(void **state)
{
	static const struct {
		const char *sender, *recipient, *domain, *expected;
	} rows[] = {
		{ "list@a.example", "u@b.example", "r.test", "list+u=b.example@r.test" },
		{ "list@a.example", "u@b.example", "", "list+u=b.example@a.example" },
		{ "list@a.example", "\"u v\"@b.example", "r.test", "\"list+u v=b.example\"@r.test" },
		{ "list@a.example", "u@[192.0.2.1]", "r.test", "\"list+u=[192.0.2.1]\"@r.test" },
		{ "list@a.example", "postmaster", "r.test", NULL },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool done = return_path_verp(&out, span_of_str(rows[i].sender),
			span_of_str(rows[i].recipient), span_of_str(rows[i].domain));

		assert_int_equal(done, rows[i].expected != NULL);
		assert_text(&out, rows[i].expected ? rows[i].expected : "");
	}
	buf_fini(&out);
}

static void what_is_wrapped_comes_back(void **state)
{
	static const char *const senders[] = { "a@b.example", "\"a b=@c\"@d.example", "x=y+z@d.example",
		"SRS0=abcd=XY=first.example=user@second.example",
		"srs0+abcd=XY=first.example=user@second.example", "a@[192.0.2.1]" };
	static const char *const expected[] = { "a@b.example", "\"a b=@c\"@d.example", "x=y+z@d.example",
		"SRS0=abcd=XY=first.example=user@second.example",
		"SRS0+abcd=XY=first.example=user@second.example", "\"a\"@[192.0.2.1]" };
	struct srs srs = srs_at(20000);
	struct buf wrapped = { 0 }, back = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		assert_true(srs_wrap(&srs, &wrapped, span_of_str(senders[i])));
		assert_true(envelope_addr_is_safe(buf_span(&wrapped), false));
		assert_false(span_eq(buf_span(&wrapped), span_of_str(senders[i])));
		assert_int_equal(srs_unwrap(&srs, &back, buf_span(&wrapped)), SRS_UNWRAPPED);
		assert_text(&back, expected[i]);
		buf_clear(&wrapped);
	}
	buf_fini(&wrapped);
	buf_fini(&back);
}

static void the_forms_are_those_that_others_know(void **state)
{
	struct srs srs = srs_at(33); /* BB */
	struct buf out = { 0 };
	struct span text;

	(void)state;
	assert_true(srs_wrap(&srs, &out, SPAN_LIT("a@b.example")));
	text = buf_span(&out);
	assert_memory_equal(text.ptr, "SRS0=", 5);
	assert_true(span_eq(span_drop(text, 13), SPAN_LIT("=BB=b.example=a@ours.test")));
	buf_clear(&out);
	assert_true(srs_wrap(&srs, &out, SPAN_LIT("SRS0=h=t=b.example=a@c.example")));
	text = buf_span(&out);
	assert_memory_equal(text.ptr, "SRS1=", 5);
	assert_true(span_eq(span_drop(text, 13), SPAN_LIT("=c.example==h=t=b.example=a@ours.test")));
	buf_clear(&out);
	assert_true(srs_wrap(&srs, &out, SPAN_LIT("SRS1=h=c.example==h=t=b.example=a@d.example")));
	text = buf_span(&out);
	assert_true(span_eq(span_drop(text, 13), SPAN_LIT("=c.example==h=t=b.example=a@ours.test")));
	buf_clear(&out);
	assert_true(srs_wrap(&srs, &out, SPAN_LIT("a@OURS.test")));
	assert_text(&out, "a@OURS.test");
	assert_false(srs_wrap(&srs, &out, SPAN_LIT("SRS1=h@d.example")));
	assert_false(srs_wrap(&srs, &out, SPAN_LIT("nobody")));
	buf_fini(&out);
}

static void it_ends_after_three_weeks(void **state)
{
	struct srs srs = srs_at(1020), later;
	struct buf wrapped = { 0 }, back = { 0 };

	(void)state;
	assert_true(srs_wrap(&srs, &wrapped, SPAN_LIT("a@b.example")));
	for (uint64_t days = 0; days <= SRS_DAYS_MAX; days++) {
		later = srs_at(1020 + days);
		assert_int_equal(srs_unwrap(&later, &back, buf_span(&wrapped)), SRS_UNWRAPPED);
	}
	later = srs_at(1020 + SRS_DAYS_MAX + 1);
	assert_int_equal(srs_unwrap(&later, &back, buf_span(&wrapped)), SRS_EXPIRED);
	later = srs_at(1019);
	assert_int_equal(srs_unwrap(&later, &back, buf_span(&wrapped)), SRS_EXPIRED);
	buf_fini(&wrapped);
	buf_fini(&back);
}

static void nobody_makes_one_without_the_key(void **state)
{
	static const char *const none[] = { "a@ours.test", "SRS0=@ours.test", "SRS2=a=b=c=d@ours.test",
		"SRS0=a=b=c=d@b.test", "a", "" };
	static const char *const forged[] = { "SRS0=AAAAAAAA=AA=b.example=a@ours.test", "SRS0=x@ours.test",
		"SRS0==@ours.test", "SRS1=AAAAAAAA=b.example==x@ours.test", "SRS0=AAAAAAAA=@ours.test" };
	struct srs srs = srs_at(1), others = srs_at(1);
	struct buf wrapped = { 0 }, out = { 0 };

	(void)state;
	others.arg = &other_key;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(srs_unwrap(&srs, &out, span_of_str(none[i])), SRS_NONE);
	for (size_t i = 0; i < ARRAY_LEN(forged); i++)
		assert_int_equal(srs_unwrap(&srs, &out, span_of_str(forged[i])), SRS_FORGED);
	assert_true(srs_wrap(&srs, &wrapped, SPAN_LIT("a@b.example")));
	assert_int_equal(srs_unwrap(&others, &out, buf_span(&wrapped)), SRS_FORGED);
	assert_int_equal(buf_len(&out), 0);
	/* Each byte counts but for its case. */
	for (size_t i = 5; i < buf_len(&wrapped) - 10; i++) {
		char *byte = wrapped.base + wrapped.head + i, was = *byte;

		*byte = was == 'x' ? 'y' : 'x';
		assert_int_equal(srs_unwrap(&srs, &out, buf_span(&wrapped)), SRS_FORGED);
		*byte = ascii_lower(was);
		assert_int_equal(srs_unwrap(&srs, &out, buf_span(&wrapped)), SRS_UNWRAPPED);
		buf_clear(&out);
		*byte = was;
	}
	buf_fini(&wrapped);
	buf_fini(&out);
}

static void what_becomes_too_long_has_no_other_form(void **state)
{
	struct srs srs = srs_at(1);
	char sender[ENVELOPE_ADDR_MAX + 1];
	struct buf out = { 0 };

	(void)state;
	memset(sender, 'a', ENVELOPE_ADDR_MAX);
	memcpy(sender + ENVELOPE_ADDR_MAX - 4, "@b.c", 5);
	assert_false(srs_wrap(&srs, &out, span_of_str(sender)));
	assert_false(
		return_path_verp(&out, span_of_str(sender), SPAN_LIT("u@b.example"), SPAN_LIT("r.test")));
	assert_false(return_path_domain(&out, span_of_str(sender), SPAN_LIT("long.r.test")));
	assert_int_equal(buf_len(&out), 0);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sender_gets_another_domain),
		cmocka_unit_test(verp_names_the_recipient),
		cmocka_unit_test(what_is_wrapped_comes_back),
		cmocka_unit_test(the_forms_are_those_that_others_know),
		cmocka_unit_test(it_ends_after_three_weeks),
		cmocka_unit_test(nobody_makes_one_without_the_key),
		cmocka_unit_test(what_becomes_too_long_has_no_other_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
