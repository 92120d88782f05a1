/* skeinctl key new */
#include "call.h"
#include "key_file.h"
#include "screen.h"

#include <stdio.h>

enum ctl_exit cmd_key_new(struct ctl_options *options, const struct call *call)
{
	const char *path = call_word(call, 0);
	struct secret_key_id id;
	struct buf why = { 0 };

	if (!key_file_make(path, &id, &why)) {
		(void)session_usage(&why);
		return CTL_NEGATIVE;
	}
	if (options->is_json)
		screen_print_json(
			json_pack("{s:o, s:s}", "file", json_of_span(span_of_str(path)), "key", id.text));
	else
		printf("%s holds the new key %s; keep a copy where no node is\n", path, id.text);
	return CTL_OK;
}
