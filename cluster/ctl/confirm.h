/*
 * confirm: whether what a command destroys is meant. A person at a terminal is asked, with what will happen
 * and how much; a script says --yes, and is refused without, with the line that it has to say.
 */
#ifndef CTL_CONFIRM_H
#define CTL_CONFIRM_H

#include "call.h"

/* Before anything is done. CTL_USAGE, told: nobody can be asked, and nobody said --yes. */
WARN_UNUSED enum ctl_exit confirm_can_go_on(const struct call *call);

/*
 * What will happen, in sentences; " Go on?" is put behind them. CTL_OK at once where --yes was said,
 * CTL_NEGATIVE, told, for every answer but yes.
 */
WARN_UNUSED enum ctl_exit confirm_ask(const struct ctl_options *options, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

#endif
