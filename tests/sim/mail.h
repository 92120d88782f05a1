/* mail: what clients handed in and what the system itself made (reports), by id; and the clients. */
#ifndef SIM_MAIL_H
#define SIM_MAIL_H

#include "world.h"

struct mail *mail_find(struct world *world, const struct msg_id *id);
struct mail *mail_find_text(struct world *world, struct span id_text);
/* Nothing is left to do for this recipient, as far as the world outside can tell. */
bool mail_is_settled(const struct mail *mail, unsigned recipient);
bool mail_is_over(const struct mail *mail);

/* A report has come to its end: it was received, or nobody will ever take it. */
void mail_end_report(struct mail *report);

/*
 * A client hands in a mail for `recipients` at this node; NULL when the node takes none now. `plan` is what
 * the hop will do with its first attempts.
 */
struct mail *client_send(
	struct worker *worker, unsigned recipients, const enum hop_verdict *plan, size_t plan_len);
/* Clients come by themselves, at the scenario's rate. */
void clients_start(struct world *world);

#endif
