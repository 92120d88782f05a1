/*
 * handling: what a client may ask for by MAIL beyond delivery itself, and what of it a message keeps.
 */
#ifndef NODE_INBOUND_HANDLING_H
#define NODE_INBOUND_HANDLING_H

#include "config/settings.h"
#include "skein/proto/mail/envelope.h"
#include "skein/proto/smtp/server.h"

/* What a listener offers of it: SMTP_EXT_ bits. */
unsigned handling_extensions(const struct settings *settings, const struct listener_settings *listener);
/* Before EHLO is answered: how long mail is held at most. `now_ms` is unix time, here and below. */
void handling_offer(struct smtp_server *server, const struct listener_settings *listener, uint64_t now_ms);
/* What a message keeps of its MAIL. False: the priority that it asks for is lowered to `priority_max`. */
bool handling_take(const struct smtp_mail_params *params, int8_t priority_max, uint64_t now_ms,
	struct envelope *envelope);

#endif
