#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Alternate screen, no cursor, no wrapping of long lines; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

enum { HEIGHT_DEFAULT = 24 };

static struct termios shown, raw;
static bool has_keys;         /* standard input is a terminal */
static sigset_t waiting_mask; /* of signals while it waits */
static volatile sig_atomic_t is_resized;

bool terminal_is_there(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

/* Also from signal handlers. */
static void write_all(const char *text, size_t len)
{
	while (len) {
		ssize_t done = write(STDOUT_FILENO, text, len);

		if (done < 0 && errno != EINTR)
			return;
		text += done > 0 ? done : 0;
		len -= done > 0 ? (size_t)done : 0;
	}
}

static void set_up(void)
{
	if (has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	write_all(ENTER, strlen(ENTER));
}

static void set_back(void)
{
	write_all(LEAVE, strlen(LEAVE));
	if (has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
}

/* ---- signals ---- */

static void on_resize(int number)
{
	(void)number;
	is_resized = 1;
}

/* At once, whatever the program waits for. */
static void on_end(int number)
{
	set_back();
	if (number == SIGINT)
		_exit(0);
	signal(number, SIG_DFL);
	raise(number);
}

static void on_stop(int number)
{
	int error = errno;

	(void)number;
	set_back();
	raise(SIGSTOP);
	set_up();
	/* Its size may be another now. Held back like any other until somebody waits: it is not overlooked. */
	raise(SIGWINCH);
	errno = error;
}

static void catch (int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void catch_all(void (*on_each_end)(int), void (*on_each_stop)(int), void (*on_each_resize)(int))
{
	catch (SIGINT, on_each_end);
	catch (SIGTERM, on_each_end);
	catch (SIGHUP, on_each_end);
	catch (SIGQUIT, on_each_end);
	catch (SIGTSTP, on_each_stop);
	catch (SIGWINCH, on_each_resize);
}

/* ---- use ---- */

void terminal_enter(void)
{
	sigset_t resize;

	has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
	raw = shown;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* One that comes between looking and waiting is not lost. */
	sigemptyset(&resize);
	sigaddset(&resize, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resize, &waiting_mask);
	sigdelset(&waiting_mask, SIGWINCH);
	catch_all(on_end, on_stop, on_resize);
	set_up();
}

void terminal_leave(void)
{
	set_back();
	catch_all(SIG_DFL, SIG_DFL, SIG_DFL);
}

static size_t height(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : HEIGHT_DEFAULT;
}

void terminal_draw(struct span text)
{
	struct buf out = { 0 };
	size_t left = height();

	buf_append_str(&out, "\033[H");
	for (; text.len && left; left--) {
		size_t len = span_find(text, '\n');

		buf_append(&out, span_take(text, len));
		buf_append_str(&out, left > 1 ? "\033[K\r\n" : "\033[K");
		text = span_drop(text, len < text.len ? len + 1 : len);
	}
	buf_append_str(&out, "\033[J");
	write_all(buf_span(&out).ptr, buf_len(&out));
	buf_fini(&out);
}

int terminal_wait(uint64_t ms)
{
	struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	unsigned char key;
	fd_set keys;
	int ready;

	FD_ZERO(&keys);
	FD_SET(STDIN_FILENO, &keys);
	ready = pselect(has_keys ? STDIN_FILENO + 1 : 0, &keys, NULL, NULL, &time, &waiting_mask);
	if (is_resized) {
		is_resized = 0;
		return TERMINAL_RESIZED;
	}
	if (ready <= 0)
		return TERMINAL_TIME;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key;
	has_keys = false; /* the terminal is gone */
	return TERMINAL_TIME;
}
