/* policy_secrets: secrets that a policy names and the cluster does not have. */
#ifndef CTL_POLICY_SECRETS_H
#define CTL_POLICY_SECRETS_H

#include "session.h"

/* Warns of each, once. `text` is a policy without errors. What could not be asked is told, and no failure. */
void policy_secrets_check(struct session *session, struct span text);

#endif
