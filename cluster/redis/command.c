#include "redis/command.h"

enum {
	GATHER_MAX = 4096,   /* a larger argument is worth a write of its own */
	SCRATCH_MAX = 65536, /* many small arguments leave in parts of about this size */
};

static void write_out(const struct redis_transport *transport, struct buf *scratch)
{
	if (buf_len(scratch) == 0)
		return;
	transport->write(transport->ctx, buf_span(scratch));
	buf_clear(scratch);
}

static void append_header(struct buf *scratch, char type, size_t count)
{
	buf_append_byte(scratch, type);
	buf_append_u64(scratch, count);
	buf_append(scratch, SPAN_LIT("\r\n"));
}

void command_write(
	const struct redis_transport *transport, struct buf *scratch, size_t argc, const struct span *argv)
{
	append_header(scratch, '*', argc);
	for (size_t i = 0; i < argc; i++) {
		append_header(scratch, '$', argv[i].len);
		if (argv[i].len > GATHER_MAX) {
			write_out(transport, scratch);
			transport->write(transport->ctx, argv[i]);
		} else {
			buf_append(scratch, argv[i]);
		}
		buf_append(scratch, SPAN_LIT("\r\n"));
		if (buf_len(scratch) > SCRATCH_MAX)
			write_out(transport, scratch);
	}
	write_out(transport, scratch);
}
