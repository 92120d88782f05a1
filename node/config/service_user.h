/*
 * service_user: who will run the node. Root can read files that the node, which is not root, cannot: a check
 * of its settings by root looks as the user who owns the spool.
 */
#ifndef NODE_CONFIG_SERVICE_USER_H
#define NODE_CONFIG_SERVICE_USER_H

#include <stdbool.h>

/* Becomes the owner of `spool`, with his groups, when we are root and he is not. False: we look as root, also
 * where root may not become another, as in some containers. */
bool service_user_become(const char *spool);
/* The name of whom we have become; NULL: nobody else. */
const char *service_user_name(void);

#endif
