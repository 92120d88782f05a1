#include "dns/self.h"

#include "skein/proto/base/alloc.h"

#include <uv.h>

static void add_names(struct dns_self *self, const struct settings *settings)
{
	const char **names = arena_alloc(&self->arena, sizeof(*names));

	names[0] = arena_strdup(&self->arena, span_of_str(settings->node.hostname));
	self->names = (struct mx_self){ names, 1 };
}

static void add_listeners(struct dns_self *self, const struct settings *settings)
{
	self->listeners = arena_alloc(&self->arena, settings->listeners.count * sizeof(*self->listeners) + 1);
	for (size_t i = 0; i < settings->listeners.count; i++) {
		const struct endpoint *endpoint = &settings->listeners.items[i].address;

		if (address_parse(span_of_str(endpoint->host), endpoint->port,
			    &self->listeners[self->listener_count]) == ERR_OK)
			self->listener_count++;
	}
}

static void add_interfaces(struct dns_self *self)
{
	uv_interface_address_t *found;
	int count;

	if (uv_interface_addresses(&found, &count))
		return;
	self->interfaces = arena_alloc(&self->arena, (size_t)count * sizeof(*self->interfaces) + 1);
	for (int i = 0; i < count; i++) {
		if (address_from_sockaddr((const struct sockaddr *)&found[i].address,
			    &self->interfaces[self->interface_count]))
			self->interface_count++;
	}
	uv_free_interface_addresses(found, count);
}

struct dns_self *dns_self_new(const struct settings *settings)
{
	struct dns_self *self = mem_zalloc(sizeof(*self));

	add_names(self, settings);
	add_listeners(self, settings);
	add_interfaces(self);
	return self;
}

void dns_self_free(struct dns_self **self)
{
	if (*self)
		arena_fini(&(*self)->arena);
	mem_free(*self);
	*self = NULL;
}

static bool is_same_ip(const struct address *a, const struct address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

static bool is_any(const struct address *address)
{
	return address->sa.sa_family == AF_INET ? address->v4.sin_addr.s_addr == INADDR_ANY
						: IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

static bool is_of_this_host(const struct dns_self *self, const struct address *address)
{
	/* All of 127.0.0.0/8 is here, whatever the interface has. */
	if (address->sa.sa_family == AF_INET && ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
		return true;
	for (size_t i = 0; i < self->interface_count; i++) {
		if (is_same_ip(&self->interfaces[i], address))
			return true;
	}
	return is_any(address);
}

bool dns_self_is_at(const struct dns_self *self, const struct address *address)
{
	for (size_t i = 0; i < self->listener_count; i++) {
		const struct address *listener = &self->listeners[i];

		if (address_port(listener) != address_port(address) ||
			listener->sa.sa_family != address->sa.sa_family)
			continue;
		if (is_any(listener) ? is_of_this_host(self, address) : is_same_ip(listener, address))
			return true;
	}
	return false;
}
