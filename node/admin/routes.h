/*
 * routes: what the admin server answers, made from the state of the node. See admin.h for the list.
 */
#ifndef NODE_ADMIN_ROUTES_H
#define NODE_ADMIN_ROUTES_H

#include "admin/admin.h"
#include "admin/http_server.h"

/* An http_handler; `arg` is a struct admin_options. */
void routes_answer(void *arg, struct span path, struct http_response *response);

#endif
