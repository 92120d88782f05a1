#include "secret_input.h"

#include "key_file.h"

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
static bool read_line(int fd, struct buf *out)
{
	ssize_t len;

	buf_reserve(out, SECRET_TEXT_MAX + 2);
	len = read(fd, buf_tail(out), SECRET_TEXT_MAX + 2);
	if (len > 0)
		buf_commit(out, (size_t)len);
	return len >= 0;
}

/* Whoever presses Ctrl-C gets the terminal back as it was. */
static bool read_hidden(int fd, struct buf *out)
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
		fputs("Secret (is not shown): ", stderr);
		is_read = read_line(fd, out);
		fputc('\n', stderr);
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

bool secret_input_read(const char *path, struct buf *text_out, struct buf *why_out)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	const char *from = path ? path : "standard input";
	bool is_read = false;
	int error;

	errno = 0;
	if (fd >= 0)
		is_read = !path && isatty(fd) ? read_hidden(fd, text_out)
					      : key_file_read_all(fd, SECRET_TEXT_MAX + 2, text_out);
	error = errno;
	if (path && fd >= 0)
		close(fd);
	drop_line_end(text_out);
	if (fd < 0)
		buf_printf(why_out, "cannot open %s", from);
	else if (!is_read && error)
		buf_printf(why_out, "cannot read %s: %s", from, strerror(error));
	else if (!is_read || buf_len(text_out) > SECRET_TEXT_MAX)
		buf_printf(why_out, "%s holds more than %d bytes", from, SECRET_TEXT_MAX);
	else if (!buf_len(text_out))
		buf_printf(why_out, "%s is empty: that is no secret", from);
	else
		return true;
	return false;
}
