#include "watch.h"

#include "screen.h"
#include "terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct watching {
	struct ctl_options *options;
	const struct watch *watch;
	session_work_fn *work;
	void *arg;
	struct session session;
	bool is_open;
};

/* ---- one round ---- */

/* What a round says, complaints too, instead of being written. */
struct capture {
	FILE *out, *err, *memory;
	char *text;
	size_t len;
};

static void capture_begin(struct capture *capture)
{
	*capture = (struct capture){ .out = stdout, .err = stderr };
	capture->memory = open_memstream(&capture->text, &capture->len);
	CHECK(capture->memory);
	stdout = stderr = capture->memory;
}

static void capture_end(struct capture *capture)
{
	CHECK(fclose(capture->memory) == 0);
	stdout = capture->out;
	stderr = capture->err;
}

static void do_cluster_round(struct watching *watching)
{
	enum ctl_exit exit = watching->is_open ? session_refresh(&watching->session)
					       : session_open(&watching->session, watching->options);

	watching->is_open = watching->is_open || !exit;
	if (!exit)
		exit = watching->work(&watching->session, watching->arg);
	/* What it was is told in the round; the next one connects anew. */
	if (exit == CTL_UNREACHABLE || exit == CTL_REFUSED) {
		session_close(&watching->session);
		watching->is_open = false;
	}
}

static void do_round(struct watching *watching)
{
	if (watching->watch->is_local)
		(void)watching->work(NULL, watching->arg);
	else
		do_cluster_round(watching);
}

/* ---- on a terminal ---- */

static struct tm local_time(void)
{
	time_t now = time(NULL);
	struct tm local = { .tm_mday = 1 };

	(void)localtime_r(&now, &local);
	return local;
}

static void append_title(struct buf *out, const struct watch *watch)
{
	struct screen screen = screen_look();
	struct tm local = local_time();
	struct buf line = { 0 };
	char now[16];

	strftime(now, sizeof(now), "%H:%M:%S", &local);
	buf_printf(&line, "%s  %s, every %llus   %s%sq quits", now, watch->title,
		(unsigned long long)watch->every_ms / 1000, watch->keys ? watch->keys : "",
		watch->keys ? ", " : "");
	grid_append_tinted(out, buf_span(&line), TINT_FAINT, screen.has_colour);
	buf_append_str(out, "\n\n");
	buf_fini(&line);
}

static void draw_round(struct watching *watching)
{
	struct capture capture;
	struct buf frame = { 0 };

	append_title(&frame, watching->watch);
	capture_begin(&capture);
	do_round(watching);
	capture_end(&capture);
	buf_append(&frame, span_of(capture.text, capture.len));
	terminal_draw(buf_span(&frame));
	free(capture.text);
	buf_fini(&frame);
}

/* False: its reader has enough. A key or another size ends the wait early. */
static bool wait_for_reader(const struct watching *watching)
{
	int key = terminal_wait(watching->watch->every_ms);

	if (key == 'q' || key == 'Q')
		return false;
	if (key >= 0 && watching->watch->on_key)
		watching->watch->on_key(watching->arg, key);
	return true;
}

static enum ctl_exit watch_on_terminal(struct watching *watching)
{
	terminal_enter();
	do
		draw_round(watching);
	while (wait_for_reader(watching));
	terminal_leave();
	return CTL_OK;
}

/* ---- elsewhere ---- */

static void print_time(void)
{
	struct tm local = local_time();
	char now[32];

	strftime(now, sizeof(now), "%Y-%m-%d %H:%M:%S", &local);
	puts(now);
}

static enum ctl_exit watch_as_lines(struct watching *watching)
{
	struct timespec pause = { (time_t)(watching->watch->every_ms / 1000),
		(long)(watching->watch->every_ms % 1000) * 1000000 };

	screen_use_lines();
	for (;;) {
		if (!watching->options->is_json)
			print_time();
		do_round(watching);
		if (!watching->options->is_json)
			putchar('\n');
		if (fflush(stdout) || ferror(stdout))
			return CTL_REFUSED;
		nanosleep(&pause, NULL);
	}
}

enum ctl_exit watch_run(
	struct ctl_options *options, const struct watch *watch, session_work_fn *work, void *arg)
{
	struct watching watching = { .options = options, .watch = watch, .work = work, .arg = arg };
	bool on_terminal = !options->is_json && terminal_is_there();
	enum ctl_exit exit = on_terminal ? watch_on_terminal(&watching) : watch_as_lines(&watching);

	if (watching.is_open)
		session_close(&watching.session);
	return exit;
}
