#include "dns/ascii_name.h"

#include "skein/proto/dns/name.h"

#include <idn2.h>

/* libidn2 would drop some bytes of names in ASCII. */
const char *dns_ascii_name(struct arena *arena, struct span name)
{
	char *text = arena_strdup(arena, name);
	char *ascii;

	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.ptr[i] < 0x80)
			continue;
		if (idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
			return NULL;
		text = arena_strdup(arena, span_of_str(ascii));
		idn2_free(ascii);
		break;
	}
	name = dns_name_without_dot(span_of_str(text));
	return dns_name_is_host(name) ? arena_strdup(arena, name) : NULL;
}
