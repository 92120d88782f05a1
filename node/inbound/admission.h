/*
 * admission: how many connections there are, together and from one client address, over all workers of the
 * process. Asked once for each connection.
 */
#ifndef NODE_INBOUND_ADMISSION_H
#define NODE_INBOUND_ADMISSION_H

#include "io/address.h"

struct admission;

enum admission_verdict { ADMISSION_YES, ADMISSION_TOO_MANY, ADMISSION_TOO_MANY_OF_CLIENT };

struct admission *admission_new(const uint64_t seed[2]);
void admission_free(struct admission **admission);
/* Any thread. A connection that is let in must admission_leave(); 0 as a limit: none. */
enum admission_verdict admission_enter(struct admission *admission, const struct address *client,
	uint64_t total_max, uint64_t per_client_max);
/* Any thread. */
void admission_leave(struct admission *admission, const struct address *client);
size_t admission_count(struct admission *admission);

#endif
