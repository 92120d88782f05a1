/* skeinctl __manual: the man page, for the build. */
#include "manual.h"
#include "screen.h"

enum ctl_exit cmd_manual(struct ctl_options *options, const struct call *call)
{
	struct buf text = { 0 };
	enum ctl_exit exit;

	(void)options;
	(void)call;
	manual_append(&text);
	exit = screen_print(&text) ? CTL_OK : CTL_REFUSED;
	buf_fini(&text);
	return exit;
}
