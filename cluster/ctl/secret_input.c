#include "secret_input.h"

#include "key_file.h"
#include "skein/cluster/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t was_stopped;

static void on_signal(int number)
{
	was_stopped = number;
}

/* A line of a terminal ends read(2) by itself. */
static bool read_line(int fd, const char *prompt, size_t len_max, struct buf *out)
{
	ssize_t len;

	fputs(prompt, stderr);
	buf_reserve(out, len_max + 2);
	len = read(fd, buf_tail(out), len_max + 2);
	if (len > 0)
		buf_commit(out, (size_t)len);
	fputc('\n', stderr);
	return len >= 0;
}

/* The same once more. *same_out: it was. */
static bool read_again(int fd, const struct secret_prompt *prompt, struct span first, bool *same_out)
{
	struct buf again = { 0 };
	bool is_read = read_line(fd, prompt->again, prompt->len_max, &again);

	*same_out = span_eq(buf_span(&again), first);
	secret_text_wipe(&again);
	return is_read;
}

static bool read_lines(int fd, const struct secret_prompt *prompt, struct buf *out, bool *same_out)
{
	bool is_read = read_line(fd, prompt->first, prompt->len_max, out);

	if (is_read && prompt->again)
		is_read = read_again(fd, prompt, buf_span(out), same_out);
	return is_read;
}

/* Whoever presses Ctrl-C gets the terminal back as it was. */
static bool read_hidden(int fd, const struct secret_prompt *prompt, struct buf *out, bool *same_out)
{
	struct sigaction action = { .sa_handler = on_signal }, old_int, old_term;
	struct termios shown, hidden;
	bool is_read;

	if (tcgetattr(fd, &shown) < 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, &old_int);
	sigaction(SIGTERM, &action, &old_term);
	is_read = tcsetattr(fd, TCSAFLUSH, &hidden) == 0;
	if (is_read) {
		is_read = read_lines(fd, prompt, out, same_out);
		(void)tcsetattr(fd, TCSAFLUSH, &shown);
	}
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	if (was_stopped)
		raise(was_stopped);
	return is_read;
}

static void drop_line_end(struct buf *text)
{
	size_t len = buf_len(text);

	if (len && buf_span(text).ptr[len - 1] == '\n')
		len--;
	if (len && len < buf_len(text) && buf_span(text).ptr[len - 1] == '\r')
		len--;
	buf_truncate(text, len);
}

bool secret_input_read(
	const char *path, const struct secret_prompt *prompt, struct buf *text_out, struct buf *why_out)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	const char *from = path ? path : "standard input";
	bool is_read = false, is_same = true;
	int error;

	errno = 0;
	if (fd >= 0)
		is_read = !path && isatty(fd) ? read_hidden(fd, prompt, text_out, &is_same)
					      : key_file_read_all(fd, prompt->len_max + 2, text_out);
	error = errno;
	if (path && fd >= 0)
		close(fd);
	drop_line_end(text_out);
	if (fd < 0)
		buf_printf(why_out, "cannot open %s", from);
	else if (!is_read && error)
		buf_printf(why_out, "cannot read %s: %s", from, strerror(error));
	else if (!is_read || buf_len(text_out) > prompt->len_max)
		buf_printf(why_out, "%s holds more than %zu bytes", from, prompt->len_max);
	else if (!buf_len(text_out))
		buf_printf(why_out, "%s is empty: that is no %s", from, prompt->noun);
	else if (!is_same)
		buf_printf(why_out, "that was not the same %s twice", prompt->noun);
	else
		return true;
	return false;
}
