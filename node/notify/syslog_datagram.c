#include "notify/syslog_internal.h"
#include "skein/proto/base/alloc.h"

enum {
	BURST = 50, /* at once, so that a collector's socket can hold them */
	BURST_PAUSE_MS = 5,
	AGE_MAX_MS = 60 * 1000, /* nobody tells us that a name has moved: it is looked up again */
};

struct syslog_datagrams {
	uv_udp_t udp;
};

static void on_closed(uv_handle_t *handle)
{
	mem_free(CONTAINER_OF(handle, struct syslog_datagrams, udp));
}

void syslog_datagram_close(struct syslog *self)
{
	if (self->datagrams)
		uv_close((uv_handle_t *)&self->datagrams->udp, on_closed);
	self->datagrams = NULL;
}

/* False: closed, and told. */
static bool is_good(struct syslog *self, int error)
{
	if (error >= 0)
		return true;
	syslog_datagram_close(self);
	if (self->next_address < self->found.count)
		syslog_datagram_open(self);
	else
		syslog_failed(self, uv_strerror(error));
	return false;
}

/* Connected, so that the kernel tells us when nobody is there. */
void syslog_datagram_open(struct syslog *self)
{
	const struct address *address = &self->found.items[self->next_address++];

	self->datagrams = mem_zalloc(sizeof(*self->datagrams));
	CHECK(uv_udp_init(&self->loop->uv, &self->datagrams->udp) == 0);
	self->opened_ms = loop_now_ms(self->loop);
	if (is_good(self, uv_udp_connect(&self->datagrams->udp, &address->sa)))
		syslog_datagram_push(self);
}

/* False: it waits on. */
static bool send_first(struct syslog *self, struct syslog_entry *entry)
{
	struct span bytes = buf_span(&entry->bytes);
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
	int sent = uv_udp_try_send(&self->datagrams->udp, &buf, 1, NULL);

	if (sent == UV_EAGAIN)
		return false;
	if (sent == UV_EMSGSIZE) {
		syslog_end(self, entry, NOTIFY_NEVER, "larger than a datagram may be");
		return true;
	}
	if (!is_good(self, sent))
		return false;
	self->failures = 0;
	self->why[0] = '\0';
	syslog_end(self, entry, NOTIFY_SENT, "");
	return true;
}

void syslog_datagram_push(struct syslog *self)
{
	struct syslog_entry *entry;

	if (loop_now_ms(self->loop) - self->opened_ms > AGE_MAX_MS) {
		syslog_datagram_close(self);
		syslog_advance(self);
		return;
	}
	if (loop_timer_is_set(&self->look))
		return;
	for (unsigned i = 0; i < BURST && (entry = syslog_first(&self->waiting)); i++)
		if (!send_first(self, entry))
			break;
	if (self->datagrams && syslog_first(&self->waiting))
		loop_timer_set(self->loop, &self->look, BURST_PAUSE_MS);
}
