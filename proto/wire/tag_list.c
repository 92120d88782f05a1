#include "skein/proto/wire/tag_list.h"

bool tag_list_next(struct span *rest, struct tag *tag_out)
{
	size_t end = span_find(*rest, ';'), equals;
	struct span text = span_trim(span_take(*rest, end));

	if (end == rest->len && !text.len)
		return false;
	*rest = span_drop(*rest, end < rest->len ? end + 1 : end);
	equals = span_find(text, '=');
	*tag_out = (struct tag){
		.text = text, .name = span_trim(span_take(text, equals)), .is_pair = equals < text.len
	};
	if (tag_out->is_pair)
		tag_out->value = span_trim(span_drop(text, equals + 1));
	return true;
}
