#include "skein/cluster/track_line.h"
#include "skein/cluster/track_store.h"
#include "track_fields.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

static bool read_number(const json_t *value, unsigned base, uint64_t *out)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*out = (uint64_t)json_integer_value(value);
		return true;
	}
	if (!text || !*text)
		return false;
	errno = 0;
	*out = strtoull(text, &end, (int)base);
	return !*end && !errno;
}

static bool read_field(
	const struct track_field *field, const json_t *value, struct arena *arena, struct track_event *event)
{
	char *at = (char *)event + field->offset;
	const char *text = json_string_value(value);
	struct span copied;

	switch (field->type) {
	case FIELD_IS_TIME:
		return text && track_time_parse(span_of_str(text), &event->time_us);
	case FIELD_IS_KIND:
		return text && track_kind_find(span_of_str(text), &event->kind);
	case FIELD_IS_SESSION:
		return read_number(value, 16, &event->session);
	case FIELD_IS_NUMBER:
	case FIELD_IS_DURATION:
		return read_number(value, 10, (uint64_t *)(void *)at);
	case FIELD_IS_TEXT:
		if (!text)
			return false;
		copied = arena_dup(arena, span_of(text, json_string_length(value)));
		memcpy(at, &copied, sizeof(copied));
		return true;
	case FIELD_IS_QUERY:
		break;
	}
	return true;
}

bool track_line_read(struct span line, struct arena *arena, struct track_event *event_out)
{
	json_t *object = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	bool is_good = json_is_object(object) && json_object_get(object, track_fields[FIELD_TIME].key) &&
		       json_object_get(object, track_fields[FIELD_KIND].key);
	const json_t *seq;

	*event_out = (struct track_event){ 0 };
	for (size_t i = 0; i < FIELD_COUNT && is_good; i++) {
		const json_t *value =
			track_fields[i].key ? json_object_get(object, track_fields[i].key) : NULL;

		is_good = !value || read_field(&track_fields[i], value, arena, event_out);
	}
	seq = json_object_get(object, "seq");
	if (is_good && seq)
		is_good = json_is_string(seq) &&
			  track_name_read(span_of(json_string_value(seq), json_string_length(seq)),
				  &event_out->run, &event_out->number);
	json_decref(object);
	return is_good;
}
