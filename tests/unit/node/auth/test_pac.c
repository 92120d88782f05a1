/* The SID in a ticket's UPN_DNS_INFO. */
#include "cmocka_all.h"

#include "auth/pac.h"
#include "skein/proto/base/check.h"

/* Of a domain controller: alice, flags 2, her name at 0x50, her SID at 0x5a. */
static const unsigned char sample[] =
	"\x20\x00\x18\x00\x14\x00\x38\x00\x02\x00\x00\x00\x0a\x00\x50\x00\x1c\x00\x5a\x00\x00\x00\x00\x00"
	"\x61\x00\x6c\x00\x69\x00\x63\x00\x65\x00\x40\x00\x61\x00\x64\x00\x6c\x00\x61\x00\x62\x00\x2e\x00"
	"\x74\x00\x65\x00\x73\x00\x74\x00\x41\x00\x44\x00\x4c\x00\x41\x00\x42\x00\x2e\x00\x54\x00\x45\x00"
	"\x53\x00\x54\x00\x00\x00\x00\x00\x61\x00\x6c\x00\x69\x00\x63\x00\x65\x00\x01\x05\x00\x00\x00\x00"
	"\x00\x05\x15\x00\x00\x00\x27\x97\xba\x16\x57\x4c\x0f\x00\xb5\x5e\x41\xeb\x51\x04\x00\x00";

enum { SAMPLE_LEN = sizeof(sample) - 1 };

static bool read_changed(size_t at, unsigned char byte)
{
	unsigned char bytes[SAMPLE_LEN];
	struct sid sid;

	memcpy(bytes, sample, SAMPLE_LEN);
	bytes[at] = byte;
	return pac_read_sid(span_of((const char *)bytes, SAMPLE_LEN), &sid);
}

static void the_sid_is_found(void **state)
{
	struct sid sid;
	char text[SID_TEXT_SIZE];

	(void)state;
	assert_true(pac_read_sid(span_of((const char *)sample, SAMPLE_LEN), &sid));
	sid_format(&sid, text);
	assert_string_equal(text, "S-1-5-21-381327143-1002583-3946929845-1105");
}

static void no_cut_or_damaged_one_is_read(void **state)
{
	static const struct {
		size_t at;
		unsigned char byte;
	} rows[] = {
		{ 8, 0 },                  /* no such field */
		{ 16, 0x1b },              /* a length that no SID has */
		{ 16, 0 }, { 17, 1 },      /* past the end */
		{ 18, 0x5b },              /* past the end by one */
		{ 18, 0x13 },              /* inside of the head */
		{ 19, 0xff }, { 0x5a, 2 }, /* no revision of ours */
	};
	struct sid sid;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(read_changed(rows[i].at, rows[i].byte));
	for (size_t len = 0; len < SAMPLE_LEN; len++)
		assert_false(pac_read_sid(span_of((const char *)sample, len), &sid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sid_is_found),
		cmocka_unit_test(no_cut_or_damaged_one_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
