/* help: what skeinctl says about itself, from the table of commands. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include "command.h"

/* One screen: all commands by topic. */
void help_append_all(struct buf *out);
/* The commands that share a first word. */
void help_append_family(struct buf *out, struct span family);
void help_append_command(struct buf *out, const struct command *command);

/* "A summary" with a capital and a full stop. */
void help_append_sentence(struct buf *out, const char *summary);

/* What the exit codes mean, by number. */
enum { HELP_EXITS = CTL_LATE + 1 };
extern const char *const help_exits[HELP_EXITS];

/* Words of `text` in lines of at most HELP_WIDTH columns; each line, but the first, begins with `indent`
 * blanks. */
enum { HELP_WIDTH = 80 };
void help_append_wrapped(struct buf *out, const char *text, size_t column, size_t indent);

#endif
