#include "skein/proto/wire/tls_rpt.h"

#include "skein/proto/wire/tag_list.h"

static bool is_version(const struct tag *tag)
{
	return span_eq(tag->name, SPAN_LIT("v")) && span_eq(tag->value, SPAN_LIT("TLSRPTv1"));
}

bool tls_rpt_record_is_one(struct span text)
{
	struct tag tag;

	return tag_list_next(&text, &tag) && is_version(&tag);
}

bool tls_rpt_uri_next(struct span *list, struct span *uri_out)
{
	size_t end = span_find(*list, ',');

	if (!list->len)
		return false;
	*uri_out = span_trim(span_take(*list, end));
	*list = span_drop(*list, end < list->len ? end + 1 : end);
	return true;
}

static bool is_uri(struct span uri)
{
	struct span mailto = SPAN_LIT("mailto:"), https = SPAN_LIT("https://");
	struct span address = span_drop(uri, uri.len < mailto.len ? uri.len : mailto.len);
	size_t at = span_find(address, '@');

	for (size_t i = 0; i < uri.len; i++)
		if (uri.ptr[i] <= ' ' || uri.ptr[i] > '~' || uri.ptr[i] == '!')
			return false;
	if (span_starts_with_nocase(uri, mailto))
		return at > 0 && at + 1 < address.len;
	return span_starts_with_nocase(uri, https) && uri.len > https.len;
}

static const char *check_uris(struct span list)
{
	struct span uri;

	if (!list.len)
		return "it has nowhere to report to (rua=)";
	while (tls_rpt_uri_next(&list, &uri))
		if (!is_uri(uri))
			return "rua= has something that is neither mailto:USER@DOMAIN nor https://...";
	return NULL;
}

const char *tls_rpt_record_parse(struct span text, struct span *uris_out)
{
	struct tag tag;
	bool has_uris = false;

	if (!tag_list_next(&text, &tag) || !is_version(&tag))
		return "it does not begin with v=TLSRPTv1";
	*uris_out = span_of("", 0);
	while (tag_list_next(&text, &tag)) {
		if (!tag.is_pair || !tag.name.len)
			return "it has something that is no tag: name=value";
		if (!span_eq(tag.name, SPAN_LIT("rua")))
			continue;
		if (has_uris)
			return "it has rua= twice";
		*uris_out = tag.value;
		has_uris = true;
	}
	return check_uris(*uris_out);
}
