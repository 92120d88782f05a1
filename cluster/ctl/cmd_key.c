/* skeinctl key new */
#include "arguments.h"
#include "command.h"
#include "key_file.h"
#include "screen.h"

#include <stdio.h>

enum ctl_exit cmd_key_new(struct ctl_options *options, int argc, char **argv)
{
	struct argument arguments[] = {
		{ .name = "json", .kind = ARGUMENT_FLAG, .to.flag = &options->is_json },
	};
	struct secret_key_id id;
	struct buf why = { 0 };
	int first;

	if (!arguments_parse(argc, argv, arguments, ARRAY_LEN(arguments), &first, &why))
		return session_usage(&why);
	if (argc - first != 1) {
		buf_append_str(&why, "key new FILE");
		return session_usage(&why);
	}
	if (!key_file_make(argv[first], &id, &why)) {
		(void)session_usage(&why);
		return CTL_NEGATIVE;
	}
	if (options->is_json)
		screen_print_json(json_pack(
			"{s:o, s:s}", "file", json_of_span(span_of_str(argv[first])), "key", id.text));
	else
		printf("%s holds the new key %s; keep a copy where no node is\n", argv[first], id.text);
	return CTL_OK;
}
