/* track_act: what an operator did to messages, put among the cluster's tracking events. */
#ifndef CTL_TRACK_ACT_H
#define CTL_TRACK_ACT_H

#include "session.h"
#include "skein/cluster/msg_id.h"
#include "skein/cluster/track_event.h"

struct track_act;

struct track_act *track_act_new(enum track_kind kind);
/* `result` is what the operator is told. No more than an event for each message of one command. */
void track_act_add(struct track_act *act, const struct msg_id *id, const char *result);
/*
 * To Redis, before the session's next session_finish(). What was done stays done when this fails: nobody is
 * told. Frees it.
 */
void track_act_send(struct track_act **act, struct session *session);

#endif
