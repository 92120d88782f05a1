/*
 * tag_list: "name=value; name=value", as the TXT records of DMARC, MTA-STS and TLS-RPT have it. Only cuts:
 * what names and values may be is for who asks to say.
 */
#ifndef SKEIN_PROTO_WIRE_TAG_LIST_H
#define SKEIN_PROTO_WIRE_TAG_LIST_H

#include "skein/proto/base/span.h"

/* Spans without white space at either end. */
struct tag {
	struct span text; /* as a whole */
	struct span name, value;
	bool is_pair; /* it has an '='; without, name is the text */
};

/*
 * Takes the next tag from the front. False: there is none left; white space behind the last semicolon is
 * none.
 */
bool tag_list_next(struct span *rest, struct tag *tag_out);

#endif
