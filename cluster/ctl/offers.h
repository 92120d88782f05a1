/* offers: what only the cluster, or the file of users, can say of how a command line may go on. */
#ifndef CTL_OFFERS_H
#define CTL_OFFERS_H

#include "completion.h"

/* Appends names that are there now, as completion_offer() does; nothing when Redis does not answer within a
 * second. */
void offers_append(struct buf *out, struct completion *completion);

#endif
